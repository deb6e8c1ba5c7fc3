// CPU and memory of the processes, with charts of the last minutes. The server measures only
// when asked; what it has answered is kept here, until the page is closed.
import { isInView, setText, text } from "./common.js";

const USAGE_SECONDS = 5;
const USAGE_SAMPLES = 60;
const DEADLINE_SECONDS = 20; // a server that hangs never responds
const CHART = { width: 60, height: 16 };
const SVG = "http://www.w3.org/2000/svg";
const MEGABYTE = 1048576;

export class UsageCharts {
  constructor({ rows, isWanted, onChange }) {
    Object.assign(this, { rows, isWanted, onChange, isMeasuring: false, isDrawing: false });
    this.samples = new Map(); // name -> [cpu in percent, memory in bytes] each, oldest first
  }

  start() {
    setInterval(() => this.measure(), USAGE_SECONDS * 1000);
    addEventListener("scroll", () => this.drawSoon(), { passive: true });
    addEventListener("resize", () => this.drawSoon());
  }

  async measure() {
    if (document.hidden || this.isMeasuring || !this.isWanted()) return;
    this.isMeasuring = true;
    try {
      const response = await fetch("usage", { signal: AbortSignal.timeout(DEADLINE_SECONDS * 1000) });
      if (response.ok) this.take(await response.json());
    } catch {
      // The stream of changes notices that the server is gone, or hangs.
    } finally {
      this.isMeasuring = false;
    }
  }

  take(answer) {
    const { usage } = answer;
    for (const name of this.samples.keys()) if (!(name in usage)) this.samples.delete(name);
    for (const [name, sample] of Object.entries(usage)) {
      const known = this.samples.get(name) || [];
      known.push(sample);
      if (known.length > USAGE_SAMPLES) known.shift();
      this.samples.set(name, known);
    }
    this.onChange(answer);
    this.draw();
  }

  // The process has ended.
  forget(name) {
    this.samples.delete(name);
  }

  last(name, index) {
    const known = this.samples.get(name);
    return known ? known[known.length - 1][index] : -1;
  }

  // Draw the rows in view.
  draw() {
    for (const row of [...this.rows()].filter(isInView)) this.drawRow(row);
  }

  drawSoon() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => {
      this.isDrawing = false;
      this.draw();
    });
  }

  drawRow(row) {
    const cell = row.querySelector(".usage");
    const samples = this.samples.get(row.dataset.name);
    if (!samples) {
      if (cell.firstElementChild) cell.textContent = "";
      return;
    }
    if (!cell.firstElementChild) cell.replaceChildren(gauge("cpu"), gauge("memory"));
    const [cpu, memory] = samples[samples.length - 1];
    const [first, second] = cell.children;
    const percent = `${cpu < 10 ? cpu.toFixed(1) : Math.round(cpu)} %`;
    setGauge(first, percent, samples.map((each) => each[0]), 100);
    setGauge(second, bytes(memory), samples.map((each) => each[1]), 0);
  }
}

function bytes(count) {
  const megabytes = count / MEGABYTE;
  if (megabytes >= 1024) return `${(megabytes / 1024).toFixed(1)} GB`;
  return `${megabytes < 10 ? megabytes.toFixed(1) : Math.round(megabytes)} MB`;
}

function gauge(kind) {
  const shown = document.createElement("span");
  shown.className = `gauge ${kind}`;
  shown.title = text(`script.${kind}_label`);
  const chart = document.createElementNS(SVG, "svg");
  chart.setAttribute("viewBox", `0 0 ${CHART.width} ${CHART.height}`);
  chart.setAttribute("aria-hidden", "true");
  chart.append(document.createElementNS(SVG, "polyline"));
  shown.append(chart, document.createElement("span"));
  return shown;
}

// The scale begins at 0, and ends at the largest value, or at `least` if that is more.
function setGauge(shown, label, values, least) {
  const top = Math.max(least, ...values) * 1.1 || 1;
  const step = CHART.width / (USAGE_SAMPLES - 1);
  const left = CHART.width - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const y = CHART.height - 1 - (value / top) * (CHART.height - 2);
    return `${(left + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  if (points.length === 1) points.push(points[0]);
  shown.querySelector("polyline").setAttribute("points", points.join(" "));
  setText(shown.lastElementChild, label);
}
