/** Copies the planes of every frame and makes a frame of them: what cannot be saved. */

let pixels = new ArrayBuffer(0);

async function copy(frame) {
  const bytes = frame.allocationSize();
  if (pixels.byteLength !== bytes) pixels = new ArrayBuffer(bytes);
  const layout = await frame.copyTo(pixels);
  const { format, codedWidth, codedHeight, visibleRect, timestamp } = frame;
  const { width, height } = visibleRect ?? { width: codedWidth, height: codedHeight };
  frame.close();
  return new VideoFrame(pixels, { format, codedWidth: width, codedHeight: height, timestamp, layout });
}

self.onmessage = async ({ data }) => {
  if (data.frame) {
    const copied = await copy(data.frame);
    const bitmap = await createImageBitmap(copied);
    copied.close();
    return self.postMessage(bitmap, [bitmap]);
  }
  const through = new TransformStream({ transform: async (frame, controller) => controller.enqueue(await copy(frame)) });
  return data.readable.pipeThrough(through).pipeTo(data.writable);
};
