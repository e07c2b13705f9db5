// Elements and formatting. Everything from the network becomes text, never markup.

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  node.append(
    ...children
      .flat()
      .filter((child) => child !== null && child !== undefined)
      .map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))),
  );
  return node;
}

export const known = (value) => typeof value === "number" && Number.isFinite(value);
export const percent = (ratio, digits = 2) => (known(ratio) ? `${(ratio * 100).toFixed(digits)} %` : "no data");
export const burn = (value) => (known(value) ? `${value.toFixed(value < 10 ? 2 : 1)}x` : "–");
export const clock = (stamp) => (typeof stamp === "string" ? stamp.slice(11, 19) : "");
export const badge = (kind, text) => el("span", { class: `lab-badge lab-badge--${kind}` }, text);

// An old or new value of an audit row as text, as lab/control/audit.py formats it.
export function stated(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.length > 3 ? `${value.length} items` : value.map(stated).join(", ");
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value !== "object") return String(value);
  const parts = Object.entries(value).map(([key, item]) =>
    item === null || typeof item !== "object" || Array.isArray(item)
      ? `${key} ${stated(item)}`
      : Object.keys(item).length
        ? stated(item)
        : "",
  );
  return parts.filter(Boolean).join(", ") || "–";
}

export function short(value, length = 80) {
  const text = stated(value);
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

export function quantity(value, unit) {
  if (!known(value)) return "–";
  if (unit === "seconds of a quantile") return `about ${quantity(value, "seconds")}`; // as exact as its bucket
  if (unit === "seconds") return Math.abs(value) < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`;
  if (unit === "ratio") return percent(value, Math.abs(value) < 0.1 ? 2 : 1);
  if (unit === "x budget")
    return `${value < 10 ? value.toFixed(1) : value < 100 ? Number(value.toFixed(1)) : Math.round(value)}x`;
  if (unit === "bytes") return `${Math.round(value / 2 ** 20)} MiB`;
  const number = Math.abs(value) >= 100 || Number.isInteger(value) ? Math.round(value) : Number(value.toPrecision(3));
  return unit ? `${number} ${unit}` : String(number);
}

export function offset(seconds) {
  const sign = seconds < 0 ? "−" : "+";
  const size = Math.abs(seconds);
  return size < 120
    ? `T${sign}${size.toFixed(1)} s`
    : `T${sign}${Math.floor(size / 60)} min ${Math.round(size % 60)} s`;
}

// Only http and https: the URL comes from an alert's annotation.
export function address(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

// The URL of a page's runbook section. The alert has the lab's own address; the section is on this site too.
export const pageLink = (root) => (page) => {
  const url = page.runbook_url ? address(page.runbook_url) : null;
  return url && new URL(url).pathname.endsWith("/03_runbooks/")
    ? new URL(`03_runbooks/${new URL(url).hash}`, root).href
    : url;
};

// Tells whether a part's content has changed since it was drawn: unchanged parts keep their focus and scroll position.
export function memory() {
  const drawn = new Map();
  return (name, value) => {
    const text = JSON.stringify(value);
    if (drawn.get(name) === text) return false;
    drawn.set(name, text);
    return true;
  };
}

export function refill(node, ...children) {
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  if (focused) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

export function kept(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key) || "";
    localStorage.setItem(key, value);
  } catch {
    /* a private window keeps nothing */
  }
  return value || "";
}
