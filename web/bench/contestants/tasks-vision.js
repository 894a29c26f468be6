/** MediaPipe Tasks put together with care: the network once a frame, a 2D canvas that blends, the blur at a quarter of the size. */
import { FilesetResolver, ImageSegmenter } from "@mediapipe/tasks-vision";

export const about = { name: "@mediapipe/tasks-vision", settings: "ImageSegmenter on the CPU, confidence mask, 2D canvas, blur at a quarter of the size" };

const BLUR_PX_OF_HEIGHT = 0.03;

export async function start(track, { vision, landscape, fps }) {
  const segmenter = await ImageSegmenter.createFromOptions(await FilesetResolver.forVisionTasks(vision), {
    baseOptions: { modelAssetPath: landscape, delegate: "CPU" },
    runningMode: "VIDEO",
    outputConfidenceMasks: true,
    outputCategoryMask: false,
  });
  const { width, height } = track.getSettings();
  const video = Object.assign(document.createElement("video"), { muted: true, srcObject: new MediaStream([track]) });
  await video.play();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  const matte = document.createElement("canvas").getContext("2d");
  const output = canvas.captureStream(fps).getVideoTracks()[0];
  const blurred = Object.assign(document.createElement("canvas"), { width: width / 4, height: height / 4 }).getContext("2d");
  blurred.filter = `blur(${Math.round((BLUR_PX_OF_HEIGHT * height) / 4)}px)`;
  let first;
  let pixels;
  const ready = new Promise((resolve) => (first = resolve));
  const next = () => {
    segmenter.segmentForVideo(video, performance.now(), ({ confidenceMasks }) => {
      const mask = confidenceMasks[confidenceMasks.length - 1];
      if (pixels?.width !== mask.width) {
        Object.assign(matte.canvas, { width: mask.width, height: mask.height });
        pixels = matte.createImageData(mask.width, mask.height);
      }
      const alpha = mask.getAsFloat32Array();
      for (let i = 0; i < alpha.length; i++) pixels.data[4 * i + 3] = 255 * alpha[i];
      matte.putImageData(pixels, 0, 0);
    });
    context.globalCompositeOperation = "copy";
    context.drawImage(matte.canvas, 0, 0, width, height);
    context.globalCompositeOperation = "source-in";
    context.drawImage(video, 0, 0, width, height);
    context.globalCompositeOperation = "destination-over";
    blurred.drawImage(video, 0, 0, width / 4, height / 4);
    context.drawImage(blurred.canvas, 0, 0, width, height);
    first();
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
  return { track: output, ready };
}
