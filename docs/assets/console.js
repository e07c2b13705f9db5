// The console: live from the lab that serves this page, or the recorded incident when nobody answers.
// Everything that comes over the wire reaches the page as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";
const LOST_AFTER_MS = 5000;
let stop = () => {};

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) node.setAttribute(key, value);
  node.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return node;
}

function svg(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const known = (value) => typeof value === "number" && Number.isFinite(value);
const percent = (ratio, digits = 2) => (known(ratio) ? `${(ratio * 100).toFixed(digits)} %` : "no data");
const burn = (value) => (known(value) ? `${value.toFixed(value < 10 ? 2 : 1)}x` : "–");
const clock = (stamp) => (typeof stamp === "string" ? stamp.slice(11, 19) : "");
const short = (value) => (value === null || value === undefined ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, 80);

export function quantity(value, unit) {
  if (!known(value)) return "–";
  if (unit === "seconds") return value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

// Only addresses a browser may follow: an alert's label decides what stands here.
export function address(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

function tile(slo) {
  const quick = slo.tiers[0] || {};
  const left = slo.budget_remaining_ratio;
  const share = known(left) ? Math.max(0, Math.min(1, left)) : 0;
  const level = share > 0.5 ? "ok" : share > 0.1 ? "warn" : "bad";
  return el(
    "div", { class: "console-tile", "data-state": slo.state },
    el("div", { class: "console-tile__head" }, el("span", {}, slo.title), el("span", {}, slo.state === "outside" ? "outside its objective" : slo.state)),
    el("div", { class: "console-tile__value" }, percent(slo.good_ratio)),
    el("div", { class: "console-tile__row" }, el("span", {}, `good over ${slo.window}`), el("span", {}, `objective ${percent(slo.objective_ratio)}`)),
    el("div", { class: "console-tile__row" }, el("span", {}, "burn rate"), el("span", {}, `${burn(quick.long_burn)}, pages above ${quick.factor}x`)),
    el("div", { class: "console-tile__row" }, el("span", {}, "budget left"), el("span", {}, percent(left, 1))),
    el("div", { class: "console-bar", "data-level": level }, el("i", { style: `width:${(share * 100).toFixed(1)}%` })),
  );
}

function page(one, take) {
  const runbook = address(one.runbook_url);
  const foot = el("div", { class: "console-page__foot" });
  if (one.acked_at) foot.append(el("span", {}, `taken by ${one.acked_by} at ${clock(one.acked_at)}`));
  else {
    const button = el("button", { type: "button", "data-page": one.id, class: one.status === "firing" ? null : "console-quiet" }, "Take");
    button.setAttribute("aria-label", `Take page ${one.id}, ${one.alertname}`);
    button.addEventListener("click", () => take(one.id, button));
    foot.append(button);
  }
  if (runbook && one.runbook_url) foot.append(el("a", { href: runbook }, "Runbook"));
  return el(
    "li", { "data-status": one.status },
    el("div", { class: "console-page__head" }, el("b", {}, one.alertname), el("span", { class: "lab-badge" }, one.severity || "none"), el("span", {}, `${one.status}, #${one.id}, ${clock(one.received_at)} UTC`)),
    el("div", {}, one.summary || ""),
    foot,
  );
}

// The least of 1, 2, 4, 5, 6 or 8 times a power of ten that is not below the value, so that both labels are round.
export function roundTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 4, 5, 6, 8].find((step) => power * step >= value * (1 - 1e-9)) || 10);
}

