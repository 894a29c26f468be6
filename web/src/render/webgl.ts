/** Draws frames with WebGL2: the same mathematics as the kernels (docs/spec), in RGB as browsers hand frames to the graphics card. */

import { LivematteError } from "../errors.js";
import { anyone } from "./anyone.js";
import { fits } from "./composite.js";
import { exchangesSides, shapeOf, type Shape } from "./frames.js";
import { Backplate } from "./gl/backplate.js";
import { readPixels } from "./gl/readback.js";
import area from "./gl/area.frag";
import cells from "./gl/cells.frag";
import composite from "./gl/composite.frag";
import cropShader from "./gl/crop.frag";
import disc from "./gl/disc.frag";
import fill from "./gl/fill.frag";
import gauss from "./gl/gauss.frag";
import light from "./gl/light.frag";
import lights from "./gl/lights.frag";
import matteShader from "./gl/matte.frag";
import { chords, Stage, taps, type Target, type Uniform } from "./gl/stage.js";
import { cellGrid, discGrid, I444, type Kernels, ROUGH_CELLS, SMOOTH_CELLS } from "./kernels.js";
import { rasteriserOf } from "./rasteriser.js";
import { COVER_STRENGTH, type Crop, GUIDED_EPSILON, guidedCells, type Matte, type Painting, type Picture, type Quality, type Renderer, RIM_OF_HEIGHT, SIGMA_OF_HEIGHT, type Size, STEEPEST_GAIN, WHOLE, WRAP_OF_HEIGHT } from "./renderer.js";

const UNCUT = [1, 1, 0, 0] as const;
/** Chroma of what has no colour. */
const GREY = 128;
/** Of R, G, B, and what is added. */
type Weights = [number, number, number, number];
const ONE: Size = { width: 1, height: 1 };
const FEW: Size = { width: 16, height: 16 };

/** WebGL2 in this worker; null where there is none, or it cannot draw into float textures. */
export async function openWebgl(kernels: Kernels): Promise<{ renderer: Renderer; rasteriser: string; software: boolean } | null> {
  const canvas = new OffscreenCanvas(16, 16);
  const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, premultipliedAlpha: true, preserveDrawingBuffer: false, powerPreference: "high-performance" });
  if (!gl?.getExtension("EXT_color_buffer_float")) return null;
  const { name, software } = rasteriserOf(gl);
  return { renderer: new WebglRenderer(canvas, gl, kernels), rasteriser: name, software };
}

export class WebglRenderer implements Renderer {
  readonly name = "webgl";
  /** Milliseconds until the work is handed to the graphics card, not until it is done. */
  readonly spent = { refine: 0, effect: 0, composite: 0 };
  private readonly stage: Stage;
  private readonly backplate: Backplate;
  private shape: Shape | null = null;
  private frame: Target | null = null;
  private guide = new Float32Array(0); // luma and chroma 0-255 of the small picture, one behind the other
  private room: { size: Size; at: { guide: number; alpha: number; lines: number; scratch: number } } | null = null;

  constructor(
    private readonly canvas: OffscreenCanvas,
    private readonly gl: WebGL2RenderingContext,
    private readonly kernels: Kernels,
  ) {
    this.stage = new Stage(gl);
    this.backplate = new Backplate(gl);
  }

  async read(frame: VideoFrame, network: Size, quality: Quality): Promise<Float32Array> {
    const { gl, stage } = this;
    this.shape = null;
    this.alive();
    const shape = shapeOf(frame);
    // browsers turn and mirror a frame while it becomes a texture: from here on it is upright
    const size = upright(shape.size, shape);
    const camera = stage.target("camera", size, "rgba8");
    gl.bindTexture(gl.TEXTURE_2D, camera.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, gl.RGBA, gl.UNSIGNED_BYTE, frame);
    const half = { width: (size.width + 1) >> 1, height: (size.height + 1) >> 1 };
    this.frame = quality.halfSize ? this.pass(area, stage.target("half", half, "rgba8"), { picture: camera.texture, target: [half.width, half.height] }) : camera;
    const small = this.pass(area, stage.target("small", network, "rgba8"), { picture: this.frame.texture, target: [network.width, network.height] });
    const pixels = await readPixels(gl, small);
    this.alive();
    const rgb = this.floats(pixels, shape, network);
    this.shape = shape;
    return rgb;
  }

