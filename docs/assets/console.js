// The door to the console, to the calculator and to the links into Prometheus: their parts are loaded only where a page has one. The theme swaps pages without loading them,
// so the old one is left and the new one entered each time.

let leave = () => {};

const another = () => new Promise((task) => setTimeout(task));

async function enter() {
  leave();
  leave = () => {};
  if (document.getElementById("burn-rate")) await import("./burn_rate.js").then((page) => page.enter());
  const links = document.querySelectorAll(".lab-open a");
  if (links.length) import("./rule_links.js").then((page) => page.enter(links));
  const root = document.getElementById("live-console");
  if (!root) return;
  let gone = false;
  leave = () => { gone = true; };
  // The charts' library asks for the reader's numbers and time zone when it is read. Each, like reading the parts, is work
  // enough for one task.
  new Intl.NumberFormat(navigator.language).format(0);
  await another();
  new Intl.DateTimeFormat().resolvedOptions();
  await another();
  const { start } = await import("./console/main.js");
  await another();
  if (!gone) leave = start(root);
}

if (window.document$) window.document$.subscribe(enter);
else enter();
