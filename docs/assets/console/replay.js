// A record as pictures: what the console would have shown at each second of a recorded incident.

import { known, offset } from "./dom.js";

const PHASES = {
  inject: "T0",
  sli_bad: "T1",
  firing: "T2",
  page: "T3",
  ack: "T4",
  diagnosis: "T5",
  action: "T6",
  recovered: "T7",
  resolved: "T8",
};
const NODES = ["traffic", "gateway", "feed", "feed-canary", "user", "cache", "db"];
const ALIAS = { postgres: "db", valkey: "cache", database: "db" };

export class Replay {
  constructor(record, about) {
    this.record = record;
    this.about = about;
    this.zero = Date.parse(record.t0);
    this.start = Math.min(...record.signals.map((one) => one.start_seconds));
    this.end = Math.max(...record.signals.map((one) => one.start_seconds + (one.values.length - 1) * one.step_seconds));
    this.focus =
      /sloth_id="([^"]+)"/.exec(this.signal("burn_rate_60s")?.query || record.signals[0]?.query || "")?.[1] || "";
    this.charts = this.layout();
    const graded = new Set();
    this.timeline = [...record.timeline]
      .sort((a, b) => a.t_seconds - b.t_seconds)
      .map((row) => {
        const phase = graded.has(row.kind) || !this.grades(row) ? "" : PHASES[row.kind] || "";
        if (phase) graded.add(row.kind);
        return { ...row, phase, when: offset(row.t_seconds) };
      });
    this.marks = this.timeline.filter((row) => row.phase).map((row) => ({ x: row.t_seconds, label: row.phase }));
    this.opening = this.at("page") ?? this.at("firing") ?? 0;
  }

  // Of the responder's changes the one that completed the mitigation is graded, of everything else the first.
  grades(row) {
    const mitigated = this.record.durations?.mttm_seconds;
    return row.kind !== "action" || (known(mitigated) && Math.abs(row.t_seconds - mitigated) < 0.005);
  }

  since(stamp) {
    return (Date.parse(stamp) - this.zero) / 1000;
  }

  at(kind) {
    return this.record.timeline.find((row) => row.kind === kind)?.t_seconds;
  }

  signal(name) {
    return this.record.signals.find((one) => one.name === name);
  }

  value(signal, now) {
    if (!signal) return null;
    const index = Math.floor((now - signal.start_seconds) / signal.step_seconds + 1e-6);
    return signal.values[Math.min(index, signal.values.length - 1)] ?? null;
  }

  // The promise at stake, its burn rates, versions side by side, then every other signal on its own.
  layout() {
    const { signals } = this.record;
    const group = (title, limit, members) => (members.length ? [{ name: members[0].name, title, limit, members }] : []);
    const own = signals.filter((one) => one.name === `${this.focus.replaceAll("-", "_")}_bad_ratio`);
    const burns = signals.filter((one) => one.name.startsWith("burn_rate_"));
    const versions = signals.filter((one) => /_(stable|canary)_p99_seconds$/.test(one.name));
    const taken = new Set([...own, ...burns, ...versions]);
    const rest = signals.filter(
      (one) =>
        !taken.has(one) &&
        !one.name.endsWith("_bad_ratio") &&
        one.name !== "budget_remaining_ratio" &&
        one.values.some(known),
    );
    return [
      ...group(`${this.focus.replaceAll("-", " ")}: bad share`, "objective", own),
      ...group("burn rate, both windows of the quick page tier", "threshold", burns),
      ...group("p99 by version", "objective", versions),
      ...rest.flatMap((one) => group(one.title, "objective", [one])),
    ];
  }

  shapes() {
    return this.charts.map(({ name, title, limit, members }) => ({
      name,
      title,
      limit,
      unit: members[0].unit,
      objective: members.find((one) => known(one.objective))?.objective ?? null,
      lines: members.map((one) => one.title),
    }));
  }

  series(chart, now) {
    const [first] = chart.members;
    const xs = first.values.map((_, index) => first.start_seconds + index * first.step_seconds);
    const fired = this.record.alerts.filter((one) => one.name === this.record.prediction?.alert);
    // The ticket of the same SLO may still fire for an earlier incident.
    const paged = fired.filter((one) => one.severity === "page");
    const bands = (paged.length ? paged : fired)
      .filter((one) => one.t_seconds <= now)
      .map((one) => [one.t_seconds, Math.min(now, one.ends_at ? this.since(one.ends_at) : this.end)]);
    return {
      xs,
      bands,
      range: [this.start, this.end],
      marks: this.marks.filter((mark) => mark.x <= now),
      label: (x) => `${x < 0 ? "−" : "+"}${Math.abs(Math.round(x))} s`,
      lines: chart.members.map((one) => xs.map((x) => (x <= now + 1e-6 ? this.value(one, x) : null))),
    };
  }

  firing(now) {
    return this.record.alerts.filter((one) => one.t_seconds <= now && (!one.ends_at || this.since(one.ends_at) > now));
  }

  picture(now) {
    const { record } = this;
    const firing = this.firing(now);
    const stamp = new Date(this.zero + now * 1000).toISOString();
    const pages = record.pages
      .filter((one) => one.received_at <= stamp)
      .map((one) => {
        const past = (at) => Boolean(at) && at <= stamp;
        const status = past(one.resolved_at) ? "resolved" : "firing";
        return {
          ...one,
          status,
          ...(past(one.acked_at) ? {} : { acked_at: null, acked_by: null }),
          ...(past(one.escalated_at) ? {} : { escalated_at: null, escalated_to: null }),
        };
      });
    return {
      at: stamp,
      pages: pages.sort((a, b) => (a.received_at < b.received_at ? 1 : -1)),
      audit: record.actions.filter((one) => one.at <= stamp).reverse(),
      slos: this.slos(now, firing),
      nodes: this.nodes(now, firing),
      flow: this.flow(now),
      timeline: this.timeline,
      firing,
    };
  }

  slos(now, firing) {
    return this.record.signals
      .filter((one) => one.name.endsWith("_bad_ratio"))
      .map((signal) => {
        const id = signal.name.replace(/_bad_ratio$/, "").replaceAll("_", "-");
        const bad = this.value(signal, now);
        const severities = firing.filter((one) => one.labels.sloth_id === id).map((one) => one.severity);
        const state = severities.includes("page")
          ? "page"
          : severities.includes("ticket")
            ? "ticket"
            : !known(bad)
              ? "no data"
              : bad > signal.objective
                ? "outside"
                : "ok";
        const [long, brief] = [this.signal("burn_rate_60s"), this.signal("burn_rate_5s")];
        const tiers =
          id === this.focus && long
            ? [
                {
                  severity: "page",
                  factor: long.objective,
                  long_window: "1m",
                  short_window: "5s",
                  long_burn: this.value(long, now),
                  short_burn: this.value(brief, now),
                },
              ]
            : [{ long_burn: known(bad) ? bad / signal.objective : null }];
        return {
          id,
          state,
          tiers,
          title: id.replaceAll("-", " "),
          window: "5 s",
          objective_ratio: 1 - signal.objective,
          good_ratio: known(bad) ? 1 - bad : null,
          budget_remaining_ratio: this.left(id, now),
        };
      });
  }

  // What of the budget was left by now: the record's figure, event by event as its counts have them.
  left(id, now) {
    const spent = this.record.budget[id]?.budget_spent_ratio;
    const counts = this.record.counts[id];
    if (!known(spent) || !counts) return null;
    const end = Math.min(now, (Date.parse(this.record.ended_at) - this.zero) / 1000);
    const bad = counts.bad.reduce((sum, value, index) => {
      const at = counts.start_seconds + index * counts.step_seconds;
      return known(value) && at > 0 && at <= end ? sum + value : sum;
    }, 0);
    const all = this.record.budget[id].bad_events;
    return 1 - (all > 0 ? (spent * bad) / all : 0);
  }

  nodes(now, firing) {
    const weight = this.value(this.signal("canary_weight_ratio"), now);
    return NODES.map((name) => {
      const mine = firing.filter((one) => (ALIAS[one.service] || one.service) === name);
      const worst = mine.some((one) => one.severity === "page") ? "bad" : mine.length ? "warn" : "ok";
      if (name === "feed-canary")
        return {
          name,
          state: known(weight) && weight > 0 ? "warn" : "ok",
          text: known(weight) ? `${Math.round(weight * 100)} % of users` : "no data",
        };
      return { name, state: worst, text: worst === "bad" ? "paging" : worst === "warn" ? "ticket" : "no alert" };
    });
  }

  flow(now) {
    const rate = this.value(this.signal("requests_per_second"), now);
    return known(rate) ? `${Math.round(rate)} requests/s at the gateway.` : "";
  }

  ran(now) {
    return (command, step, branch) => {
      const found = this.record.runbook
        .filter(
          (one) =>
            one.command === command &&
            one.step === step &&
            one.branch === `${branch.number}. ${branch.title}` &&
            one.t_seconds <= now,
        )
        .at(-1);
      if (!found) return null;
      return found.t_seconds + found.duration_seconds > now ? { running: true } : found;
    };
  }

  score(now) {
    const last = this.timeline.at(-1);
    if (!last || now < Math.min(last.t_seconds, this.end) - 0.15) return null; // the scrubber has steps of a tenth
    const { drill, responder, verdict, durations, prediction, score } = this.record;
    return {
      id: drill.id,
      title: drill.title,
      responder,
      verdict: verdict.void ? "void" : verdict.passed ? "pass" : "fail",
      checks: verdict.checks,
      durations,
      score,
      predicted_seconds: prediction?.detection_seconds,
    };
  }

  requests() {
    const found = new Map();
    for (const line of this.record.logs) {
      const one = found.get(line.trace_id) || { trace_id: line.trace_id, lines: [] };
      one.lines.push(line);
      if (line.service === "gateway")
        Object.assign(one, {
          path: line.path,
          status: line.status,
          duration_seconds: line.duration_seconds,
          ts: line.ts,
          method: line.method,
          upstream: line.upstream,
        });
      found.set(line.trace_id, one);
    }
    return [...found.values()];
  }
}