  get luma(): Float32Array {
    return this.guide.subarray(0, this.guide.length / 3);
  }

  async paint(matte: Matte | null, painting: Painting, quality: Quality, crop: Crop | null = null): Promise<Picture> {
    const { frame, shape, stage } = this;
    if (!frame || !shape) throw new TypeError("paint() comes after read()");
    this.shape = null; // one picture a frame
    const started = performance.now();
    const fitting = fits(matte, shape.timestamp_us) ? matte : null;
    const alpha = this.refine(frame, shape, fitting, painting, quality);
    const refined = performance.now();
    const transparent = painting.type === "transparent";
    const despill = painting.despill && fitting !== null;
    const plate = this.plate(frame, shape, alpha, painting, fitting);
    const inputs: Record<string, Uniform> = { frame: frame.texture, alpha: alpha.texture, plate: plate.texture, cut: plate.cut, transparent, despill, wrap: 0, gain: [...(painting.gain ?? [1, 1, 1]), 1] };
    const rim = cellGrid(RIM_OF_HEIGHT * shorter(frame), ROUGH_CELLS);
    inputs.room = despill ? this.filled("rim room", frame, alpha, rim, false).texture : alpha.texture;
    inputs.person = despill ? this.filled("rim person", frame, alpha, rim, true).texture : alpha.texture;
    inputs.light = painting.lightWrap > 0 ? this.light(frame, alpha, plate).texture : alpha.texture;
    if (fitting) inputs.wrap = painting.lightWrap;
    const painted = performance.now();
    if (this.canvas.width !== frame.width || this.canvas.height !== frame.height) [this.canvas.width, this.canvas.height] = [frame.width, frame.height];
    if (crop) {
      const whole = this.pass(composite, stage.target("whole", frame, "rgba8", true), inputs);
      const [side, left, below] = [crop.side, crop.left, WHOLE - crop.top - crop.side].map((part) => part / WHOLE) as [number, number, number];
      stage.draw(cropShader, null, frame, { whole: whole.texture, window: [side, side, left, below] });
    } else stage.draw(composite, null, frame, inputs);
    this.alive();
    const out: Picture = [this.output(shape, transparent)];
    this.spent.refine = refined - started;
    this.spent.effect = painted - refined;
    this.spent.composite = performance.now() - painted;
    return out;
  }

  setBackdrop(picture: ImageBitmap | VideoFrame | null): void {
    this.backplate.show(picture);
  }

