/** The C kernels in WebAssembly, and the memory they work in. docs/spec/kernels.md says what each computes. */

import { asError, LivematteError } from "../errors.js";
import type { Size } from "./renderer.js";

export const I420 = 0;
export const I444 = 1;
export type Layout = typeof I420 | typeof I444;

/** Functions of kernels/livematte.h that are called here; every number is an address unless it says otherwise. */
interface Exports extends WebAssembly.Exports {
  memory: WebAssembly.Memory;
  __heap_base: WebAssembly.Global<"i32">;
  lm_scratch_bytes(w: number, h: number): number;
  lm_split_chroma(uv: number, u: number, v: number): void;
  lm_rgba_to_planes(rgba: number, stride: number, w: number, h: number, order: number, layout: number, colour: number, p0: number, p1: number, p2: number): void;
  lm_relight(p: number, layout: number, colour: number, red: number, green: number, blue: number, out: number, scratch: number): void;
  lm_halve(p: number, out: number): void;
  lm_downscale_rgb(p: number, layout: number, colour: number, out: number, w: number, h: number, planar: number, small: number, scratch: number): void;
  lm_gain(rgb: number, n: number, planar: number, gain: number): void;
  lm_temporal(alpha: number, luma: number, before: number, lumaBefore: number, moved: number, w: number, h: number, out: number, motion: number, scratch: number): void;
  lm_who_stays(alpha: number, ofBefore: number, shownBefore: number, w: number, h: number, step: number, leave: number, enter: number, out: number, of: number, shown: number, scratch: number): void;
  lm_zone(corners: number, count: number, w: number, h: number, inset: number, soft: number, out: number, scratch: number): void;
  lm_room(rgb: number, room: number, alpha: number, w: number, h: number, before: number, step: number, out: number, weight: number, scratch: number): void;
  lm_guided(small: number, layout: number, alpha: number, w: number, h: number, reduce: number, radius: number, epsilon: number, gain: number, lines: number, scratch: number): void;
  lm_apply_guided(lines: number, w: number, h: number, planes: number, layout: number, alpha: number, scratch: number): void;
  lm_upsample(alpha: number, w: number, h: number, out: number, scratch: number): void;
  lm_blur_plate(p: number, layout: number, alpha: number, reduce: number, sigma: number, out: number, scratch: number): void;
  lm_bokeh_plate(p: number, layout: number, alpha: number, reduce: number, radius: number, out: number, scratch: number): void;
  lm_foreground(p: number, layout: number, alpha: number, reduce: number, sigma: number, out: number, scratch: number): void;
  lm_wrap_map(plate: number, layout: number, alpha: number, w: number, h: number, sigma: number, strength: number, light: number, map: number, scratch: number): void;
  lm_crop(p: number, left: number, top: number, side: number, out: number, scratch: number): void;
  lm_composite(p: number, layout: number, alpha: number, plate: number, light: number, wrap: number, out: number, scratch: number): void;
}

/** Size of an lm_plane: address, stride, width, height. */
export const LM_PLANE_BYTES = 16;

const PAGE = 65536;
const ALIGN = 64;

/** Planes of one picture in the module's memory, one behind the other without padding. */
export interface Planes {
  readonly data: number; // address of the first plane
  readonly bytes: number; // of all of them
  readonly at: readonly number[]; // address of each
  readonly sizes: readonly Size[];
  readonly read: number; // lm_plane[]
  readonly written: number; // lm_out[]
  readonly pointers: number; // u8 *[]
}

/** The module and its memory: buffers are taken front to back and given up all at once. */
export class Kernels {
  private end: number;
  private view: DataView;
  private single = 0; // an lm_plane that lives until reset()

  private constructor(readonly lm: Exports) {
    this.end = lm.__heap_base.value;
    this.view = new DataView(lm.memory.buffer);
  }

  /**
   * Fetch and compile `livematte.wasm`.
   * @throws LivematteError "engine".
   */
  static async compile(assetBase: string): Promise<WebAssembly.Module> {
    const url = `${assetBase}livematte.wasm`;
    const response = await fetch(url).catch((thrown: unknown) => {
      throw asError(thrown, "engine", `${url} could not be fetched`);
    });
    if (!response.ok) throw new LivematteError("engine", `${url}: ${response.status} ${response.statusText}; copy the folder dist/assets there`);
    return WebAssembly.compile(await response.arrayBuffer()).catch((thrown: unknown) => {
      throw asError(thrown, "engine", `${url} does not run here`);
    });
  }

