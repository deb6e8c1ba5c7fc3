// Live updates of the page of logs: new output is appended as it is written, beside each other or
// merged into one pane. The user can pause it, wrap lines, hide time stamps, and filter the lines by
// a text. Earlier parts of a log are loaded when the user scrolls up to them.

import { byId, counted, setText, text } from "./common.js";
import { Terminal } from "./ansi.js";
import { Feed, Merger, Pane, earlier } from "./logs.js";

const { follow, earlier: addresses } = document.body.dataset;
const live = byId("live");
const search = byId("q");
const holder = byId("panes");
let isPaused = false;
let held = []; // calls that wait for the end of the pause
let isTogether = false;
let merged = null; // the pane of all logs, and its merger
let merger = null;

const elements = [...document.querySelectorAll("pre.log")];
const logs = (follow ? elements : []).map((element, index) => ({
  label: element.dataset.label || "",
  offset: 0, // of the text in the file, in bytes; 0 if nothing precedes it
  isLoading: false,
  hasBegun: false, // until then the pane shows why there is no log
  pane: new Pane(element, () => loadEarlier([index])),
}));
const panes = () => (isTogether ? [merged] : logs.map((log) => log.pane));

// -- showing ----------------------------------------------------------------------------

function showFound() {
  const count = panes().reduce((sum, pane) => sum + pane.found, 0);
  setText(byId("found"), !search.value ? "" : count ? counted("script.lines", count) : text("script.no_line"));
  byId("times").hidden = ![merged, ...logs.map((log) => log.pane)].some((pane) => pane && pane.terminal.hasStamps);
}

function filter() {
  for (const pane of panes()) pane.filter(search.value);
  showFound();
}

function begin(index, part, offset) {
  const log = logs[index];
  log.offset = offset;
  log.hasBegun = true;
  log.pane.begin(part);
  if (isTogether) mergeAll();
  showFound();
}

function append(index, more) {
  const log = logs[index];
  if (!log.pane.append(more)) log.offset = 0; // the offset of the remaining text is unknown
  if (isTogether) merged.append(merger.add(index, more));
  showFound();
}

const unlessPaused = (show) => (...news) => {
  if (!isPaused) show(...news);
  else held.push(() => show(...news));
  if (held.length > 1000) held = held.slice(-500); // the page has the newest output alone
};

function mergeAll() {
  merger = new Merger(logs.map((log) => log.label));
  merged.begin(merger.merge(logs.map((log) => (log.hasBegun ? log.pane.text : ""))));
}

// -- earlier lines -------------------------------------------------------------------------

async function loadEarlier(indexes) {
  const parts = logs.map(() => "");
  if (search.value) return;
  await Promise.all(indexes.map(async (index) => {
    const log = logs[index];
    if (log.isLoading || !log.offset || log.pane.isFull) return; // the download has the rest
    log.isLoading = true;
    const before = log.offset;
    try {
      const [part, offset] = await earlier(addresses.split(" ")[index], before);
      if (log.offset === before) {
        log.offset = offset;
        log.pane.prepend(part);
        parts[index] = part;
      }
    } catch {
      // retry at the next scroll event
    }
    log.isLoading = false;
  }));
  if (isTogether && parts.some(Boolean)) merged.prepend(merger.merge(parts, { isEarlier: true }));
}

// -- a page that does not follow ------------------------------------------------------------

// Mark the time stamps of the lines that a search has found, which are links, or of a part of a log.
function withStamps(element) {
  const terminal = new Terminal();
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) found.push(texts.currentNode);
  for (const each of found) each.replaceWith(terminal.rendered(each.data));
  return terminal.hasStamps;
}

// -- buttons ------------------------------------------------------------------------------

function toggled(button, change) {
  byId(button).addEventListener("click", () => {
    const isOn = byId(button).getAttribute("aria-pressed") !== "true";
    byId(button).setAttribute("aria-pressed", String(isOn));
    change(isOn);
  });
}

function showLive(isLive) {
  live.hidden = false;
  live.classList.toggle("lost", !isLive);
  setText(live, text(`script.${isPaused ? "paused" : isLive ? "live" : "reconnecting"}`));
}

function pause(isOn) {
  isPaused = isOn;
  setText(byId("pause"), text(isOn ? "script.resume" : "script.pause"));
  showLive(true);
  if (isOn) return;
  for (const show of held) show();
  held = [];
  for (const pane of panes()) pane.toTheEnd();
}

function together(isOn) {
  if (!merged) {
    const element = document.createElement("pre");
    for (const [name, value] of [["class", "log"], ["tabindex", "0"], ["role", "region"], ["id", "merged"]]) {
      element.setAttribute(name, value);
    }
    element.setAttribute("aria-label", elements[0].ariaLabel);
    holder.append(element);
    const links = elements.map((each) => each.dataset.address);
    merged = new Pane(element, () => loadEarlier(logs.map((_, index) => index)), links);
  }
  isTogether = isOn;
  holder.classList.toggle("together", isOn);
  if (isOn) mergeAll();
  filter();
  for (const pane of panes()) pane.toTheEnd();
}

// -- initialisation -------------------------------------------------------------------------

document.documentElement.classList.add("scripted");
byId("view").hidden = !elements.length;
toggled("wrap", (isOn) => holder.classList.toggle("unwrapped", !isOn));
toggled("times", (isOn) => holder.classList.toggle("untimed", !isOn));
if (follow) {
  for (const { pane } of logs) pane.show();
  showFound();
  byId("refresh").hidden = true;
  search.addEventListener("input", filter);
  toggled("pause", pause);
  byId("together").hidden = logs.length < 2;
  toggled("together", together);
  new Feed(follow, { onBegin: unlessPaused(begin), onText: unlessPaused(append), onLive: showLive }).follow();
} else {
  byId("pause").hidden = true;
  byId("times").hidden = !elements.map(withStamps).some(Boolean);
}