  /** Lose the context, as a driver that crashes does; for tests. */
  loseContext(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  close(): void {
    this.shape = this.frame = null;
    this.backplate.show(null);
    this.stage.close();
    this.loseContext();
  }

  /** Alpha of every pixel; 0 everywhere without a matte. */
  private refine(frame: Target, shape: Shape, matte: Matte | null, painting: Painting, quality: Quality): Target {
    const { gl, kernels, stage } = this;
    const alpha = stage.target("alpha", frame, "r8", true);
    if (!matte) {
      gl.bindFramebuffer(gl.FRAMEBUFFER, alpha.framebuffer);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      return alpha;
    }
    const { size } = matte;
    const count = size.width * size.height;
    if (count !== this.luma.length) throw new LivematteError("renderer", `a matte of ${count} values for a picture of ${this.luma.length}`);
    const grid = quality.refine ? guidedCells(size) : size;
    const places = grid.width * grid.height;
    const values = new Float32Array(4 * places); // slopes of luma and chroma, and offset
    if (quality.refine) {
      // at the network's size the kernel is quicker than a graphics card's passes and their latency
      const at = this.memory(size);
      kernels.floats(at.guide, 3 * count).set(this.guide);
      kernels.floats(at.alpha, count).set(matte.alpha);
      const gain = 1 + (STEEPEST_GAIN - 1) * (1 - painting.softness);
      const { reduce, radius } = guidedCells(size);
      kernels.lm.lm_guided(at.guide, I444, at.alpha, size.width, size.height, reduce, radius, GUIDED_EPSILON, gain, at.lines, at.scratch);
      const lines = kernels.shorts(at.lines, 4 * places);
      const units = [512, 128, 128, 512];
      for (const [c, unit] of units.entries()) for (let i = 0; i < places; i++) values[4 * i + c] = (lines[c * places + i] as number) / unit;
    } else for (let i = 0; i < places; i++) values[4 * i + 3] = matte.alpha[i] as number;
    const line = stage.target("line", grid, "rgba32f");
    gl.bindTexture(gl.TEXTURE_2D, line.texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, grid.width, grid.height, gl.RGBA, gl.FLOAT, values);
    const [u, v] = chromaWeights(shape);
    return this.pass(matteShader, alpha, { frame: frame.texture, line: line.texture, luma: lumaWeights(shape), u, v });
  }

  private plate(frame: Target, shape: Shape, alpha: Target, painting: Painting, matte: Matte | null): { texture: WebGLTexture; cut: readonly number[] } {
    switch (painting.type) {
      case "blur": {
        // a picture that is nothing but blur must not be read, whatever strength was chosen behind a person
        const strength = anyone(matte) ? painting.strength : Math.max(painting.strength, COVER_STRENGTH);
        const sigma_px = strength * SIGMA_OF_HEIGHT * shorter(frame);
        const grid = painting.bokeh ? discGrid(sigma_px, shorter(frame)) : cellGrid(sigma_px, SMOOTH_CELLS);
        if (painting.bokeh) return { texture: this.bokeh(frame, alpha, grid, lumaWeights(shape)).texture, cut: UNCUT };
        return { texture: this.filled("blur", frame, alpha, grid, false).texture, cut: UNCUT };
      }
      case "image":
      case "video":
        return this.backplate.cut(frame) ?? this.plain([0, 0, 0]);
      case "off":
        // asked for by name; a frame that must be covered is black even then
        return matte ? { texture: frame.texture, cut: UNCUT } : this.plain([0, 0, 0]);
      case "color":
        return this.plain(painting.rgb);
      case "transparent":
        return this.plain([0, 0, 0]);
    }
  }

  /** One pixel of this colour. */
  private plain(rgb: readonly number[]): { texture: WebGLTexture; cut: readonly number[] } {
    const { gl } = this;
    const { texture } = this.stage.target("plain", ONE, "rgba8");
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, Uint8Array.of(...rgb, 255));
    return { texture, cut: UNCUT };
  }

  /** The room without the person, or the person without the room, blurred and complete. */
  private filled(name: string, frame: Target, alpha: Target, { reduce, sigma }: { reduce: number; sigma: number }, person: boolean): Target {
    const { stage } = this;
    const size = grid(frame, reduce);
    const sums = this.pass(cells, stage.target(`${name} sums`, size, "rgba16f"), { frame: frame.texture, alpha: alpha.texture, side: reduce, person });
    const mean = this.mean(name, sums);
    const blurred = this.blur(name, sums, sigma);
    return this.pass(fill, stage.target(name, size, "rgba8", true), { sums: blurred.texture, mean: mean.texture });
  }

  /** The room without the person, out of focus as behind a lens. */
  private bokeh(frame: Target, alpha: Target, { reduce, sigma }: { reduce: number; sigma: number }, luma: readonly number[]): Target {
    const { stage } = this;
    const size = grid(frame, reduce);
    const sums = this.pass(cells, stage.target("bokeh sums", size, "rgba16f"), { frame: frame.texture, alpha: alpha.texture, side: reduce, person: false });
    const lit = this.pass(lights, stage.target("bokeh lights", size, "rgba16f"), { sums: sums.texture, luma });
    const mean = this.mean("bokeh", lit);
    const blurred = this.pass(disc, sums, { picture: lit.texture, ...chords(2 * sigma) });
    return this.pass(fill, stage.target("bokeh", size, "rgba8", true), { sums: blurred.texture, mean: mean.texture });
  }

  /** One pixel: the mean of all cells. */
  private mean(name: string, sums: Target): Target {
    const few = this.pass(area, this.stage.target(`${name} few`, FEW, "rgba16f"), { picture: sums.texture, target: [FEW.width, FEW.height] });
    return this.pass(area, this.stage.target(`${name} mean`, ONE, "rgba16f"), { picture: few.texture, target: [1, 1] });
  }

  private light(frame: Target, alpha: Target, plate: { texture: WebGLTexture; cut: readonly number[] }): Target {
    const { reduce, sigma } = cellGrid(WRAP_OF_HEIGHT * shorter(frame), ROUGH_CELLS);
    const lit = this.pass(light, this.stage.target("light", grid(frame, reduce), "rgba16f", true), { plate: plate.texture, alpha: alpha.texture, cut: plate.cut, side: reduce });
    return this.blur("light", lit, sigma);
  }

