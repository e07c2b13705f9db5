// What the theme leaves out or does slowly: accessible names for some of its parts, and the buttons that copy a runbook
// step and switch the colours. Names are set again after every instant navigation.
(() => {
  "use strict";
  const copier = (step) => {
    const button = document.createElement("button");
    button.className = "md-code__button";
    button.title = "Copy to clipboard";
    button.dataset.mdType = "copy";
    button.dataset.clipboardText = step.textContent.trimEnd();
    const corner = document.createElement("div");
    corner.className = "md-code__nav";
    corner.append(button);
    return corner;
  };
  // A block is measured when it comes into view: to measure them all at the start has a long page laid out twice.
  const shown = new IntersectionObserver((entries) => {
    const blocks = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    for (const block of blocks) shown.unobserve(block);
    // In the next frame, when the theme has mounted them; all of them measured first and changed then.
    requestAnimationFrame(() => {
      const wide = blocks.map((block) => block.scrollWidth > block.clientWidth);
      blocks.forEach((block, at) => {
        if (wide[at]) block.tabIndex = 0;
        if (block.localName === "kbd") block.before(copier(block));
        else
          block.parentElement
            .querySelector("nav.md-code__nav")
            ?.setAttribute("aria-label", `Code block ${block.dataset.number}`);
      });
    });
  });
  // Kept as the theme keeps it, whose own script gives it back before the first paint of a page.
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.(".lab-scheme")) return;
    const scheme = document.body.dataset.mdColorScheme === "slate" ? "default" : "slate";
    // All colours at once: the theme's rule for this attribute stops transitions.
    document.body.toggleAttribute("data-md-color-switching", true);
    document.body.dataset.mdColorScheme = scheme;
    requestAnimationFrame(() => document.body.removeAttribute("data-md-color-switching"));
    window.__md_set("__palette", { color: { scheme } });
  });
  const name = () => {
    for (const part of document.querySelectorAll('[data-md-component="search"][role="dialog"]'))
      part.setAttribute("aria-label", "Search");
    shown.disconnect();
    document.querySelectorAll(".md-typeset pre > code").forEach((block, at) => {
      block.dataset.number = at + 1;
      shown.observe(block);
    });
    // A runbook's steps, which lab.site.markdown.runbook_steps has kept from the theme.
    for (const step of document.querySelectorAll(".md-typeset pre > kbd:only-child")) shown.observe(step);
  };
  if (window.document$) window.document$.subscribe(name);
  else document.addEventListener("DOMContentLoaded", name);
})();
