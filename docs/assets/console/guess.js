// Guess the cause: a recorded incident without its name, up to its responder's first change. Takes a diagnosis and
// scores it by the drills' rule. The answer is loaded when the diagnosis is locked in; nothing is sent anywhere.

import { Chart } from "./chart.js";
import { el, memory, offset, pageLink, refill } from "./dom.js";
import { Player } from "./player.js";
import { json, Requests } from "./queries.js";
import { Replay } from "./replay.js";
import { reveal } from "./reveal.js";
import { tabs } from "./tabs.js";
import * as views from "./views.js";

const DATA = "assets/data/guess/";

export function start(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const site = new URL(root.dataset.root, location.href);
  const data = new URL(DATA, site);
  const link = pageLink(site);
  const player = new Player((now) => !over && show(now));
  let changed = memory(),
    charts = [],
    index = null,
    shown = "", // the id of the recording
    seen = 0, // the last second that was looked at
    over = false;

  const requests = new Requests(part, new URL("api/", site), () => {
    const { replay, now } = player;
    if (!replay) return { about: {}, requests: () => [], record: { logs: [] } };
    return { about: replay.about, requests: () => logged(now), record: { logs: replay.lines(now) } };
  });
  const untab = tabs(root.querySelector("[role=tablist]"));

  // The requests that the gateway had answered by now.
  const logged = (now) => player.replay.requests(now).filter((request) => request.ts);

  function say(kind, name, text) {
    part("badge").className = `lab-badge lab-badge--${kind}`;
    part("badge").textContent = name;
    part("said").textContent = text;
  }

  // ---- the recording

  async function open(id) {
    shown = id;
    try {
      const recording = await json(new URL(`${id}.json`, data));
      if (over || shown !== id) return;
      const replay = new Replay({ counts: {}, budget: {}, ...recording }, { traces: recording.traces });
      player.load(prepare(replay));
      introduce(replay);
    } catch (problem) {
      if (!over && shown === id) say("bad", "failed", `This recording cannot be read: ${problem.message}`);
    }
  }

  function introduce({ record, end }) {
    const { alert } = record.prediction;
    const isPage = record.pages.some((page) => page.alertname === alert && page.severity === "page");
    const [kind, name] = isPage ? ["bad", "page"] : ["warn", "ticket"];
    const until = `The recording ends at ${offset(end)}, before the responder's first change.`;
    say(kind, name, `${alert} was delivered at T. ${until}`);
  }

  function prepare(replay) {
    changed = memory();
    seen = replay.start;
    for (const chart of charts) chart.destroy();
    const turned = replay.shapes().map((shape) => new Chart(shape));
    charts = turned;
    // One frame after the rest: together they would be a long task on a phone.
    requestAnimationFrame(() =>
      setTimeout(() => turned === charts && part("charts").replaceChildren(...charts.map((chart) => chart.node))),
    );
    Object.assign(part("scrub"), { min: replay.start, max: replay.end, step: "any" });
    part("recording").value = shown;
    part("form").reset();
    ask(true);
    part("result").replaceChildren();
    part("form-said").textContent = "";
    player.replay = replay;
    player.now = replay.start;
    requests.reset();
    return replay;
  }

  function show(now) {
    const { replay } = player;
    const { pages, slos, nodes, flow, audit } = replay.picture(now);
    seen = Math.max(seen, now);
    if (changed("now", now)) {
      part("scrub").value = now;
      part("scrub").setAttribute("aria-valuetext", offset(now));
      part("now").textContent = offset(now);
    }
    if (changed("playing", player.playing)) part("play").textContent = player.playing ? "Pause" : "Play";
    if (changed("pages", pages))
      refill(
        part("pages"),
        pages.length ? pages.map((page) => views.page(page, null, link, true)) : el("li", {}, "No page yet."),
      );
    if (changed("slos", slos)) part("slos").replaceChildren(...slos.map(views.tile));
    views.map(part("map"), nodes);
    if (changed("flow", flow)) part("flow").textContent = flow;
    if (changed("audit", audit)) part("audit").replaceChildren(...views.auditRows(audit));
    const ran = replay.record.runbook.filter((step) => step.t_seconds + step.duration_seconds <= now);
    if (changed("triage", ran.length)) part("triage").replaceChildren(...triage(ran));
    if (changed("requests", logged(now).length)) requests.list();
    if (changed("series", Math.floor(now * 2)))
      for (const [at, chart] of replay.charts.entries()) charts[at].update(replay.series(chart, now));
  }

  function triage(steps) {
    if (!steps.length) return [el("li", {}, "The responder has not run a command yet.")];
    return steps.map((step) =>
      el(
        "li",
        { class: "console-step" },
        el("span", { class: "console-when" }, offset(step.t_seconds)),
        el("code", {}, step.command),
        el("pre", { class: "console-output" }, `${step.output || "(no output)"}\nexit ${step.exit_status}`),
      ),
    );
  }

  // ---- the diagnosis

  function ask(open) {
    for (const choice of part("form").querySelectorAll("fieldset, button")) choice.disabled = !open;
  }

  async function lock(event) {
    event.preventDefault();
    const form = new FormData(part("form"));
    const diagnosis = { components: form.getAll("component"), trigger: form.get("trigger") };
    if (!diagnosis.components.length || !diagnosis.trigger) {
      part("form-said").textContent = "Choose a component and a trigger class first.";
      return;
    }
    ask(false);
    const id = shown;
    try {
      const answer = await json(new URL(`${id}.answer.json`, data));
      if (over || shown !== id) return;
      player.pause();
      show(player.now);
      part("form-said").textContent = "";
      part("result").replaceChildren(...reveal({ index, id, diagnosis, answer, seen, site, next: following() }));
      part("result").focus();
    } catch (problem) {
      part("form-said").textContent = `The answer cannot be read: ${problem.message}`;
      ask(true);
    }
  }

  // ---- the address, whose fragment is the id: the theme enters the page again when it changes

  const asked = () => location.hash.slice(1);

  function choose(id) {
    player.pause();
    history.replaceState(history.state, "", `#${id}`);
    open(id);
  }

  function following() {
    const button = el("button", { type: "button" }, "Next recording");
    button.addEventListener("click", () => {
      step();
      part("recording").focus();
    });
    return button;
  }

  function step() {
    const { recordings } = index;
    choose(recordings[(recordings.indexOf(shown) + 1) % recordings.length]);
  }

  async function copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      part("copied").textContent = "Copied.";
    } catch {
      part("copied").textContent = "Copy this page's address.";
    }
  }

  part("play").addEventListener("click", () => {
    if (!player.replay) return;
    if (player.playing) player.pause();
    else player.play();
    show(player.now);
  });
  part("scrub").addEventListener("input", (event) => player.replay && player.seek(Number(event.target.value)));
  part("speed").addEventListener("change", (event) => {
    player.speed = Number(event.target.value);
  });
  part("recording").addEventListener("change", (event) => choose(event.target.value));
  part("next").addEventListener("click", () => index && step());
  part("diagnose").addEventListener("click", () => {
    part("heading").scrollIntoView();
    part("heading").focus();
  });
  part("copy").addEventListener("click", copy);
  part("form").addEventListener("submit", lock);
  const repaint = new MutationObserver(() => {
    for (const chart of charts) chart.repaint();
  });
  repaint.observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  player.speed = Number(part("speed").value);

  (async () => {
    index = await json(new URL("index.json", data));
    if (over) return;
    const { recordings } = index;
    if (!recordings.length) return say("bad", "failed", "There is no recorded incident to play.");
    part("recording").replaceChildren(
      ...recordings.map((id, at) => el("option", { value: id }, `${at + 1} of ${recordings.length}`)),
    );
    choose(recordings.includes(asked()) ? asked() : recordings[0]);
  })().catch((problem) => say("bad", "failed", `The recordings cannot be read: ${problem.message}`));

  return () => {
    over = true;
    player.pause();
    repaint.disconnect();
    untab();
    for (const chart of charts) chart.destroy();
  };
}
