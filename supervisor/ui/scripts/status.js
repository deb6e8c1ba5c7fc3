// Live updates of the status page: changed rows arrive as HTML, actions are sent without
// leaving the page, and their results appear beside the process. Without this script the
// page works with forms and redirects.

import { Changes, byId, confirmed, counted, isInView, running, send, setText, text } from "./common.js";
import { UsageCharts } from "./usage.js";

const RESULT_SECONDS = 12;

const table = document.querySelector("#processes table");
const live = byId("live");
const filters = { q: byId("q"), state: byId("state"), sort: byId("sort") };
const URGENCY = ["bad", "flapping", "busy", "ok", "off"];
const TROUBLED = ["bad", "flapping"];
const UNITS = [["days", 86400], ["hours", 3600], ["minutes", 60], ["seconds", 1]];
const title = document.title;
const picked = new Set(); // names of the selected processes
const folded = new Set(); // names of the groups whose rows are folded
const results = new Map(); // name -> {text, trouble}: shown in its row for a while
let clockOffset = 0; // seconds by which the server's clock is ahead of the browser's

const rows = () => table.querySelectorAll("tr[data-name]");
const rowOf = (name) => table.querySelector(`tr[data-name="${CSS.escape(name)}"]`);

function setClock(serverSeconds) {
  clockOffset = Number(serverSeconds) - Date.now() / 1000;
}

// -- rows -------------------------------------------------------------------------------

function parseRow(html) {
  const holder = document.createElement("template");
  holder.innerHTML = `<table><tbody>${html}</tbody></table>`;
  return holder.content.querySelector("tr");
}

// Replacing a row removes the focus from its elements: remember and restore it.
function keepingFocus(change) {
  const focused = document.activeElement;
  const row = focused && focused.closest("tr[data-name]");
  const name = row && row.dataset.name;
  const label = focused && focused.getAttribute("aria-label");
  change();
  if (!name || document.contains(focused)) return;
  const successor = rowOf(name);
  if (!successor) return;
  const choices = [...successor.querySelectorAll("a, button")];
  const same = choices.find((each) => each.getAttribute("aria-label") === label);
  (same || successor.querySelector("button")).focus({ preventScroll: true });
}

function putRow(html) {
  const fresh = parseRow(html);
  const old = rowOf(fresh.dataset.name);
  if (!old) return;
  const hasChanged = old.dataset.kind !== fresh.dataset.kind;
  old.replaceWith(fresh);
  if (hasChanged) fresh.classList.add("fresh");
  if (!fresh.querySelector(".state.ok, .state.busy")) usage.forget(fresh.dataset.name);
  usage.drawRow(fresh);
  pickBox(fresh).checked = picked.has(fresh.dataset.name);
  showResult(fresh.dataset.name);
}

function putRows(htmls) {
  keepingFocus(() => htmls.forEach(putRow));
  sortRows();
  filterRows();
}

const COMPARISONS = {
  state: (a, b) => URGENCY.indexOf(a.dataset.kind) - URGENCY.indexOf(b.dataset.kind),
  changed: (a, b) => b.dataset.changed - a.dataset.changed,
  restarts: (a, b) => b.dataset.restarts - a.dataset.restarts,
  cpu: (a, b) => usage.last(b.dataset.name, 0) - usage.last(a.dataset.name, 0),
  memory: (a, b) => usage.last(b.dataset.name, 1) - usage.last(a.dataset.name, 1),
};

function sortRows() {
  const compare = COMPARISONS[filters.sort.value];
  const body = table.tBodies[0];
  if (!compare || !body) return;
  const before = [...rows()];
  const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name);
  const after = [...before].sort((a, b) => compare(a, b) || byName(a, b));
  if (before.some((row, index) => row !== after[index])) {
    keepingFocus(() => body.append(...after));
  }
}

const isFiltered = () => Boolean(filters.q.value.trim() || filters.state.value);
const isRunning = (row) => row.querySelector(".state").classList.contains("ok");
const zeros = () => Object.fromEntries(URGENCY.map((kind) => [kind, 0]));
const ofKind = (numbers, kind) => text(`script.kind.${kind}`, { count: numbers[kind] });

