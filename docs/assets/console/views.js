// Elements for the parts of a snapshot. A snapshot has the same shape from the live lab and from a replayed record.

import { badge, burn, clock, el, known, percent, short } from "./dom.js";

const row = (name, value) => el("div", { class: "console-tile__row" }, el("span", {}, name), el("span", {}, value));

export function tile(slo) {
  const quick = slo.tiers[0] || {};
  const left = slo.budget_remaining_ratio;
  const share = known(left) ? Math.max(0, Math.min(1, left)) : 0;
  const level = share > 0.5 ? "ok" : share > 0.1 ? "warn" : "bad";
  const rows = [
    row(`good over ${slo.window}`, `of ${percent(slo.objective_ratio)}`),
    row(`burn rate over ${quick.long_window || slo.window}`, burn(quick.long_burn)),
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

const perSecond = (value) => `${Math.round(value)}/s`;

// The load beside the measured capacity; nothing where no sweep was recorded, and in a replay.
export function capacity(found) {
  if (!found) return [];
  const used = found.offered_per_second / found.default;
  const state = found.state === "ok" ? "ok" : "outside";
  const rows = [row("capacity, at least", perSecond(found.default))];
  if (known(found.n_minus_one)) rows.push(row("without a feed replica", perSecond(found.n_minus_one)));
  rows.push(
    el(
      "div",
      { class: "console-bar", "data-level": found.state === "ok" ? "ok" : found.state === "above" ? "bad" : "warn" },
      el("i", { style: `width:${(Math.min(1, used) * 100).toFixed(1)}%` }),
    ),
  );
  return [
    el(
      "div",
      { class: "console-tile", "data-state": state },
      el("div", { class: "console-tile__head" }, el("span", {}, "load against capacity"), el("span", {}, found.state)),
      el("div", { class: "console-tile__value" }, perSecond(found.offered_per_second)),
      row("of the capacity", percent(used, 0)),
      rows,
    ),
  ];
}

// `acknowledge(id, button)` is null where pages cannot be acknowledged, as in a replay; `whole` adds the description.
export function page(page, acknowledge, link, whole = false) {
  const foot = el("div", { class: "console-page__foot" });
  if (page.acked_at) foot.append(el("span", {}, `acknowledged by ${page.acked_by} at ${clock(page.acked_at)}`));
  else if (acknowledge) {
    const button = el(
      "button",
      {
        type: "button",
        "data-page": page.id,
        "data-key": `page-${page.id}`,
        class: page.status === "firing" ? null : "console-quiet",
      },
      "Acknowledge",
    );
    button.setAttribute("aria-label", `Acknowledge page ${page.id}, ${page.alertname}`);
    button.addEventListener("click", () => acknowledge(page.id, button));
    foot.append(button);
  } else foot.append(el("span", {}, page.status === "firing" ? "unacknowledged" : "never acknowledged"));
  if (page.escalated_at)
    foot.append(
      badge(
        page.acked_at || page.status === "resolved" ? "warn" : "bad",
        `escalated to ${page.escalated_to} at ${clock(page.escalated_at)}`,
      ),
    );
  const runbook = link(page);
  if (runbook) foot.append(el("a", { href: runbook, "data-key": `runbook-${page.id}` }, "Runbook"));
  return el(
    "li",
    { "data-status": page.status },
    el(
      "div",
      { class: "console-page__head" },
      el("b", {}, page.alertname),
      badge(page.severity === "page" ? "bad" : "warn", page.severity || "none"),
      el("span", {}, `${page.status}, #${page.id}, ${clock(page.received_at)} UTC`),
    ),
    el("div", {}, page.summary || ""),
    whole && page.description ? el("div", { class: "console-note" }, page.description) : null,
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

export function auditRows(rows) {
  return rows.length ? rows.map(auditRow) : [el("tr", {}, el("td", { colspan: 6 }, "Nothing has been changed."))];
}

function auditRow(row) {
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
    const node = nodes.find((candidate) => candidate.name === group.dataset.node) || {
      state: "unknown",
      text: "no data",
    };
    group.dataset.state = node.state;
    group.querySelector(".node-state").textContent = node.text;
  }
}

// `seek(seconds)` moves a replay; null for the live timeline.
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

// A runbook section. `ran(command, step, branch)` is a command's result or null; `run` is null where none can be run.
export function runbook(section, href, ran, run, resolvedAt) {
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
      resolvedAt ? [" ", badge("ok", `resolved at ${clock(resolvedAt)}`)] : [],
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
  ["mtta_seconds", "acknowledged after the page"],
  ["mttm_seconds", "mitigated after"],
  ["mttr_seconds", "recovered after"],
];

// A void run measured nothing: it gives its reason instead of durations that were never reached.
export function scoreCard(score) {
  const isVoid = score.verdict === "void";
  const facts = DURATIONS.filter(([key]) => !isVoid || known(score.durations[key])).map(([key, words]) =>
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
      score.ended_at ? `, ended ${score.ended_at.slice(0, 10)} ${clock(score.ended_at)} UTC` : "",
      known(score.predicted_seconds) ? `; alert predicted after ${score.predicted_seconds.toFixed(1)} s` : "",
    ),
    isVoid ? el("p", { class: "console-note" }, `Not valid as evidence: ${score.why}`) : null,
    facts.length ? el("div", { class: "lab-facts" }, facts) : null,
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
