/** Memory of a browser with all of its processes, as Linux counts it. */

import { readdirSync, readFileSync } from "node:fs";

/** Anonymous resident memory of a process and of everything it started. */
export function treeOf(pid) {
  const parents = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const status = read(`/proc/${entry}/status`);
    parents.set(Number(entry), { parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), anonymous_kb: Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) });
  }
  const tree = new Set([pid]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [child, { parent }] of parents) if (tree.has(parent) && !tree.has(child)) grown = Boolean(tree.add(child));
  }
  const kb = [...tree].reduce((sum, member) => sum + (parents.get(member)?.anonymous_kb ?? 0), 0);
  return { processes: tree.size, rss_mb: Math.round(kb / 1024) };
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has just ended
  }
}
