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
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  const element = Object.assign(document.createElement("video"), { muted: true, srcObject: new MediaStream([track]) });
  let busy = false; // one frame is on its way at most
  worker.onmessage = ({ data }) => {
    busy = false;
    const [width, height] = [data[0].width, data.reduce((sum, strip) => sum + strip.height, 0)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    let top = 0;
    for (const strip of data) {
      context.drawImage(strip, 0, top);
      top += strip.height;
      strip.close();
    }
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
