/** The matte of a frame: network, who stays, steadiness over time. */

import type { Kernels } from "../render/kernels.js";
import type { Matte, Size } from "../render/renderer.js";
import type { Segmented, Segmenter } from "../segmenter/litert.js";
import type { Zone } from "../types.js";
import type { Room } from "./room.js";

/** Who stays, and how long they take to go; src/livematte/refine/nearest.py has the same, and the reasons. */
const LEAVE = 0.3;
const ENTER = 0.4;
const FADE_US = 500_000;
const FRAME_US = 1e6 / 30;

/** For so many frames at the start what the network says is followed at once; src/livematte/kernels has the same. */
const BEGINS = 4;

/** How long a camera takes to be trusted that stands still again; src/livematte/refine/room.py has the same. */
const TRUSTED_US = 500_000;

/** Edge of zones in pixels of the network's input; src/livematte/refine/zones.py has the same, and the reasons. */
const INSET_PX = 8;
const SOFT_PX = 2;

/** How long the network's light takes to follow, and the gain below which a picture is left as it is; src/livematte/models/_light.py has the same. */
const SETTLED_US = 500_000;
const NO_GAIN = 1.01;

export interface Wishes {
  readonly who: "everyone" | "nearest";
  readonly zones: readonly Zone[];
  readonly room: Room | null; // of the frame's shape
  readonly parts: readonly number[] | null; // of the body that count as the person; null for all
  readonly temporal: boolean;
}

/** Where the picture moves: its luma 0-255, and how much that changed in the frames before, 0-1; both at the network's size. */
export interface Scene {
  readonly luma: Float32Array;
  readonly moved: Float32Array;
}

/** Who is in a matte: for each pixel the number of its patch, and how much of that is seen. */
export interface Patches {
  readonly of: Float32Array;
  readonly shown: Float32Array;
}

/** A matte, and what the next frame of the stream must know. */
export interface Estimate extends Matte {
  readonly given: Float32Array; // by the network: neither chosen from nor steadied
  readonly gain: number; // of the picture, for the network alone
  readonly body: Segmented["parts"];
  readonly patches: Patches | null;
  readonly trust: number | null; // in the picture of the room, 0-1
  readonly scene: Scene | null; // none where nothing is steadied
}

/**
 * @param luma of the picture, 0-255; not kept.
 * @param state the matte before, or null at the start of a stream. It comes in and goes out.
 * @throws LivematteError "engine".
 */
export async function estimate(segmenter: Segmenter, small: SmallKernels, picture: Float32Array, luma: Float32Array, timestamp_us: number, wishes: Wishes, state: Estimate | null): Promise<Estimate> {
  const { size } = segmenter;
  const seen = luma.slice(); // before anything is waited for
  const before = wishes.temporal ? state : null;
  const since_us = before && timestamp_us > before.timestamp_us ? timestamp_us - before.timestamp_us : FRAME_US;
  const wanted = segmenter.lighten ? small.gain(picture) : 1;
  const gain = before ? before.gain + (wanted - before.gain) * Math.min(since_us / SETTLED_US, 1) : wanted;
  const { alpha: given, parts: body } = await segmenter.segment(gain > NO_GAIN ? lit(picture, Math.fround(gain)) : picture, before?.given ?? null, wishes.parts);
  let alpha = given;
  let patches: Patches | null = null;
  let trust: number | null = null;
  if (wishes.room) ({ alpha, trust } = small.againstRoom(picture, wishes.room, alpha, size, before?.trust ?? null, since_us / TRUSTED_US));
  if (wishes.zones.length) alpha = small.inside(alpha, size, wishes.zones);
  if (wishes.who === "nearest") ({ alpha, patches } = small.whoStays(alpha, size, before?.patches ?? null, since_us / FADE_US));
  let scene: Scene | null = null;
  if (wishes.temporal) ({ alpha, scene } = small.temporal(alpha, seen, size, before));
  return { alpha, given, gain, body, patches, trust, scene, size, timestamp_us };
}

/** A picture made brighter. */
function lit(picture: Float32Array, gain: number): Float32Array {
  return picture.map((value) => Math.min(value * gain, 1));
}

/** Kernels that work on alpha at the network's size, in a module of their own: it serves every renderer. */
export class SmallKernels {
  private mask: { zones: readonly Zone[]; shape: string; inside: Float32Array } | null = null;

  constructor(private readonly kernels: Kernels) {}

