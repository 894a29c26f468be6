/** VideoFrames in and out of the kernels' memory, in the planes the browser has them in. */

import { I420, type Kernels, type Planes, planeSizes } from "./kernels.js";
import type { Picture, Size } from "./renderer.js";

/** Colours of the kernels: BT.601 limited 0, full 1; BT.709 limited 2, full 3. */
export type Colour = 0 | 1 | 2 | 3;

/** Untagged video of this height or more is BT.709, below BT.601: what encoders and players assume. */
const HD_HEIGHT_PX = 720;

const RGBA_ORDER = 0;
const BGRA_ORDER = 1;

/** Largest strip as a bitmap: with room for what the allocator needs, under the 1 MB from which it keeps nothing. */
const STRIP_BYTES = 960 * 1024;
const RGBA_BYTES = 4; // a pixel

/** What browsers know of a frame and TypeScript's types do not yet. */
type Turned = Partial<Turn>;

/** From the stored picture to the shown one. */
export interface Turn {
  readonly rotation: number; // degrees clockwise: 0, 90, 180 or 270
  readonly flip: boolean; // mirrored after that
}

/** From the shown picture to the stored one. What turns and mirrors undoes itself. */
export function back({ rotation, flip }: Turn): Turn {
  return { rotation: flip ? rotation : (360 - rotation) % 360, flip };
}

/** All of a frame but its pixels. */
export interface Shape extends Turn {
  readonly size: Size; // of the visible pixels, as they are stored
  readonly display: Size; // as stored, too: before it is turned
  readonly colour: Colour;
  readonly colorSpace: VideoColorSpaceInit;
  readonly timestamp_us: number;
  readonly duration_us: number | null;
}

/** @throws TypeError on a closed frame. */
export function shapeOf(frame: VideoFrame): Shape {
  const visible = frame.visibleRect;
  if (!visible) throw new TypeError("the frame is closed");
  const size = { width: visible.width, height: visible.height };
  const { rotation = 0, flip = false } = frame as Turned;
  const given = frame.colorSpace.toJSON();
  const yuv = frame.format !== null && /^(I4|NV)/.test(frame.format);
  const bt709 = yuv ? (given.matrix ? given.matrix === "bt709" : size.height >= HD_HEIGHT_PX) : true;
  const full = yuv && given.fullRange === true;
  // RGB becomes BT.709 limited, and says so; video keeps what it said of itself
  const colorSpace: VideoColorSpaceInit = yuv ? given : { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false };
  return {
    size,
    display: exchangesSides(rotation) ? { width: frame.displayHeight, height: frame.displayWidth } : { width: frame.displayWidth, height: frame.displayHeight },
    colour: ((bt709 ? 2 : 0) + (full ? 1 : 0)) as Colour,
    colorSpace,
    rotation,
    flip,
    timestamp_us: frame.timestamp,
    duration_us: frame.duration,
  };
}

/** Bytes that copyIn() may need beside the planes. */
export function stagingBytes(size: Size): number {
  return 4 * even(size.width) * even(size.height);
}

/** Copy a frame's visible pixels into `planes` as I420; `staging` is memory of stagingBytes(). */
export async function copyIn(kernels: Kernels, frame: VideoFrame, shape: Shape, planes: Planes, staging: number): Promise<void> {
  const { width, height } = shape.size;
  const chroma = planeSizes(shape.size, I420)[1] as Size;
  const [y, u, v] = planes.at as [number, number, number];
  const odd = (width | height) & 1;
  if (frame.format === "I420" && !odd) {
    const layout = planes.sizes.map((size, i) => ({ offset: (planes.at[i] as number) - planes.data, stride: size.width }));
    await frame.copyTo(kernels.bytes(planes.data, planes.bytes), { layout });
    return;
  }
  switch (frame.format) {
    case "I420":
    case "NV12": {
      // Firefox leaves out the last column and row of chroma where sides are odd: take the coded ones behind them, too
      const rect = wholeRect(frame);
      const area = rect.width * rect.height;
      const samples = chroma.width * chroma.height;
      const interleaved = frame.format === "NV12";
      const rest = interleaved ? [{ offset: area, stride: 2 * chroma.width }] : [0, 1].map((i) => ({ offset: area + i * samples, stride: chroma.width }));
      await frame.copyTo(kernels.bytes(staging, area + 2 * samples), { rect, layout: [{ offset: 0, stride: rect.width }, ...rest] });
      if (rect.width === width) kernels.bytes(y, width * height).set(kernels.bytes(staging, width * height));
      else for (let row = 0; row < height; row++) kernels.bytes(y + row * width, width).set(kernels.bytes(staging + row * rect.width, width));
      if (interleaved) kernels.lm.lm_split_chroma(kernels.scratchPlane(staging + area, 2 * chroma.width, chroma), u, v);
      else kernels.bytes(u, 2 * samples).set(kernels.bytes(staging + area, 2 * samples));
      return;
    }
    default: {
      // BGRA and RGBA as they are; whatever else there is (10 bits, alpha, opaque) the browser converts
      const bgra = frame.format === "BGRA" || frame.format === "BGRX";
      const packed = bgra || frame.format === "RGBA" || frame.format === "RGBX";
      const layout = [{ offset: 0, stride: 4 * width }];
      const options = packed ? { layout } : ({ layout, format: "RGBA" } as VideoFrameCopyToOptions);
      await frame.copyTo(kernels.bytes(staging, 4 * width * height), options);
      kernels.lm.lm_rgba_to_planes(staging, 4 * width, width, height, bgra ? BGRA_ORDER : RGBA_ORDER, I420, shape.colour, y, u, v);
    }
  }
}

