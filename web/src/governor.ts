/** Lowers the quality to keep up, and raises it again. Specified in docs/spec/governor.md. */

import type { Quality } from "./render/renderer.js";
import type { RungChange, RungName } from "./types.js";

export interface Rung extends Quality {
  readonly name: RungName;
  /** The network runs on every n-th frame. */
  readonly every: number;
  /** The network sees more pixels, if it has graphs for that. */
  readonly large: boolean;
}

/** Best first. Each costs clearly less than the one before. */
export const LADDER: readonly Rung[] = [
  { name: "large-input", every: 1, large: true, refine: true, halfSize: false },
  { name: "full", every: 1, large: false, refine: true, halfSize: false },
  { name: "every-2nd", every: 2, large: false, refine: true, halfSize: false },
  { name: "every-3rd", every: 3, large: false, refine: true, halfSize: false },
  { name: "no-refinement", every: 3, large: false, refine: false, halfSize: false },
  { name: "half-size", every: 3, large: false, refine: false, halfSize: true },
];

/** Where every stream begins. */
const START = 1;

/** Part of the time between two frames that p90 of the frames' times may take before a rung is given up. */
const TOO_SLOW = 0.9;
/** Part of it below which a better rung is tried. */
const FAST = 0.55;
/** Part of it below which the larger input is tried: it may double what a frame costs, and batteries count. */
const IDLE = 0.15;
/** Part of the camera's frames that may be skipped. */
const TOO_MANY_DROPS = 0.1;
const WINDOW_MS = 1000;
/** Quick down, slow up. */
const DOWN_AFTER_MS = 500;
const UP_AFTER_MS = 3000;
/** A rung that did not hold is tried again after twice the time, up to this. */
const PATIENCE_MAX_MS = 48_000;
/** A rung that held this long has proved itself: patience starts again. */
const PROVED_MS = 60_000;
const HISTORY = 32;
/** Of the camera, processed or skipped: fewer say nothing. */
const FEWEST_FRAMES = 8;
/** Fewer than this in a second are chance. */
const FEWEST_DROPS = 4;

export class Governor {
  readonly history: RungChange[] = [];
  private larger = false;
  private index = START;
  private since_ms = -Infinity;
  private patience_ms = UP_AFTER_MS;
  private climbed = false;
  private seen: { at_ms: number; spent_ms: number; skipped: number }[] = [];

  constructor(
    private budget_ms: number,
    private readonly enabled = true,
  ) {}

  get rung(): Rung {
    return LADDER[this.index] as Rung;
  }

  /** The camera's frame rate, when it is known better. */
  set fps(fps: number) {
    this.budget_ms = 1000 / fps;
  }

  /**
   * Take note of another network.
   * @param larger whether it has graphs for the larger input.
   * @returns the change of rung, if there is none for the present one.
   */
  exchange(larger: boolean, at_ms: number): RungChange | null {
    this.larger = larger;
    return !larger && this.index < START ? this.move(START - this.index, at_ms, "the network has no larger input") : null;
  }

  /**
   * Take note of a frame.
   * @param spent_ms from its arrival to its output.
   * @param skipped frames of the camera that were missed just before it.
   * @returns the change of rung, if this frame led to one.
   */
  observe(at_ms: number, spent_ms: number, skipped: number): RungChange | null {
    if (!this.enabled) return null;
    if (this.since_ms === -Infinity) this.since_ms = at_ms;
    this.seen.push({ at_ms, spent_ms, skipped });
    while (this.seen.length && (this.seen[0] as { at_ms: number }).at_ms < at_ms - WINDOW_MS) this.seen.shift();
    const held_ms = at_ms - this.since_ms;
    if (this.climbed && held_ms >= PROVED_MS) [this.patience_ms, this.climbed] = [UP_AFTER_MS, false];
    const skips = this.seen.reduce((sum, frame) => sum + frame.skipped, 0);
    if (held_ms < DOWN_AFTER_MS || skips + this.seen.length < FEWEST_FRAMES) return null;

    const p90_ms = percentile(cycles(this.seen.map((frame) => frame.spent_ms), this.rung.every), 0.9);
    const dropping = skips >= FEWEST_DROPS && skips > TOO_MANY_DROPS * (skips + this.seen.length);
    if (this.index < LADDER.length - 1 && (p90_ms > TOO_SLOW * this.budget_ms || dropping)) {
      if (this.climbed) this.patience_ms = Math.min(2 * this.patience_ms, PATIENCE_MAX_MS);
      this.climbed = false;
      const why = dropping ? `${skips} frames skipped in a second` : `p90 ${p90_ms.toFixed(1)} of ${this.budget_ms.toFixed(1)} ms`;
      return this.move(1, at_ms, why);
    }
    const upwards = this.index > START ? FAST : this.larger && this.index === START ? IDLE : 0;
    if (held_ms >= this.patience_ms && p90_ms < upwards * this.budget_ms && skips < FEWEST_DROPS) {
      this.climbed = true;
      return this.move(-1, at_ms, `p90 ${p90_ms.toFixed(1)} of ${this.budget_ms.toFixed(1)} ms for ${(this.patience_ms / 1000).toFixed(0)} s`);
    }
    return null;
  }

  private move(step: number, at_ms: number, why: string): RungChange {
    this.index += step;
    this.since_ms = at_ms;
    this.seen = [];
    const change = { at_ms, rung: this.rung.name, why };
    this.history.push(change);
    if (this.history.length > HISTORY) this.history.shift();
    return change;
  }
}

/** Means over the frames that share one run of the network: a late one in three is caught up by the others. */
function cycles(values: readonly number[], every: number): number[] {
  const sums = values.slice(every - 1).map((_, i) => values.slice(i, i + every).reduce((sum, value) => sum + value, 0));
  return sums.map((sum) => sum / every);
}

/** The value that a part of all values do not exceed; 0 of none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(part * sorted.length), sorted.length - 1)] ?? 0;
}