function chart(one, span) {
  const top = roundTop(Math.max(one.objective || 0, ...one.lines.flatMap((line) => line.values.filter(known)), 1e-9) * 1.1);
  const y = (value) => 100 - (value / top) * 100;
  const box = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", width: "100%", height: "110", y: "6" });
  one.lines.forEach((line, index) => {
    let points = [];
    const draw = () => { if (points.length) box.append(svg("polyline", { class: `line line--${index}`, points: points.join(" ") })); points = []; };
    line.values.forEach((value, at) => (known(value) ? points.push(`${((at / (line.values.length - 1)) * 100).toFixed(2)},${y(value).toFixed(2)}`) : draw()));
    draw();
  });
  const last = one.lines.map((line) => [line.title, line.values.filter(known).at(-1)]);
  const words = last.map(([title, value]) => `${title} ${quantity(value, one.unit)}`).join(", ");
  const drawing = svg("svg", { class: "lab-chart__svg", width: "100%", height: "140", role: "img" });
  drawing.append(svg("title", {}, `${one.title}, the last ${span} seconds: now ${words}`));
  for (const share of [0, 0.5, 1]) {
    const at = 6 + 110 * (1 - share);
    drawing.append(svg("line", { class: "grid", x1: "0", x2: "100%", y1: at, y2: at }));
    if (share) drawing.append(svg("text", { class: "tick", x: 2, y: at + 12 }, quantity(top * share, one.unit)));
  }
  drawing.append(box);
  if (known(one.objective)) {
    const at = 6 + 110 * (y(one.objective) / 100);
    drawing.append(svg("line", { class: "objective", x1: "0", x2: "100%", y1: at, y2: at }));
    drawing.append(svg("text", { class: "objective-label", x: "99.5%", y: at - 4, "text-anchor": "end" }, `objective ${quantity(one.objective, one.unit)}`));
  }
  drawing.append(svg("text", { class: "tick", x: 0, y: 133 }, `−${span} s`), svg("text", { class: "tick", x: "100%", y: 133, "text-anchor": "end" }, "now"));
  const key = el("ul", { class: "lab-key" });
  last.forEach(([title, value], index) => {
    const sample = svg("svg", { class: "lab-chart__svg", width: 22, height: 10, "aria-hidden": "true" });
    sample.append(svg("polyline", { class: `line line--${index}`, points: "0,5 22,5" }));
    key.append(el("li", {}, sample, `${title} `, el("b", {}, quantity(value, one.unit))));
  });
  return el("figure", {}, el("figcaption", {}, el("b", {}, one.title)), drawing, key);
}

function burnRow(slo) {
  const cells = slo.tiers.map((tier) => {
    const over = known(tier.long_burn) && known(tier.short_burn) && tier.long_burn > tier.factor && tier.short_burn > tier.factor;
    return el("td", {}, `${burn(tier.long_burn)} and ${burn(tier.short_burn)}`, ...(over ? [" ", el("span", { class: "lab-badge lab-badge--bad" }, "over")] : []));
  });
  return el("tr", {}, el("th", { scope: "row" }, slo.title), ...cells);
}

function auditRow(row) {
  const cells = [clock(row.at), row.actor, row.action, row.target, `${short(row.old)} → ${short(row.new)}`, row.outcome];
  return el("tr", {}, ...cells.map((cell) => el("td", {}, short(cell))));
}

