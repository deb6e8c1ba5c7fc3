// Live updates of the page of a process: its facts are fetched again when it has changed, and its
// logs are followed. Without this script the page works with forms and redirects.

import { Changes, byId, confirmed, running, send, setText, text } from "./common.js";
import { visible } from "./ansi.js";
import { Feed, Pane } from "./logs.js";

const { name } = document.body.dataset;
const live = byId("live");
const query = new URLSearchParams({ processname: name });
let clockOffset = 0; // seconds by which the server's clock is ahead of the browser's

// -- the facts ----------------------------------------------------------------------------

async function synchronise() {
  const response = await fetch(`process.html?${query}`);
  if (!response.ok) {
    if (response.status === 404) location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ["live-facts", "control"]) replace(byId(id), page.getElementById(id));
}

// Replace a part of the page; the focus stays on the control with the same label.
function replace(old, fresh) {
  if (!old || !fresh || old.outerHTML === fresh.outerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const labelOf = (element) => element.getAttribute("aria-label") || element.id;
  if (focused && old.id === "control" && !fresh.hidden) return; // the user is writing
  old.replaceWith(fresh);
  if (!focused) return;
  const choices = [...fresh.querySelectorAll("a, button, [tabindex]")];
  const same = choices.find((each) => labelOf(each) === labelOf(focused)) || byId("facts");
  same.focus({ preventScroll: true });
}

function tick() {
  if (document.hidden || live.classList.contains("lost")) return;
  const now = Date.now() / 1000 + clockOffset;
  for (const item of document.querySelectorAll("[data-start]")) {
    setText(item, text("explain.running", { description: running(item.dataset, now) }));
  }
}

function showLive(isLive) {
  live.hidden = false;
  live.classList.toggle("lost", !isLive);
  document.body.classList.toggle("lost", !isLive);
  setText(live, text(isLive ? "script.live" : "script.reconnecting"));
}

// -- acting ---------------------------------------------------------------------------------

async function act(form, button) {
  const address = new URL(button.hasAttribute("formaction") ? button.formAction : form.action);
  for (const [field, value] of new FormData(form)) address.searchParams.set(field, value);
  const asked = address.searchParams.get("ask");
  if (asked) {
    const signal = address.searchParams.get("signal");
    const label = signal ? text("script.signal", { signal, name: visible(name) }) : button.getAttribute("aria-label");
    if (!(await confirmed(text("script.question", { action: label }), label))) return;
    address.searchParams.delete("ask");
    address.searchParams.set("action", asked);
  }
  button.setAttribute("aria-busy", "true");
  const { message, trouble } = await send(address);
  button.removeAttribute("aria-busy");
  const banner = byId("message");
  banner.textContent = message;
  banner.classList.toggle("trouble", trouble);
  if (form.id === "stdin" && !trouble) byId("chars").value = "";
}

document.addEventListener("submit", (event) => {
  if (!event.target.closest("#actions, #signal, #stdin")) return;
  event.preventDefault();
  if (event.submitter) act(event.target, event.submitter);
});

// -- initialisation ---------------------------------------------------------------------------

if (byId("live-facts")) {
  document.documentElement.classList.add("scripted");
  clockOffset = Number(document.body.dataset.now) - Date.now() / 1000;
  new Changes(`changes?${query}`, {
    onOpen: () => synchronise().catch(() => {}),
    onMessage: (message) => {
      clockOffset = message.now - Date.now() / 1000;
      synchronise().catch(() => {});
    },
    onLive: showLive,
  }).listen();
  setInterval(tick, 1000);
  const panes = [...document.querySelectorAll("pre.log")].map((element) => new Pane(element));
  if (panes.length) {
    new Feed(document.body.dataset.follow, {
      onBegin: (index, part) => panes[index].begin(part),
      onText: (index, part) => panes[index].append(part),
      onLive: () => {},
    }).follow();
  }
}