  /** Both directions of a Gauss, back into the texture it came from. */
  private blur(name: string, picture: Target, sigma: number): Target {
    const gaussian = taps(sigma);
    const across = this.pass(gauss, this.stage.target(`${name} across`, picture, "rgba16f"), { picture: picture.texture, step_: [1, 0], ...gaussian });
    return this.pass(gauss, picture, { picture: across.texture, step_: [0, 1], ...gaussian });
  }

  private pass(fragment: string, to: Target, uniforms: Record<string, Uniform>): Target {
    this.stage.draw(fragment, to, to, uniforms);
    return to;
  }

  private output(shape: Shape, alpha: boolean): VideoFrame {
    const { width: displayWidth, height: displayHeight } = upright(shape.display, shape);
    const duration = shape.duration_us === null ? {} : { duration: shape.duration_us };
    const init = { timestamp: shape.timestamp_us, alpha: alpha ? "keep" : "discard", displayWidth, displayHeight, ...duration };
    return new VideoFrame(this.canvas, init as VideoFrameInit);
  }

  /** RGB 0-1 of the small picture; its luma and chroma 0-255 are kept as the guide of the matte. */
  private floats(pixels: Uint8Array, shape: Shape, { width, height }: Size): Float32Array {
    const count = width * height;
    const rgb = new Float32Array(3 * count);
    if (this.guide.length !== 3 * count) this.guide = new Float32Array(3 * count);
    const weights = [lumaWeights(shape), ...chromaWeights(shape).map((chroma) => [...chroma.slice(0, 3), GREY])];
    for (let i = 0; i < count; i++) {
      const [r, g, b] = [(pixels[4 * i] as number) / 255, (pixels[4 * i + 1] as number) / 255, (pixels[4 * i + 2] as number) / 255];
      [rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]] = [r, g, b];
      for (const [c, [red, green, blue, black]] of (weights as Weights[]).entries()) this.guide[c * count + i] = red * r + green * g + blue * b + black;
    }
    return rgb;
  }

  private memory(size: Size): { guide: number; alpha: number; lines: number; scratch: number } {
    if (this.room?.size.width !== size.width || this.room.size.height !== size.height) {
      const { kernels } = this;
      const count = size.width * size.height;
      kernels.reset();
      const [guide, alpha, lines] = [12 * count, 4 * count, 8 * count].map((bytes) => kernels.take(bytes)) as [number, number, number];
      const scratch = kernels.take(kernels.lm.lm_scratch_bytes(2 * size.width, 2 * size.height));
      this.room = { size, at: { guide, alpha, lines, scratch } };
    }
    return this.room.at;
  }

  private alive(): void {
    if (this.gl.isContextLost()) throw new LivematteError("renderer", "the graphics context was lost");
  }
}

/** Luma 0-255 of R, G, B 0-1, and black: the frame's own, so that edges are those the kernels see. */
function lumaWeights({ colour }: Shape): readonly number[] {
  const [red, blue] = colour & 2 ? [0.2126, 0.0722] : [0.299, 0.114];
  const [range, black] = colour & 1 ? [255, 0] : [219, 16];
  return [range * red, range * (1 - red - blue), range * blue, black];
}

/** Chroma from 128 on of R, G, B 0-1, in code values: U's weights and V's. */
function chromaWeights({ colour }: Shape): readonly [readonly number[], readonly number[]] {
  const [red, blue] = colour & 2 ? [0.2126, 0.0722] : [0.299, 0.114];
  const range = colour & 1 ? 255 : 224;
  const [u, v] = [range / (2 - 2 * blue), range / (2 - 2 * red)];
  const green = red + blue - 1;
  return [
    [-red * u, green * u, (1 - blue) * u, 0],
    [(1 - red) * v, green * v, -blue * v, 0],
  ];
}

const upright = ({ width, height }: Size, { rotation }: Shape): Size => (exchangesSides(rotation) ? { width: height, height: width } : { width, height });
const grid = (size: Size, reduce: number): Size => ({ width: Math.ceil(size.width / reduce), height: Math.ceil(size.height / reduce) });
const shorter = (size: Size): number => Math.min(size.width, size.height);
