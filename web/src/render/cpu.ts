/** Draws frames with the C kernels in WebAssembly: YUV planes from the camera to the output. */

import { COVER_STRENGTH, type Crop, type Gains, GUIDED_EPSILON, guidedCells, type Matte, type Painting, type Picture, type Quality, type Renderer, RIM_OF_HEIGHT, SIGMA_OF_HEIGHT, type Size, STEEPEST_GAIN, WHOLE } from "./renderer.js";
import { anyone } from "./anyone.js";
import { composite, fits } from "./composite.js";
import { type Desk, layDesk } from "./desk.js";
import { Backdrop } from "./backdrop.js";
import { back, copyIn, exchangesSides, frameOf, pictureOf, shapeOf, type Shape, stagingBytes, turn, type Turn } from "./frames.js";
import { cellGrid, discGrid, I420, LM_PLANE_BYTES, type Kernels, type Planes, ROUGH_CELLS, SMOOTH_CELLS } from "./kernels.js";

export class CpuRenderer implements Renderer {
  readonly name = "cpu";
  readonly spent = { refine: 0, effect: 0, composite: 0 };
  private desk: Desk | null = null;
  private shape: Shape | null = null;
  private upright = new Float32Array(0);
  private uprightLuma = new Float32Array(0);
  private readonly backdrop = new Backdrop();

  constructor(private readonly kernels: Kernels) {}

  async read(frame: VideoFrame, network: Size, quality: Quality): Promise<Float32Array> {
    const shape = shapeOf(frame);
    this.shape = null; // nothing can be painted while the planes are half written
    const stored = exchangesSides(shape.rotation) ? { width: network.height, height: network.width } : network;
    const desk = this.layFor(shape.size, quality.halfSize, stored);
    await copyIn(this.kernels, frame, shape, desk.camera, desk.staging);
    const { lm } = this.kernels;
    if (desk.frame !== desk.camera) for (const i of [0, 1, 2]) lm.lm_halve(desk.camera.read + i * LM_PLANE_BYTES, desk.frame.at[i] as number);
    lm.lm_downscale_rgb(desk.frame.read, I420, shape.colour, desk.rgb, stored.width, stored.height, 0, desk.guide, desk.scratch);
    this.shape = shape;
    const rgb = this.kernels.floats(desk.rgb, 3 * stored.width * stored.height);
    if (asStored(shape)) return rgb;
    if (this.upright.length !== rgb.length) this.upright = new Float32Array(rgb.length);
    return turn(rgb, stored, 3, shape, this.upright);
  }

  get luma(): Float32Array {
    const { desk, shape } = this;
    if (!desk || !shape) throw new TypeError("luma comes after read()");
    const { network } = desk;
    const luma = this.kernels.floats(desk.guide, network.width * network.height); // the first plane
    if (asStored(shape)) return luma;
    if (this.uprightLuma.length !== luma.length) this.uprightLuma = new Float32Array(luma.length);
    return turn(luma, network, 1, shape, this.uprightLuma);
  }

  async paint(matte: Matte | null, painting: Painting, quality: Quality, crop: Crop | null = null, strips = false): Promise<Picture> {
    const { desk, shape } = this;
    if (!desk || !shape) throw new TypeError("paint() comes after read()");
    this.shape = null; // one picture a frame
    const started = performance.now();
    const covered = !this.refine(desk, shape, matte, painting, quality);
    const refined = performance.now();
    const own = painting.despill && !covered ? this.foreground(desk) : desk.frame;
    const foreground = painting.gain && !covered ? this.relight(desk, shape, own, painting.gain) : own;
    const plate = this.plate(desk, shape, painting, covered ? null : matte);
    const painted = performance.now();
    const transparent = painting.type === "transparent";
    if (transparent) this.show(desk);
    composite(this.kernels, desk, foreground, transparent ? desk.shown : desk.alpha, plate, painting.lightWrap);
    const area = desk.size.width * desk.size.height;
    if (transparent) this.kernels.bytes(desk.out.at[3] as number, area).set(this.kernels.bytes(desk.alpha, area));
    const shown = crop ? this.crop(desk, stored(crop, shape), transparent ? 4 : 3) : desk.out;
    const pixels = this.kernels.bytes(shown.data, transparent ? shown.bytes : shown.bytes - area);
    const out: Picture = strips ? pictureOf(pixels, desk.size, shape, transparent, this.kernels.bytes(desk.staging, stagingBytes(desk.full))) : [frameOf(pixels, desk.size, shape, transparent)];
    this.spent.refine = refined - started;
    this.spent.effect = painted - refined;
    this.spent.composite = performance.now() - painted;
    return out;
  }

  setBackdrop(picture: ImageBitmap | VideoFrame | null): void {
    this.backdrop.show(picture);
  }

  close(): void {
    this.backdrop.show(null);
    this.desk = null;
    this.shape = null;
  }

  private layFor(full: Size, halfSize: boolean, network: Size): Desk {
    const half = this.desk && this.desk.frame !== this.desk.camera;
    if (!this.desk || !same(this.desk.full, full) || half !== halfSize || !same(this.desk.network, network)) {
      this.desk = layDesk(this.kernels, full, halfSize, network);
      this.backdrop.forget();
    }
    return this.desk;
  }

