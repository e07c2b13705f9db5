// Loads the console, the game, the calculator and the links into Prometheus only on pages that have them. The theme
// swaps pages without a reload, so each swap stops what the old page started and starts what the new page needs.

let leave = () => {};

async function enter() {
  leave();
  leave = () => {};
  if (document.getElementById("burn-rate")) await import("./burn_rate.js").then((page) => page.enter());
  const links = document.querySelectorAll(".lab-open a");
  if (links.length) import("./rule_links.js").then((page) => page.enter(links));
  const root = document.getElementById("live-console") || document.getElementById("guess");
  if (!root) return;
  let gone = false;
  leave = () => {
    gone = true;
  };
  const { start } = await (root.id === "guess" ? import("./console/guess.js") : import("./console/main.js"));
  await new Promise((later) => setTimeout(later)); // reading the parts was work enough for one task
  if (!gone) leave = start(root);
}

if (window.document$) window.document$.subscribe(enter);
else enter();
