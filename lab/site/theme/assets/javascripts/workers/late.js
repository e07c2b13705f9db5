// Replaces the theme's search worker, whose engine and index weigh more than most pages: both are loaded when a user
// types the first letter, and from then on the engine answers.
(() => {
  "use strict";
  const SETUP = 0,
    READY = 1,
    RESULT = 3;
  let setup, engine;

  const start = async () => {
    const answer = await fetch(new URL("../../../search/sections.json", self.location));
    if (!answer.ok) throw new Error(`the search index answers ${answer.status}`);
    const docs = await answer.json();
    const worker = new Worker(new URL("engine.js", self.location));
    await new Promise((ready) => {
      worker.onmessage = ({ data }) => (data.type === READY ? ready() : self.postMessage(data));
      worker.postMessage({ type: SETUP, data: { ...setup, docs } });
    });
    return worker;
  };

  self.onmessage = async ({ data }) => {
    if (data.type === SETUP) {
      setup = data.data;
      self.postMessage({ type: READY });
    } else if (!engine && !data.data) {
      self.postMessage({ type: RESULT, data: { items: [] } }); // an empty query has no results
    } else {
      engine ??= start();
      try {
        (await engine).postMessage(data);
      } catch (error) {
        engine = undefined; // the next letter retries
        console.warn(error);
      }
    }
  };
})();
