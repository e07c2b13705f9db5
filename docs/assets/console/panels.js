// The panels that the live console and the replay share. Each is redrawn only when its content has changed.

import * as change from "./change.js";
import { el, refill } from "./dom.js";
import * as views from "./views.js";

export function draw(
  { part, changed, link },
  shown,
  { acknowledge, quiet = "No page.", section, seek, now, timeline, score, noScore },
) {
  if (changed("slos", [shown.slos, shown.capacity ?? null])) {
    part("slos").replaceChildren(
      ...(shown.slos.length ? shown.slos.map(views.tile) : ["No data: Prometheus does not answer."]),
      ...views.capacity(shown.capacity),
    );
    const [head, rows] = views.burnTable(shown.slos);
    part("burn-head").replaceChildren(head);
    part("burn").replaceChildren(...rows);
  }
  if (changed("pages", [shown.pages, Boolean(acknowledge), quiet]))
    refill(
      part("pages"),
      shown.pages.length ? shown.pages.map((page) => views.page(page, acknowledge, link)) : [el("li", {}, quiet)],
    );
  if (changed("audit", shown.audit)) part("audit").replaceChildren(...views.auditRows(shown.audit));
  if (changed("change", shown.change ?? null)) {
    part("rollout").replaceChildren(...change.rollout(shown.change));
    part("gates").replaceChildren(...change.gates(shown.change));
  }
  views.map(part("map"), shown.nodes);
  if (changed("flow", shown.flow)) part("flow").textContent = shown.flow;
  if (changed("runbook", section.seen)) refill(part("runbook"), section.nodes());
  if (
    changed("timeline", [timeline.length, timeline.filter((row) => row.t_seconds > now).length, timeline.at(-1)?.title])
  ) {
    refill(
      part("timeline"),
      timeline.length
        ? timeline.map((row) => views.timelineRow(row, now, seek))
        : [el("li", {}, "Nothing has happened yet.")],
    );
  }
  if (changed("score", [score, noScore]))
    part("score").replaceChildren(...(score ? views.scoreCard(score) : [el("p", { class: "console-note" }, noScore)]));
}

// The runbook section of the most relevant page: firing before resolved, the newest first.
export function section({ runbooks, site }, pages, ran, run, more, alert) {
  const page =
    pages.find((page) => page.alertname === alert) ||
    pages.find((page) => page.status === "firing" && page.severity === "page") ||
    pages.find((page) => page.status === "firing") ||
    pages.find((page) => page.severity === "page");
  const anchor = page?.runbook_url ? page.runbook_url.split("#")[1] : "";
  const found = anchor && Object.hasOwn(runbooks, anchor) ? runbooks[anchor] : null;
  if (!found)
    return {
      seen: "none",
      nodes: () => [
        el(
          "p",
          { class: "console-note" },
          "No open page, so nothing to run. ",
          el("a", { href: new URL("03_runbooks/", site).href, "data-key": "section" }, "All runbooks"),
        ),
      ],
    };
  return {
    seen: [anchor, more, page.resolved_at],
    nodes: () =>
      views.runbook(
        found,
        new URL(`03_runbooks/#${anchor}`, site).href,
        ran,
        run,
        page.status === "firing" ? null : page.resolved_at,
      ),
  };
}
