// The console: live from the lab that serves this page, or the replay of a record when nobody answers.

import { Chart } from "./chart.js";
import { Hands } from "./hands.js";
import { badge, clock, el, kept, known, memory, offset, percent, quantity, refill, short } from "./dom.js";
import { Player, Replay } from "./replay.js";
import { Query, Requests } from "./inquiries.js";
import { tabs } from "./tabs.js";
import * as views from "./views.js";

const LOST_AFTER_MS = 5000;
const FALL_BACK_AFTER_MS = 12000;
const RETRY_MS = 10000;
const NO_KEY = "This lab's console opens with a key: 'fleetops status' prints its URL. Until then, ";

const json = async (url) => {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
};

export function start(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const site = new URL(root.dataset.root, location.href);
  const api = new URL("api/", site);
  const link = views.pageLink(site);
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
  const hands = new Hands(part, api, () => picture && live(picture));
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
      part("hands").hidden = name === "replay";
      part("by-line").hidden = name === "replay";
    }
  }

  // Another source: nothing of the old one may stay.
  function turn(to, shapes) {
    if (showing === to) return;
    showing = to;
    changed = memory();
    charts.forEach((chart) => chart.destroy());
    const turned = (charts = shapes.map((shape) => new Chart(shape)));
    // In the frame after that of all the rest: in one they would be a long task on a phone.
    requestAnimationFrame(() =>
      setTimeout(() => turned === charts && part("charts").replaceChildren(...charts.map((chart) => chart.node))),
    );
    query.reset();
    requests.reset();
  }

  function draw(shown, { take, quiet = "No page. Quiet is good.", section, seek, now, timeline, score }) {
    if (changed("slos", shown.slos)) {
      part("slos").replaceChildren(
        ...(shown.slos.length ? shown.slos.map(views.tile) : ["No data: Prometheus does not answer."]),
      );
      const [head, rows] = views.burnTable(shown.slos);
      part("burn-head").replaceChildren(head);
      part("burn").replaceChildren(...rows);
    }
    if (changed("pages", [shown.pages, Boolean(take), quiet]))
      refill(
        part("pages"),
        shown.pages.length ? shown.pages.map((one) => views.page(one, take, link)) : [el("li", {}, quiet)],
      );
    if (changed("audit", shown.audit))
      part("audit").replaceChildren(
        ...(shown.audit.length
          ? shown.audit.map(views.auditRow)
          : [el("tr", {}, el("td", { colspan: 6 }, "Nothing has been changed."))]),
      );
    views.map(part("map"), shown.nodes);
    if (changed("flow", shown.flow)) part("flow").textContent = shown.flow;
    if (changed("runbook", section.seen)) refill(part("runbook"), section.nodes());
    if (
      changed("timeline", [
        timeline.length,
        timeline.filter((row) => row.t_seconds > now).length,
        timeline.at(-1)?.title,
      ])
    ) {
      refill(
        part("timeline"),
        timeline.length
          ? timeline.map((row) => views.timelineRow(row, now, seek))
          : [el("li", {}, "Nothing has happened yet.")],
      );
    }
    if (changed("score", score))
      part("score").replaceChildren(
        ...(score
          ? views.scoreCard(score)
          : [
              el(
                "p",
                { class: "console-note" },
                seek ? "The score is known when the incident is over." : "No drill has been run on this lab yet.",
              ),
            ]),
      );
  }

  // The section of the page that matters now: one that fires before one that is over, the newest first.
  function section(pages, ran, run, more, alert) {
    const one =
      pages.find((page) => page.alertname === alert) ||
      pages.find((page) => page.status === "firing" && page.severity === "page") ||
      pages.find((page) => page.status === "firing") ||
      pages.find((page) => page.severity === "page");
    const anchor = one && one.runbook_url ? one.runbook_url.split("#")[1] : "";
    const found = anchor && Object.hasOwn(runbooks, anchor) ? runbooks[anchor] : null;
    if (!found)
      return {
        seen: "none",
        nodes: () => [
          el(
            "p",
            { class: "console-note" },
            "No page, so nothing to run. ",
            el("a", { href: new URL("03_runbooks/", site).href, "data-key": "section" }, "All runbooks"),
          ),
        ],
      };
    return {
      seen: [anchor, more],
      nodes: () => views.runbook(found, new URL(`03_runbooks/#${anchor}`, site).href, ran, run),
    };
  }

  // ---- the lab

  function live(shown) {
    picture = shown;
    if (chosen === "replay") return;
    const open = shown.pages.filter((one) => one.status === "firing");
    const silent = Object.entries(shown.sources)
      .filter(([, state]) => state !== "ok")
      .map(([name, state]) => `${name}: ${state}`);
    const words = open.length
      ? `${open.length} open: ${[...new Set(open.map((one) => one.alertname))].join(", ")}`
      : "no open page";
    const unheard =
      shown.sources.pager === "ok"
        ? ""
        : shown.told_at
          ? ` when the pager last answered, at ${clock(shown.told_at)} UTC`
          : " known: the pager has not answered";
    turn(
      "live",
      shown.series.map((one) => ({
        name: one.name,
        title: one.title,
        unit: one.unit,
        objective: one.objective,
        limit: "objective",
        lines: one.lines.map((line) => line.title),
      })),
    );
    player.pause();
    mode(
      "live",
      `${words}${unheard}.${shown.silences ? ` SILENCED: ${shown.silences} in Alertmanager, so a page may reach nobody; "fleetops status" names them.` : ""}${shown.too_busy ? ` TOO BUSY: ${shown.too_busy}.` : ""} Lab time, ${shown.factor}x.${silent.length ? ` Not answering: ${silent.join("; ")}.` : ""}`,
    );
    if (!charts.length && shown.series.length) {
      showing = "";
      return live(shown);
    }
    root.dataset.open = String(
      Boolean(unheard) ||
        Boolean(shown.silences) ||
        Boolean(shown.too_busy) ||
        open.some((one) => one.severity === "page"),
    );
    hands.show(shown);
    draw(
      { ...shown, flow: flow(shown) },
      {
        take: hands.take,
        quiet: unheard ? `No page${unheard}.` : undefined,
        seek: null,
        now: Infinity,
        timeline: happened(shown),
        score: shown.hands.score,
        section: section(shown.pages, hands.ran, shown.hands.able ? hands.run : null, hands.seen()),
      },
    );
    if (changed("series", shown.series)) shown.series.forEach((one, at) => charts[at]?.update(lines(one, shown)));
  }

  function lines(one, shown) {
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

  function flow(shown) {
    const { flow: rates, targets, flags } = shown,
      down = targets.filter((target) => !target.up);
    return targets.length === 0
      ? "No data."
      : [
          `Offered ${quantity(rates.offered_per_second, "requests/s")}, completed ${quantity(rates.completed_per_second, "requests/s")}.`,
          `Canary weight ${percent(rates.canary_weight_ratio, 0)}.`,
          `${targets.length - down.length} of ${targets.length} targets up${down.length ? `; down: ${down.map((target) => target.instance).join(", ")}` : ""}.`,
          ...flags.filter((flag) => !flag.enabled).map((flag) => `Flag ${flag.flag} is off.`),
        ].join(" ");
  }

  // What the pager and the audit trail know, as one list, the oldest first.
  function happened(shown) {
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

  // The lab answered with a refusal, after which a browser does not ask again by itself: say which, and try later.
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

  // Kept once read: a lab that goes away takes the records it serves with it.
  const taken = new Map();
  const read = async (about) => {
    if (!taken.has(about.id)) taken.set(about.id, await json(new URL(about.href, site)));
    return taken.get(about.id);
  };

  async function open(id, at, why = "") {
    const about = records.find((one) => one.id === id) || records[0];
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
    mode(
      "replay",
      `${before}${before ? "the" : "The"} recorded incident ${replay.about.id}, captured ${replay.about.recorded}; lab time, ${replay.about.factor}x.`,
    );
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
    draw(shown, {
      take: null,
      seek: (at) => player.seek(at),
      now,
      timeline: replay.timeline,
      score: replay.score(now),
      section: section(
        shown.pages,
        ran,
        null,
        replay.record.runbook.map((one) => one.t_seconds <= now && one.t_seconds + one.duration_seconds <= now),
        replay.record.prediction?.alert,
      ),
    });
    if (changed("series", Math.floor(now * 2)))
      replay.charts.forEach((chart, at) => charts[at].update(replay.series(chart, now)));
    query.tick();
  }

  part("play").addEventListener("click", () => (player.playing ? player.pause() : player.play(), replayed(player.now)));
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

  const repaint = new MutationObserver(() => charts.forEach((chart) => chart.repaint()));
  repaint.observe(document.body, { attributeFilter: ["data-md-color-scheme"] });
  part("by").value = kept("fleetops-by");
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
      ...records.map((one) => el("option", { value: one.id }, `${one.id} ${one.title}`)),
    );
    if (usable) {
      listen();
      if (records.length) read(records[0]).catch(() => {});
    }
    if (chosen === "replay" || !usable) {
      if (!records.length) return mode("failed", "No lab serves this page and no record is committed.");
      const at = Number.parseFloat(asked.get("t"));
      await open(
        asked.get("replay") || records[0].id,
        known(at) ? at : undefined,
        usable ? "" : serving.live ? NO_KEY : "No lab serves this page: ",
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
    charts.forEach((chart) => chart.destroy());
  };
}
