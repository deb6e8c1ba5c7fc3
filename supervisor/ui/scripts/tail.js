// The log page, alive: what is written arrives as it is written, can be held back, and can
// be searched by showing only the lines that contain a text.
"use strict";

const MOST_CHARACTERS = 2 * 1024 * 1024; // kept in the page; older lines go
const RETRY_SECONDS = 3;
const NEAR_THE_END = 40; // pixels: who is there wants to see what comes

const byId = (id) => document.getElementById(id);
const log = byId("log");
const live = byId("live");
const search = byId("q");
const pause = byId("pause");
let text = log.textContent;
let held = ""; // arrived while paused
let heldIsWhole = false; // the stream has begun anew meanwhile
let isPaused = false;
let aborter = null;

function isAtTheEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_THE_END;
}

function toTheEnd() {
  log.scrollTop = log.scrollHeight;
}

// -- showing ----------------------------------------------------------------------------

function matching(lines) {
  const wanted = search.value.toLowerCase();
  return lines.filter((line) => line.toLowerCase().includes(wanted));
}

function show() {
  const follows = isAtTheEnd();
  if (!search.value) {
    log.textContent = text;
    byId("found").textContent = "";
  } else {
    const lines = matching(text.split("\n").filter(Boolean));
    log.textContent = lines.join("\n");
    byId("found").textContent = lines.length === 1 ? "1 line" : `${lines.length} lines`;
  }
  if (follows) toTheEnd();
}

function append(more) {
  text += more;
  const isTooLong = text.length > MOST_CHARACTERS;
  if (isTooLong) text = text.slice(text.indexOf("\n", text.length - MOST_CHARACTERS / 2) + 1);
  if (isTooLong || search.value) {
    show();
    return;
  }
  const follows = isAtTheEnd();
  log.append(more);
  if (follows) toTheEnd();
}

function arrived(more) {
  if (!isPaused) {
    append(more);
    return;
  }
  held += more;
  if (held.length > MOST_CHARACTERS) held = held.slice(-MOST_CHARACTERS / 2);
}

function begin(whole) {
  text = "";
  log.textContent = "";
  append(whole);
  toTheEnd();
}

// -- following ----------------------------------------------------------------------------

async function follow() {
  if (aborter || document.hidden) return;
  aborter = new AbortController();
  try {
    const response = await fetch(log.dataset.follow, { signal: aborter.signal });
    if (!response.ok) throw new Error(response.statusText);
    showLive(true);
    await read(response.body.pipeThrough(new TextDecoderStream()).getReader());
  } catch {
    // the connection is gone, or we have hidden ourselves: below we try again
  }
  aborter = null;
  if (!document.hidden) {
    showLive(false);
    setTimeout(follow, RETRY_SECONDS * 1000);
  }
}

// The stream begins with the end of the log, which takes the place of what is shown.
async function read(reader) {
  let isFirst = true;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (isFirst && isPaused) {
      held = value;
      heldIsWhole = true;
    } else if (isFirst) {
      begin(value);
    } else {
      arrived(value);
    }
    isFirst = false;
  }
}

function showLive(isLive) {
  live.hidden = false;
  live.classList.toggle("lost", !isLive);
  live.textContent = isPaused ? "Paused" : isLive ? "Live" : "Reconnecting";
}

function togglePause() {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.textContent = isPaused ? "Resume" : "Pause";
  showLive(true);
  if (!isPaused) {
    if (heldIsWhole) begin(held);
    else append(held);
    held = "";
    heldIsWhole = false;
    toTheEnd();
  }
}

// -- begin ----------------------------------------------------------------------------------

if (log.dataset.follow) {
  byId("find").hidden = false;
  byId("refresh").hidden = true;
  byId("find").addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", show);
  pause.addEventListener("click", togglePause);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) follow();
    else if (aborter) aborter.abort();
  });
  follow();
}
toTheEnd();
