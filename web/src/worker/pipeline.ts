/**
 * A frame comes in, a matte is estimated, a picture goes out.
 *
 * render() is the whole of it. A frame whose matte cannot be made is covered: paint(null) gives
 * the plate alone. There is no second way to the output.
 */

import { asError, LivematteError } from "../errors.js";
import { Governor } from "../governor.js";
import type { Crop, Matte, Painting, Picture, Renderer, Size } from "../render/renderer.js";
import { MAX_MATTE_AGE_US } from "../render/renderer.js";
import type { Network, Segmenter } from "../segmenter/litert.js";
import type { PartMap, RungChange, Stage } from "../types.js";
import { type Estimate, estimate, type SmallKernels, type Wishes } from "./estimate.js";
import { cropOf, follow, type Motion } from "./framing.js";
import { type Adapted, codeGains, matchLight, Plate } from "./light.js";
import type { Room } from "./room.js";
import { Counter } from "./stats.js";

/** What happens to every frame. Parts are exchanged while the stream runs. */
export interface Stages {
  network: Network | null; // null until it is loaded: frames are covered
  renderer: Renderer;
  painting: Painting;
  wishes: Wishes;
}

/** What the pipeline has to tell. */
export interface Told {
  ready(): void;
  rung(change: RungChange): void;
  error(error: LivematteError): void;
}

/** Failures of the same kind in a row are told once, and again after this many. */
const TELL_EVERY = 30;

export class Pipeline {
  readonly counter = new Counter();
  readonly governor: Governor;
  /** Light of the new background. */
  readonly plate = new Plate();
  private matte: Estimate | null = null;
  private light: Adapted | null = null;
  private motion: Motion | null = null;
  private size = ""; // of the frames
  private graph = ""; // that made the matte
  private sinceInference = 0;
  private failures = 0;
  private misfit: Room | null = null; // of another shape than the frames, which was told
  private busy = false;
  private readonly retired: Network[] = []; // at most one: it is closed after the frame that runs in it
  private faults = { engine: 0, renderer: 0 };

  constructor(
    readonly stages: Stages,
    private readonly small: SmallKernels,
    private readonly told: Told,
    private readonly opened_ms: number,
    private readonly options: { governor: boolean; fps: number; framing: boolean },
    private readonly now: () => number = () => performance.now(),
  ) {
    this.governor = new Governor(1000 / options.fps, options.governor);
  }

  /**
   * The output picture of a camera frame, which is closed.
   * @param skipped frames of the camera that were missed just before.
   * @param strips whether the picture may come in strips.
   * @throws LivematteError "renderer": not even a cover could be drawn, and nothing may go out.
   */
  async render(frame: VideoFrame, skipped: number, strips = false): Promise<Picture> {
    const { counter, governor, stages } = this;
    const { painting, renderer, wishes } = stages;
    const rung = governor.rung;
    const started_ms = this.now();
    this.busy = true;
    counter.dropped += skipped;
    try {
      if (this.faults.renderer-- > 0) throw new LivematteError("renderer", "the renderer was made to fail");
      const segmenter = stages.network?.at(shown(frame), rung.large) ?? null;
      const picture = await renderer.read(frame, segmenter?.size ?? { width: 256, height: 144 }, rung);
      const read_ms = this.lap("read", started_ms);
      const matte = await this.estimate(segmenter, picture, frame, rung.every, wishes);
      this.lap("segment", read_ms);
      const out = await renderer.paint(matte, this.lit(painting, matte, picture, frame), rung, this.crop(matte, frame), strips);
      for (const stage of ["refine", "effect", "composite"] as const) counter.add(stage, renderer.spent[stage]);
      const spent_ms = this.lap("total", started_ms) - started_ms;
      if (!matte) counter.covered++;
      else if (counter.firstMatte_ms === null) {
        counter.firstMatte_ms = this.now() - this.opened_ms;
        this.told.ready();
      } else {
        // from the second one on: what was missed while the network loaded says nothing of the device
        const change = governor.observe(started_ms, spent_ms, skipped);
        if (change) this.told.rung(change);
      }
      return out;
    } catch (thrown) {
      throw asError(thrown, "renderer", `the ${renderer.name} renderer failed`);
    } finally {
      frame.close();
      this.busy = false;
      for (const network of this.retired.splice(0)) network.close();
    }
  }

