/** Pixels from the graphics card without waiting for it: into a buffer, and from there when a fence has passed. */

import type { Target } from "./stage.js";

const POLL_MS = 1;
const LIMIT_MS = 2000;

/** RGBA bytes of a small texture, first row first. @throws Error when the card does not answer. */
export async function readPixels(gl: WebGL2RenderingContext, { framebuffer, width, height }: Target): Promise<Uint8Array> {
  const pixels = new Uint8Array(4 * width * height);
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
  gl.bufferData(gl.PIXEL_PACK_BUFFER, pixels.length, gl.STREAM_READ);
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, 0);
  gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  try {
    for (const end = performance.now() + LIMIT_MS; fence && gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED; ) {
      if (performance.now() > end) throw new Error("the graphics card does not answer");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer);
    gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, pixels);
    return pixels;
  } finally {
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    gl.deleteSync(fence);
    gl.deleteBuffer(buffer);
  }
}
