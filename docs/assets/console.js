// The door to the console, to the calculator and to the links into Prometheus: their parts are loaded only where a page has one. The theme swaps pages without loading them,
// so the old one is left and the new one entered each time.

let leave = () => {};

async function enter() {
  leave();
  leave = () => {};
  if (document.getElementById("burn-rate")) await import("./burn_rate.js").then((page) => page.enter());
  const links = document.querySelectorAll(".lab-open a");
  if (links.length) import("./rule_links.js").then((page) => page.enter(links));
  const root = document.getElementById("live-console");
  if (!root) return;
  let gone = false;
  leave = () => {
    gone = true;
  };
  const { start } = await import("./console/main.js");
  await new Promise((later) => setTimeout(later)); // reading the parts was work enough for one task
  if (!gone) leave = start(root);
}

if (window.document$) window.document$.subscribe(enter);
else enter();
