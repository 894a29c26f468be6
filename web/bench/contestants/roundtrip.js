/** The floor of anything that draws: every frame to a worker and back, the way livematte's frames go, with nothing done to it. */
export const about = { name: "roundtrip", settings: "frames to a worker and back by the browser's quickest way, unchanged" };

export async function start(track) {
  const worker = new Worker("./roundtrip-worker.js");
  if ("MediaStreamTrackProcessor" in window) {
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 });
    const generator = new MediaStreamTrackGenerator({ kind: "video" });
    worker.postMessage({ readable, writable: generator.writable }, [readable, generator.writable]);
    return { track: generator };
  }
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("bitmaprenderer");
  const element = Object.assign(document.createElement("video"), { muted: true, srcObject: new MediaStream([track]) });
  let busy = false; // one frame is on its way at most
  worker.onmessage = ({ data }) => {
    busy = false;
    if (canvas.width !== data.width || canvas.height !== data.height) [canvas.width, canvas.height] = [data.width, data.height];
    context.transferFromImageBitmap(data);
  };
  const next = () => {
    if (!busy) {
      const frame = new VideoFrame(element);
      worker.postMessage({ frame }, [frame]);
      busy = true;
    }
    element.requestVideoFrameCallback(next);
  };
  element.requestVideoFrameCallback(next);
  const output = canvas.captureStream().getVideoTracks()[0];
  await element.play();
  return { track: output };
}
