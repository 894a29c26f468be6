/** Programs that take the processor from the browser. */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";

const EVERY_MS = 500;
const MOST = 12 * availableParallelism();

/** Start a program every half second, until enough() is called; stop() ends them all. */
export function busy() {
  const running = [];
  const more = () => {
    // each in a session of its own: Linux shares the processor out to sessions, not to programs
    if (running.length < MOST) running.push(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore", detached: true }));
  };
  const timer = setInterval(more, EVERY_MS);
  return {
    enough: () => clearInterval(timer),
    stop: () => {
      clearInterval(timer);
      running.splice(0).forEach((program) => program.kill("SIGKILL"));
    },
  };
}
