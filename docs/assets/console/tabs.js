// Tabs as WAI-ARIA has them: one stop of the Tab key, arrows between them.

export function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab) =>
    all.forEach((one) => {
      const on = one === tab;
      one.setAttribute("aria-selected", String(on));
      one.tabIndex = on ? 0 : -1;
      document.getElementById(one.getAttribute("aria-controls")).hidden = !on;
      if (on) one.dispatchEvent(new CustomEvent("chosen", { bubbles: true }));
    });
  const key = (event) => {
    const at = all.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const tab = all[(next + all.length) % all.length];
    choose(tab);
    tab.focus();
  };
  const click = (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  };
  list.addEventListener("click", click);
  list.addEventListener("keydown", key);
  choose(all[0]);
  return () => {
    list.removeEventListener("click", click);
    list.removeEventListener("keydown", key);
  };
}
