// Live updates of the status page: changed rows arrive as HTML, actions are sent without
// leaving the page, and their results appear beside the process. Without this script the
// page works with forms and redirects.

import { Changes, byId, confirmed, counted, running, send, setText, text } from "./common.js";

const RESULT_SECONDS = 12;

const table = document.querySelector("#processes table");
const live = byId("live");
const filters = { q: byId("q"), state: byId("state"), sort: byId("sort") };
const URGENCY = ["bad", "busy", "ok", "off"];
const title = document.title;
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
  showResult(fresh.dataset.name);
}

function putRows(htmls) {
  keepingFocus(() => htmls.forEach(putRow));
  sortRows();
  filterRows();
}

function sortRows() {
  const sort = filters.sort.value;
  if (sort === "name") return;
  const body = table.tBodies[0];
  if (!body) return;
  const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name);
  const urgency = (row) => URGENCY.indexOf(row.dataset.kind);
  const compare = sort === "state"
    ? (a, b) => urgency(a) - urgency(b) || byName(a, b)
    : (a, b) => b.dataset.changed - a.dataset.changed || byName(a, b);
  const before = [...rows()];
  const after = [...before].sort(compare);
  if (before.some((row, index) => row !== after[index])) {
    keepingFocus(() => body.append(...after));
  }
}

function filterRows() {
  const q = filters.q.value.trim().toLowerCase();
  const state = filters.state.value;
  const numbers = Object.fromEntries(URGENCY.map((kind) => [kind, 0]));
  let total = 0;
  let shown = 0;
  for (const body of table.tBodies) {
    let here = 0;
    for (const row of body.querySelectorAll("tr[data-name]")) {
      const { kind, name } = row.dataset;
      numbers[kind] += 1;
      total += 1;
      row.hidden = (state && kind !== state) || !name.toLowerCase().includes(q);
      here += row.hidden ? 0 : 1;
    }
    body.hidden = here === 0;
    shown += here;
  }
  const ofKind = (kind) => text(`script.kind.${kind}`, { count: numbers[kind] });
  const parts = URGENCY.filter((kind) => numbers[kind]).map(ofKind).join(text("script.comma"));
  const processes = counted("script.processes", total);
  setText(byId("counts"), parts ? text("script.counts", { total: processes, parts }) : processes);
  nameButtonsForAll(shown, Boolean(q || state));
  setText(byId("none"), total === 0 ? text("script.none") : shown ? "" : text("script.no_match"));
  document.title = numbers.bad ? text("script.failed_title", { failed: ofKind("bad"), title }) : title;
}

// The buttons for all processes act on those that are shown; under a filter, their
// labels give the number.
function nameButtonsForAll(shown, isFiltered) {
  for (const button of byId("all").querySelectorAll("[data-label]")) {
    const address = new URL(button.formAction);
    for (const name of ["q", "state"]) {
      address.searchParams.delete(name);
      if (filters[name].value.trim()) address.searchParams.set(name, filters[name].value.trim());
    }
    button.setAttribute("formaction", address.href);
    const action = address.searchParams.get("ask") || address.searchParams.get("action");
    setText(button, isFiltered ? text(`script.${action}.shown`, { count: shown }) : button.dataset.label);
    button.disabled = shown === 0;
  }
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
  for (const name of results.keys()) showResult(name);
  filterRows();
}

function isSame(old, fresh) {
  return old.dataset.changed === fresh.dataset.changed
    && old.querySelector(".state").textContent === fresh.querySelector(".state").textContent
    && (old.querySelector("[data-start]") || old.querySelector(".about > span").textContent
      === fresh.querySelector(".about > span").textContent);
}

// -- time ---------------------------------------------------------------------------------

function tick() {
  if (document.hidden || live.classList.contains("lost")) return;
  const now = Date.now() / 1000 + clockOffset;
  for (const about of table.querySelectorAll("tr:not([hidden]) [data-start]")) {
    setText(about, running(about.dataset, now));
  }
  for (const about of table.querySelectorAll("tr:not([hidden]) [data-restart]")) {
    const seconds = Math.max(0, Math.ceil(about.dataset.restart - now));
    setText(about, about.textContent.replace(/\d+(?=\D*$)/, String(seconds))); // the last number
  }
}

// -- the stream of changes ------------------------------------------------------------------

const changes = new Changes("changes", {
  onOpen: () => synchronise().catch(() => {}), // fetch the changes from before the stream began
  onMessage: (message) => {
    setClock(message.now);
    putRows(message.rows);
    if (message.groups) synchronise().catch(() => {});
  },
  onLive: showLive,
});

// Without a connection the rows are stale, and the buttons are disabled.
function showLive(isLive) {
  const wasLost = live.classList.contains("lost");
  live.hidden = false;
  live.classList.toggle("lost", !isLive);
  document.body.classList.toggle("lost", !isLive);
  for (const form of [byId("processes"), byId("all")]) form.inert = !isLive;
  if (isLive) setText(live, text("script.live"));
  else if (!wasLost) setText(live, text("script.no_response", { time: new Date().toLocaleTimeString() }));
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
  tellResult(name, await send(address));
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
  const query = kept.toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

document.documentElement.classList.add("scripted");
setClock(document.body.dataset.now);
filterRows();
changes.listen();
setInterval(tick, 1000);

for (const form of [byId("processes"), byId("all")]) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter) act(event.submitter);
  });
}
byId("find").addEventListener("submit", (event) => event.preventDefault());
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