  /** Full-size alpha from the matte; false where there is none, and alpha is 0 everywhere. */
  private refine(desk: Desk, shape: Shape, matte: Matte | null, painting: Painting, quality: Quality): boolean {
    const { kernels } = this;
    const { lm } = kernels;
    const { width, height } = desk.network;
    const matches = fits(matte, shape.timestamp_us) && matte.alpha.length === width * height;
    if (!matches) {
      kernels.bytes(desk.alpha, desk.size.width * desk.size.height).fill(0);
      return false;
    }
    turn(matte.alpha, matte.size, 1, back(shape), kernels.floats(desk.small, width * height));
    if (quality.refine) {
      const gain = 1 + (STEEPEST_GAIN - 1) * (1 - painting.softness);
      const cells = guidedCells(desk.network);
      lm.lm_guided(desk.guide, I420, desk.small, width, height, cells.reduce, cells.radius, GUIDED_EPSILON, gain, desk.lines, desk.scratch);
      lm.lm_apply_guided(desk.lines, cells.width, cells.height, desk.frame.read, I420, desk.alpha, desk.scratch);
    } else {
      lm.lm_upsample(desk.small, width, height, desk.alphaOut, desk.scratch);
    }
    return true;
  }

  /** A part of the finished picture at its size. */
  private crop(desk: Desk, { left, top, side }: Crop, planes: number): Planes {
    for (let i = 0; i < planes; i++) this.kernels.lm.lm_crop(desk.out.read + i * LM_PLANE_BYTES, left, top, side, desk.cropped.at[i] as number, desk.scratch);
    return desk.cropped;
  }

  private foreground(desk: Desk): Planes {
    const { reduce, sigma } = cellGrid(RIM_OF_HEIGHT * shorter(desk.size), ROUGH_CELLS);
    this.kernels.lm.lm_foreground(desk.frame.read, I420, desk.alpha, reduce, sigma, desk.foreground.pointers, desk.scratch);
    return desk.foreground;
  }

  private relight(desk: Desk, shape: Shape, own: Planes, gain: Gains): Planes {
    const [red, green, blue] = gain.map((each) => Math.round(4096 * each)) as [number, number, number];
    this.kernels.lm.lm_relight(own.read, I420, shape.colour, red, green, blue, desk.relit.pointers, desk.scratch);
    return desk.relit;
  }

  private plate(desk: Desk, shape: Shape, painting: Painting, matte: Matte | null): Planes {
    switch (painting.type) {
      case "blur": {
        // a picture that is nothing but blur must not be read, whatever strength was chosen behind a person
        const strength = anyone(matte) ? painting.strength : Math.max(painting.strength, COVER_STRENGTH);
        const sigma_px = strength * SIGMA_OF_HEIGHT * shorter(desk.size);
        const { reduce, sigma } = painting.bokeh ? discGrid(sigma_px, shorter(desk.size)) : cellGrid(sigma_px, SMOOTH_CELLS);
        const cells = desk.cells(reduce);
        const { lm } = this.kernels;
        if (painting.bokeh) lm.lm_bokeh_plate(desk.frame.read, I420, desk.alpha, reduce, 2 * sigma, cells.written, desk.scratch);
        else lm.lm_blur_plate(desk.frame.read, I420, desk.alpha, reduce, sigma, cells.written, desk.scratch);
        return cells;
      }
      case "image":
      case "video":
        return this.backdrop.draw(this.kernels, desk, shape) ? desk.backdrop : this.plain(desk, shape, [0, 0, 0]);
      case "color":
        return this.plain(desk, shape, painting.rgb);
      case "transparent":
        return this.plain(desk, shape, [0, 0, 0]);
      case "off":
        // asked for by name; a frame that must be covered is black even then
        return matte ? desk.frame : this.plain(desk, shape, [0, 0, 0]);
    }
  }

  /** One pixel of this colour, to be stretched. */
  private plain(desk: Desk, shape: Shape, rgb: readonly [number, number, number]): Planes {
    this.kernels.bytes(desk.staging, 4).set([...rgb, 255]);
    const [y, u, v] = desk.plain.at as [number, number, number];
    this.kernels.lm.lm_rgba_to_planes(desk.staging, 4, 1, 1, 0, 1, shape.colour, y, u, v);
    return desk.plain;
  }

  /** 255 wherever alpha is above 0: what is shown under a straight alpha. */
  private show(desk: Desk): void {
    const area = desk.size.width * desk.size.height;
    const alpha = this.kernels.bytes(desk.alpha, area);
    const shown = this.kernels.bytes(desk.shown, area);
    for (let i = 0; i < area; i++) shown[i] = alpha[i] ? 255 : 0;
  }
}

/** A window over the picture as it is shown as one over the picture as it is stored. */
function stored({ left: shown, top, side }: Crop, { rotation, flip }: Turn): Crop {
  const left = flip ? WHOLE - side - shown : shown;
  const [right, bottom] = [WHOLE - side - left, WHOLE - side - top];
  const [x, y] = { 90: [top, right], 180: [right, bottom], 270: [bottom, left] }[rotation] ?? [left, top];
  return { left: x as number, top: y as number, side };
}

const asStored = ({ rotation, flip }: Turn): boolean => rotation === 0 && !flip;
const same = (a: Size, b: Size): boolean => a.width === b.width && a.height === b.height;
const shorter = (size: Size): number => Math.min(size.width, size.height);