  /** Wait for the graph that fits a single frame, which no later one will make good for. */
  async settle(frame: VideoFrame): Promise<void> {
    await this.stages.network?.settled(shown(frame));
  }

  /** Put another network in place, between two frames. */
  exchange(network: Network | null): void {
    const before = this.stages.network;
    this.stages.network = network;
    const change = this.governor.exchange(network?.hasLarge ?? false, this.now());
    if (change) this.told.rung(change);
    this.matte = null;
    if (before && this.busy) this.retired.push(before);
    else before?.close();
  }

  /** Forget the frames before: the next one starts a new stream. */
  reset(): void {
    this.matte = this.light = this.motion = null;
  }

  /** Body parts of the newest frame that the network saw. */
  parts(): PartMap | null {
    const { matte } = this;
    const map = matte?.body?.();
    return matte && map ? { ...map.size, data: map.data, timestamp: matte.timestamp_us } : null;
  }

  /** How far the picture of the room was trusted last. */
  get trust(): number | null {
    return this.matte?.trust ?? null;
  }

  /** Make a part fail for so many frames; tests prove with it that nothing of the room leaves. */
  fail(what: "engine" | "renderer", frames: number): void {
    this.faults[what] = frames;
  }

  private async estimate(segmenter: Segmenter | null, picture: Float32Array, frame: VideoFrame, every: number, wishes: Wishes): Promise<Matte | null> {
    const size = `${frame.codedWidth}x${frame.codedHeight}`;
    const graph = `${segmenter?.name} ${segmenter?.size.width}x${segmenter?.size.height}`;
    if (size !== this.size) this.reset();
    if (graph !== this.graph) this.matte = null; // another network's, or of another size; light and framing go on
    [this.size, this.graph] = [size, graph];
    if (!segmenter) return null;
    const { matte } = this;
    const age_us = matte ? frame.timestamp - matte.timestamp_us : Infinity;
    if (matte && ++this.sinceInference < every && age_us >= 0 && age_us <= MAX_MATTE_AGE_US) return matte;
    this.sinceInference = 0;
    try {
      if (this.faults.engine-- > 0) throw new LivematteError("engine", "the engine was made to fail");
      const state = age_us >= 0 ? matte : null;
      const fitting = { ...wishes, room: this.fitting(wishes.room, frame) };
      this.matte = await estimate(segmenter, this.small, picture, this.stages.renderer.luma, frame.timestamp, fitting, state);
      this.failures = 0;
    } catch (thrown) {
      this.matte = null;
      if (this.failures++ % TELL_EVERY === 0) this.told.error(asError(thrown, "engine", "no matte could be made"));
    }
    return this.matte;
  }

  /** The effect with the person's gains, where their light is to match. */
  private lit(painting: Painting, matte: Matte | null, picture: Float32Array, frame: VideoFrame): Painting {
    const plate = painting.match > 0 ? this.plate.mean(shown(frame)) : null;
    if (!plate || !matte) return painting;
    // a matte of a frame before is not this picture's: the gains stay what they were
    if (matte.timestamp_us === frame.timestamp) this.light = matchLight(picture, matte, plate, painting.match, this.stages.wishes.temporal ? this.light : null);
    return this.light ? { ...painting, gain: codeGains(this.light) } : painting;
  }

  /** The part of the output that is shown; null for all of it. */
  private crop(matte: Matte | null, frame: VideoFrame): Crop | null {
    if (!this.options.framing) return null;
    this.motion = follow(matte, frame.timestamp, this.stages.wishes.temporal ? this.motion : null);
    return cropOf(this.motion);
  }

  /** The room, if it has the frame's shape. It is no reason to cover the frame if not. */
  private fitting(room: Room | null, frame: VideoFrame): Room | null {
    if (!room || room.fits(shown(frame))) return room;
    if (this.misfit !== room) this.told.error(new LivematteError("option", `the room is of another shape than the camera's ${frame.displayWidth}x${frame.displayHeight} and is not used: take it with the same camera`));
    this.misfit = room;
    return null;
  }

  private lap(stage: Stage, since_ms: number): number {
    const now_ms = this.now();
    this.counter.add(stage, now_ms - since_ms);
    return now_ms;
  }
}

/** The size of a frame that is turned as the network gets it. */
function shown(frame: VideoFrame): Size {
  return { width: frame.displayWidth, height: frame.displayHeight };
}