  /** An instance with memory of its own. */
  static async open(module: WebAssembly.Module): Promise<Kernels> {
    return new Kernels((await WebAssembly.instantiate(module, {})).exports as Exports);
  }

  /** Give up every buffer. */
  reset(): void {
    this.end = this.lm.__heap_base.value;
    this.single = this.take(LM_PLANE_BYTES);
  }

  /** Address of new memory, 64-byte aligned. Views made before may be dead afterwards. */
  take(bytes: number): number {
    const at = (this.end + ALIGN - 1) & -ALIGN;
    this.end = at + bytes;
    const missing = this.end - this.lm.memory.buffer.byteLength;
    if (missing > 0) {
      this.lm.memory.grow(Math.ceil(missing / PAGE));
      this.view = new DataView(this.lm.memory.buffer);
    }
    return at;
  }

  bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.lm.memory.buffer, at, length) as Uint8Array<ArrayBuffer>;
  }

  floats(at: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.lm.memory.buffer, at, length) as Float32Array<ArrayBuffer>;
  }

  shorts(at: number, length: number): Int16Array<ArrayBuffer> {
    return new Int16Array(this.lm.memory.buffer, at, length) as Int16Array<ArrayBuffer>;
  }

  /** Memory for planes of these sizes, and the structures that describe them. */
  planes(sizes: readonly Size[]): Planes {
    const bytes = sizes.reduce((sum, size) => sum + size.width * size.height, 0);
    return this.describe(this.take(bytes), sizes);
  }

  /** The structures for planes that lie one behind the other from `data` on. */
  describe(data: number, sizes: readonly Size[]): Planes {
    const at: number[] = [];
    let end = data;
    for (const size of sizes) {
      at.push(end);
      end += size.width * size.height;
    }
    const read = this.words(sizes.flatMap((size, i) => [at[i] as number, size.width, size.width, size.height]));
    const written = this.words(sizes.flatMap((size, i) => [at[i] as number, size.width, size.height]));
    return { data, bytes: end - data, at, sizes, read, written, pointers: this.words(at) };
  }

  /** Address of an lm_plane for one call: the next call overwrites it. */
  scratchPlane(at: number, stride: number, size: Size): number {
    if (!this.single) throw new RangeError("reset() has not been called");
    [at, stride, size.width, size.height].forEach((value, i) => this.view.setInt32(this.single + 4 * i, value, true));
    return this.single;
  }

  private words(values: readonly number[]): number {
    const at = this.take(4 * values.length);
    values.forEach((value, i) => this.view.setInt32(at + 4 * i, value, true));
    return at;
  }
}

/** Sizes of the planes of a picture. */
export function planeSizes(size: Size, layout: Layout): Size[] {
  const chroma = layout === I420 ? { width: (size.width + 1) >> 1, height: (size.height + 1) >> 1 } : size;
  return [size, chroma, chroma];
}

/** Side of a blur's cells in pixels and its sigma in cells; "Grid" of docs/spec/kernels.md. */
export function cellGrid(sigma_px: number, cells: number): { reduce: number; sigma: number } {
  let reduce = 2;
  while (reduce < 16 && sigma_px / (2 * reduce) >= cells) reduce *= 2;
  return { reduce, sigma: sigmaCells(sigma_px / reduce) };
}

/** The same for a disc, whose radius is twice its sigma, on a picture with this shorter side. */
export function discGrid(sigma_px: number, shorter_px: number): { reduce: number; sigma: number } {
  let reduce = Math.min(Math.max(2 ** Math.floor(Math.log2(shorter_px / DISC_GRID)), 2), 8);
  if (sigma_px / (2 * reduce) >= DISC_CELLS) reduce *= 2;
  return { reduce, sigma: sigmaCells(sigma_px / reduce) };
}

const sigmaCells = (sigma: number): number => Math.min(Math.sqrt(Math.max(sigma ** 2 - 0.25, 0.04)), 20);

/** Sigma in cells from which a stretched plate shows no grid, and what is enough for a rim. */
export const SMOOTH_CELLS = 1.6;
export const ROUGH_CELLS = 0.8;
/** Sigma of a disc in cells, and cells of the shorter side, at least. */
const DISC_CELLS = 4.6;
const DISC_GRID = 180;
