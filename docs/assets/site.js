// Names for the parts of the theme that have none; runs again after every instant navigation.
(() => {
  "use strict";
  // A block is measured when it comes into view: to measure them all at the start has a long page laid out twice.
  const shown = new IntersectionObserver((entries) => {
    const blocks = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    for (const block of blocks) shown.unobserve(block);
    // In the next frame, when the theme has mounted them; all of them measured first and changed then.
    requestAnimationFrame(() => {
      const wide = blocks.map((block) => block.scrollWidth > block.clientWidth);
      blocks.forEach((block, at) => {
        if (wide[at]) block.tabIndex = 0;
        block.parentElement.querySelector("nav.md-code__nav")?.setAttribute("aria-label", `Code block ${block.dataset.number}`);
      });
    });
  });
  const name = () => {
    for (const part of document.querySelectorAll('[data-md-component="search"][role="dialog"]')) part.setAttribute("aria-label", "Search");
    shown.disconnect();
    document.querySelectorAll(".md-typeset pre > code").forEach((block, at) => {
      block.dataset.number = at + 1;
      shown.observe(block);
    });
  };
  if (window.document$) window.document$.subscribe(name);
  else document.addEventListener("DOMContentLoaded", name);
})();
