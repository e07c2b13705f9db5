// A chart for both sources, drawn by uPlot on a canvas, with the text summary and data table that a canvas lacks.

import { el, known, quantity } from "./dom.js";

const HEIGHT = 170;
const LABELS = 22; // pixels above the plot, for the labels of the marks
const RIGHT = 18; // pixels right of the plot
const SHIFT = 32; // pixels that a label may stand left of its mark
const NEAR = 6; // pixels between the cursor and a mark that it points at
const TIPS = 3; // marks that are told at once
const DOT = 3.5; // pixels, the radius of a dot
const BUTTONS = 5; // dots that are buttons too
const FONT = "11px system-ui, sans-serif";
const SHORT = new Set(["seconds", "ratio", "x budget", "bytes"]); // all others are written beside the title
// The unit of an axis or an objective.
const exact = (unit) => (unit === "seconds of a quantile" ? "seconds" : SHORT.has(unit) ? unit : "");
const DASHES = [[], [6, 3], [2, 3]];

// The library is slow to parse, so it is loaded with the first chart that comes near the viewport.
// A browser may cache that a module could not be loaded, so each retry uses another address.
let Plot = null,
  coming = null,
  tries = 0;
const library = () =>
  (coming ||= (async () => {
    const sheet = new URL("../vendor/uplot.css", import.meta.url).href;
    if (![...document.styleSheets].some((loaded) => loaded.href === sheet))
      document.head.append(el("link", { rel: "stylesheet", href: sheet }));
    Plot = (await import(`../vendor/uplot.js${tries++ ? `?try=${tries}` : ""}`)).default;
  })().finally(() => {
    coming = null;
  }));

const ink = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

// The upper end of an axis: the least of 1, 2, 4, 5, 6 or 8 times a power of ten that leaves some room above the
// highest value, so that labels are round. The axis of a ratio ends at 1.
export function axisTop(unit, highest) {
  const value = highest * 1.05 || 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const top = power * ([1, 2, 4, 5, 6, 8].find((step) => power * step >= value * (1 - 1e-9)) || 10);
  return unit === "ratio" && highest <= 1 ? Math.min(top, 1) : top;
}

// The centres of labels between `left` and `right`, ascending by `at`: where two overlap, the earlier moves left, and
// is left out if it would move more than `shift` or repeat the later one.
export function spread(labels, left, right, gap, shift) {
  const placed = [];
  let end = right;
  for (const { at, label, width } of labels.toReversed()) {
    const wanted = Math.max(at, left + width / 2);
    const centre = Math.min(wanted, end - width / 2);
    const moved = centre < wanted && placed.length > 0;
    if (centre - width / 2 < left || (moved && (wanted - centre > shift || placed[0].label === label))) continue;
    placed.unshift({ label, centre });
    end = centre - width / 2 - gap;
  }
  return placed;
}

export class Chart {
  // `shape`: name, title, unit, objective, limit (the word for it), lines: [title]; what changes comes with update().
  // `open` shows the trace of a dot.
  constructor(shape, open = () => {}) {
    this.shape = shape;
    this.open = open;
    this.canvas = el("div", { class: "console-canvas", "aria-hidden": "true" });
    this.tip = el("div", { class: "console-tip", hidden: true });
    this.key = el("ul", { class: "lab-key" });
    this.words = el("span", { class: "console-hidden" });
    this.table = el("tbody");
    this.traces = el("ul", { class: "console-traces", "aria-label": "The slowest requests", hidden: true });
    this.data = null;
    const head = el(
      "tr",
      {},
      el("th", { scope: "col" }, "Time"),
      shape.lines.map((title) => el("th", { scope: "col" }, title)),
    );
    this.details = el(
      "details",
      { class: "lab-details" },
      el("summary", {}, "Data"),
      this.traces,
      el(
        "div",
        { class: "lab-scroll", role: "region", tabindex: "0", "aria-label": `Data of ${shape.title}` },
        el("table", { class: "lab-table lab-table--numeric" }, el("thead", {}, head), this.table),
      ),
    );
    this.details.addEventListener("toggle", () => this.tabulate());
    this.node = el(
      "figure",
      { "data-chart": shape.name },
      el("figcaption", {}, el("b", {}, shape.title), " ", this.words),
      this.canvas,
      this.key,
      this.details,
    );
    this.resize = new ResizeObserver(
      () =>
        this.plot && this.canvas.clientWidth && this.plot.setSize({ width: this.canvas.clientWidth, height: HEIGHT }),
    );
    this.resize.observe(this.canvas);
    // A chart is drawn when it comes near the viewport.
    this.near = false;
    this.sight = new IntersectionObserver(
      (entries) => {
        this.near = entries.at(-1).isIntersecting;
        if (this.near && this.data) this.draw();
      },
      { rootMargin: "300px" },
    );
    this.sight.observe(this.canvas);
  }

