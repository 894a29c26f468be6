/** Processor time of a browser with all of its processes, as Linux counts it. */

import { readdirSync, readFileSync } from "node:fs";

const TICK_MS = 10; // of /proc, on every Linux

/**
 * @param pid of the process that was started.
 * @returns cpu_ms of it and all it started, by thread: "pid/tid name" -> ms; and anonymous memory in MB.
 */
export function measure(pid) {
  const children = new Map();
  for (const entry of readdirSync("/proc")) {
    const stat = /^\d+$/.test(entry) ? fields(`/proc/${entry}/stat`) : null;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(entry)]);
  }
  const tree = [pid];
  for (let i = 0; i < tree.length; i++) tree.push(...(children.get(tree[i]) ?? []));
  let [cpu_ms, rss_mb] = [0, 0];
  const mains = {};
  for (const member of tree) {
    cpu_ms += fields(`/proc/${member}/stat`)?.cpu_ms ?? 0;
    rss_mb += Number(/^RssAnon:\s+(\d+)/m.exec(read(`/proc/${member}/status`))?.[1] ?? 0) / 1024;
    mains[member] = fields(`/proc/${member}/task/${member}/stat`)?.cpu_ms ?? 0;
  }
  return { cpu_ms, rss_mb, mains };
}

function fields(path) {
  const stat = read(path);
  if (!stat) return null;
  const parts = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(parts[1]), cpu_ms: TICK_MS * (Number(parts[11]) + Number(parts[12])) };
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has just ended
  }
}
