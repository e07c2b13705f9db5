// Snapshots from a record: what the console would have shown at each second of a recorded incident.

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
    this.start = Math.min(...record.signals.map((signal) => signal.start_seconds));
    this.end =
      record.end_seconds ??
      Math.max(
        ...record.signals.map((signal) => signal.start_seconds + (signal.values.length - 1) * signal.step_seconds),
      );
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
    let changes = 0;
    this.marks = this.timeline
      .filter((row) => row.phase || row.kind === "action" || row.kind === "inject")
      .map((row) => ({
        x: row.t_seconds,
        label: row.phase || `C${++changes}`,
        title: `${row.phase ? "" : `C${changes} `}${row.title}, by ${row.by}`,
        change: !row.phase,
      }));
    this.opening = this.at("page") ?? this.at("firing") ?? 0;
  }

  // Of the responder's changes, the one that completed the mitigation is graded; of all other events, the first.
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
    return this.record.signals.find((signal) => signal.name === name);
  }

  value(signal, now) {
    if (!signal) return null;
    const index = Math.floor((now - signal.start_seconds) / signal.step_seconds + 1e-6);
    return signal.values[Math.min(index, signal.values.length - 1)] ?? null;
  }

  // The SLO at stake, its burn rates, both versions side by side, then a chart for each other signal.
  layout() {
    const { signals } = this.record;
    const group = (title, limit, members) => (members.length ? [{ name: members[0].name, title, limit, members }] : []);
    const own = signals.filter((signal) => signal.name === `${this.focus.replaceAll("-", "_")}_bad_ratio`);
    const burns = signals.filter((signal) => signal.name.startsWith("burn_rate_"));
    const versions = signals.filter((signal) => /_(stable|canary)_p99_seconds$/.test(signal.name));
    const taken = new Set([...own, ...burns, ...versions]);
    const rest = signals.filter(
      (signal) =>
        !taken.has(signal) &&
        !signal.name.endsWith("_bad_ratio") &&
        signal.name !== "budget_remaining_ratio" &&
        signal.values.some(known),
    );
    return [
      ...group(`${this.focus.replaceAll("-", " ")}: bad share`, "objective", own),
      ...group("burn rate, both windows of the fast-burn page", "threshold", burns),
      ...group("p99 by version", "objective", versions),
      ...rest.flatMap((signal) => group(signal.title, "objective", [signal])),
    ];
  }

  shapes() {
    return this.charts.map(({ name, title, limit, members }) => ({
      name,
      title,
      limit,
      unit: members[0].unit,
      objective: members.find((signal) => known(signal.objective))?.objective ?? null,
      lines: members.map((signal) => signal.title),
    }));
  }

  series(chart, now) {
    const [first] = chart.members;
    const xs = first.values.map((_, index) => first.start_seconds + index * first.step_seconds);
    const fired = this.record.alerts.filter((alert) => alert.name === this.record.prediction?.alert);
    // The ticket of the same SLO may still fire for an earlier incident.
    const paged = fired.filter((alert) => alert.severity === "page");
    const bands = (paged.length ? paged : fired)
      .filter((alert) => alert.t_seconds <= now)
      .map((alert) => [alert.t_seconds, Math.min(now, alert.ends_at ? this.since(alert.ends_at) : this.end)]);
    return {
      xs,
      bands,
      range: [this.start, this.end],
      marks: this.marks.filter((mark) => mark.x <= now),
      label: (x) => `${x < 0 ? "−" : "+"}${Math.abs(Math.round(x))} s`,
      lines: chart.members.map((signal) => xs.map((x) => (x <= now + 1e-6 ? this.value(signal, x) : null))),
    };
  }

  firing(now) {
    return this.record.alerts.filter(
      (alert) => alert.t_seconds <= now && (!alert.ends_at || this.since(alert.ends_at) > now),
    );
  }

  picture(now) {
    const { record } = this;
    const firing = this.firing(now);
    const stamp = new Date(this.zero + now * 1000).toISOString();
    const pages = record.pages
      .filter((page) => page.received_at <= stamp)
      .map((page) => {
        const past = (at) => Boolean(at) && at <= stamp;
        const status = past(page.resolved_at) ? "resolved" : "firing";
        return {
          ...page,
          status,
          ...(past(page.acked_at) ? {} : { acked_at: null, acked_by: null }),
          ...(past(page.escalated_at) ? {} : { escalated_at: null, escalated_to: null }),
        };
      });
    return {
      at: stamp,
      pages: pages.sort((a, b) => (a.received_at < b.received_at ? 1 : -1)),
      audit: record.actions.filter((change) => change.at <= stamp).reverse(),
      slos: this.slos(now, firing),
      nodes: this.nodes(now, firing),
      flow: this.flow(now),
      timeline: this.timeline,
      firing,
    };
  }

  slos(now, firing) {
    return this.record.signals
      .filter((signal) => signal.name.endsWith("_bad_ratio"))
      .map((signal) => {
        const id = signal.name.replace(/_bad_ratio$/, "").replaceAll("_", "-");
        const bad = this.value(signal, now);
        const severities = firing.filter((alert) => alert.labels.sloth_id === id).map((alert) => alert.severity);
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
            : [{ long_window: "5s", long_burn: known(bad) ? bad / signal.objective : null }];
        return {
          id,
          state,
          tiers,
          title: id.replaceAll("-", " "),
          window: "5s",
          objective_ratio: 1 - signal.objective,
          good_ratio: known(bad) ? 1 - bad : null,
          budget_remaining_ratio: this.left(id, now),
        };
      });
  }

  // The budget left by now: the record's figure, spread over the bad events of its counts.
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
      const mine = firing.filter((alert) => (ALIAS[alert.service] || alert.service) === name);
      const worst = mine.some((alert) => alert.severity === "page") ? "bad" : mine.length ? "warn" : "ok";
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
          (executed) =>
            executed.command === command &&
            executed.step === step &&
            executed.branch === `${branch.number}. ${branch.title}` &&
            executed.t_seconds <= now,
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
      why: verdict.why,
      checks: verdict.checks,
      durations,
      score,
      predicted_seconds: prediction?.detection_seconds,
    };
  }

  // The log lines that had been written by now.
  lines(now = Infinity) {
    return this.record.logs.filter((line) => this.since(line.ts) <= now);
  }

  requests(now = Infinity) {
    const found = new Map();
    for (const line of this.lines(now)) {
      const request = found.get(line.trace_id) || { trace_id: line.trace_id, lines: [] };
      request.lines.push(line);
      if (line.service === "gateway")
        Object.assign(request, {
          path: line.path,
          status: line.status,
          duration_seconds: line.duration_seconds,
          ts: line.ts,
          method: line.method,
          upstream: line.upstream,
        });
      found.set(line.trace_id, request);
    }
    return [...found.values()];
  }
}