  /** Alpha of what is inside zones. */
  inside(alpha: Float32Array, size: Size, zones: readonly Zone[]): Float32Array {
    const shape = `${size.width}x${size.height}`;
    if (this.mask?.zones !== zones || this.mask.shape !== shape) this.mask = { zones, shape, inside: this.drawn(zones, size) };
    const { inside } = this.mask;
    return alpha.map((value, i) => value * (inside[i] as number));
  }

  /** By how much a picture is to be made brighter for a network, 1 to 4. */
  gain(picture: Float32Array): number {
    this.kernels.reset();
    const [rgb, out] = [this.put(picture), this.kernels.take(4)];
    this.kernels.lm.lm_gain(rgb, picture.length / 3, 0, out);
    return this.kernels.floats(out, 1)[0] as number;
  }

  /** Alpha that settles where the picture stands still. At the start of a stream it is what it is. */
  temporal(alpha: Float32Array, luma: Float32Array, size: Size, before: Estimate | null): { alpha: Float32Array; scene: Scene } {
    if (!before?.scene || before.alpha.length !== alpha.length) return { alpha, scene: { luma, moved: new Float32Array(alpha.length).fill(BEGINS) } };
    const { kernels } = this;
    kernels.reset();
    const [now, seen, last, lastSeen, moved] = [alpha, luma, before.alpha, before.scene.luma, before.scene.moved].map((values) => this.put(values)) as [number, number, number, number, number];
    const [out, motion] = [kernels.take(alpha.byteLength), kernels.take(alpha.byteLength)];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * size.width, 2 * size.height));
    kernels.lm.lm_temporal(now, seen, last, lastSeen, moved, size.width, size.height, out, motion, scratch);
    const copy = (at: number): Float32Array => kernels.floats(at, alpha.length).slice();
    return { alpha: copy(out), scene: { luma, moved: copy(motion) } };
  }

  /** Alpha where the picture of the room decides, and how far that was trusted; `before` for the last frame, and `step` as below. */
  againstRoom(picture: Float32Array, room: Room, alpha: Float32Array, size: Size, before: number | null, step: number): { alpha: Float32Array; trust: number } {
    const { kernels } = this;
    const { width, height } = size;
    const empty = room.at(kernels, size);
    kernels.reset();
    const [rgb, plate, now] = [this.put(picture), this.put(empty), this.put(alpha)];
    const [out, weight] = [kernels.take(alpha.byteLength), kernels.take(4)];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * width, 2 * height));
    kernels.lm.lm_room(rgb, plate, now, width, height, before ?? -1, Math.min(step, 1), out, weight, scratch);
    return { alpha: kernels.floats(out, alpha.length).slice(), trust: kernels.floats(weight, 1)[0] as number };
  }

  /** Alpha of those who stay. `step` of the fade: time since the last frame by the time of a whole one. */
  whoStays(alpha: Float32Array, { width, height }: Size, before: Patches | null, step: number): { alpha: Float32Array; patches: Patches } {
    const { kernels } = this;
    kernels.reset();
    const known = before?.of.length === alpha.length ? [this.put(before.of), this.put(before.shown)] : [0, 0];
    const [now, out, of, shown] = [this.put(alpha), ...[0, 1, 2].map(() => kernels.take(alpha.byteLength))] as [number, number, number, number];
    const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * width, 2 * height));
    kernels.lm.lm_who_stays(now, ...(known as [number, number]), width, height, Math.min(step, 1), LEAVE, ENTER, out, of, shown, scratch);
    const copy = (at: number): Float32Array => kernels.floats(at, alpha.length).slice();
    return { alpha: copy(out), patches: { of: copy(of), shown: copy(shown) } };
  }

  /** How far inside a zone each pixel lies, 0-1. */
  private drawn(zones: readonly Zone[], { width, height }: Size): Float32Array {
    const { kernels } = this;
    const most = new Float32Array(width * height);
    for (const zone of zones) {
      kernels.reset();
      const corners = this.put(Float32Array.from(zone.flat()));
      const out = kernels.take(most.byteLength);
      kernels.lm.lm_zone(corners, zone.length, width, height, INSET_PX, SOFT_PX, out, kernels.take(kernels.lm.lm_scratch_bytes(2 * width, 2 * height)));
      const drawn = kernels.floats(out, most.length);
      for (let i = 0; i < most.length; i++) most[i] = Math.max(most[i] as number, drawn[i] as number);
    }
    return most;
  }

  /** The address of a copy in the module's memory. */
  private put(values: Float32Array): number {
    const at = this.kernels.take(values.byteLength);
    this.kernels.floats(at, values.length).set(values);
    return at;
  }
}
