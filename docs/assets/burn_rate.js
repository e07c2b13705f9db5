// The arithmetic of burn-rate alerts in a browser: the same as lab/slo/burn_rate.py, and a test compares the two on a
// grid. b is the budget ratio (1 - objective); a profile is [[seconds, bad ratio], ...] whose last piece never ends.

export const detectionSeconds = (tier, b, bad) =>
  bad > tier.factor * b ? (tier.long_seconds * tier.factor * b) / bad : null;
export const resetSeconds = (tier, b, bad) =>
  bad > tier.factor * b ? tier.short_seconds * (1 - (tier.factor * b) / bad) : null;
export const budgetSpentRatio = (tier, period) => (tier.factor * tier.long_seconds) / period;

export function tierIntervals(tier, b, profile) {
  const threshold = tier.factor * b;
  let from = 0;
  const edges = profile.map(([seconds, bad]) => {
    const edge = [from, bad];
    from += seconds;
    return edge;
  });
  const windows = [tier.short_seconds, tier.long_seconds];
  const mean = (at, window) =>
    edges.reduce((total, [start, bad], index) => {
      const end = index + 1 < edges.length ? edges[index + 1][0] : at;
      return total + bad * Math.max(0, Math.min(end, at) - Math.max(start, at - window));
    }, 0) / window;
  // A window's mean is linear between the instants at which one of its ends crosses an edge of the profile.
  const knots = [...new Set(edges.flatMap(([edge]) => [0, ...windows].map((shift) => edge + shift)))].sort(
    (x, y) => x - y,
  );
  const found = [];
  for (let index = 0; index + 1 < knots.length; index += 1) {
    const [start, end] = [knots[index], knots[index + 1]];
    const span = above(
      windows.map((window) => [mean(start, window), mean(end, window)]),
      threshold,
      start,
      end,
    );
    if (span) found.push(span);
  }
  const settled = knots.at(-1);
  if (windows.every((window) => mean(settled, window) > threshold)) found.push([settled, Infinity]);
  return merge(found);
}

export const alertIntervals = (tiers, b, profile) => merge(tiers.flatMap((tier) => tierIntervals(tier, b, profile)));

function above(lines, threshold, start, end) {
  let [low, high] = [start, end];
  for (const [first, last] of lines) {
    if (first <= threshold && last <= threshold) return null;
    if (first > threshold !== last > threshold) {
      const crossing = start + ((end - start) * (threshold - first)) / (last - first);
      if (last > first) low = Math.max(low, crossing);
      else high = Math.min(high, crossing);
    }
  }
  return low < high ? [low, high] : null;
}

