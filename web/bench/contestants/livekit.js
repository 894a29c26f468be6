/** LiveKit's processor as its client drives it, with local files in place of its CDN's. */
import { BackgroundProcessor } from "@livekit/track-processors";

export const about = { name: "@livekit/track-processors", settings: "BackgroundProcessor, background-blur 10, segmenter on the CPU, landscape network" };

export async function start(track, { livekitVision, landscape }) {
  let first;
  const ready = new Promise((resolve) => (first = resolve));
  const processor = BackgroundProcessor({
    mode: "background-blur",
    blurRadius: 10,
    segmenterOptions: { delegate: "CPU" },
    assetPaths: { tasksVisionFileSet: livekitVision, modelAssetPath: landscape },
    onFrameProcessed: () => first(),
  });
  const element = Object.assign(document.createElement("video"), { muted: true, srcObject: new MediaStream([track]) });
  await element.play();
  await processor.init({ kind: "video", track, element });
  return { track: processor.processedTrack, ready };
}
