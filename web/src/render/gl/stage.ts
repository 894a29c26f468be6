/** What every pass needs: programs, textures that can be drawn into, and a triangle over all of one. */

import type { Size } from "../renderer.js";
import quad from "./quad.vert";

/** In cells; as in kernels/blur.c. */
const LARGEST_DISC = 32;

export type Uniform = WebGLTexture | number | boolean | readonly number[] | Float32Array;

/** A texture and the framebuffer to draw into it. */
export interface Target extends Size {
  readonly texture: WebGLTexture;
  readonly framebuffer: WebGLFramebuffer;
}

export type Pixels = "rgba8" | "r8" | "rgba16f" | "rgba32f";

export class Stage {
  private readonly programs = new Map<string, WebGLProgram>();
  private readonly targets = new Map<string, Target>();

  constructor(readonly gl: WebGL2RenderingContext) {
    gl.disable(gl.DITHER);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** The texture of this name, made anew when its size or kind has changed. */
  target(name: string, { width, height }: Size, pixels: Pixels, linear = false): Target {
    const before = this.targets.get(name);
    if (before?.width === width && before.height === height) return before;
    if (before) this.free(before);
    const { gl } = this;
    const texture = gl.createTexture() as WebGLTexture;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    const format = { rgba8: gl.RGBA8, r8: gl.R8, rgba16f: gl.RGBA16F, rgba32f: gl.RGBA32F }[pixels];
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const way of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, way, linear ? gl.LINEAR : gl.NEAREST);
    const framebuffer = gl.createFramebuffer() as WebGLFramebuffer;
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const made = { texture, framebuffer, width, height };
    this.targets.set(name, made);
    return made;
  }

  /** Run a pass over all of `to`; null is the canvas. */
  draw(fragment: string, to: Target | null, size: Size, uniforms: Readonly<Record<string, Uniform>>): void {
    const { gl } = this;
    const program = this.program(fragment);
    gl.useProgram(program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, to?.framebuffer ?? null);
    gl.viewport(0, 0, size.width, size.height);
    let unit = 0;
    for (const [name, value] of Object.entries(uniforms)) {
      const place = gl.getUniformLocation(program, name);
      if (value instanceof WebGLTexture) {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, value);
        gl.uniform1i(place, unit++);
      } else if (value instanceof Float32Array) gl.uniform1fv(place, value);
      else if (typeof value === "boolean") gl.uniform1i(place, value ? 1 : 0);
      else if (typeof value === "number") /^(side|radius)$/.test(name) ? gl.uniform1i(place, value) : gl.uniform1f(place, value);
      else if (name === "step_") gl.uniform2i(place, value[0] as number, value[1] as number);
      else if (value.length === 2) gl.uniform2fv(place, value);
      else gl.uniform4fv(place, value);
    }
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  close(): void {
    for (const target of this.targets.values()) this.free(target);
    this.targets.clear();
    for (const program of this.programs.values()) this.gl.deleteProgram(program);
    this.programs.clear();
  }

  private program(fragment: string): WebGLProgram {
    const { gl } = this;
    let program = this.programs.get(fragment);
    if (program) return program;
    program = gl.createProgram() as WebGLProgram;
    for (const [type, source] of [[gl.VERTEX_SHADER, quad], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(type) as WebGLShader;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      gl.deleteShader(shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(`a shader does not compile here: ${gl.getProgramInfoLog(program)}`);
    this.programs.set(fragment, program);
    return program;
  }

  private free(target: Target): void {
    this.gl.deleteFramebuffer(target.framebuffer);
    this.gl.deleteTexture(target.texture);
  }
}

/** Taps of a Gauss of sigma cells, the middle one first; 64 of them. */
export function taps(sigma: number): { radius: number; taps: Float32Array } {
  const radius = Math.min(Math.floor(3 * sigma + 0.999), 63);
  const values = Float32Array.from({ length: 64 }, (_, k) => (k <= radius ? Math.exp((-k * k) / (2 * sigma * sigma)) : 0));
  const sum = values.reduce((total, value, k) => total + (k ? 2 * value : value), 0);
  return { radius, taps: values.map((value) => value / sum) };
}

/** Half chords of a disc through rows of cells, from the middle down; "Disc" of docs/spec/kernels.md. */
export function chords(radius_cells: number): { radius: number; chords: Float32Array } {
  const radius = Math.min(radius_cells, LARGEST_DISC);
  const chord = (at: number): number => Math.sqrt(Math.max(radius ** 2 - at ** 2, 0));
  const halves = Float32Array.from({ length: LARGEST_DISC + 1 }, (_, y) => {
    const doubled = Math.floor([-3, -1, 1, 3].reduce((sum, k) => sum + chord(y + k / 8), 0) / 2 + 0.5);
    return Math.max(doubled, y === 0 ? 1 : 0) / 2;
  });
  return { radius: halves.filter((half) => half > 0).length - 1, chords: halves };
}
