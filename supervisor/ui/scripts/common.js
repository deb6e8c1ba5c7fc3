// What the scripts of all pages share: texts, the question before an action, requests, and the
// stream of changes.

const RETRY_SECONDS = 3;
const BEAT_SECONDS = 25; // until a stream has reported its interval
const MISSED_BEATS = 2; // after as many, the server counts as gone

export const byId = (id) => document.getElementById(id);

// -- texts --------------------------------------------------------------------------------

const TEXTS = JSON.parse(document.body.dataset.texts || "{}"); // of web/texts.py, in one language

export function text(key, values = {}) {
  return (TEXTS[key] || key).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function counted(key, count, values = {}) {
  return text(`${key}.${count === 1 ? "one" : "other"}`, { count, ...values });
}

export function setText(element, content) {
  if (element.textContent !== content) element.textContent = content;
}

// Whether a row can be seen; a page of a thousand rows must not update all of them each second.
export function isInView(row) {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight && bottom > top;
}

function uptime(seconds) {
  const days = Math.floor(seconds / 86400);
  const two = (number) => String(Math.floor(number) % 60).padStart(2, "0");
  const time = `${Math.floor((seconds % 86400) / 3600)}:${two(seconds / 60)}:${two(seconds)}`;
  return days ? counted("message.days", days, { time }) : time;
}

// Return the description of a running process; `now` is in seconds.
export function running({ pid, start }, now) {
  return text("message.running", { pid, uptime: uptime(Math.max(0, Math.floor(now - start))) });
}

// -- acting -------------------------------------------------------------------------------

export function confirmed(question, yes) {
  const dialog = byId("confirm");
  setText(byId("confirm-question"), question);
  setText(byId("confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  byId("confirm-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

export async function send(address, body = undefined) {
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: { Accept: "application/json", "X-Requested-With": "supervisor" },
      body,
    });
    if (response.ok) return await response.json();
    const status = `${response.status} ${response.statusText}`;
    return { message: text("script.refused", { status }), trouble: true };
  } catch {
    return { message: text("script.unreachable"), trouble: true };
  }
}

// -- the stream of changes ------------------------------------------------------------------

// Whether the server, or a proxy before it, no longer accepts this browser.
async function needsLogin() {
  try {
    const headers = { Accept: "text/event-stream" }; // with another value, the browser would prompt
    const response = await fetch("ok.html", { headers });
    return response.status === 401 || response.status === 403 || response.redirected;
  } catch {
    return false;
  }
}

// A server that hangs keeps its connections open. It is noticed by the silence: streams have a heartbeat.
export class Watchdog {
  constructor(onSilence) {
    Object.assign(this, { onSilence, beatSeconds: BEAT_SECONDS, timer: null });
  }

  // Something has arrived, or a connection is being opened.
  restart() {
    this.stop();
    this.timer = setTimeout(this.onSilence, MISSED_BEATS * this.beatSeconds * 1000);
  }

  stop() {
    clearTimeout(this.timer);
  }
}

// A hidden page reads nothing.
export class Changes {
  constructor(address, { onOpen, onMessage, onLive, onLogin }) {
    Object.assign(this, { address, onOpen, onMessage, onLive, onLogin, source: null });
    this.watchdog = new Watchdog(() => {
      this.onLive(false);
      this.close();
      this.listen();
    });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.listen()));
  }

  listen() {
    if (this.source || document.hidden) return;
    const source = new EventSource(this.address);
    this.source = source;
    this.watchdog.restart();
    source.onopen = () => {
      this.watchdog.restart();
      this.onLive(true);
      this.onOpen();
    };
    source.onmessage = (event) => {
      this.watchdog.restart();
      this.onMessage(JSON.parse(event.data));
    };
    source.addEventListener("beat", (event) => {
      this.watchdog.beatSeconds = Number(event.data);
      this.watchdog.restart();
    });
    source.onerror = () => {
      this.onLive(false);
      if (this.source === source && source.readyState === EventSource.CLOSED) this.retry();
    };
  }

  // Without a login, only a person can do something: the browser would ask again and again.
  async retry() {
    this.close();
    if (this.onLogin && await needsLogin()) this.onLogin();
    else setTimeout(() => this.listen(), RETRY_SECONDS * 1000);
  }

  close() {
    this.watchdog.stop();
    if (this.source) this.source.close();
    this.source = null;
  }
}
