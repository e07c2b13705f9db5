// The error-budget policy and the rollout of a snapshot. A replay has neither: records of drills do not hold them.

import { badge, el } from "./dom.js";

export function gates(change) {
  if (!change?.gates.length)
    return [el("tr", {}, el("td", { colspan: 4 }, change?.problem || "Only the live lab shows this."))];
  return change.gates.map((gate) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, gate.service),
      el("td", {}, badge(gate.state === "open" ? "ok" : gate.refuses.length ? "bad" : "warn", gate.state)),
      el("td", {}, gate.refuses.join(", ") || "nothing"),
      el(
        "td",
        {},
        gate.reason,
        gate.overrides.map((override) => el("div", {}, badge("warn", "override"), ` ${override}`)),
      ),
    ),
  );
}

const power = (value) => `10^${value.toFixed(1)}`;

function evidence(seen) {
  const rows = seen.slos.map((slo) => {
    const health = `evidence of health ${power(slo.health_log10)} of ${power(seen.health_threshold_log10)}`;
    return `${slo.slo}: ${slo.bad_requests} of ${slo.requests} requests bad, ${health}`;
  });
  const harm = `Evidence of harm ${power(seen.harm_log10)}, aborts at ${power(seen.harm_threshold_log10)}`;
  return el("p", { class: "console-note" }, `Verdict so far: ${seen.verdict}. ${harm}. ${rows.join("; ")}.`);
}

export function rollout(change) {
  const found = change?.rollout;
  if (!found) return [el("p", { class: "console-note" }, "No rollout.")];
  const level = { promoted: "ok", aborted: "bad", aborting: "bad", held: "warn" }[found.phase] || "ok";
  const step = ` step ${found.step} of ${found.steps}, ${found.weight_percent} % of the clients.`;
  return [
    el(
      "p",
      {},
      el("b", {}, `Rollout of ${found.service} ${found.previous} → ${found.version}: `),
      badge(found.frozen ? "warn" : level, found.frozen ? `${found.phase}, frozen` : found.phase),
      `${step} ${found.frozen || found.reason}`,
    ),
    ...(found.progress ? [evidence(found.progress)] : []),
  ];
}
