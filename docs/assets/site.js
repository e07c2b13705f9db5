// Names for the parts of the theme that have none; runs again after every instant navigation.
(() => {
  "use strict";
  const name = () => {
    for (const part of document.querySelectorAll('[data-md-component="search"][role="dialog"]')) part.setAttribute("aria-label", "Search");
    document.querySelectorAll("nav.md-code__nav").forEach((part, at) => part.setAttribute("aria-label", `Code block ${at + 1}`));
    // Measured first, all of them, and changed then: a change between two measures has the whole page laid out again.
    const wide = [...document.querySelectorAll(".md-typeset pre > code")].filter((part) => part.scrollWidth > part.clientWidth);
    for (const part of wide) part.tabIndex = 0;
  };
  if (window.document$) window.document$.subscribe(name);
  else document.addEventListener("DOMContentLoaded", name);
})();
