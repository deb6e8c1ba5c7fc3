// Followed logs: one connection for all logs of a page (`Feed`), and the panes that show them.

import { Terminal, SEQUENCE, STAMP, labelled, splitUnfinished } from "./ansi.js";
import { Watchdog } from "./common.js";

const MOST_CHARACTERS = 2 * 1024 * 1024; // kept in a pane; older lines are removed
const MOST_IN_A_LINE = 20_000;
const RETRY_SECONDS = 3;
const NEAR_THE_END = 40; // pixels: closer to the end, a pane scrolls with new output
const NEAR_THE_START = 200; // pixels

// The part of a text that is kept when it has become too long: whole lines, if there are any.
function newest(text) {
  const start = text.length - MOST_CHARACTERS / 2;
  const newline = text.indexOf("\n", start);
  return text.slice(newline < 0 ? start : newline + 1);
}

// Return text whose long lines are cut, and the length of its last line; `length` is that of the
// line before. Browsers need minutes for the layout of a line of megabytes; the download has it whole.
function shortened(text, length = 0) {
  if (length + text.length <= MOST_IN_A_LINE) {
    const newline = text.lastIndexOf("\n");
    return [text, newline < 0 ? length + text.length : text.length - newline - 1];
  }
  let before = length;
  const lines = text.split("\n").map((line, index) => {
    if (index) before = 0;
    const room = Math.max(MOST_IN_A_LINE - before, 0);
    const isCut = line.length > room && before <= MOST_IN_A_LINE;
    before += line.length;
    return isCut ? `${line.slice(0, room)}\u2026` : line.slice(0, room);
  });
  return [lines.join("\n"), before];
}

export class Pane {
  // `onScroll` is called when the user has scrolled near the start.
  // `links` are the addresses of the labels in it.
  constructor(element, onScroll = () => {}, links = []) {
    Object.assign(this, { element, text: element.textContent, wanted: "", found: 0, unfinished: "" });
    this.lineLength = 0;
    this.terminal = new Terminal(links);
    element.addEventListener("scroll", () => element.scrollTop < NEAR_THE_START && onScroll(this));
    this.toTheEnd();
  }

  get isAtTheEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
  }

  get isFull() {
    return this.text.length > MOST_CHARACTERS / 2;
  }

  // Whether it contains nothing at all, and not only nothing that the filter shows.
  showEmptiness() {
    this.element.classList.toggle("empty", !this.text);
  }

  toTheEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  filter(wanted) {
    this.wanted = wanted.toLowerCase();
    this.show();
  }

  matching() {
    const contains = (line) => line.replace(SEQUENCE, "").toLowerCase().includes(this.wanted);
    return this.text.split("\n").filter((line) => line && contains(line));
  }

  show() {
    const follows = this.isAtTheEnd;
    this.terminal.reset();
    this.showEmptiness();
    if (this.wanted) {
      const lines = this.matching();
      this.found = lines.length;
      this.unfinished = "";
      this.element.replaceChildren(this.terminal.rendered(lines.join("\n")));
    } else {
      const [whole, rest] = splitUnfinished(this.text);
      this.unfinished = rest;
      this.element.replaceChildren(this.terminal.rendered(whole));
    }
    if (follows) this.toTheEnd();
  }

  begin(text) {
    [this.text, this.lineLength] = shortened(text);
    this.show();
    this.toTheEnd();
  }

  // Append text; return false if older lines had to be removed.
  append(added) {
    const [more, length] = shortened(added, this.lineLength);
    this.lineLength = length;
    this.text += more;
    this.showEmptiness();
    const isTooLong = this.text.length > MOST_CHARACTERS;
    if (isTooLong) this.text = newest(this.text);
    if (isTooLong || this.wanted) {
      this.show();
      return !isTooLong;
    }
    const follows = this.isAtTheEnd;
    const [whole, rest] = splitUnfinished(this.unfinished + more);
    this.unfinished = rest;
    this.element.append(this.terminal.rendered(whole));
    if (follows) this.toTheEnd();
    return true;
  }

  prepend(earlier) {
    const { element } = this;
    this.text = shortened(earlier)[0] + this.text;
    const height = element.scrollHeight - element.scrollTop;
    this.show();
    element.scrollTop = element.scrollHeight - height;
  }
}