function filterRows() {
  const q = filters.q.value.trim().toLowerCase();
  const state = filters.state.value;
  const numbers = zeros();
  let total = 0;
  let shown = 0;
  for (const body of table.tBodies) {
    const here = zeros();
    const isFolded = folded.has(body.dataset.group) && !isFiltered();
    let running = 0;
    let matching = 0;
    const members = body.querySelectorAll("tr[data-name]");
    for (const row of members) {
      const { kind, name } = row.dataset;
      here[kind] += 1;
      const matches = (!state || kind === state) && name.toLowerCase().includes(q);
      row.hidden = !matches || isFolded;
      matching += matches ? 1 : 0;
      if (!matches) pick(row, false); // an action on a row that is out of sight would surprise
      if (body.dataset.group !== undefined && isRunning(row)) running += 1;
    }
    if (body.dataset.group !== undefined) showGroup(body, running, members.length, here, isFolded);
    for (const kind of URGENCY) numbers[kind] += here[kind];
    body.hidden = matching === 0;
    total += members.length;
    shown += matching;
  }
  showCounts(numbers, total, state);
  nameButtonsForAll(shown);
  setText(byId("none"), total === 0 ? text("script.none") : shown ? "" : text("script.no_match"));
  const failed = TROUBLED.filter((kind) => numbers[kind]).map((kind) => ofKind(numbers, kind));
  document.title = failed.length
    ? text("script.failed_title", { failed: failed.join(text("script.comma")), title }) : title;
  const icon = failed.length ? "images/trouble.png" : "images/icon.png";
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
}

function showGroup(body, running, count, numbers, isFolded) {
  const troubles = TROUBLED.filter((kind) => numbers[kind]).map((kind) => ofKind(numbers, kind));
  const tally = [text("script.tally", { running, count }), ...troubles].join(text("script.comma"));
  setText(body.querySelector(".tally"), tally);
  body.querySelector(".fold").setAttribute("aria-expanded", String(!isFolded));
}

// The number of each kind is a link that shows only these processes, or all of them again.
function showCounts(numbers, total, state) {
  const counts = byId("counts");
  const kinds = URGENCY.filter((kind) => numbers[kind]);
  const processes = counted("script.processes", total);
  const parts = kinds.map((kind) => ofKind(numbers, kind)).join(text("script.comma"));
  const whole = parts ? text("script.counts", { total: processes, parts }) : processes;
  if (counts.textContent === whole && counts.dataset.state === state) return;
  counts.dataset.state = state;
  const focused = counts.contains(document.activeElement) && document.activeElement.dataset.state;
  counts.replaceChildren(whole.slice(0, whole.length - parts.length));
  for (const kind of kinds) {
    const link = document.createElement("a");
    link.href = kind === state ? "./" : `./?state=${kind}`;
    link.dataset.state = kind;
    if (kind === state) link.setAttribute("aria-current", "true");
    link.textContent = ofKind(numbers, kind);
    counts.append(...(counts.childElementCount ? [text("script.comma"), link] : [link]));
    if (kind === focused) link.focus();
  }
}

// -- selecting ---------------------------------------------------------------------------

const pickBox = (row) => row.querySelector(".pick input");

function pick(row, isPicked) {
  if (picked.has(row.dataset.name) !== isPicked) {
    if (isPicked) picked.add(row.dataset.name);
    else picked.delete(row.dataset.name);
  }
  pickBox(row).checked = isPicked;
}

function pickRows(found, isPicked) {
  for (const row of found) if (!row.hidden) pick(row, isPicked);
  filterRows();
}

function showPicks() {
  const all = [...rows()].filter((row) => !row.hidden);
  const boxes = [[byId("pick-all"), all]];
  for (const box of table.querySelectorAll(".pick-group")) {
    boxes.push([box, all.filter((row) => row.parentNode === box.closest("tbody"))]);
  }
  for (const [box, found] of boxes) {
    const count = picked.size ? found.filter((row) => picked.has(row.dataset.name)).length : 0;
    box.checked = count > 0 && count === found.length;
    box.indeterminate = count > 0 && count < found.length;
  }
}

// What the buttons for all processes act on, as text: the selected ones, else those shown.
function subject(shown) {
  if (picked.size) return text("script.subject.selected", { count: picked.size });
  if (filters.q.value.trim()) return text("script.subject.shown", { count: shown });
  return text(`script.kind.${filters.state.value}`, { count: shown });
}

// The buttons for all processes name what they act on, unless it is all.
function nameButtonsForAll(shown) {
  const isChosen = picked.size > 0 || isFiltered();
  for (const button of byId("all").querySelectorAll("[data-label]")) {
    const address = new URL(button.formAction);
    for (const name of ["q", "state"]) {
      address.searchParams.delete(name);
      if (filters[name].value.trim()) address.searchParams.set(name, filters[name].value.trim());
    }
    button.setAttribute("formaction", address.href);
    const action = address.searchParams.get("ask") || address.searchParams.get("action");
    const label = isChosen ? text(`script.${action}.on`, { subject: subject(shown) }) : button.dataset.label;
    setText(button, label);
    button.disabled = shown === 0;
  }
  showPicks();
}

