/** Auto-framing: a window over the output that follows the people, calmly; docs/spec/framing.md. src/livematte/refine/framing.py has the same. */

import { type Crop, type Matte, type Size, WHOLE } from "../render/renderer.js";

/** Cells in which people are looked for. */
const GRID: Size = { width: 64, height: 36 };
const SOMEBODY = 0.5;
const FEWEST_CELLS = 12;
/** Smallest side of the window as part of the picture. */
const NARROWEST = 0.5;
/** Width of the window in widths of the people, and the part of it above them. */
const ROOM = 1.7;
const HEADROOM = 0.12;
/** Part of the window by which what is wanted must differ from where it goes. */
const DEAD_ZONE = 0.12;
/** Time for which it must differ. */
const PATIENCE_S = 0.2;
const RATE_PER_S = 2.5;
const FASTEST_PER_S = 0.3;
const LONGEST_STEP_S = 0.1;

/** Centre and side, as parts of the picture. */
interface Window {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** Where the window of one stream is, where it goes, and how fast. */
export interface Motion {
  readonly shown: Window;
  readonly goal: Window;
  readonly speed: Window; // parts of the picture a second
  readonly doubt_s: number; // for how long something else has been wanted
  readonly timestamp_us: number;
}

const ALL: Window = { x: 0.5, y: 0.5, side: 1 };
const STILL: Window = { x: 0, y: 0, side: 0 };

/** One step of the window; `state` is null at the start of a stream, whose first picture is framed at once. */
export function follow(matte: Matte | null, timestamp_us: number, state: Motion | null): Motion {
  const wanted = matte ? wantedWindow(matte) : ALL;
  if (!state) return { shown: wanted, goal: wanted, speed: STILL, doubt_s: 0, timestamp_us };
  const step_s = Math.min(Math.max((timestamp_us - state.timestamp_us) / 1e6, 0), LONGEST_STEP_S);
  const doubt_s = beyond(wanted, state.goal) ? state.doubt_s + step_s : 0;
  const goal = doubt_s < PATIENCE_S ? state.goal : wanted;
  const [x, y, side] = (["x", "y", "side"] as const).map((key) => step(state.shown[key], goal[key], state.speed[key], step_s)) as [Step, Step, Step];
  return { shown: inside({ x: x.at, y: y.at, side: side.at }), goal, speed: { x: x.speed, y: y.speed, side: side.speed }, doubt_s, timestamp_us };
}

/** The window in units of WHOLE; null where it is the whole picture. */
export function cropOf({ shown }: Motion): Crop | null {
  const side = Math.round(shown.side * WHOLE);
  const start = (at: number): number => clamp(Math.round((at - shown.side / 2) * WHOLE), 0, WHOLE - side);
  return side === WHOLE ? null : { left: start(shown.x), top: start(shown.y), side };
}

/** The window that the people of this frame alone would have; the whole picture without any. */
function wantedWindow({ alpha, size }: Matte): Window {
  let [left, right, top, bottom, cells] = [GRID.width, 0, GRID.height, 0, 0];
  for (let y = 0; y < GRID.height; y++) {
    for (let x = 0; x < GRID.width; x++) {
      if (mean(alpha, size, x, y) <= SOMEBODY) continue;
      cells++;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  if (cells < FEWEST_CELLS) return ALL;
  [left, right, top, bottom] = [left / GRID.width, right / GRID.width, top / GRID.height, bottom / GRID.height];
  let side = ROOM * (right - left);
  if (bottom < 1) side = Math.max(side, (bottom - top) / (1 - 2 * HEADROOM)); // feet, or a table's edge: nothing of them is to be cut off
  side = clamp(side, NARROWEST, 1);
  return inside({ x: (left + right) / 2, y: top - HEADROOM * side + side / 2, side });
}

/** Mean alpha of a cell, of the samples that begin in it; at least one. */
function mean(alpha: Float32Array, { width, height }: Size, x: number, y: number): number {
  const [fromX, fromY] = [Math.floor((x * width) / GRID.width), Math.floor((y * height) / GRID.height)];
  const [toX, toY] = [Math.max(Math.floor(((x + 1) * width) / GRID.width), fromX + 1), Math.max(Math.floor(((y + 1) * height) / GRID.height), fromY + 1)];
  let sum = 0;
  for (let row = fromY; row < toY; row++) for (let at = fromX; at < toX; at++) sum += alpha[row * width + at] as number;
  return sum / ((toX - fromX) * (toY - fromY));
}

function beyond(wanted: Window, goal: Window): boolean {
  const far = Math.max(Math.abs(wanted.x - goal.x), Math.abs(wanted.y - goal.y), Math.abs(wanted.side - goal.side));
  return (wanted.side === 1 && goal.side !== 1) || far > DEAD_ZONE * goal.side;
}

interface Step {
  readonly at: number;
  readonly speed: number;
}

/** Critically damped motion, exact for any step; no faster than FASTEST_PER_S. */
function step(at: number, to: number, speed: number, step_s: number): Step {
  const [away, decay] = [at - to, Math.exp(-RATE_PER_S * step_s)];
  const drift = (speed + RATE_PER_S * away) * step_s;
  const after = to + (away + drift) * decay;
  const most = FASTEST_PER_S * step_s;
  if (Math.abs(after - at) > most) return { at: at + Math.sign(after - at) * most, speed: Math.sign(after - at) * FASTEST_PER_S };
  return { at: after, speed: (speed - RATE_PER_S * drift) * decay };
}

function inside(window: Window): Window {
  const side = clamp(window.side, NARROWEST, 1);
  return { x: clamp(window.x, side / 2, 1 - side / 2), y: clamp(window.y, side / 2, 1 - side / 2), side };
}

const clamp = (value: number, lowest: number, highest: number): number => Math.min(Math.max(value, lowest), highest);
