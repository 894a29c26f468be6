/** What the tests do in the page: cameras, a Background, and a look at every frame that comes out. */

import { createBackground, paintParts, PARTS } from "/livematte/index.js";
import { check } from "/golden/cases.mjs";

const STRIPE_PX = 8; // at 640 pixels across, see material.py
const BOX_PX = 96; // corner in which the room's stripes would be seen
const FEW_PX = [64, 36]; // size at which the share of the person is counted
const FAR = 24; // code values by which a pixel differs from the plate
const SETTLED_MS = 20_000;

const output = document.getElementById("output");
const corner = new OffscreenCanvas(BOX_PX, BOX_PX).getContext("2d", { willReadFrequently: true });
const small = new OffscreenCanvas(...FEW_PX).getContext("2d", { willReadFrequently: true });
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));

/** The live things of this page; tests read them. */
export const kit = {
  createBackground,
  paintParts,
  PARTS,
  violations,
  errors: [],
  events: [],
  seen: [],
  wait,

  /** A live track: "device" is the fake camera, "person" and "striped" are films of material.py. */
  async camera(kind, constraints = { width: 640, height: 480 }) {
    if (kind === "device") return (await navigator.mediaDevices.getUserMedia({ video: constraints })).getVideoTracks()[0];
    const film = Object.assign(document.createElement("video"), { muted: true, loop: true, src: `/material/${kind}.webm` });
    await film.play();
    kit.film = film;
    return (film.captureStream?.() ?? film.mozCaptureStream()).getVideoTracks()[0];
  },

  /** A Background whose events are noted in `errors` and `events`. */
  async open(options = {}) {
    const background = await createBackground(options);
    for (const type of ["ready", "error", "rung", "ended"]) background.addEventListener(type, ({ detail }) => kit.events.push({ type, code: detail?.code ?? null, rung: detail?.rung ?? null }));
    background.addEventListener("error", ({ detail }) => kit.errors.push(`${detail.code}: ${detail.message}`));
    return (kit.background = background);
  },

  /** From a camera to the page's video element, every output frame looked at. */
  async start(kind, options = {}, constraints) {
    kit.track = await kit.camera(kind, constraints);
    await kit.open(options);
    kit.output = await kit.background.process(kit.track);
    kit.watch(kit.output);
    return true;
  },

  /** Note what every frame of a track shows, from now on. */
  watch(track) {
    output.srcObject = new MediaStream([track]);
    void output.play().catch(() => undefined);
    if ("MediaStreamTrackProcessor" in window) {
      const reader = new MediaStreamTrackProcessor({ track: track.clone() }).readable.getReader();
      void (async () => {
        for (;;) {
          const { value: frame, done } = await reader.read();
          if (done) return;
          note(frame, frame.displayWidth, frame.displayHeight, frame.timestamp);
          frame.close();
        }
      })();
    } else {
      const next = (now, { mediaTime, width, height }) => {
        note(output, width, height, mediaTime * 1e6);
        output.requestVideoFrameCallback(next);
      };
      output.requestVideoFrameCallback(next);
    }
  },

  /** Wait until a condition on the page holds; its last state where it never does. */
  async until(condition, limit_ms = SETTLED_MS) {
    for (const end = performance.now() + limit_ms; performance.now() < end; await wait(50)) if (condition()) return true;
    return false;
  },

  ready: (limit_ms) => kit.until(() => kit.background.stats().firstMatte_ms !== null && kit.seen.some(({ shown }) => shown > 0.05), limit_ms),

  /** What `seen` says since the last call, in short. */
  report() {
    const frames = kit.seen.splice(0);
    const worst = (values) => values.reduce((most, value) => Math.max(most, value), 0);
    const sizes = [...new Set(frames.map(({ width, height }) => `${width}x${height}`))];
    const backwards = frames.filter(({ timestamp }, i) => i > 0 && timestamp < frames[i - 1].timestamp).length;
    return {
      frames: frames.length,
      stripes: worst(frames.map(({ stripes }) => stripes)),
      shownMost: worst(frames.map(({ shown }) => shown)),
      shownLeast: 1 - worst(frames.map(({ shown }) => 1 - shown)),
      sizes,
      backwards,
      gap_ms: worst(frames.slice(1).map(({ at }, i) => at - frames[i].at)),
      corner: frames.at(-1)?.corner,
    };
  },

  /** The kernels of this browser against the golden vectors. */
  async golden() {
    const [wasm, cases, stored] = await Promise.all(["/livematte/assets/livematte.wasm", "/golden/vectors.json", "/golden/vectors.bin"].map((url) => fetch(url)));
    return check(await WebAssembly.compile(await wasm.arrayBuffer()), await cases.json(), new Uint8Array(await stored.arrayBuffer()));
  },

  /** Every still of material.py by this browser: mean and largest difference from Python's Session, in code values. */
  async stills(format = "I420", only = () => true) {
    const { frames, cases } = await (await fetch("/material/stills.json")).json();
    const stored = new Uint8Array(await (await fetch("/material/stills.bin")).arrayBuffer());
    const background = await kit.open({ temporal: false, governor: false, effect: { type: "blur" } });
    await background.loaded;
    const found = [];
    let timestamp = 0;
    for (const { frame: name, effect, planes } of cases) {
      if (!only(name, effect)) continue;
      await background.setEffect(effect.src ? { ...effect, src: new URL(effect.src, location.href) } : effect);
      const frame = frameOf(stored, frames[name], (timestamp += 1e6), format);
      const out = await background.probe({ type: "still", frame });
      found.push({ name: `${format} ${name} ${JSON.stringify(effect)}`, kind: effect.type, ...(await compare(out, stored, planes)), timestamp: out.timestamp - timestamp, matrix: out.colorSpace.matrix });
      out.close();
    }
    background.stop();
    return found;
  },

  /** Every picture of bodypix_files.py by this browser: mean difference from Python's Session, and the part of the map of parts that differs. */
  async bodypix() {
    const { frames, cases } = await (await fetch("/bodypix/parts.json")).json();
    const stored = new Uint8Array(await (await fetch("/bodypix/parts.bin")).arrayBuffer());
    const background = await kit.open({ temporal: false, governor: false, effect: { type: "color", rgb: "#00b140" } });
    await background.loaded;
    const found = [];
    let timestamp = 0;
    for (const { frame: name, model, parts, planes, map } of cases) {
      await background.setModel(model, parts ? { parts } : {});
      const out = await background.probe({ type: "still", frame: frameOf(stored, frames[name], (timestamp += 1e6), "I420") });
      const seen = await background.parts();
      const known = map ? new Int8Array(stored.buffer, map.at, map.width * map.height) : null;
      const same = known && seen && seen.width === map.width && seen.height === map.height && seen.timestamp === timestamp;
      const other = same ? seen.data.filter((part, i) => part !== known[i]).length / known.length : seen === null ? null : 1;
      found.push({ name: `${name} ${model} ${parts ?? ""}`, ...(await compare(out, stored, planes)), other, kinds: seen ? new Set(seen.data).size : 0 });
      out.close();
    }
    background.stop();
    return found;
  },

  /** Frames in a row by this browser: mean difference of each from what Python's Session, with its memory, makes of it. */
  async row(name) {
    const { frames, streams } = await (await fetch("/material/stills.json")).json();
    const stored = new Uint8Array(await (await fetch("/material/stills.bin")).arrayBuffer());
    const { effect, room } = streams[name];
    const background = await kit.open({ governor: false, effect, ...(room ? { room } : {}) });
    await background.loaded;
    const found = [];
    for (const [n, { frame, planes }] of streams[name].frames.entries()) {
      const out = await background.probe({ type: "still", frame: frameOf(stored, frames[frame], 33_333 * (n + 1), "I420") });
      found.push((await compare(out, stored, planes)).mean);
      out.close();
    }
    background.stop();
    return found;
  },

  /** Stills and a stream with auto-framing: mean difference of each from Python's. */
  async framed() {
    const { frames, framed, followed, stepMs } = await (await fetch("/material/stills.json")).json();
    const stored = new Uint8Array(await (await fetch("/material/stills.bin")).arrayBuffer());
    const found = [];
    const look = async (background, { frame, planes }, timestamp, name) => {
      const out = await background.probe({ type: "still", frame: frameOf(stored, frames[frame], timestamp, "I420") });
      found.push({ name, ...(await compare(out, stored, planes)), size: [out.displayWidth, out.displayHeight] });
      out.close();
    };
    const alone = await kit.open({ temporal: false, governor: false, framing: true });
    await alone.loaded;
    for (const [n, still] of framed.entries()) {
      await alone.setEffect(still.effect);
      await look(alone, still, 1e6 * (n + 1), `${still.frame} ${JSON.stringify(still.effect)}`);
    }
    alone.stop();
    const stream = await kit.open({ governor: false, framing: true, effect: { type: "color", rgb: [30, 60, 90] } });
    await stream.loaded;
    for (const [n, each] of followed.entries()) await look(stream, each, 1000 * stepMs * n, `${n}: ${each.frame}`);
    stream.stop();
    return found;
  },

  /** The same stills by both renderers: mean difference in code values of RGB, alpha counted where there is one. */
  async renderers(keep = false, options = {}, wanted = () => true) {
    const { frames } = await (await fetch("/material/stills.json")).json();
    const stored = new Uint8Array(await (await fetch("/material/stills.bin")).arrayBuffer());
    const src = new URL("/material/plate.png", location.href);
    const effects = [
      { type: "blur" },
      { type: "blur", strength: 1, softness: 0 },
      { type: "blur", strength: 0.1, softness: 1, lightWrap: 1 },
      { type: "blur", bokeh: true },
      { type: "color", rgb: "#00b140" },
      { type: "color", rgb: "#ffffff", despill: false, lightWrap: 0.6 },
      { type: "image", src },
      { type: "color", rgb: "#00b140", zones: [[[0.1, 0], [0.45, 0.1], [0.6, 1], [0.1, 0.8]]] },
      { type: "image", src, match: 1 },
      { type: "color", rgb: "#101418", match: 0.8, despill: false },
      { type: "transparent" },
      { type: "off" },
    ];
    const pair = {};
    for (const renderer of ["cpu", "webgl"]) {
      pair[renderer] = await kit.open({ temporal: false, governor: false, renderer, ...options });
      await pair[renderer].loaded;
    }
    const found = [];
    let timestamp = 0;
    for (const effect of effects.filter(wanted)) {
      for (const background of Object.values(pair)) await background.setEffect(effect);
      for (const [name, rotation, flip] of [["480p", 0], ["720p", 0], ["odd", 0], ["480p", 90], ["480p", 180], ["480p", 270], ["480p", 0, true], ["480p", 90, true], ["480p", 180, true], ["480p", 270, true]]) {
        timestamp += 1e6;
        const [cpu, webgl] = await Promise.all(Object.values(pair).map(async (background) => {
          const plain = frameOf(stored, frames[name], timestamp, "I420");
          const turned = rotation > 0 || flip === true;
          const frame = turned ? new VideoFrame(plain, { timestamp, rotation, flip: flip ?? false }) : plain;
          const out = await background.probe({ type: "still", frame });
          const shown = rgba(out);
          const facts = { timestamp: out.timestamp - timestamp, rotation: out.rotation ?? 0, size: [out.displayWidth, out.displayHeight] };
          out.close();
          if (turned) plain.close();
          return { shown, ...facts };
        }));
        let sum = 0;
        // colours count by their alpha: under a faint one a canvas keeps few digits of them
        const weighed = ({ data }, i) => (i % 4 === 3 ? data[i] : (data[i] * data[i | 3]) / 255);
        for (let i = 0; i < cpu.shown.data.length; i++) sum += Math.abs(weighed(cpu.shown, i) - weighed(webgl.shown, i));
        found.push({ name: `${name} turned by ${rotation}${flip ? ", mirrored" : ""}, ${JSON.stringify(effect)}`, mean: sum / (0.75 * cpu.shown.data.length), timestamp: webgl.timestamp, size: String(cpu.size) === String(webgl.size), rotations: [cpu.rotation, webgl.rotation], ...(keep ? { pictures: [cpu, webgl].map(({ shown }) => url(shown)) } : {}) });
      }
    }
    for (const background of Object.values(pair)) background.stop();
    return found;
  },
};

