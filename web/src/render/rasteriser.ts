/** Graphics adapters that are programs on the CPU: they have every feature and none of the speed. */

const SOFTWARE = /swiftshader|llvmpipe|softpipe|lavapipe|software|microsoft basic render|\bwarp\b|generic renderer/i;

/** The name of a WebGL context's rasteriser, and whether it is software. */
export function rasteriserOf(gl: WebGL2RenderingContext): { name: string; software: boolean } {
  const info = gl.getExtension("WEBGL_debug_renderer_info"); // Firefox has it in RENDERER
  const name = String((info && gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) || gl.getParameter(gl.RENDERER));
  return { name, software: SOFTWARE.test(name) };
}

/** The name of a WebGPU adapter that is software; null of a real one. */
export function softwareAdapter(info: GPUAdapterInfo): string | null {
  const name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" ");
  const fallback = (info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true;
  return fallback || SOFTWARE.test(name) ? name || "a fallback adapter" : null;
}
