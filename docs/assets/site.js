// Names for the parts of the theme that have none; runs again after every instant navigation.
(() => {
  "use strict";
  const name = () => {
    for (const part of document.querySelectorAll('[data-md-component="search"][role="dialog"]')) part.setAttribute("aria-label", "Search");
    for (const part of document.querySelectorAll("nav.md-code__nav")) part.setAttribute("aria-label", "Code block");
  };
  if (window.document$) window.document$.subscribe(name);
  else document.addEventListener("DOMContentLoaded", name);
})();
