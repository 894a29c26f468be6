/** Programs that take all of the processor. */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";

/** Start more of them than there are cores; stop() ends them. */
export function busy(programs = 12 * availableParallelism()) {
  const running = Array.from({ length: programs }, () => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
  return { stop: () => running.forEach((program) => program.kill("SIGKILL")) };
}
