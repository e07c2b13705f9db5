// Tabs after the WAI-ARIA pattern: one tab stop, arrow keys between the tabs.

export function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab) =>
    all.forEach((other) => {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
      if (on) other.dispatchEvent(new CustomEvent("chosen", { bubbles: true }));
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
