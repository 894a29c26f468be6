/** A picture or a film's frame as a texture, and the part of it that covers the frame. */

import type { Size } from "../renderer.js";

export class Backplate {
  private texture: WebGLTexture | null = null;
  private size: Size | null = null;
  private drawn = false;
  private picture: ImageBitmap | VideoFrame | null = null;

  constructor(private readonly gl: WebGL2RenderingContext) {}

  /** Take a new picture and close the one before; null frees everything. */
  show(picture: ImageBitmap | VideoFrame | null): void {
    this.picture?.close();
    this.picture = picture;
    this.drawn = false;
    if (picture) return;
    this.gl.deleteTexture(this.texture);
    this.texture = this.size = null;
  }

  /** The texture, and scale and offset of the part that is seen. */
  cut(frame: Size): { texture: WebGLTexture; cut: readonly number[] } | null {
    if (!this.picture) return null;
    if (!this.drawn) this.upload(this.picture);
    this.drawn = true;
    const { width, height } = this.size as Size;
    const scale = Math.max(frame.width / width, frame.height / height);
    const [x, y] = [frame.width / (scale * width), frame.height / (scale * height)];
    return { texture: this.texture as WebGLTexture, cut: [x, y, (1 - x) / 2, (1 - y) / 2] };
  }

  private upload(picture: ImageBitmap | VideoFrame): void {
    const { gl } = this;
    this.texture ??= gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    gl.generateMipmap(gl.TEXTURE_2D);
    this.size = picture instanceof ImageBitmap ? { width: picture.width, height: picture.height } : { width: picture.displayWidth, height: picture.displayHeight };
  }
}