function start(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const still = document.querySelector("[data-console-static]");
  const drawn = new Map();
  let seen = 0, source = null, gone = null, over = false;

  // A part is drawn again only when what it shows has changed, so that focus and scrolling stay.
  const changed = (name, value) => {
    const text = JSON.stringify(value);
    if (drawn.get(name) === text) return false;
    drawn.set(name, text);
    return true;
  };
  const mode = (name, badge, text) => {
    root.dataset.mode = name;
    part("mode").textContent = badge;
    part("mode").className = `lab-badge lab-badge--${name === "live" ? "ok" : name === "lost" ? "bad" : "warn"}`;
    part("mode-text").textContent = text;
    part("live").hidden = name === "static";
    // The recorded incident is the rest of the page, from its heading on.
    for (let rest = still; rest; rest = rest.nextElementSibling) rest.hidden = name !== "static";
  };

  async function take(id, button) {
    const by = part("by").value.trim() || "console";
    button.disabled = true;
    part("ack-error").textContent = "";
    try {
      const answer = await fetch(`${root.dataset.api}pages/${id}/ack`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Fleetops-Console": "1" },
        body: JSON.stringify({ by }),
      });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error || `answered ${answer.status}`);
    } catch (problem) {
      part("ack-error").textContent = `Page ${id} was not taken: ${problem.message}`;
      button.disabled = false;
    }
  }

  function show(picture) {
    seen = Date.now();
    const open = picture.pages.filter((one) => one.status === "firing");
    const silent = Object.entries(picture.sources).filter(([, state]) => state !== "ok").map(([name, state]) => `${name}: ${state}`);
    const words = open.length ? `${open.length} open: ${[...new Set(open.map((one) => one.alertname))].join(", ")}` : "no open page";
    const about = `${words}. Lab time, ${picture.factor}x.${silent.length ? ` Not answering: ${silent.join("; ")}.` : ""}`;
    if (changed("mode", about) || root.dataset.mode !== "live") mode("live", "live", about);
    if (changed("slos", picture.slos)) {
      part("slos").replaceChildren(...(picture.slos.length ? picture.slos.map(tile) : ["No data: Prometheus does not answer."]));
      const tiers = picture.slos[0] ? picture.slos[0].tiers : [];
      part("burn-head").replaceChildren(el("tr", {}, el("th", { scope: "col" }, "SLO"), ...tiers.map((tier) => el("th", { scope: "col" }, `${tier.severity} above ${tier.factor}x, ${tier.long_window} and ${tier.short_window}`))));
      part("burn").replaceChildren(...picture.slos.map(burnRow));
    }
    if (changed("pages", picture.pages)) {
      const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.page : null;
      part("pages").replaceChildren(...(picture.pages.length ? picture.pages.map((one) => page(one, take)) : [el("li", {}, "No page yet. Quiet is good.")]));
      if (focused) part("pages").querySelector(`[data-page="${CSS.escape(focused)}"]`)?.focus();
    }
    if (changed("audit", picture.audit)) part("audit").replaceChildren(...picture.audit.map(auditRow));
    for (const group of root.querySelectorAll("[data-node]")) {
      const node = picture.nodes.find((one) => one.name === group.dataset.node) || { state: "unknown", text: "no data" };
      group.dataset.state = node.state;
      group.querySelector(".node-state").textContent = node.text;
    }
    const flow = picture.flow, down = picture.targets.filter((target) => !target.up);
    part("flow").textContent = picture.targets.length === 0 ? "No data." : [
      `Offered ${quantity(flow.offered_per_second, "requests/s")}, completed ${quantity(flow.completed_per_second, "requests/s")}.`,
      `Canary weight ${percent(flow.canary_weight_ratio, 0)}.`,
      `${picture.targets.length - down.length} of ${picture.targets.length} targets up${down.length ? `; down: ${down.map((target) => target.instance).join(", ")}` : ""}.`,
      ...picture.flags.filter((flag) => !flag.enabled).map((flag) => `Flag ${flag.flag} is off.`),
    ].join(" ");
    if (changed("series", picture.series)) part("charts").replaceChildren(...picture.series.map((one) => chart(one, one.step_seconds * (one.lines[0].values.length - 1))));
  }

  function listen() {
    source = new EventSource(`${root.dataset.api}events`);
    source.onmessage = (event) => show(JSON.parse(event.data));
    gone = setInterval(() => {
      if (seen && Date.now() - seen > LOST_AFTER_MS) mode("lost", "lost", `The lab stopped answering at ${new Date(seen).toISOString().slice(11, 19)} UTC; below is what it said last. This page goes on by itself when the lab is back.`);
    }, 1000);
  }

  const name = part("by");
  try { name.value = localStorage.getItem("fleetops-by") || ""; } catch { /* private window */ }
  name.addEventListener("change", () => { try { localStorage.setItem("fleetops-by", name.value.trim()); } catch { /* private window */ } });

  // One plain question first: a published copy of this site answers it with 404, and no stream is opened.
  fetch(`${root.dataset.api}live`, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
    .then((picture) => { if (!over) { show(picture); listen(); } })
    .catch(() => mode("static", "recorded", "No lab serves this page, so it shows the recorded incident. With a lab of your own it is live."));

  return () => {
    over = true;
    if (source) source.close();
    clearInterval(gone);
  };
}

// The theme swaps pages without loading them: leave the old one, look for a console on the new one.
function enter() {
  stop();
  const root = document.getElementById("live-console");
  stop = root ? start(root) : () => {};
}

if (window.document$) window.document$.subscribe(enter);
else enter();
