// PromQL queries and the log lines of a request, from the lab or from the replayed record.

import { Chart } from "./chart.js";
import { clock, el, memory, quantity, refill } from "./dom.js";
import { promql } from "./views.js";

const PAUSE_MS = 200;
export const json = async (url) => {
  const answer = await fetch(url);
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `the lab answered ${answer.status}`);
  return said;
};

export class Query {
  constructor(part, api, replay, now) {
    Object.assign(this, { part, api, replay, now, changed: memory(), chart: null, timer: null });
    const box = part("query");
    part("query-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
    box.addEventListener("input", () => {
      this.plain();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.colour(), PAUSE_MS);
    });
    box.addEventListener("scroll", () => {
      part("query-ink").scrollLeft = box.scrollLeft;
      part("query-ink").scrollTop = box.scrollTop;
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        this.ask();
      }
    });
    part("query-known").addEventListener("change", (event) => {
      box.value = event.target.value;
      this.colour();
      this.ask();
    });
    this.plain();
  }

  reset() {
    this.changed = memory();
    this.chart?.destroy();
    this.chart = null;
    this.part("query-rows").replaceChildren();
    this.part("query-chart").replaceChildren();
    this.part("query-said").textContent = "";
    const replay = this.replay();
    this.part("query-known-line").hidden = !replay;
    this.part("query").readOnly = Boolean(replay);
    if (replay) {
      this.part("query-known").replaceChildren(
        ...replay.record.signals.map((signal) => el("option", { value: signal.query }, signal.title)),
      );
      this.part("query").value = replay.record.signals[0]?.query || "";
    }
    this.colour();
  }

  plain() {
    this.part("query-ink").replaceChildren(this.part("query").value);
  }

  async colour() {
    const text = this.part("query").value,
      replay = this.replay();
    this.plain();
    try {
      const tokens = replay
        ? replay.about.queries[text]
        : text
          ? (await json(new URL(`tokens?query=${encodeURIComponent(text)}`, this.api))).tokens
          : [];
      if (tokens && text === this.part("query").value) this.part("query-ink").replaceChildren(...promql(tokens));
    } catch {
      /* the query works without colours too */
    }
  }

  // In a replay, the result is the recorded signal at the current instant.
  tick() {
    const replay = this.replay();
    if (!replay || this.part("query-panel").hidden) return;
    const signal = replay.record.signals.find((candidate) => candidate.query === this.part("query").value);
    if (signal && this.changed("row", [signal.name, Math.floor(this.now())]))
      this.rows([{ labels: signal.title, value: replay.value(signal, this.now()) }], signal.unit);
  }

  rows(rows, unit = "") {
    this.part("query-rows").replaceChildren(
      ...rows.map((row) =>
        el(
          "tr",
          {},
          el("td", {}, el("code", {}, row.labels)),
          el(
            "td",
            {},
            typeof row.value === "number"
              ? unit
                ? quantity(row.value, unit)
                : String(Number(row.value.toPrecision(6)))
              : (row.value ?? "–"),
          ),
        ),
      ),
    );
  }

  async ask() {
    if (this.replay()) return this.tick();
    const text = this.part("query").value.trim(),
      said = this.part("query-said");
    if (!text) return undefined;
    said.textContent = "asking…";
    try {
      const answer = await json(new URL(`query?query=${encodeURIComponent(text)}`, this.api));
      said.textContent =
        answer.total === 0
          ? "empty: no series matches"
          : `${answer.total} series${answer.total > answer.rows.length ? `, the first ${answer.rows.length}` : ""}`;
      this.rows(answer.rows);
      this.draw(answer);
    } catch (problem) {
      said.textContent = problem.message;
      this.rows([]);
    }
    return undefined;
  }

  draw(answer) {
    this.chart?.destroy();
    this.chart = null;
    this.part("query-chart").replaceChildren();
    if (!answer.lines.length) return;
    const count = answer.lines[0].values.length,
      span = answer.step_seconds * (count - 1);
    this.chart = new Chart({
      name: "query",
      title: "the last minutes",
      unit: "",
      objective: null,
      limit: "",
      lines: answer.lines.map((line) => line.title),
    });
    this.part("query-chart").replaceChildren(this.chart.node);
    this.chart.update({
      xs: Array.from({ length: count }, (_, at) => at * answer.step_seconds - span),
      lines: answer.lines.map((line) => line.values),
      range: [-span, 0],
      bands: [],
      marks: [],
      label: (x) => (x === 0 ? "now" : `−${-x} s`),
    });
  }

  stop() {
    clearTimeout(this.timer);
    this.chart?.destroy();
  }
}