// -- several logs in one pane ---------------------------------------------------------------

const timeOf = (line) => {
  const stamp = line.match(new RegExp(STAMP.source));
  return stamp ? Date.parse(stamp[0].replace(/[[\]]/g, "").trim().replace(" ", "T").replace(",", ".")) : NaN;
};

// Whole lines of several logs, each marked with the name of its log.
export class Merger {
  constructor(labels) {
    this.labels = labels;
    this.rests = labels.map(() => "");
  }

  marked(index, line) {
    const stamp = line.match(new RegExp(STAMP.source));
    const start = stamp ? stamp[0].length : 0;
    const colour = 31 + ((index + 1) % 6);
    return `\x1b[0m${line.slice(0, start)}\x1b[${colour}m${labelled(index, this.labels[index])}\x1b[0m ${line.slice(start)}\n`;
  }

  // Return the whole lines of what has arrived; the rest waits for its end.
  add(index, more) {
    const lines = (this.rests[index] + more).split("\n");
    this.rests[index] = lines.pop();
    if (this.rests[index].length > MOST_CHARACTERS / 2) {
      lines.push(this.rests[index]);
      this.rests[index] = "";
    }
    return lines.map((line) => this.marked(index, line)).join("");
  }

  // Return parts of all logs, in the order of their time stamps where they have any. A line without
  // one follows the line before; those at the start of a part precede its first line with a stamp.
  merge(parts, { isEarlier = false } = {}) {
    const entries = [];
    parts.forEach((part, index) => {
      const lines = part.split("\n");
      const rest = lines.pop();
      if (isEarlier) rest && lines.push(rest);
      else this.rests[index] = rest;
      const times = lines.map(timeOf);
      let time = times.find(Boolean) || -Infinity;
      lines.forEach((line, number) => {
        time = times[number] || time;
        entries.push({ time, text: this.marked(index, line) });
      });
    });
    entries.sort((a, b) => (a.time === b.time ? 0 : a.time - b.time));
    return entries.map((entry) => entry.text).join("");
  }
}

// -- following ----------------------------------------------------------------------------

// One connection: lines of JSON with the number of a log, text, and the offset of the first text. An
// empty line is a heartbeat.
export class Feed {
  constructor(address, { onBegin, onText, onLive }) {
    Object.assign(this, { address, onBegin, onText, onLive, aborter: null });
    this.watchdog = new Watchdog(() => this.aborter.abort());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.follow();
      else if (this.aborter) this.aborter.abort();
    });
  }

  async follow() {
    if (this.aborter || document.hidden) return;
    this.aborter = new AbortController();
    this.watchdog.restart();
    try {
      const response = await fetch(this.address, { signal: this.aborter.signal });
      if (!response.ok) throw new Error(response.statusText);
      this.watchdog.beatSeconds = Number(response.headers.get("X-Beat-Seconds")) || this.watchdog.beatSeconds;
      this.onLive(true);
      await this.read(response.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch {
      // the connection is lost, or the page was hidden: retry below
    }
    this.watchdog.stop();
    this.aborter = null;
    if (!document.hidden) {
      this.onLive(false);
      setTimeout(() => this.follow(), RETRY_SECONDS * 1000);
    }
  }

  async read(reader) {
    let rest = "";
    for (;;) {
      this.watchdog.restart();
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines.filter(Boolean)) {
        const { log, text, offset } = JSON.parse(line);
        if (offset === undefined) this.onText(log, text);
        else this.onBegin(log, text, offset);
      }
    }
  }
}

// Return [text, offset] of the part of a log before an offset.
export async function earlier(address, before) {
  const response = await fetch(`${address}&before=${before}`);
  const text = response.ok ? await response.text() : "";
  return [text, text ? Number(response.headers.get("X-Log-Offset")) : 0];
}
