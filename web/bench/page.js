/** One contestant in one page: a camera, its output in a video element, and a count of what is shown. */

const output = document.getElementById("output");

window.bench = {
  /** @returns milliseconds from the call to the first processed frame that is shown. */
  async start(contestant, { camera, width, height, fps, places }) {
    const track = await open(camera, width, height, fps);
    window.bench.settings = track.getSettings();
    const { start } = await import(`./${contestant}.js`);
    const called_ms = performance.now();
    const { track: processed, ready, figures } = await start(track, { ...places, fps });
    output.srcObject = new MediaStream([processed]);
    await output.play();
    await (ready ?? new Promise((resolve) => output.requestVideoFrameCallback(resolve)));
    await new Promise((resolve) => output.requestVideoFrameCallback(resolve));
    const first_ms = performance.now() - called_ms;
    const count = () => {
      window.bench.frames++;
      output.requestVideoFrameCallback(count);
    };
    output.requestVideoFrameCallback(count);
    window.bench.figures = figures ?? (() => null);
    return first_ms;
  },
  frames: 0,
};

async function open(camera, width, height, fps) {
  if (!camera) return (await navigator.mediaDevices.getUserMedia({ video: { width: { exact: width }, height: { exact: height }, frameRate: { ideal: fps } } })).getVideoTracks()[0];
  const film = Object.assign(document.createElement("video"), { muted: true, loop: true, src: camera });
  await film.play();
  return (film.captureStream?.() ?? film.mozCaptureStream()).getVideoTracks()[0];
}