export class Requests {
  constructor(part, api, replay) {
    Object.assign(this, { part, api, replay });
    part("logs-refresh")?.addEventListener("click", () => this.list());
    part("trace-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.lines(part("trace").value.trim());
    });
    part("logs-tab").addEventListener("chosen", () => this.list());
  }

  reset() {
    this.part("log-lines").textContent = "";
    this.part("requests").replaceChildren();
    if (!this.part("logs-panel").hidden) this.list();
  }

  async list() {
    const replay = this.replay();
    try {
      const rows = replay ? replay.requests() : (await json(new URL("requests", this.api))).requests;
      refill(
        this.part("requests"),
        rows.length
          ? rows.map((request) => this.row(request))
          : [el("tr", {}, el("td", { colspan: 5 }, "No request has been logged yet."))],
      );
      this.part("logs-said").textContent = replay
        ? "The record keeps the lines of one slow request and of one that was not."
        : "The gateway writes a line for slow and failed requests, and for a sample of the rest.";
    } catch (problem) {
      this.part("logs-said").textContent = problem.message;
    }
  }

  row(request) {
    const button = el("button", { type: "button", class: "console-quiet", "data-key": request.trace_id }, "Show");
    button.setAttribute("aria-label", `Show trace and log lines of ${request.trace_id}`);
    button.addEventListener("click", () => this.lines(request.trace_id));
    return el(
      "tr",
      {},
      el("td", {}, clock(request.ts)),
      el("td", {}, `${request.method || ""} ${request.path || ""}`),
      el("td", {}, request.status ?? "–"),
      el("td", {}, quantity(request.duration_seconds, "seconds")),
      el("td", {}, button),
    );
  }

  async lines(trace) {
    const replay = this.replay(),
      box = this.part("log-lines");
    this.part("trace").value = trace;
    this.part("waterfall").replaceChildren();
    this.waterfall(trace);
    try {
      const lines = replay
        ? replay.record.logs.filter((line) => line.trace_id === trace).map((line) => JSON.stringify(line))
        : (await json(new URL(`logs?trace_id=${encodeURIComponent(trace)}`, this.api))).lines;
      box.textContent = lines.join("\n") || "no line has this trace id";
    } catch (problem) {
      box.textContent = problem.message;
    }
  }

  // Drawn by the lab, or by the build of the site for a record; both escape what spans contain.
  async waterfall(trace) {
    const replay = this.replay();
    try {
      const waterfall = replay
        ? ((await this.recorded(replay.about.traces))[trace] ?? "")
        : (await json(new URL(`trace?trace_id=${encodeURIComponent(trace)}`, this.api))).waterfall;
      const drawn = new DOMParser().parseFromString(waterfall, "text/html").body;
      if (this.part("trace").value === trace) this.part("waterfall").replaceChildren(...drawn.childNodes);
    } catch (problem) {
      this.part("waterfall").replaceChildren(el("p", { class: "console-note" }, problem.message));
    }
  }

  // The exemplary traces of a record as HTML, by id; none where the lab recorded no spans.
  async recorded(file) {
    return file ? json(new URL(`../${file}`, this.api)) : {};
  }
}