/** The visible part of a frame, with even sides where it has the pixels. */
function wholeRect(frame: VideoFrame): { x: number; y: number; width: number; height: number } {
  const { x, y, width, height } = frame.visibleRect as DOMRectReadOnly;
  return { x, y, width: Math.min(even(width), frame.codedWidth - x), height: Math.min(even(height), frame.codedHeight - y) };
}

/** A new frame of these I420 planes, or of I420A where a fourth one follows; time and rotation are those of `shape`. */
export function frameOf(pixels: Uint8Array<ArrayBuffer>, size: Size, shape: Shape, alpha: boolean): VideoFrame {
  const { width, height } = size;
  const odd = width % 2 !== 0 || height % 2 !== 0;
  const init = {
    format: alpha ? "I420A" : "I420",
    codedWidth: even(width),
    codedHeight: even(height),
    visibleRect: { x: 0, y: 0, width, height },
    displayWidth: shape.display.width,
    displayHeight: shape.display.height,
    timestamp: shape.timestamp_us,
    colorSpace: shape.colorSpace,
    rotation: shape.rotation,
    flip: shape.flip,
    ...(shape.duration_us === null ? {} : { duration: shape.duration_us }),
  };
  return new VideoFrame(odd ? padded(pixels, size, alpha) : pixels, init as VideoFrameBufferInit);
}

/**
 * The same as a picture in strips, each a bitmap of less than 1 MB: Firefox gives larger memory back to the system at once
 * and touches every page of it anew. One frame where it is small, turned, odd, stretched or has alpha.
 * @param scratch memory of stagingBytes(), overwritten.
 */
export function pictureOf(pixels: Uint8Array<ArrayBuffer>, size: Size, shape: Shape, alpha: boolean, scratch: Uint8Array<ArrayBuffer>): Picture {
  const { width, height } = size;
  const rows = 2 * Math.floor(STRIP_BYTES / (2 * RGBA_BYTES * width)); // even, as a row of chroma is two rows of luma
  const odd = width % 2 !== 0 || height % 2 !== 0;
  const stretched = shape.display.width !== width || shape.display.height !== height;
  if (rows < 2 || rows >= height || shape.rotation !== 0 || shape.flip || odd || stretched || alpha) return [frameOf(pixels, size, shape, alpha)];
  const area = width * height;
  const strip = (top: number): VideoFrame => {
    const codedHeight = Math.min(rows, height - top);
    let to = 0;
    // Firefox does not heed the offsets of a layout: the planes of a strip must follow one another
    for (const [plane, part] of [[0, 1], [area, 4], [area + area / 4, 4]] as const) {
      scratch.set(pixels.subarray(plane + (top * width) / part, plane + ((top + codedHeight) * width) / part), to);
      to += (codedHeight * width) / part;
    }
    return new VideoFrame(scratch.subarray(0, to), { format: "I420", codedWidth: width, codedHeight, timestamp: shape.timestamp_us, colorSpace: shape.colorSpace });
  };
  return [strip(0), ...Array.from({ length: Math.ceil(height / rows) - 1 }, (_, i) => strip((i + 1) * rows))];
}

const even = (side: number): number => side + (side & 1);

/** The planes with sides rounded up to even ones, which is all that Firefox takes; what is added is not visible. */
function padded(pixels: Uint8Array, size: Size, alpha: boolean): Uint8Array<ArrayBuffer> {
  const chroma = planeSizes(size, I420)[1] as Size;
  const full = { width: even(size.width), height: even(size.height) };
  const planes = [[size, full], [chroma, chroma], [chroma, chroma], ...(alpha ? [[size, full]] : [])] as [Size, Size][];
  const out = new Uint8Array(planes.reduce((sum, [, to]) => sum + to.width * to.height, 0));
  let [at, to] = [0, 0];
  for (const [from, room] of planes) {
    for (let y = 0; y < from.height; y++) out.set(pixels.subarray(at + y * from.width, at + (y + 1) * from.width), to + y * room.width);
    at += from.width * from.height;
    to += room.width * room.height;
  }
  return out;
}

/** Whether a picture turned by these degrees has width and height exchanged. */
export function exchangesSides(rotation: number): boolean {
  return rotation % 180 !== 0;
}

/**
 * A picture of float samples as it is shown: turned clockwise by 0, 90, 180 or 270 degrees, then mirrored if `flip`.
 * `size` is its size before. The way back is `back()`.
 */
export function turn(samples: Float32Array, size: Size, channels: number, { rotation, flip }: Turn, out: Float32Array): Float32Array {
  const { width, height } = size;
  const [across, row, corner] = ({
    90: [-width, 1, (height - 1) * width],
    180: [-1, -width, width * height - 1],
    270: [width, -1, width - 1],
  }[rotation] ?? [1, width, 0]) as [number, number, number];
  const [outWidth, outHeight] = exchangesSides(rotation) ? [height, width] : [width, height];
  const [step, first] = flip ? [-across, corner + (outWidth - 1) * across] : [across, corner];
  let to = 0;
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      const from = channels * (first + x * step + y * row);
      for (let c = 0; c < channels; c++) out[to++] = samples[from + c] as number;
    }
  }
  return out;
}
