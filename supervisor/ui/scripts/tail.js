// Live updates of the log page: new output is appended as it is written. The user can pause
// it, and can filter the lines by a text. Earlier parts of a long log are loaded when the
// user scrolls up to them.
"use strict";

const MOST_CHARACTERS = 2 * 1024 * 1024; // kept in the page; older lines are removed
const RETRY_SECONDS = 3;
const NEAR_THE_END = 40; // pixels: closer to the end, the page scrolls with new output
const NEAR_THE_START = 200; // pixels

const byId = (id) => document.getElementById(id);
const log = byId("log");
const live = byId("live");
const search = byId("q");
const pause = byId("pause");
const TEXTS = JSON.parse(document.body.dataset.texts || "{}"); // of web/texts.py
let text = log.textContent;
let held = ""; // arrived while paused
let heldIsWhole = false; // the stream was restarted while paused
let isPaused = false;
let aborter = null;
let offset = 0; // of the text in the file, in bytes; 0 if nothing precedes it
let isLoading = false;

function isAtTheEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_THE_END;
}

function toTheEnd() {
  log.scrollTop = log.scrollHeight;
}

// -- colours -----------------------------------------------------------------------------

const SEQUENCE = /\x1b(?:\[([0-9;:]*)m|\[[ -?]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[^[\]])/g;
const ATTRIBUTES = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse" };
let style = {}; // at the end of the shown text
let unfinished = ""; // beginning of a sequence at the end of the shown text

function paletteColour(index) {
  if (index >= 232) return `rgb(${Array(3).fill((index - 232) * 10 + 8).join()})`;
  const part = (number) => (number % 6 ? (number % 6) * 40 + 55 : 0);
  const cube = index - 16;
  return `rgb(${part(Math.floor(cube / 36))},${part(Math.floor(cube / 6))},${part(cube)})`;
}

// 38 and 48 have parameters: 5;INDEX or 2;RED;GREEN;BLUE.
function extendedColour(codes) {
  if (codes.shift() === 5) {
    const index = codes.shift() & 255;
    return index < 16 ? index % 8 : paletteColour(index);
  }
  return `rgb(${codes.splice(0, 3).map((part) => part & 255).join()})`;
}

function applySequence(parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  while (codes.length) {
    const code = codes.shift();
    if (code === 0) style = {};
    else if (code in ATTRIBUTES) style[ATTRIBUTES[code]] = true;
    else if (code === 22) style.bold = style.faint = false;
    else if (code > 22 && code < 28) style[ATTRIBUTES[code - 20]] = false;
    else if (code === 38) style.c = extendedColour(codes);
    else if (code === 48) style.b = extendedColour(codes);
    else if (code === 39) delete style.c;
    else if (code === 49) delete style.b;
    else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style.c = code % 10;
    else if ((code >= 40 && code < 48) || (code >= 100 && code < 108)) style.b = code % 10;
  }
}

function styled(piece) {
  const span = document.createElement("span");
  span.textContent = piece;
  for (const name of Object.values(ATTRIBUTES)) span.classList.toggle(name, Boolean(style[name]));
  for (const [key, property] of [["c", "color"], ["b", "backgroundColor"]]) {
    if (typeof style[key] === "number") span.classList.add(key + style[key]);
    else if (style[key]) span.style[property] = style[key];
  }
  return span.className || span.style.length ? span : document.createTextNode(piece);
}

// Return text with its colours; drop other control sequences.
function rendered(raw) {
  const fragment = document.createDocumentFragment();
  let end = 0;
  for (const found of raw.matchAll(SEQUENCE)) {
    if (found.index > end) fragment.append(styled(raw.slice(end, found.index)));
    if (found[1] !== undefined) applySequence(found[1]);
    end = found.index + found[0].length;
  }
  if (end < raw.length) fragment.append(styled(raw.slice(end)));
  return fragment;
}

// Split off an incomplete sequence at the end, to prepend it to the next text.
function splitUnfinished(raw) {
  const unfinished = /\x1b(?:\[[ -?]{0,64}|\][^\x07\x1b]{0,256})?$/.exec(raw);
  return unfinished ? [raw.slice(0, unfinished.index), unfinished[0]] : [raw, ""];
}

// -- showing ----------------------------------------------------------------------------

function matching(lines) {
  const wanted = search.value.toLowerCase();
  return lines.filter((line) => line.replace(SEQUENCE, "").toLowerCase().includes(wanted));
}

function show() {
  const follows = isAtTheEnd();
  style = {};
  if (!search.value) {
    const [whole, rest] = splitUnfinished(text);
    log.replaceChildren(rendered(whole));
    unfinished = rest;
    byId("found").textContent = "";
  } else {
    const lines = matching(text.split("\n").filter(Boolean));
    log.replaceChildren(rendered(lines.join("\n")));
    const key = lines.length === 0 ? "no_line" : lines.length === 1 ? "lines.one" : "lines.other";
    byId("found").textContent = TEXTS[`script.${key}`].replace("{count}", lines.length);
  }
  if (follows) toTheEnd();
}

function append(more) {
  text += more;
  const isTooLong = text.length > MOST_CHARACTERS;
  if (isTooLong) {
    text = text.slice(text.indexOf("\n", text.length - MOST_CHARACTERS / 2) + 1);
    offset = 0; // the offset of the remaining text is unknown
  }
  if (isTooLong || search.value) {
    show();
    return;
  }
  const follows = isAtTheEnd();
  const [whole, rest] = splitUnfinished(unfinished + more);
  unfinished = rest;
  log.append(rendered(whole));
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
  text = whole;
  show();
  toTheEnd();
}

// -- earlier lines -------------------------------------------------------------------------

async function loadEarlier() {
  if (isLoading || !offset || search.value || log.scrollTop > NEAR_THE_START) return;
  if (text.length > MOST_CHARACTERS / 2) return; // the download has the rest
  isLoading = true;
  const before = offset;
  try {
    const response = await fetch(`${log.dataset.follow.replace("follow", "earlier")}&before=${before}`);
    const earlier = response.ok ? await response.text() : "";
    if (offset === before) {
      offset = earlier ? Number(response.headers.get("X-Log-Offset")) : 0;
      text = earlier + text;
      const height = log.scrollHeight - log.scrollTop;
      show();
      log.scrollTop = log.scrollHeight - height;
    }
  } catch {
    // retry at the next scroll event
  }
  isLoading = false;
}

// -- following ----------------------------------------------------------------------------

async function follow() {
  if (aborter || document.hidden) return;
  aborter = new AbortController();
  try {
    const response = await fetch(log.dataset.follow, { signal: aborter.signal });
    if (!response.ok) throw new Error(response.statusText);
    showLive(true);
    offset = Number(response.headers.get("X-Log-Offset"));
    await read(response.body.pipeThrough(new TextDecoderStream()).getReader());
  } catch {
    // the connection is lost, or the page was hidden: retry below
  }
  aborter = null;
  if (!document.hidden) {
    showLive(false);
    setTimeout(follow, RETRY_SECONDS * 1000);
  }
}

// The stream begins with the end of the log, which replaces the shown text.
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
  live.textContent = TEXTS[`script.${isPaused ? "paused" : isLive ? "live" : "reconnecting"}`];
}

function togglePause() {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  pause.textContent = TEXTS[`script.${isPaused ? "resume" : "pause"}`];
  showLive(true);
  if (!isPaused) {
    if (heldIsWhole) begin(held);
    else append(held);
    held = "";
    heldIsWhole = false;
    toTheEnd();
  }
}

// -- initialisation -------------------------------------------------------------------------

if (log.dataset.follow) {
  byId("find").hidden = false;
  byId("refresh").hidden = true;
  byId("find").addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", show);
  pause.addEventListener("click", togglePause);
  log.addEventListener("scroll", loadEarlier);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) follow();
    else if (aborter) aborter.abort();
  });
  follow();
}
toTheEnd();