  // `data`: xs (seconds), lines (one array of values or null for each line), range [from, to], bands [[from, to]],
  // marks [{x, label, title, change}], label(x) for the axis; dots [{x, y, trace}] if there are any. The old values
  // stay until the next update.
  update(data) {
    this.data = { dots: [], ...data };
    if (this.near) this.draw();
    const now = data.lines.map((values) => values.findLast(known));
    const { unit, objective } = this.shape;
    this.words.textContent =
      this.shape.lines.map((title, at) => (now.length > 1 ? `${title} ` : "") + quantity(now[at], unit)).join(", ") +
      (known(objective) ? `; ${this.shape.limit} ${quantity(objective, exact(unit) || unit)}` : "");
    this.key.replaceChildren(
      ...this.shape.lines.map((title, at) =>
        el("li", {}, swatch(at), `${title} `, el("b", {}, quantity(now[at], unit))),
      ),
      ...(known(objective)
        ? [el("li", {}, swatch("objective"), `${this.shape.limit} ${quantity(objective, exact(unit) || unit)}`)]
        : []),
      ...(data.bands.length ? [el("li", {}, swatch("band"), "alert firing")] : []),
      ...(data.marks.some((mark) => mark.change)
        ? [el("li", {}, swatch("change"), "change; point at it to see what it was")]
        : []),
      ...(this.data.dots.length ? [el("li", {}, swatch("dot"), "request; click on it to open its trace")] : []),
    );
    if (this.details.open) this.tabulate();
  }

  draw() {
    if (!Plot) return this.fetch();
    const rows = [this.data.xs, ...this.data.lines];
    if (this.plot) this.plot.setData(rows);
    else this.build(rows);
  }

  async fetch() {
    try {
      await library();
    } catch {
      this.canvas.textContent = "What draws this chart could not be loaded; its figures are below, under Data.";
      return;
    }
    if (this.near) this.draw();
  }

  build(rows) {
    this.plot?.destroy();
    this.canvas.replaceChildren(this.tip);
    const { unit, objective } = this.shape;
    const [rule, soft] = [ink("--lab-rule"), ink("--lab-soft")];
    this.plot = new Plot(
      {
        width: this.canvas.clientWidth || 300,
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        padding: [LABELS, RIGHT, 0, 0],
        scales: {
          x: { time: false, range: () => this.data.range },
          y: {
            range: (_, _low, high) => [
              0,
              axisTop(unit, Math.max(high || 0, objective || 0, ...this.data.dots.map((dot) => dot.y))),
            ],
          },
        },
        axes: [
          {
            stroke: soft,
            font: FONT,
            size: 26,
            gap: 3,
            space: 64,
            grid: { show: false },
            ticks: { stroke: rule, size: 4 },
            values: (_, ticks) => ticks.map(this.data.label),
          },
          {
            stroke: soft,
            font: FONT,
            size: 58,
            gap: 4,
            space: 36,
            grid: { stroke: rule, width: 1 },
            ticks: { show: false },
            values: (_, ticks) => ticks.map((tick) => quantity(tick, exact(unit))),
          },
        ],
        series: [
          {},
          ...this.shape.lines.map((title, at) => ({
            label: title,
            stroke: ink(`--lab-line-${at % 3}`),
            width: 2,
            dash: DASHES[at % 3],
            points: { show: false },
          })),
        ],
        hooks: {
          drawClear: [(plot) => this.bands(plot)],
          draw: [(plot) => this.marks(plot), (plot) => this.dots(plot)],
          ready: [(plot) => plot.over.addEventListener("click", () => this.chosen(plot))],
          setCursor: [(plot) => this.point(plot)],
        },
      },
      rows,
      this.canvas,
    );
  }

