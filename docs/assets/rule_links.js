// A page that a lab's console serves links its rules to that lab's Prometheus: 90 above the console's own port
// (lab/paths.py), whatever the port base is. A published copy keeps the links to a lab with default ports.

const PROMETHEUS_ABOVE_CONSOLE = 90;

export async function enter(links) {
  if (!["127.0.0.1", "localhost"].includes(location.hostname)) return;
  const answer = await fetch("/api/source.json");
  if (!answer.ok || !(await answer.json()).live) return;
  for (const link of links) {
    const url = new URL(link.href);
    url.port = Number(location.port) + PROMETHEUS_ABOVE_CONSOLE;
    link.href = url.href;
  }
}
