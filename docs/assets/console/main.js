// The console: live from the lab that serves this page, or a replayed record when no lab answers.

import { Actions } from "./actions.js";
import { Chart } from "./chart.js";
import { el, kept, known, memory, offset, pageLink } from "./dom.js";
import { currentPages, firing, flow, pagerGap, series, shapes, summary, timeline } from "./live.js";
import { draw, section } from "./panels.js";
import { Player } from "./player.js";
import { Query, Requests } from "./queries.js";
import { Replay } from "./replay.js";
import { tabs } from "./tabs.js";

const LOST_AFTER_MS = 5000;
const FALL_BACK_AFTER_MS = 12000;
const RETRY_MS = 10000;
const NO_KEY = "This lab's console opens with a key: 'fleetops status' prints its URL. Until then, ";

// The result of the last drill; while another drill runs, none.
function score({ running, score: last }) {
  if (running) return { score: null, noScore: `${running.id} is running; it is scored when it ends.` };
  return { score: last, noScore: "No drill has been run on this lab yet." };
}

const json = async (url) => {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
};

export function start(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const site = new URL(root.dataset.root, location.href);
  const api = new URL("api/", site);
  const link = pageLink(site);
  const asked = new URLSearchParams(location.search);
  let changed = memory(),
    charts = [],
    runbooks = {},
    records = [];
  let source = null,
    watch = null,
    over = false,
    seen = 0,
    chosen = asked.has("replay") ? "replay" : "",
    picture = null,
    showing = "";

  const player = new Player((now) => !over && replayed(now));
  const actions = new Actions(part, api, () => picture && live(picture));
  const query = new Query(
    part,
    api,
    () => (root.dataset.mode === "live" ? null : player.replay),
    () => player.now,
  );
  const requests = new Requests(part, api, () => (root.dataset.mode === "live" ? null : player.replay));
  const untab = tabs(root.querySelector("[role=tablist]"));

  function mode(name, text) {
    if (changed("mode", [name, text])) {
      root.dataset.mode = name;
      part("mode").textContent = name;
      part("mode").className = `lab-badge lab-badge--${{ live: "ok", lost: "bad" }[name] || "warn"}`;
      part("mode-text").textContent = text;
      part("transport").hidden = name !== "replay";
      part("actions").hidden = name === "replay";
      part("by-line").hidden = name === "replay";
    }
  }

  // Switch to another source and clear everything drawn from the old one.
  function turn(to, wanted) {
    if (showing === to) return;
    showing = to;
    changed = memory();
    for (const chart of charts) chart.destroy();
    const turned = wanted.map((shape) => new Chart(shape, traced));
    charts = turned;
    // One frame after the rest: together they would be a long task on a phone.
    requestAnimationFrame(() =>
      setTimeout(() => turned === charts && part("charts").replaceChildren(...charts.map((chart) => chart.node))),
    );
    query.reset();
    requests.reset();
  }

  // Show the trace and the log lines of a request.
  function traced(trace) {
    part("logs-tab").click();
    requests.lines(trace);
    part("trace").scrollIntoView({ block: "center" });
    part("trace").focus();
  }

  // ---- the lab

  function live(shown) {
    picture = shown;
    if (chosen === "replay") return;
    const gap = pagerGap(shown);
    turn("live", shapes(shown));
    player.pause();
    mode("live", summary(shown));
    if (!charts.length && shown.series.length) {
      showing = "";
      return live(shown);
    }
    root.dataset.open = String(
      Boolean(gap) ||
        Boolean(shown.silences) ||
        Boolean(shown.too_busy) ||
        firing(shown).some((page) => page.severity === "page"),
    );
    actions.show(shown);
    draw(
      { part, changed, link },
      { ...shown, flow: flow(shown) },
      {
        acknowledge: actions.acknowledge,
        quiet: gap ? `No page${gap}.` : undefined,
        seek: null,
        now: Infinity,
        timeline: timeline(shown),
        ...score(shown.actions),
        section: section(
          { runbooks, site },
          currentPages(shown),
          actions.ran,
          shown.actions.able ? actions.run : null,
          actions.seen(),
        ),
      },
    );
    if (changed("series", shown.series)) {
      for (const [at, chart] of shown.series.entries()) charts[at]?.update(series(chart, shown));
    }
  }

  function listen() {
    source = new EventSource(new URL("events", api));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) refused();
    };
    source.onmessage = (event) => {
      seen = Date.now();
      if (chosen === "lost") chosen = "";
      live(JSON.parse(event.data));
    };
    watch ??= setInterval(() => {
      const silence = Date.now() - seen;
      if (!seen || !source || silence < LOST_AFTER_MS || chosen === "replay") return;
      const since = `The lab stopped answering at ${new Date(seen).toISOString().slice(11, 19)} UTC`;
      if (silence < FALL_BACK_AFTER_MS || !records.length)
        mode("lost", `${since}; below is what it said last. This page goes on by itself when the lab is back.`);
      else if (showing === "live") {
        chosen = "lost";
        open(records[0].id, undefined, `${since}. Live again by itself when it is back; until then, `);
      }
    }, 500);
  }

  // The lab refused the stream, and a browser does not reconnect after that: show why, and try later.
  async function refused() {
    const said = await fetch(new URL("live", api))
      .then((answer) => answer.json())
      .catch(() => ({}));
    if (over) return;
    const why = said.error
      ? `The lab refuses this page: ${said.error}. Until then, `
      : "As many consoles are open as the lab serves; close one. Until then, ";
    source = null;
    if (root.dataset.mode !== "replay" && records.length) await open(records[0].id, undefined, why);
    setTimeout(() => over || source || listen(), RETRY_MS);
  }

  // ---- a record

  let before = "";

  // Cached: a lab that stops no longer serves its records.
  const cached = new Map();
  const read = async (about) => {
    if (!cached.has(about.id)) cached.set(about.id, await json(new URL(about.href, site)));
    return cached.get(about.id);
  };

  async function open(id, at, why = "") {
    const about = records.find((record) => record.id === id) || records[0];
    before = why;
    try {
      const record = await read(about);
      if (over || (chosen === "" && source)) return;
      part("source").value = about.id;
      const replay = new Replay(record, about);
      player.pause();
      player.replay = replay;
      turn(`replay ${about.id}`, replay.shapes());
      Object.assign(part("scrub"), { min: replay.start, max: replay.end, step: 0.1 });
      player.load(replay, at);
    } catch (problem) {
      mode("failed", `${why}The record of ${about.id} cannot be read: ${problem.message}`);
    }
  }

  function replayed(now) {
    if (chosen === "" && source) return;
    const { replay } = player;
    const shown = replay.picture(now);
    const page = replay.about.postmortem ? new URL(replay.about.postmortem, site).href : null;
    const { id, recorded, factor } = replay.about;
    const what = `${before ? "the" : "The"} recorded incident ${id}, captured ${recorded}`;
    mode("replay", `${before}${what}; lab time, ${factor}x.`);
    if (changed("postmortem", page))
      part("postmortem").replaceChildren(
        ...(page ? [el("a", { href: page }, "Postmortem")] : []),
        " ",
        el("a", { href: new URL(replay.about.href, site).href }, "Record"),
      );
    if (changed("scrub", now)) {
      part("scrub").value = now;
      part("scrub").setAttribute("aria-valuetext", offset(now));
      part("now").textContent = offset(now);
    }
    if (changed("playing", player.playing)) part("play").textContent = player.playing ? "Pause" : "Play";
    const ran = replay.ran(now);
    draw({ part, changed, link }, shown, {
      acknowledge: null,
      seek: (at) => player.seek(at),
      now,
      timeline: replay.timeline,
      score: replay.score(now),
      noScore: "The score is known when the incident is over.",
      section: section(
        { runbooks, site },
        shown.pages,
        ran,
        null,
        replay.record.runbook.map((step) => step.t_seconds <= now && step.t_seconds + step.duration_seconds <= now),
        replay.record.prediction?.alert,
      ),
    });
    if (changed("series", Math.floor(now * 2))) {
      for (const [at, chart] of replay.charts.entries()) charts[at].update(replay.series(chart, now));
    }
    query.tick();
  }

  part("play").addEventListener("click", () => {
    if (player.playing) player.pause();
    else player.play();
    replayed(player.now);
  });
  part("scrub").addEventListener("input", (event) => player.seek(Number(event.target.value)));
  part("speed").addEventListener("change", (event) => {
    player.speed = Number(event.target.value);
  });
  part("source").addEventListener("change", (event) => {
    if (event.target.value === "live") {
      chosen = "";
      if (picture) live(picture);
    } else {
      chosen = "replay";
      open(event.target.value);
    }
  });

  // ---- both

  const repaint = new MutationObserver(() => {
    for (const chart of charts) chart.repaint();
  });
  repaint.observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  part("by").value ||= kept("fleetops-by") ?? ""; // who types before the console is ready keeps the name
  part("by").addEventListener("change", () => kept("fleetops-by", part("by").value.trim()));

  (async () => {
    const [books, list, serving] = await Promise.all([
      json(new URL("assets/data/runbooks.json", site)),
      json(new URL("assets/data/replays.json", site)),
      json(new URL("source.json", api)).catch(() => ({ live: false })),
    ]);
    if (over) return;
    [runbooks, records] = [books, list];
    const usable = serving.live && serving.key;
    part("source").replaceChildren(
      ...(usable ? [el("option", { value: "live" }, "Live")] : []),
      ...records.map((record) => el("option", { value: record.id }, `${record.id} ${record.title}`)),
    );
    if (usable) {
      listen();
      if (records.length) read(records[0]).catch(() => {});
    }
    if (chosen === "replay" || !usable) {
      if (!records.length) return mode("failed", "No lab is running and there is no record to replay.");
      const at = Number.parseFloat(asked.get("t"));
      await open(
        asked.get("replay") || records[0].id,
        known(at) ? at : undefined,
        usable ? "" : serving.live ? NO_KEY : "No lab is running; replaying ",
      );
    }
  })().catch((problem) => mode("failed", `The console cannot start: ${problem.message}`));

  return () => {
    over = true;
    source?.close();
    clearInterval(watch);
    player.pause();
    repaint.disconnect();
    untab();
    query.stop();
    for (const chart of charts) chart.destroy();
  };
}
