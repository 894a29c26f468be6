/** Twilio's processor as twilio-video drives it: VideoFrames in, a bitmaprenderer canvas out. */
import { GaussianBlurBackgroundProcessor } from "@twilio/video-processors";

export const about = { name: "@twilio/video-processors", settings: "GaussianBlurBackgroundProcessor with its defaults, in its worker" };

export async function start(track, { twilio, fps }) {
  const processor = new GaussianBlurBackgroundProcessor({ assetsPath: twilio });
  await processor.loadModel();
  const { width, height } = track.getSettings();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const output = canvas.captureStream(fps).getVideoTracks()[0];
  let first;
  const ready = new Promise((resolve) => (first = resolve));
  const done = () => first?.((first = undefined));
  if ("MediaStreamTrackProcessor" in window) {
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable.getReader();
    void (async () => {
      for (;;) {
        const { value: frame, done: over } = await reader.read();
        if (over) return;
        await processor.processFrame(frame, canvas);
        frame.close();
        done();
      }
    })();
  } else {
    const input = Object.assign(document.createElement("video"), { muted: true, srcObject: new MediaStream([track]) });
    await input.play();
    const next = async () => {
      await processor.processFrame(input, canvas);
      done();
      input.requestVideoFrameCallback(next);
    };
    input.requestVideoFrameCallback(next);
  }
  return { track: output, ready };
}
