// What a picture looks like. A picture has the same shape whether the lab took it a second ago or a record is replayed.

import { badge, burn, clock, el, known, percent, short } from "./dom.js";

const row = (name, value) => el("div", { class: "console-tile__row" }, el("span", {}, name), el("span", {}, value));

export function tile(slo) {
  const quick = slo.tiers[0] || {};
  const left = slo.budget_remaining_ratio;
  const share = known(left) ? Math.max(0, Math.min(1, left)) : 0;
  const level = share > 0.5 ? "ok" : share > 0.1 ? "warn" : "bad";
  const rows = [
    row(`good over ${slo.window}`, `of ${percent(slo.objective_ratio)}`),
    row("burn rate", burn(quick.long_burn)),
  ];
  if (quick.factor) rows.push(row("pages above", `${quick.factor}x`));
  if (known(left))
    rows.push(
      row("budget left", left < 0 ? "overspent" : percent(left, 1)),
      el(
        "div",
        { class: "console-bar", "data-level": level },
        el("i", { style: `width:${(share * 100).toFixed(1)}%` }),
      ),
    );
  return el(
    "div",
    { class: "console-tile", "data-state": slo.state },
    el("div", { class: "console-tile__head" }, el("span", {}, slo.title), el("span", {}, slo.state)),
    el("div", { class: "console-tile__value" }, percent(slo.good_ratio)),
    rows,
  );
}

// `take(id, button)` when pages can be taken here; null in a replay.
export function page(one, take, link) {
  const foot = el("div", { class: "console-page__foot" });
  if (one.acked_at) foot.append(el("span", {}, `taken by ${one.acked_by} at ${clock(one.acked_at)}`));
  else if (take) {
    const button = el(
      "button",
      {
        type: "button",
        "data-page": one.id,
        "data-key": `page-${one.id}`,
        class: one.status === "firing" ? null : "console-quiet",
      },
      "Take",
    );
    button.setAttribute("aria-label", `Take page ${one.id}, ${one.alertname}`);
    button.addEventListener("click", () => take(one.id, button));
    foot.append(button);
  } else foot.append(el("span", {}, one.status === "firing" ? "nobody has it" : "nobody took it"));
  if (one.escalated_at)
    foot.append(
      badge(
        one.acked_at || one.status === "resolved" ? "warn" : "bad",
        `escalated to ${one.escalated_to} at ${clock(one.escalated_at)}`,
      ),
    );
  const runbook = link(one);
  if (runbook) foot.append(el("a", { href: runbook, "data-key": `runbook-${one.id}` }, "Runbook"));
  return el(
    "li",
    { "data-status": one.status },
    el(
      "div",
      { class: "console-page__head" },
      el("b", {}, one.alertname),
      badge(one.severity === "page" ? "bad" : "warn", one.severity || "none"),
      el("span", {}, `${one.status}, #${one.id}, ${clock(one.received_at)} UTC`),
    ),
    el("div", {}, one.summary || ""),
    foot,
  );
}

export function burnTable(slos) {
  const tiers = slos.find((slo) => slo.tiers.length)?.tiers || [];
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, "SLO"),
    tiers.map((tier) =>
      el(
        "th",
        { scope: "col" },
        `${tier.severity} above ${tier.factor}x, ${tier.long_window} and ${tier.short_window}`,
      ),
    ),
    el("th", { scope: "col" }, "Budget left"),
  );
  const rows = slos
    .filter((slo) => slo.tiers.length)
    .map((slo) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, slo.title),
        slo.tiers.map((tier) => {
          const over =
            known(tier.long_burn) &&
            known(tier.short_burn) &&
            tier.long_burn > tier.factor &&
            tier.short_burn > tier.factor;
          return el(
            "td",
            {},
            `${burn(tier.long_burn)} and ${burn(tier.short_burn)}`,
            over ? [" ", badge("bad", "over")] : [],
          );
        }),
        el("td", {}, slo.budget_remaining_ratio < 0 ? "overspent" : percent(slo.budget_remaining_ratio, 1)),
      ),
    );
  return [head, rows];
}

export function auditRow(row) {
  const cells = [
    clock(row.at),
    row.actor,
    row.action,
    row.target,
    `${short(row.old)} → ${short(row.new)}`,
    row.outcome,
  ];
  return el(
    "tr",
    {},
    cells.map((cell) => el("td", {}, cell)),
  );
}

export function map(root, nodes) {
  for (const group of root.querySelectorAll("[data-node]")) {
    const node = nodes.find((one) => one.name === group.dataset.node) || { state: "unknown", text: "no data" };
    group.dataset.state = node.state;
    group.querySelector(".node-state").textContent = node.text;
  }
}

