/** Which renderer runs: the CPU's unless a real graphics card is there and was measured to be quicker. */

import { LivematteError } from "../errors.js";
import type { Kernels } from "../render/kernels.js";
import type { Painting, Renderer, Size } from "../render/renderer.js";
import { openWebgl } from "../render/webgl.js";
import type { RendererName } from "../types.js";

/** What is measured: a 720p blur, the median of so many frames after one to warm up. */
const TRIAL: Size = { width: 1280, height: 720 };
const TRIAL_FRAMES = 7;
const NETWORK: Size = { width: 256, height: 144 };
const QUALITY = { refine: true, halfSize: false };
const BLUR: Painting = { type: "blur", strength: 0.6, bokeh: false, rgb: [0, 0, 0], lightWrap: 0, despill: false, softness: 0.3, match: 0 };

/** @throws LivematteError "unsupported": a renderer was asked for that is not there. */
export async function chooseRenderer(wanted: RendererName | "auto", openCpu: () => Renderer, openKernels: () => Promise<Kernels>): Promise<{ renderer: Renderer; why: string }> {
  if (wanted === "cpu") return { renderer: openCpu(), why: "asked for" };
  const gl = await openKernels().then(openWebgl).catch(() => null);
  if (wanted === "webgl") {
    if (!gl) throw new LivematteError("unsupported", 'there is no WebGL2 in workers here; use renderer: "auto"');
    return { renderer: gl.renderer, why: `asked for; ${gl.rasteriser}` };
  }
  if (!gl) return { renderer: openCpu(), why: "no WebGL2 in workers" };
  if (gl.software) {
    gl.renderer.close();
    return { renderer: openCpu(), why: `WebGL2 is software: ${gl.rasteriser}` };
  }
  const cpu = openCpu();
  const cpu_ms = await median(cpu);
  const gl_ms = await median(gl.renderer).catch(() => Infinity);
  const measured = `${gl.rasteriser} ${gl_ms.toFixed(1)} ms, CPU ${cpu_ms.toFixed(1)} ms for a 720p blur`;
  const [renderer, other] = gl_ms < cpu_ms ? [gl.renderer, cpu] : [cpu, gl.renderer];
  other.close();
  return { renderer, why: measured };
}

/** Milliseconds from a frame to its picture, the picture's pixels read by somebody. */
async function median(renderer: Renderer): Promise<number> {
  const pixels = new Uint8Array((TRIAL.width * TRIAL.height * 3) / 2).fill(128);
  const alpha = new Float32Array(NETWORK.width * NETWORK.height).fill(0.5);
  const times: number[] = [];
  for (let i = 0; i <= TRIAL_FRAMES; i++) {
    const frame = new VideoFrame(pixels, { format: "I420", codedWidth: TRIAL.width, codedHeight: TRIAL.height, timestamp: i });
    const started_ms = performance.now();
    await renderer.read(frame, NETWORK, QUALITY);
    const [out] = await renderer.paint({ alpha, size: NETWORK, timestamp_us: i }, BLUR, QUALITY);
    frame.close();
    out.close();
    if (i > 0) times.push(performance.now() - started_ms);
  }
  return times.sort((a, b) => a - b)[TRIAL_FRAMES >> 1] as number;
}
