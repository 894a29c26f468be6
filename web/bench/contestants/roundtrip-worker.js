/** Copies the planes of every frame and makes a frame of them, or strips of one: what cannot be saved. */

/** Of a bitmap: Firefox gives memory of 1 MB and more back to the system at once, and touches every page of it anew. */
const STRIP_BYTES = 960 * 1024;

let pixels = new Uint8Array(0);
let strip = new Uint8Array(0);

async function copy(frame) {
  const bytes = frame.allocationSize();
  if (pixels.length !== bytes) pixels = new Uint8Array(bytes);
  const layout = await frame.copyTo(pixels);
  const { format, codedWidth, codedHeight, visibleRect, timestamp } = frame;
  const { width, height } = visibleRect ?? { width: codedWidth, height: codedHeight };
  frame.close();
  return { format, codedWidth: width, codedHeight: height, timestamp, layout };
}

/** Bitmaps of whole rows of an I420 picture, from top to bottom. */
function bitmaps({ codedWidth: width, codedHeight: height, layout, ...shape }) {
  if (shape.format !== "I420") throw new TypeError(`a fake camera gives I420, this one ${shape.format}`);
  const most = 2 * Math.floor(STRIP_BYTES / (8 * width));
  if (strip.length !== 1.5 * most * width) strip = new Uint8Array(1.5 * most * width);
  return Promise.all(Array.from({ length: Math.ceil(height / most) }, (_, i) => {
    const rows = Math.min(most, height - i * most);
    let to = 0;
    for (const [plane, { offset, stride }] of layout.entries()) {
      const [from, count] = plane ? [(i * most) / 2, rows / 2] : [i * most, rows];
      strip.set(pixels.subarray(offset + from * stride, offset + (from + count) * stride), to);
      to += count * stride;
    }
    const frame = new VideoFrame(strip, { ...shape, codedWidth: width, codedHeight: rows });
    const bitmap = createImageBitmap(frame);
    frame.close();
    return bitmap;
  }));
}

self.onmessage = async ({ data }) => {
  if (data.frame) {
    const strips = await bitmaps(await copy(data.frame));
    return self.postMessage(strips, strips);
  }
  const transform = async (frame, controller) => {
    const shape = await copy(frame);
    controller.enqueue(new VideoFrame(pixels, shape));
  };
  return data.readable.pipeThrough(new TransformStream({ transform })).pipeTo(data.writable);
};
