// Names for the parts of the theme that have none; runs again after every instant navigation.
(() => {
  "use strict";
  const name = () => {
    for (const part of document.querySelectorAll('[data-md-component="search"][role="dialog"]')) part.setAttribute("aria-label", "Search");
    document.querySelectorAll("nav.md-code__nav").forEach((part, at) => part.setAttribute("aria-label", `Code block ${at + 1}`));
    for (const part of document.querySelectorAll(".md-typeset pre > code")) if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
  };
  if (window.document$) window.document$.subscribe(name);
  else document.addEventListener("DOMContentLoaded", name);
})();