// -- the whole page, after a reconnect or a change of groups -------------------------------

async function synchronise() {
  const response = await fetch(`index.html?sort=${encodeURIComponent(filters.sort.value)}`);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  setClock(page.body.dataset.now);
  const known = new Map([...rows()].map((row) => [row.dataset.name, row]));
  const bodies = [...page.querySelectorAll("#processes tbody")];
  keepingFocus(() => {
    for (const fresh of bodies.flatMap((body) => [...body.querySelectorAll("tr[data-name]")])) {
      const old = known.get(fresh.dataset.name);
      if (old && isSame(old, fresh)) fresh.replaceWith(old);
    }
    for (const body of [...table.tBodies]) body.remove();
    table.append(...bodies);
  });
  const names = new Set([...rows()].map((row) => row.dataset.name));
  for (const name of picked) if (!names.has(name)) picked.delete(name);
  for (const row of rows()) pickBox(row).checked = picked.has(row.dataset.name);
  for (const name of ["name", "state", "changed", "usage"]) showDirection(name, page);
  for (const name of results.keys()) showResult(name);
  filterRows();
  usage.draw();
}

function showDirection(column, page) {
  const selector = `th[data-column=${column}]`;
  const direction = page.querySelector(selector).getAttribute("aria-sort");
  table.querySelector(selector).setAttribute("aria-sort", direction);
}

function isSame(old, fresh) {
  return old.dataset.changed === fresh.dataset.changed && old.dataset.kind === fresh.dataset.kind
    && old.querySelector(".state").textContent === fresh.querySelector(".state").textContent
    && (old.querySelector("[data-start]") || old.querySelector(".about > span").textContent
      === fresh.querySelector(".about > span").textContent);
}

// -- time ---------------------------------------------------------------------------------

function brief(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [unit, size] = UNITS.find(([, each]) => whole >= each) || UNITS[UNITS.length - 1];
  return text(`script.${unit}`, { count: Math.floor(whole / size) });
}

// A program that was restarted too often is trouble for a while after the last restart.
function calmRows(now) {
  const calm = [...table.querySelectorAll("tr[data-calm-at]")].filter((row) => now > row.dataset.calmAt);
  for (const row of calm) {
    row.dataset.kind = row.dataset.calm;
    delete row.dataset.calmAt;
    for (const part of row.querySelectorAll(".warning, samp")) part.remove();
  }
  if (calm.length) filterRows();
}

function tick() {
  if (document.hidden || live.classList.contains("lost")) return;
  const now = Date.now() / 1000 + clockOffset;
  for (const row of [...rows()].filter(isInView)) tickRow(row, now);
  calmRows(now);
}

function tickRow(row, now) {
  const secondsTo = (time) => Math.max(0, Math.ceil(time - now));
  for (const about of row.querySelectorAll("[data-start]")) setText(about, running(about.dataset, now));
  for (const about of row.querySelectorAll("[data-restart]")) {
    const seconds = String(secondsTo(about.dataset.restart));
    setText(about, about.textContent.replace(/\d+(?=\D*$)/, seconds)); // the last number
  }
  for (const fact of row.querySelectorAll("[data-at]")) {
    setText(fact, text(fact.dataset.text, { duration: brief(now - fact.dataset.at) }));
  }
  for (const fact of row.querySelectorAll("[data-until]")) {
    setText(fact, text(fact.dataset.text, { seconds: secondsTo(fact.dataset.until) }));
  }
}

// -- the stream of changes ------------------------------------------------------------------

const changes = new Changes("changes", {
  onOpen: () => {
    usage.measure();
    synchronise().catch(() => {}); // fetch the changes from before the stream began
  },
  onMessage: (message) => {
    setClock(message.now);
    putRows(message.rows);
    if (message.groups) synchronise().catch(() => {});
  },
  onLive: showLive,
  onLogin: () => {
    setText(live, text("script.login"));
    byId("login").hidden = false;
  },
});

function isConnected() {
  return live.hidden === false && !live.classList.contains("lost");
}

const usage = new UsageCharts({
  rows,
  isWanted: isConnected,
  onChange: ({ outdated }) => {
    byId("outdated").hidden = !outdated;
    if (["cpu", "memory"].includes(filters.sort.value)) sortRows();
  },
});

function timeNow() {
  return new Date().toLocaleTimeString(document.documentElement.lang, { hourCycle: "h23" });
}