function merge(spans) {
  const merged = [];
  for (const [start, end] of [...spans].sort((x, y) => x[0] - y[0] || x[1] - y[1])) {
    const last = merged.at(-1);
    if (last && start <= last[1] + 1e-9) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

// ---- the page

export function duration(value) {
  if (value === null || value === undefined) return "never";
  if (!Number.isFinite(value)) return "as long as it lasts";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${Number(value.toFixed(1))} s`;
  const pair = (count, big, names) => {
    const high = Math.floor(count / big),
      low = count % big;
    return low ? `${high} ${names[0]} ${low} ${names[1]}` : `${high} ${names[0]}`;
  };
  if (value < 3600) return pair(Math.round(value), 60, ["min", "s"]);
  if (value < 172800) return pair(Math.round(value / 60), 60, ["h", "min"]);
  return pair(Math.round(value / 3600), 24, ["d", "h"]);
}

const percent = (ratio) => `${Number((ratio * 100).toPrecision(ratio > 0.9 ? 6 : 3))} %`;
const round = (value) => Number(value.toPrecision(2)); // a slider's own steps are no round numbers
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function start(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const profiles = JSON.parse(part("profiles").textContent);
  const drawing = part("drawing");
  let horizon = 1;

  const read = () => {
    const profile = profiles[part("profile").value];
    return {
      profile,
      b: round(10 ** Number(part("budget").value)),
      bad: round(10 ** Number(part("bad").value)),
      seconds: round(10 ** Number(part("seconds").value)) / profile.time_factor,
    };
  };

  function show() {
    const { profile, b, bad, seconds } = read();
    const rows = profile.tiers.map((tier) => ({
      tier,
      spans: tierIntervals(tier, b, [
        [seconds, bad],
        [1, 0],
      ]),
    }));
    const last = Math.max(seconds, ...rows.flatMap(({ spans }) => spans.map(([, end]) => end)));
    horizon = last * 1.06;
    part("budget-now").textContent = percent(1 - b);
    part("bad-now").textContent = percent(bad);
    part("seconds-now").textContent = duration(seconds);
    part("budget").setAttribute("aria-valuetext", `objective ${percent(1 - b)}`);
    part("bad").setAttribute("aria-valuetext", `${percent(bad)} of requests bad`);
    part("seconds").setAttribute("aria-valuetext", duration(seconds));
    part("rows").replaceChildren(
      ...rows.map(({ tier, spans }) => {
        const row = document.createElement("tr");
        const fired = spans.length > 0;
        const cells = [
          `${tier.severity} ${tier.factor}x, ${duration(tier.long_seconds)} and ${duration(tier.short_seconds)}`,
          fired
            ? duration(spans[0][0])
            : tier.factor * b >= 1
              ? "cannot: refused at generation"
              : bad > tier.factor * b
                ? "not in this time"
                : "never at this ratio",
          fired ? duration(Math.max(0, spans.at(-1)[1] - seconds)) : "–",
          fired ? percent((spans[0][0] * bad) / (b * profile.period_seconds)) : "–",
        ];
        cells.forEach((text, at) => {
          const cell = document.createElement(at ? "td" : "th");
          if (!at) cell.scope = "row";
          cell.textContent = text;
          row.append(cell);
        });
        return row;
      }),
    );
    const first = (severity) =>
      rows
        .filter(({ tier, spans }) => tier.severity === severity && spans.length)
        .sort((x, y) => x.spans[0][0] - y.spans[0][0])[0];
    const page = first("page"),
      ticket = first("ticket");
    const spent = (seconds * bad) / (b * profile.period_seconds);
    const pageTiers = profile.tiers.filter((tier) => tier.severity === "page");
    const outage = [
      [seconds, bad],
      [1, 0],
    ];
    const clears = () => duration(Math.max(0, alertIntervals(pageTiers, b, outage).at(-1)[1] - seconds));
    const missed = spent > 1 ? ": the objective is missed" : "";
    part("answer").textContent = [
      page
        ? `Somebody is paged after ${duration(page.spans[0][0])}, by the ${page.tier.factor}x tier, ` +
          `and the page clears ${clears()} after the end.`
        : "Nobody is paged.",
      ticket ? `A ticket comes after ${duration(ticket.spans[0][0])}.` : "No ticket comes.",
      `At the end ${percent(spent)} of the budget of ${duration(profile.period_seconds)} is gone${missed}.`,
    ].join(" ");
    draw(rows, seconds);
  }

  function draw(rows, seconds) {
    const x = (at) => `${((Math.min(at, horizon) / horizon) * 100).toFixed(3)}%`;
    const nodes = [
      svg("rect", { class: "trouble", x: 0, y: 0, width: x(seconds), height: 26 }),
      svg("text", { class: "tick", x: 4, y: 17 }, `bad requests for ${duration(seconds)}`),
    ];
    rows.forEach(({ tier, spans }, at) => {
      const y = 36 + at * 34;
      nodes.push(svg("line", { class: "grid", x1: 0, x2: "100%", y1: y + 24, y2: y + 24 }));
      for (const [from, to] of spans)
        nodes.push(
          svg("rect", {
            class: `span span--${tier.severity}`,
            x: x(from),
            y: y + 6,
            width: `${(((Math.min(to, horizon) - from) / horizon) * 100).toFixed(3)}%`,
            height: 18,
            rx: 2,
          }),
        );
      nodes.push(
        svg(
          "text",
          { class: "tick", x: 4, y: y + 19 },
          `${tier.severity} ${tier.factor}x ${spans.length ? "" : "stays silent"}`,
        ),
      );
    });
    const end = svg("g", { class: "handle" });
    end.append(
      svg("line", { x1: x(seconds), x2: x(seconds), y1: 0, y2: 172 }),
      svg("circle", { cx: x(seconds), cy: 13, r: 8 }),
    );
    drawing.replaceChildren(...nodes, end);
    drawing.setAttribute("aria-label", part("answer").textContent);
  }

  // The end of the trouble can be dragged; the slider beside it does the same by keyboard.
  let held = 0;
  const drag = (event) => {
    const box = drawing.getBoundingClientRect();
    const { profile } = read();
    const seconds = Math.max(1e-3, ((event.clientX - box.left) / box.width) * held);
    part("seconds").value = Math.log10(seconds * profile.time_factor);
    show();
  };
  drawing.addEventListener("pointerdown", (event) => {
    held = horizon;
    drawing.setPointerCapture(event.pointerId);
    drag(event);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (held) drag(event);
  });
  drawing.addEventListener("pointerup", () => {
    held = 0;
  });
  root.addEventListener("input", show);
  show();
}

export function enter() {
  const root = document.getElementById("burn-rate");
  if (root) start(root);
}
