// What a person does from here: every button is a `fleetops` command run under the name in the box.

import { el, memory } from "./dom.js";

const SCALABLE = ["feed", "user", "feed-canary"];
const RESTARTABLE = ["feed", "user", "feed-canary", "gateway"];

// What the drill is doing, what the button beside it says ("" when there is none), and what it asks before it acts.
function drillState({ running, left_over: left, ending_by: endingBy, ended }) {
  if (running) {
    const started = running.by
      ? `, started by ${running.by}, responder ${running.responder}`
      : ", started in a terminal";
    const state = endingBy
      ? `${running.id} is being given up by ${endingBy}: undoing what it changed.`
      : `${running.id} is running${started}.`;
    return [
      state,
      "Stop",
      `${running.id}${started}. Everything it changed is undone, as Ctrl-C does in a terminal; it is not graded.`,
    ];
  }
  if (left)
    return [
      endingBy
        ? `${endingBy} is undoing what a killed drill left.`
        : "A drill was killed before it could undo what it changed.",
      "Undo",
      "The drill's process is gone; what it changed is put back from its journal.",
    ];
  return [ended, "", ""];
}

export class Hands {
  constructor(part, api, redraw) {
    Object.assign(this, { part, api, redraw, results: new Map(), changed: memory() });
    this.take = (id, button) => this.takePage(id, button);
    this.ran = (command, step, branch) => this.results.get(`${branch.number} ${step} ${command}`) || null;
    this.run = (command, step, branch) => this.runStep(`${branch.number} ${step} ${command}`, command);
    const dialog = part("stop-dialog");
    part("drill-stop").addEventListener("click", () => {
      dialog.returnValue = "";
      dialog.showModal();
    });
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "stop") this.stopDrill();
    });
    part("drill-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.startDrill();
    });
    part("diagnosis-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.diagnose();
    });
    part("hint").addEventListener("click", () => this.say("fleetops incident hint"));
    part("controls").addEventListener("submit", (event) => {
      event.preventDefault();
      this.control(event.target);
    });
  }

  get by() {
    return this.part("by").value.trim() || "console";
  }

  seen() {
    return [...this.results].map(([key, done]) => [key, done.running, done.exit_status, done.output]);
  }

  async post(path, body) {
    const answer = await fetch(new URL(path, this.api), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...body, by: this.by }),
    });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.error || `the lab answered ${answer.status}`);
    return said;
  }

  async takePage(id, button) {
    button.disabled = true;
    this.part("ack-error").textContent = "";
    try {
      await this.post(`pages/${encodeURIComponent(id)}/ack`, {});
    } catch (problem) {
      this.part("ack-error").textContent = `Page ${id} was not taken: ${problem.message}`;
      button.disabled = false;
    }
  }

  async runStep(key, command) {
    this.results.set(key, { running: true });
    this.redraw();
    try {
      this.results.set(key, await this.post("run", { command }));
    } catch (problem) {
      this.results.set(key, { exit_status: 2, output: problem.message });
    }
    this.redraw();
  }

  async startDrill() {
    this.part("drill-error").textContent = "";
    try {
      await this.post("drills", { id: this.part("drill").value, responder: this.part("responder").value });
    } catch (problem) {
      this.part("drill-error").textContent = `Not started: ${problem.message}`;
    }
  }

  async stopDrill() {
    this.part("drill-error").textContent = "";
    this.part("drill-state").focus(); // the button goes when the drill has ended
    try {
      const done = await this.post("drills/stop", {});
      if (done.exit_status !== 0) this.part("drill-error").textContent = done.output;
    } catch (problem) {
      this.part("drill-error").textContent = `Not stopped: ${problem.message}`;
    }
  }

  diagnose() {
    const page = this.open;
    if (!page) this.part("drill-error").textContent = "Nobody has been paged yet.";
    else {
      const [component, trigger] = ["component", "trigger"].map((name) => this.part(name).value);
      this.say(`fleetops incident diagnose ${page.id} --component ${component} --class '${trigger}'`);
    }
  }

  async say(command) {
    this.part("drill-error").textContent = "";
    try {
      const done = await this.post("run", { command });
      this.part("drill-error").textContent = done.output;
    } catch (problem) {
      this.part("drill-error").textContent = problem.message;
    }
  }

  async control(form) {
    const values = Object.fromEntries(new FormData(form));
    const command = {
      weight: () => `fleetops canary weight ${values.percent}`,
      flag: () => `fleetops flag set ${values.flag} ${values.state}`,
      scale: () => `fleetops scale ${values.service} ${values.count}`,
      restart: () => `fleetops service restart ${values.service}`,
      triage: () => `fleetops triage ${values.service}`,
    }[form.dataset.control]();
    const said = this.part("control-said");
    said.textContent = `$ ${command}\n…`;
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const done = await this.post("run", { command });
      said.textContent = `$ ${command}\n${done.output}\nexit ${done.exit_status}`;
    } catch (problem) {
      said.textContent = `$ ${command}\n${problem.message}`;
    }
    button.disabled = false;
  }

  show(picture) {
    const { hands, flags, flow, pages } = picture;
    this.open =
      pages.find((one) => one.status === "firing" && one.severity === "page") ||
      pages.find((one) => one.severity === "page");
    this.part("hands").hidden = !hands.able;
    this.part("controls").hidden = !hands.able;
    if (!hands.able) return;
    const { running } = hands;
    if (this.changed("drills", hands.drills)) {
      this.part("component").replaceChildren(...hands.components.map((one) => el("option", {}, one)));
      this.part("trigger").replaceChildren(...hands.triggers.map((one) => el("option", {}, one)));
      this.part("drill").replaceChildren(
        el("option", { value: "random" }, "random: you are not told which"),
        ...hands.drills.map((one) => el("option", { value: one.id }, `${one.id} ${one.title}`)),
      );
    }
    this.part("diagnosis-form").hidden = running?.responder !== "human";
    this.part("drill-start").disabled = Boolean(running);
    if (this.changed("drill", [running, hands.lines, hands.left_over, hands.ending_by, hands.ended])) {
      const [state, stop, question] = drillState(hands);
      this.part("drill-state").textContent = state;
      this.part("drill-stop").textContent = stop;
      this.part("drill-stop").hidden = !stop;
      this.part("drill-stop").disabled = Boolean(hands.ending_by);
      this.part("stop-text").textContent = question;
      if (!stop || hands.ending_by) this.part("stop-dialog").close();
      this.part("drill-lines").textContent = hands.lines.join("\n");
      this.part("drill-lines").hidden = hands.lines.length === 0;
    }
    if (this.changed("flags", flags)) {
      const chosen = this.part("flag").value;
      this.part("flag").replaceChildren(
        ...flags.map((one) =>
          el(
            "option",
            { value: one.flag, selected: one.flag === chosen },
            `${one.flag} (${one.enabled ? "on" : "off"})`,
          ),
        ),
      );
    }
    if (this.changed("weight", flow.canary_weight_ratio) && document.activeElement !== this.part("weight"))
      this.part("weight").value = Math.round((flow.canary_weight_ratio || 0) * 100);
    if (this.changed("services", SCALABLE)) {
      for (const [name, services] of [
        ["scale-service", SCALABLE],
        ["restart-service", RESTARTABLE],
        ["triage-service", ["feed", "user"]],
      ])
        this.part(name).replaceChildren(...services.map((one) => el("option", {}, one)));
    }
  }
}