// Without a connection the rows are stale, and the buttons are disabled.
function showLive(isLive) {
  const wasLost = live.classList.contains("lost");
  live.hidden = false;
  live.classList.toggle("lost", !isLive);
  document.body.classList.toggle("lost", !isLive);
  for (const part of [byId("processes"), byId("all")]) part.inert = !isLive;
  if (isLive) setText(live, text("script.live"));
  else if (!wasLost) setText(live, text("script.no_response", { time: timeNow() }));
}

// -- acting -----------------------------------------------------------------------------------

async function act(button) {
  const address = new URL(button.formAction);
  const asked = address.searchParams.get("ask");
  const label = button.getAttribute("aria-label") || button.textContent.trim();
  if (asked) {
    if (!(await confirmed(text("script.question", { action: label }), label))) return;
    address.searchParams.delete("ask");
    address.searchParams.set("action", asked);
  }
  const name = address.searchParams.get("processname") || "";
  button.setAttribute("aria-busy", "true");
  const isOnChosen = button.form === byId("all") && picked.size > 0;
  const body = isOnChosen ? new URLSearchParams({ selected: [...picked].join("\n") }) : undefined;
  const result = await send(address, body);
  if (isOnChosen && !result.trouble) pickRows(rows(), false);
  tellResult(name, result);
  button.removeAttribute("aria-busy");
}

// Show a result in the row of its process. Above the table, show results for groups and for
// all processes; screen readers read every result there.
function tellResult(name, { message, trouble }) {
  const banner = byId("message");
  const row = rowOf(name);
  banner.textContent = message;
  banner.classList.toggle("trouble", trouble);
  banner.classList.toggle("unseen", Boolean(row));
  if (!row) return;
  const result = { message, trouble };
  results.set(name, result);
  showResult(name);
  setTimeout(() => {
    if (results.get(name) !== result) return;
    results.delete(name);
    showResult(name);
  }, RESULT_SECONDS * 1000);
}

function showResult(name) {
  const row = rowOf(name);
  if (!row) return;
  const old = row.querySelector(".result");
  if (old) old.remove();
  const result = results.get(name);
  if (!result) return;
  const shown = document.createElement("span");
  shown.className = result.trouble ? "result trouble" : "result";
  shown.textContent = result.message;
  row.querySelector(".about").append(shown);
}

// -- initialisation -----------------------------------------------------------------------------

function rememberFilters() {
  const kept = new URLSearchParams();
  for (const [name, field] of Object.entries(filters)) {
    if (field.value && field.value !== "name") kept.set(name, field.value);
  }
  if (folded.size) kept.set("fold", [...folded].map(encodeURIComponent).join(","));
  const query = kept.toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

document.documentElement.classList.add("scripted");
for (const name of (new URLSearchParams(location.search).get("fold") || "").split(",")) {
  if (name) folded.add(decodeURIComponent(name));
}
setClock(document.body.dataset.now);
filterRows();
changes.listen();
setInterval(tick, 1000);
usage.start();

// Each row has its own form: in a form with thousands of buttons, moving one row takes milliseconds,
// because the browser looks for the default button among all of them.
for (const part of [byId("processes"), byId("all")]) {
  part.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter) act(event.submitter);
  });
}
byId("find").addEventListener("submit", (event) => event.preventDefault());
function choose(field, value) {
  field.value = value;
  field.dispatchEvent(new Event("change"));
}
byId("counts").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  choose(filters.state, link.dataset.state === filters.state.value ? "" : link.dataset.state);
});
table.addEventListener("click", (event) => {
  const link = event.target.closest("thead a, .fold");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (!link.classList.contains("fold")) {
    choose(filters.sort, new URL(link.href).searchParams.get("sort"));
    return;
  }
  const { group } = link.closest("tbody").dataset;
  if (!folded.delete(group)) folded.add(group);
  rememberFilters();
  filterRows();
  usage.draw();
});
table.addEventListener("change", (event) => {
  const box = event.target;
  if (box.id === "pick-all") pickRows(rows(), box.checked);
  else if (box.classList.contains("pick-group")) {
    pickRows(box.closest("tbody").querySelectorAll("tr[data-name]"), box.checked);
  } else pickRows([box.closest("tr")], box.checked);
});
for (const [name, field] of Object.entries(filters)) {
  field.addEventListener(field === filters.q ? "input" : "change", () => {
    rememberFilters();
    if (name === "sort") synchronise().catch(() => showLive(false));
    else filterRows();
  });
}
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) {
    event.preventDefault();
    filters.q.focus();
  }
});
