// Texts, chart data and the timeline of the live console, computed from one snapshot of the lab. Touches no element.

import { clock, known, percent, quantity, short } from "./dom.js";

export const firing = (shown) => shown.pages.filter((page) => page.status === "firing");

// Why the list of pages may be out of date, or "" when the pager answers.
export function pagerGap(shown) {
  if (shown.sources.pager === "ok") return "";
  return shown.told_at
    ? ` when the pager last answered, at ${clock(shown.told_at)} UTC`
    : " known: the pager has not answered";
}

export function summary(shown) {
  const open = firing(shown);
  const silent = Object.entries(shown.sources)
    .filter(([, state]) => state !== "ok")
    .map(([name, state]) => `${name}: ${state}`);
  const pages = open.length
    ? `${open.length} open: ${[...new Set(open.map((page) => page.alertname))].join(", ")}`
    : "no open page";
  return [
    `${pages}${pagerGap(shown)}.`,
    shown.silences &&
      `SILENCED: ${shown.silences} in Alertmanager, so a page may reach nobody; "fleetops status" names them.`,
    shown.too_busy && `${shown.too_busy[0].toUpperCase()}${shown.too_busy.slice(1)}.`,
    `Lab time, ${shown.factor}x.`,
    silent.length && `Not answering: ${silent.join("; ")}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

export function shapes(shown) {
  return shown.series.map((chart) => ({
    name: chart.name,
    title: chart.title,
    unit: chart.unit,
    objective: chart.objective,
    limit: "objective",
    lines: chart.lines.map((line) => line.title),
  }));
}

// The start of the measured history, in epoch seconds: a drill's clean slate deletes what Prometheus has measured, not
// what the pager has stored. 0 while Prometheus does not answer.
export function historyStart(shown) {
  const starts = shown.series.map((chart) => {
    const firsts = chart.lines.map((line) => line.values.findIndex(known)).filter((at) => at >= 0);
    return firsts.length ? chart.start + Math.min(...firsts) * chart.step_seconds : Infinity;
  });
  return starts.length ? Math.min(...starts) : 0;
}

// The pages that firing alerts sent, and those resolved since the measured history began.
export function currentPages(shown) {
  const start = historyStart(shown);
  return shown.pages.filter((page) => page.status === "firing" || Date.parse(page.resolved_at) / 1000 >= start);
}

export function series(chart, shown) {
  const count = chart.lines[0].values.length,
    span = chart.step_seconds * (count - 1),
    end = chart.start + span;
  const at = (stamp) => Date.parse(stamp) / 1000 - end;
  const begin = Math.max(historyStart(shown) - end, -span);
  const mine = shown.pages.filter(
    (page) => page.severity === "page" && (chart.name.startsWith(page.service) || !chart.objective),
  );
  return {
    xs: Array.from({ length: count }, (_, index) => index * chart.step_seconds - span),
    lines: chart.lines.map((line) => line.values),
    range: [-span, 0],
    bands: mine
      .map((page) => [at(page.starts_at || page.received_at), page.resolved_at ? at(page.resolved_at) : 0])
      .filter(([, to]) => to > begin)
      .map(([from, to]) => [Math.max(from, begin), to]),
    marks: [
      ...mine.map((page) => ({ x: at(page.received_at), label: "page", title: `${page.alertname} delivered` })),
      ...mine
        .filter((page) => page.acked_at)
        .map((page) => ({ x: at(page.acked_at), label: "ack", title: `acknowledged by ${page.acked_by}` })),
      ...shown.changes.map((mark) => ({
        x: at(mark.at),
        label: "change",
        title: `${clock(mark.at)} ${short(mark.what)}, by ${mark.by}`,
        change: true,
      })),
    ]
      .filter(({ x }) => x >= begin)
      .sort((a, b) => a.x - b.x),
    dots: chart.dots
      .map((dot) => ({ x: dot.at - end, y: dot.value, trace: dot.trace_id }))
      .filter(({ x }) => x >= begin && x <= 0),
    label: (x) => (x === 0 ? "now" : `−${-x} s`),
  };
}

export function flow(shown) {
  const { flow: rates, targets, flags } = shown;
  if (targets.length === 0) return "No data.";
  const offered = quantity(rates.offered_per_second, "requests/s");
  const completed = quantity(rates.completed_per_second, "requests/s");
  const down = targets.filter((target) => !target.up).map((target) => target.instance);
  const missing = down.length ? `; down: ${down.join(", ")}` : "";
  return [
    `Offered ${offered}, completed ${completed}.`,
    `Canary weight ${percent(rates.canary_weight_ratio, 0)}.`,
    `${targets.length - down.length} of ${targets.length} targets up${missing}.`,
    ...flags.filter((flag) => !flag.enabled).map((flag) => `Flag ${flag.flag} is off.`),
  ].join(" ");
}

// The events of the pager and the audit log in one list, the oldest first.
export function timeline(shown) {
  const row = (at, title, detail, by, phase) => ({ at, title, detail, by, phase, when: clock(at), t_seconds: 0 });
  const rows = [
    ...shown.pages.flatMap((page) => [
      row(
        page.received_at,
        `${page.severity === "page" ? "Page" : "Ticket"} ${page.id} delivered`,
        page.alertname,
        "alertmanager",
        "page",
      ),
      page.escalated_at
        ? row(page.escalated_at, `Page ${page.id} escalated`, `to ${page.escalated_to}`, "pager", "escalated")
        : null,
      page.acked_at ? row(page.acked_at, `Page ${page.id} acknowledged`, "", page.acked_by, "ack") : null,
      page.resolved_at ? row(page.resolved_at, `${page.alertname} resolved`, "", "alertmanager", "resolved") : null,
    ]),
    ...shown.audit.map((change) =>
      row(
        change.at,
        `${change.action} ${change.target}`,
        `${short(change.old, 30)} → ${short(change.new, 30)} ${change.outcome === "done" ? "" : change.outcome}`,
        change.actor,
        "change",
      ),
    ),
  ];
  return rows
    .filter(Boolean)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .slice(-24);
}