  bands(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.fillStyle = ink("--lab-band");
    for (const [from, to] of this.data.bands) {
      const [left, right] = [from, to].map((x) =>
        Math.min(Math.max(plot.valToPos(x, "x", true), bbox.left), bbox.left + bbox.width),
      );
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    ctx.restore();
  }

  marks(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "center";
    ctx.fillStyle = ink("--lab-soft");
    ctx.lineWidth = ratio;
    const right = bbox.left + bbox.width;
    const shown = this.data.marks
      .map((mark) => ({ ...mark, at: plot.valToPos(mark.x, "x", true) }))
      .filter(({ at }) => at >= bbox.left && at <= right);
    for (const { at, change } of shown) {
      ctx.strokeStyle = ink(change ? "--lab-line-1" : "--lab-soft");
      ctx.setLineDash(change ? [2 * ratio, 3 * ratio] : []);
      ctx.beginPath();
      ctx.moveTo(at, bbox.top);
      ctx.lineTo(at, bbox.top + bbox.height);
      ctx.stroke();
    }
    const labels = shown
      .filter(({ label }) => label)
      .map((mark) => ({ ...mark, width: ctx.measureText(mark.label).width }));
    for (const { label, centre } of spread(labels, bbox.left, right + RIGHT * ratio, 4 * ratio, SHIFT * ratio))
      ctx.fillText(label, centre, bbox.top - 9 * ratio);
    if (known(this.shape.objective)) {
      const y = plot.valToPos(this.shape.objective, "y", true);
      ctx.strokeStyle = ink("--lab-objective");
      ctx.setLineDash([5 * ratio, 4 * ratio]);
      ctx.lineWidth = 1.5 * ratio;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  dots(plot) {
    const { ctx } = plot;
    const ratio = devicePixelRatio || 1;
    ctx.save();
    ctx.fillStyle = ink("--lab-line-2");
    for (const { x, y } of this.data.dots) {
      ctx.beginPath();
      ctx.arc(plot.valToPos(x, "x", true), plot.valToPos(y, "y", true), DOT * ratio, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.restore();
  }

  // The dot that the cursor points at, or nothing.
  dot(plot) {
    const { left, top } = plot.cursor;
    const away = ({ x, y }) => Math.hypot(plot.valToPos(x, "x") - left, plot.valToPos(y, "y") - top);
    const [nearest] = left < 0 ? [] : [...this.data.dots].sort((a, b) => away(a) - away(b));
    return nearest && away(nearest) <= 2 * DOT + NEAR ? nearest : undefined;
  }

  chosen(plot) {
    const dot = this.dot(plot);
    if (dot) this.open(dot.trace);
  }

  // Says what the marks near the cursor are: a request, or changes first, which the key does not name.
  point(plot) {
    const dot = this.dot(plot);
    plot.over.style.cursor = dot ? "pointer" : "";
    const distance = ({ x }) => Math.abs(plot.valToPos(x, "x") - plot.cursor.left);
    const near = plot.cursor.left < 0 ? [] : this.data.marks.filter((mark) => distance(mark) <= NEAR);
    const changes = near.filter((mark) => mark.change);
    const told = (changes.length ? changes : near).sort((a, b) => distance(a) - distance(b)).slice(0, TIPS);
    const lines = [
      ...(dot ? [`request of ${quantity(dot.y, "seconds")}: its trace`] : []),
      ...told.map(({ title }) => title),
    ];
    this.tip.hidden = lines.length === 0;
    this.tip.replaceChildren(...lines.map((line) => el("div", {}, line)));
  }

  // The slowest requests as buttons, for those who cannot point at a dot.
  slowest() {
    const { label, dots } = this.data;
    const shown = [...dots].sort((a, b) => b.y - a.y).slice(0, BUTTONS);
    this.traces.replaceChildren(
      el("li", {}, "Slowest:"),
      ...shown.map(({ x, y, trace }) => {
        const button = el("button", { type: "button", class: "console-quiet" }, quantity(y, "seconds"));
        button.setAttribute(
          "aria-label",
          `Trace of the request of ${quantity(y, "seconds")} at ${label(Math.round(x))}`,
        );
        button.addEventListener("click", () => this.open(trace));
        return el("li", {}, button);
      }),
    );
    this.traces.hidden = shown.length === 0;
  }

  tabulate() {
    if (!this.details.open || !this.data) return;
    this.slowest();
    const { xs, lines, label } = this.data;
    this.table.replaceChildren(
      ...xs
        .map((x, at) =>
          lines.some((values) => known(values[at]))
            ? el(
                "tr",
                {},
                el("th", { scope: "row" }, label(x)),
                lines.map((values) => el("td", {}, quantity(values[at], this.shape.unit))),
              )
            : null,
        )
        .filter(Boolean),
    );
  }

  // The canvas has the colours of its scheme, so a new scheme needs a redraw.
  repaint() {
    if (this.plot) this.build([this.data.xs, ...this.data.lines]);
  }

  destroy() {
    this.near = false;
    this.resize.disconnect();
    this.sight.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}

function swatch(kind) {
  return el("i", {
    class: `console-swatch console-swatch--${typeof kind === "number" ? kind % 3 : kind}`,
    "aria-hidden": "true",
  });
}
