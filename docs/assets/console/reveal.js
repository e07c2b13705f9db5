// The result of a diagnosis: its points and what cost points, beside what the autopilot did with the same page.

import { points, reasons, score } from "./diagnosis.js";
import { badge, el, kept, known } from "./dom.js";

const FIRST_GUESSES = "fleetops-guess"; // points of the first guess by recording, in this browser's storage

const seconds = (value) => (known(value) ? `${value.toFixed(1)} s` : "not measured");

// `seen` is the last second of the recording that was looked at, `next` a button. Stores the points of a first guess.
export function reveal({ index, id, diagnosis, answer, seen, site, next }) {
  const { rule, recordings } = index;
  const got = points(rule, score(rule, diagnosis, answer));
  const firsts = { [id]: got, ...stored() };
  kept(FIRST_GUESSES, JSON.stringify(firsts));
  const replay = new URL(`lab/?replay=${answer.id}&t=${answer.page_seconds}`, site).href;
  return [
    el("h3", {}, `${answer.id}: ${answer.title}`),
    el(
      "p",
      {},
      badge(got === rule.points ? "ok" : got > 0 ? "warn" : "bad", `${got} of ${rule.points} points`),
      ` ${reasons(rule, diagnosis, answer).join(" ")}`,
    ),
    compared(diagnosis, answer, `${got} of ${rule.points}`, Math.max(seen, 0)),
    el(
      "p",
      {},
      el("a", { href: replay }, "Replay it to the end"),
      answer.postmortem ? [" · ", el("a", { href: new URL(answer.postmortem, site).href }, "Postmortem")] : [],
    ),
    el("p", { class: "console-note" }, tally(firsts, rule, recordings)),
    next,
  ];
}

function stored() {
  try {
    return JSON.parse(kept(FIRST_GUESSES) || "{}");
  } catch {
    return {};
  }
}

function tally(firsts, rule, recordings) {
  const mine = recordings.filter((id) => known(firsts[id]));
  const sum = Number(mine.reduce((total, id) => total + firsts[id], 0).toFixed(1));
  const all = `${sum} of ${rule.points * mine.length} points, ${mine.length} of ${recordings.length} recordings`;
  return `First guesses in this browser: ${all}.`;
}

function compared(diagnosis, answer, scored, seen) {
  const rows = [
    ["Diagnosis", `${diagnosis.components.join(", ")}; ${diagnosis.trigger}`, `runbook branch “${answer.branch}”`],
    ["Points for it", scored, "not scored: it finds a runbook branch"],
    ["Time to diagnosis", `${seconds(seen)} of the recording`, seconds(answer.diagnosis_seconds)],
    ["Time to mitigation", "–", seconds(answer.mitigation_seconds)],
    ["Time to recovery", "–", seconds(answer.recovery_seconds)],
  ];
  const head = ["From the page on", "You", "Autopilot"].map((name) => el("th", { scope: "col" }, name));
  const body = rows.map(([name, ...cells]) =>
    el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell))),
  );
  const table = el("table", { class: "lab-table" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body));
  return el(
    "div",
    { class: "lab-scroll", role: "region", tabindex: "0", "aria-label": "You and the autopilot" },
    table,
  );
}
