// The console's actions: every button runs a `fleetops` command under the name in the box.

import { el, memory } from "./dom.js";

const SCALABLE = ["feed", "user", "feed-canary"];
const RESTARTABLE = ["feed", "user", "feed-canary", "gateway"];

// The state of the drill, the label of its button ("" for none), and the question asked before the button acts.
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

export class Actions {
  constructor(part, api, redraw) {
    Object.assign(this, { part, api, redraw, results: new Map(), changed: memory() });
    this.acknowledge = (id, button) => this.acknowledgePage(id, button);
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

  async acknowledgePage(id, button) {
    button.disabled = true;
    this.part("ack-error").textContent = "";
    try {
      await this.post(`pages/${encodeURIComponent(id)}/ack`, {});
    } catch (problem) {
      this.part("ack-error").textContent = `Page ${id} was not acknowledged: ${problem.message}`;
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
    this.part("drill-state").focus(); // the button is hidden when the drill has ended
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
    const { actions, flags, flow, pages } = picture;
    this.open =
      pages.find((page) => page.status === "firing" && page.severity === "page") ||
      pages.find((page) => page.severity === "page");
    this.part("actions").hidden = !actions.able;
    this.part("controls").hidden = !actions.able;
    if (!actions.able) return;
    const { running } = actions;
    if (this.changed("drills", actions.drills)) {
      this.part("component").replaceChildren(...actions.components.map((component) => el("option", {}, component)));
      this.part("trigger").replaceChildren(...actions.triggers.map((trigger) => el("option", {}, trigger)));
      this.part("drill").replaceChildren(
        el("option", { value: "random" }, "random: you are not told which"),
        ...actions.drills.map((drill) => el("option", { value: drill.id }, `${drill.id} ${drill.title}`)),
      );
    }
    this.part("diagnosis-form").hidden = running?.responder !== "human";
    this.part("drill-start").disabled = Boolean(running);
    if (this.changed("drill", [running, actions.lines, actions.left_over, actions.ending_by, actions.ended])) {
      const [state, stop, question] = drillState(actions);
      this.part("drill-state").textContent = state;
      this.part("drill-stop").textContent = stop;
      this.part("drill-stop").hidden = !stop;
      this.part("drill-stop").disabled = Boolean(actions.ending_by);
      this.part("stop-text").textContent = question;
      if (!stop || actions.ending_by) this.part("stop-dialog").close();
      this.part("drill-lines").textContent = actions.lines.join("\n");
      this.part("drill-lines").hidden = actions.lines.length === 0;
    }
    if (this.changed("flags", flags)) {
      const chosen = this.part("flag").value;
      this.part("flag").replaceChildren(
        ...flags.map((flag) =>
          el(
            "option",
            { value: flag.flag, selected: flag.flag === chosen },
            `${flag.flag} (${flag.enabled ? "on" : "off"})`,
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
        this.part(name).replaceChildren(...services.map((service) => el("option", {}, service)));
    }
  }
}