/** A frame as the page shows it, upright. */
function rgba(frame) {
  const canvas = new OffscreenCanvas(frame.displayWidth, frame.displayHeight);
  const context = canvas.getContext("2d");
  context.drawImage(frame, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function url(image) {
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.toDataURL();
}

/** Look at one frame of the output. */
function note(picture, width, height, timestamp) {
  const box = Math.round((BOX_PX * width) / 640);
  corner.drawImage(picture, 0, 0, box, box, 0, 0, BOX_PX, BOX_PX);
  const { data } = corner.getImageData(0, 0, BOX_PX, BOX_PX);
  let stripes = 0;
  for (let y = 0; y < BOX_PX; y++) for (let x = STRIPE_PX; x < BOX_PX; x++) stripes += Math.abs(data[4 * (y * BOX_PX + x) + 1] - data[4 * (y * BOX_PX + x - STRIPE_PX) + 1]);
  small.drawImage(picture, 0, 0, ...FEW_PX);
  const few = small.getImageData(0, 0, ...FEW_PX).data;
  let shown = 0;
  for (let i = 0; i < few.length; i += 4) shown += [0, 1, 2].some((c) => Math.abs(few[i + c] - few[c]) > FAR) ? 1 : 0;
  kit.seen.push({
    at: performance.now(),
    timestamp,
    width,
    height,
    stripes: stripes / (BOX_PX * (BOX_PX - STRIPE_PX)),
    shown: shown / (FEW_PX[0] * FEW_PX[1]),
    corner: [...few.subarray(0, 3)],
  });
  if (kit.seen.length > 3000) kit.seen.shift();
}

/** A stored frame as I420, or the same pixels as NV12; its coded sides are even, what is visible need not be. */
function frameOf(stored, { matrix, fullRange, planes }, timestamp, format) {
  const [luma, u, v] = planes.map(({ at, width, height }) => ({ width, height, data: stored.subarray(at, at + width * height) }));
  const [codedWidth, codedHeight] = [2 * u.width, 2 * u.height];
  const area = codedWidth * codedHeight;
  const pixels = new Uint8Array((area * 3) / 2);
  for (let y = 0; y < luma.height; y++) pixels.set(luma.data.subarray(y * luma.width, (y + 1) * luma.width), y * codedWidth);
  if (format === "NV12") {
    for (let i = 0; i < u.data.length; i++) [pixels[area + 2 * i], pixels[area + 2 * i + 1]] = [u.data[i], v.data[i]];
  } else {
    pixels.set(u.data, area);
    pixels.set(v.data, area + u.data.length);
  }
  const colorSpace = { primaries: "bt709", transfer: "bt709", matrix: matrix === "bt601" ? "smpte170m" : "bt709", fullRange };
  return new VideoFrame(pixels, { format, codedWidth, codedHeight, visibleRect: { x: 0, y: 0, width: luma.width, height: luma.height }, timestamp, colorSpace });
}

/** Mean and largest difference between a frame's planes and stored ones. */
async function compare(out, stored, planes) {
  const rect = { x: 0, y: 0, width: out.codedWidth, height: out.codedHeight }; // all of it: Firefox cuts the chroma of odd sides
  const pixels = new Uint8Array(out.allocationSize({ rect }));
  const layout = await out.copyTo(pixels, { rect });
  const means = [];
  let largest = 0;
  planes.forEach(({ at, width, height }, i) => {
    const { offset, stride } = layout[i];
    let sum = 0;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const difference = Math.abs(pixels[offset + y * stride + x] - stored[at + y * width + x]);
        sum += difference;
        if (difference > largest) largest = difference;
      }
    }
    means.push(sum / (width * height));
  });
  return { format: out.format, planes: layout.length, mean: Math.max(...means), largest };
}

window.kit = kit;
