// The output of programs as elements: colours (ECMA-48 SGR) as in a terminal, time stamps apart,
// and control characters visible. Nothing of a log becomes markup, and other sequences are dropped.

export const SEQUENCE = /\x1b(?:\[([0-9;:]*)m|\[[ -?]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[^[\]])/g;
const ATTRIBUTES = { 1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse" };

// A date and time at the start of a line, as in ISO 8601 and in the activity log.
export const STAMP = /^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]? ?/gm;

const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

// Control characters as symbols, as common/text.py does: they could hide or reorder text.
export function visible(raw) {
  return raw.replace(/\r\n/g, "\n").replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    if (code === 0x7f) return "\u2421";
    if (code < 32) return String.fromCharCode(0x2400 + code);
    return `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
}

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

// Split off an incomplete sequence at the end, to prepend it to the next text.
export function splitUnfinished(raw) {
  const unfinished = /(?:\x1b(?:\[[ -?]{0,64}|\][^\x07\x1b]{0,256})?|\r)$/.exec(raw);
  return unfinished ? [raw.slice(0, unfinished.index), unfinished[0]] : [raw, ""];
}

// Mark a text as the label of a log, which a terminal that knows its address shows as a link. Output
// that contains such a sequence can become no other link.
export const labelled = (index, label) => `\x1b]log;${index}\x07${label}\x1b]log;\x07`;
const LABEL = /^\x1b\]log;(\d*)\x07$/;

// The state of a terminal that renders text piece by piece; `links` are the addresses of labels.
export class Terminal {
  constructor(links = []) {
    this.links = links;
    this.hasStamps = false;
    this.reset();
  }

  reset() {
    this.style = {};
    this.link = undefined;
    this.isAtLineStart = true;
  }

  // Return text as a fragment.
  rendered(raw) {
    const fragment = document.createDocumentFragment();
    let end = 0;
    for (const found of raw.matchAll(SEQUENCE)) {
      this.addText(fragment, raw.slice(end, found.index));
      if (found[1] !== undefined) this.apply(found[1]);
      const label = LABEL.exec(found[0]);
      if (label) this.link = label[1] ? this.links[label[1]] : undefined;
      end = found.index + found[0].length;
    }
    this.addText(fragment, raw.slice(end));
    return fragment;
  }

  addText(fragment, raw) {
    if (!raw) return;
    const piece = visible(raw);
    let end = 0;
    for (const found of piece.matchAll(STAMP)) {
      if (found.index === 0 && !this.isAtLineStart) continue;
      if (found.index > end) fragment.append(this.styled(piece.slice(end, found.index)));
      const stamp = document.createElement("time");
      stamp.textContent = found[0];
      fragment.append(stamp);
      this.hasStamps = true;
      end = found.index + found[0].length;
    }
    if (end < piece.length) fragment.append(this.styled(piece.slice(end)));
    this.isAtLineStart = piece.endsWith("\n");
  }

  apply(parameters) {
    const codes = parameters.split(/[;:]/).map(Number);
    while (codes.length) {
      const code = codes.shift();
      if (code === 0) this.style = {};
      else if (code in ATTRIBUTES) this.style[ATTRIBUTES[code]] = true;
      else if (code === 22) this.style.bold = this.style.faint = false;
      else if (code > 22 && code < 28) this.style[ATTRIBUTES[code - 20]] = false;
      else if (code === 38) this.style.c = extendedColour(codes);
      else if (code === 48) this.style.b = extendedColour(codes);
      else if (code === 39) delete this.style.c;
      else if (code === 49) delete this.style.b;
      else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) this.style.c = code % 10;
      else if ((code >= 40 && code < 48) || (code >= 100 && code < 108)) this.style.b = code % 10;
    }
  }

  styled(piece) {
    const { style } = this;
    const span = document.createElement(this.link ? "a" : "span");
    if (this.link) span.href = this.link;
    span.textContent = piece;
    for (const name of Object.values(ATTRIBUTES)) span.classList.toggle(name, Boolean(style[name]));
    for (const [key, property] of [["c", "color"], ["b", "backgroundColor"]]) {
      if (typeof style[key] === "number") span.classList.add(key + style[key]);
      else if (style[key]) span.style[property] = style[key];
    }
    return this.link || span.className || span.style.length ? span : document.createTextNode(piece);
  }
}