// `seek(seconds)` in a replay; null when the timeline is the lab's own.
export function timelineRow(row, now, seek) {
  const later = row.t_seconds > now;
  const when = seek
    ? el(
        "button",
        {
          type: "button",
          class: "console-when",
          "data-key": `at-${row.t_seconds}-${row.title}`,
          "aria-label": `Go to ${row.when}, ${row.title}`,
        },
        row.when,
      )
    : el("span", { class: "console-when" }, row.when);
  if (seek) when.addEventListener("click", () => seek(row.t_seconds));
  return el(
    "li",
    { class: later ? "console-later" : null },
    when,
    el("span", { class: "console-phase" }, row.phase || ""),
    el(
      "span",
      {},
      el("b", {}, row.title),
      row.detail ? [" ", row.detail] : [],
      row.by ? el("span", { class: "console-by-whom" }, ` ${row.by}`) : [],
    ),
  );
}

// The section of a page's alert. `ran(command, step)` gives what came of a command; `run(command, button)` runs one.
export function runbook(section, href, ran, run) {
  const steps = (branch, step) =>
    branch[step].map((command) => {
      const key = `${branch.number}-${step}-${command}`;
      const done = ran(command, step, branch);
      const row = el(
        "li",
        { class: "console-step" },
        el("span", { class: "console-step__name" }, step),
        el("code", {}, command),
      );
      if (run) {
        const button = el(
          "button",
          {
            type: "button",
            "data-key": key,
            class: step === "mitigate" ? null : "console-quiet",
            disabled: done?.running,
          },
          done?.running ? "running" : "Run",
        );
        button.setAttribute("aria-label", `Run ${step}: ${command}`);
        button.addEventListener("click", () => run(command, step, branch));
        row.append(button);
      }
      if (done && !done.running)
        row.append(
          badge(done.exit_status === 0 ? "ok" : step === "check" ? "warn" : "bad", verdict(step, done.exit_status)),
          done.output ? el("pre", { class: "console-output" }, done.output) : null,
        );
      return row;
    });
  return [
    el(
      "p",
      { class: "console-runbook__title" },
      el("a", { href, "data-key": "section" }, section.title),
      section.branches.length > 1 ? `, ${section.branches.length} branches, lowest risk first` : "",
    ),
    el(
      "ol",
      { class: "console-branches" },
      section.branches.map((branch) =>
        el(
          "li",
          {},
          el("b", {}, branch.title),
          el(
            "ul",
            {},
            ["check", "mitigate", "validate"].flatMap((step) => steps(branch, step)),
          ),
        ),
      ),
    ),
  ];
}

function verdict(step, status) {
  if (step === "check") return status === 0 ? "applies" : "does not apply";
  return status === 0 ? "done, exit 0" : `exit ${status}`;
}

const DURATIONS = [
  ["page_seconds", "page delivered after"],
  ["mtta_seconds", "taken after"],
  ["mttm_seconds", "mitigated after"],
  ["mttr_seconds", "recovered after"],
];

export function scoreCard(score) {
  const facts = DURATIONS.map(([key, words]) =>
    el(
      "div",
      {},
      el("span", { class: "lab-fact__name" }, words),
      el(
        "span",
        { class: "lab-fact__value" },
        known(score.durations[key]) ? `${score.durations[key].toFixed(1)} s` : "never",
      ),
    ),
  );
  return [
    el(
      "p",
      {},
      badge(...{ pass: ["ok", "passed"], fail: ["bad", "failed"], void: ["warn", "void"] }[score.verdict]),
      ` ${score.id} ${score.title}, responder ${score.responder}`,
      known(score.predicted_seconds) ? `; alert predicted after ${score.predicted_seconds.toFixed(1)} s` : "",
    ),
    el("div", { class: "lab-facts" }, facts),
    score.score
      ? el(
          "p",
          {},
          el("b", {}, `${score.score.points} of 100 points`),
          ": ",
          score.score.lines
            .map((line) => `${line.name} ${line.points}${line.most ? ` of ${line.most}` : ""} (${line.detail})`)
            .join("; "),
        )
      : null,
    el(
      "ul",
      { class: "console-checks" },
      score.checks.map((check) =>
        el(
          "li",
          {},
          badge(check.passed ? "ok" : "bad", check.passed ? "pass" : "fail"),
          ` ${check.name.replaceAll("_", " ")}: ${check.detail}`,
        ),
      ),
    ),
  ].filter(Boolean);
}

export function promql(tokens) {
  return tokens.map(([kind, text]) => el("span", kind ? { class: kind } : {}, text));
}
