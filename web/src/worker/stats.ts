/** Counts and times of one stream, over the last seconds. */

import { percentile } from "../governor.js";
import type { Percentiles, Stage } from "../types.js";

/** Four seconds at 30 frames a second. */
const KEPT = 120;

export class Counter {
  frames = 0;
  covered = 0;
  dropped = 0;
  firstMatte_ms: number | null = null;
  private readonly times = new Map<Stage, number[]>();
  private readonly sent_ms: number[] = [];

  add(stage: Stage, spent_ms: number): void {
    const times = this.times.get(stage) ?? [];
    if (times.push(spent_ms) > KEPT) times.shift();
    this.times.set(stage, times);
  }

  sent(at_ms: number): void {
    this.frames++;
    if (this.sent_ms.push(at_ms) > KEPT) this.sent_ms.shift();
  }

  /** Frames a second over the last two seconds. */
  fps(now_ms: number): number {
    const recent = this.sent_ms.filter((at_ms) => at_ms > now_ms - 2000);
    const span_ms = (recent.at(-1) ?? 0) - (recent[0] ?? 0);
    return span_ms > 0 ? (1000 * (recent.length - 1)) / span_ms : 0;
  }

  stages(): Partial<Record<Stage, Percentiles>> {
    return Object.fromEntries([...this.times].map(([stage, times]) => [stage, { p50_ms: percentile(times, 0.5), p95_ms: percentile(times, 0.95) }]));
  }
}
