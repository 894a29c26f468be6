/** A picture or a film's frame behind the person, cut to cover the frame. */

import type { Desk } from "./desk.js";
import { exchangesSides, type Shape } from "./frames.js";
import { I420, type Kernels } from "./kernels.js";
import type { Size } from "./renderer.js";

const RGBA_ORDER = 0;

export class Backdrop {
  private picture: ImageBitmap | VideoFrame | null = null;
  private canvas: OffscreenCanvas | null = null;
  private drawn = ""; // size and colour that desk.backdrop was drawn for

  /** Take a new picture and close the one before. */
  show(picture: ImageBitmap | VideoFrame | null): void {
    this.picture?.close();
    this.picture = picture;
    this.drawn = "";
  }

  /** The desk has been laid anew. */
  forget(): void {
    this.drawn = "";
  }

  /** Make sure that `desk.backdrop` holds the picture; false where there is none. */
  draw(kernels: Kernels, desk: Desk, shape: Shape): boolean {
    if (!this.picture) return false;
    const { width, height } = desk.size;
    const kind = `${width}x${height} ${shape.colour} ${shape.rotation} ${shape.flip}`;
    if (this.drawn === kind) return true;
    const pixels = this.pixels(this.picture, desk.size, shape);
    kernels.bytes(desk.staging, pixels.length).set(pixels);
    const [y, u, v] = desk.backdrop.at as [number, number, number];
    kernels.lm.lm_rgba_to_planes(desk.staging, 4 * width, width, height, RGBA_ORDER, I420, shape.colour, y, u, v);
    this.drawn = kind;
    return true;
  }

  /** RGBA of the picture's middle over black, turned as the camera's pixels are stored. */
  private pixels(picture: ImageBitmap | VideoFrame, size: Size, shape: Shape): Uint8ClampedArray {
    const { width, height } = size;
    if (this.canvas?.width !== width || this.canvas.height !== height) this.canvas = new OffscreenCanvas(width, height);
    const context = this.canvas.getContext("2d", { willReadFrequently: true, alpha: false }) as OffscreenCanvasRenderingContext2D;
    const [w, h] = picture instanceof ImageBitmap ? [picture.width, picture.height] : [picture.displayWidth, picture.displayHeight];
    const [across, down] = exchangesSides(shape.rotation) ? [height, width] : [width, height];
    const scale = Math.max(across / w, down / h);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillRect(0, 0, width, height);
    context.translate(width / 2, height / 2);
    context.rotate((-shape.rotation * Math.PI) / 180);
    if (shape.flip) context.scale(-1, 1);
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (-w * scale) / 2, (-h * scale) / 2, w * scale, h * scale);
    return context.getImageData(0, 0, width, height).data;
  }
}
