// What the console says of the running lab, from one picture of it: words, charts, a timeline. No element is touched.

import { clock, percent, quantity, short } from "./dom.js";

export const firing = (shown) => shown.pages.filter((one) => one.status === "firing");

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
    ? `${open.length} open: ${[...new Set(open.map((one) => one.alertname))].join(", ")}`
    : "no open page";
  return [
    `${pages}${pagerGap(shown)}.`,
    shown.silences &&
      `SILENCED: ${shown.silences} in Alertmanager, so a page may reach nobody; "fleetops status" names them.`,
    shown.too_busy && `TOO BUSY: ${shown.too_busy}.`,
    `Lab time, ${shown.factor}x.`,
    silent.length && `Not answering: ${silent.join("; ")}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

export function shapes(shown) {
  return shown.series.map((one) => ({
    name: one.name,
    title: one.title,
    unit: one.unit,
    objective: one.objective,
    limit: "objective",
    lines: one.lines.map((line) => line.title),
  }));
}

export function series(one, shown) {
  const count = one.lines[0].values.length,
    span = one.step_seconds * (count - 1),
    end = one.start + span;
  const at = (stamp) => Date.parse(stamp) / 1000 - end;
  const mine = shown.pages.filter(
    (page) => page.severity === "page" && (one.name.startsWith(page.service) || !one.objective),
  );
  return {
    xs: Array.from({ length: count }, (_, index) => index * one.step_seconds - span),
    lines: one.lines.map((line) => line.values),
    range: [-span, 0],
    bands: mine
      .map((page) => [at(page.starts_at || page.received_at), page.resolved_at ? at(page.resolved_at) : 0])
      .filter(([, to]) => to > -span),
    marks: [
      ...mine.map((page) => ({ x: at(page.received_at), label: "page" })),
      ...mine.filter((page) => page.acked_at).map((page) => ({ x: at(page.acked_at), label: "ack" })),
      ...shown.audit.map((row) => ({ x: at(row.at), label: "change" })),
    ].sort((a, b) => a.x - b.x),
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

// What the pager and the audit trail know, as one list, the oldest first.
export function timeline(shown) {
  const row = (at, title, detail, by, phase) => ({ at, title, detail, by, phase, when: clock(at), t_seconds: 0 });
  const rows = [
    ...shown.pages.flatMap((one) => [
      row(
        one.received_at,
        `${one.severity === "page" ? "Page" : "Ticket"} ${one.id} delivered`,
        one.alertname,
        "alertmanager",
        "page",
      ),
      one.escalated_at
        ? row(one.escalated_at, `Page ${one.id} escalated`, `to ${one.escalated_to}`, "pager", "escalated")
        : null,
      one.acked_at ? row(one.acked_at, `Page ${one.id} taken`, "", one.acked_by, "ack") : null,
      one.resolved_at ? row(one.resolved_at, `${one.alertname} resolved`, "", "alertmanager", "resolved") : null,
    ]),
    ...shown.audit.map((one) =>
      row(
        one.at,
        `${one.action} ${one.target}`,
        `${short(one.old, 30)} → ${short(one.new, 30)} ${one.outcome === "done" ? "" : one.outcome}`,
        one.actor,
        "change",
      ),
    ),
  ];
  return rows
    .filter(Boolean)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .slice(-24);
}
