/**
 * Every case of the golden vectors on the kernels' WebAssembly module, bit for bit; Node and browsers run it alike.
 *
 * Every buffer lies between guard bytes, the scratch memory is exactly as large as the header says.
 */

const GUARD = 64; // bytes before and after each buffer
const RUBBISH = 0xa5;
const BYTES = { u8: 1, i16: 2, f32: 4 };
const PAGE = 65536;

/**
 * @param module compiled WebAssembly.Module.
 * @param cases parsed vectors.json.
 * @param stored Uint8Array of vectors.bin.
 * @returns cases run for each kernel, and what went wrong.
 */
export async function check(module, cases, stored) {
  const { exports: lm } = await WebAssembly.instantiate(module, {});
  const run = {};
  const faults = [];
  for (const golden of cases) {
    const call = new Call(lm, golden, stored);
    call.run();
    run[golden.kernel] = (run[golden.kernel] ?? 0) + 1;
    for (const fault of call.faults()) faults.push(`${golden.kernel} ${golden.about} ${JSON.stringify(golden.args)}: ${fault}`);
  }
  const functions = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "function");
  return { run, faults, functions: functions.map(({ name }) => name).sort(), imports: WebAssembly.Module.imports(module), cpuLevel: lm.lm_cpu_level() };
}

const differing = (a, b) => a.reduce((count, byte, k) => count + (byte !== b[k] ? 1 : 0), 0);

/** Memory behind the module's own, handed out front to back. */
class Arena {
  constructor(lm) {
    this.lm = lm;
    this.end = lm.__heap_base.value;
    this.guards = [];
  }

  /** Address of `bytes` bytes of rubbish, 64-byte aligned, between guards. */
  take(bytes) {
    const at = (this.end + GUARD + 63) & ~63;
    const stop = at + bytes + GUARD;
    const { memory } = this.lm;
    if (stop > memory.buffer.byteLength) {
      memory.grow(Math.ceil((stop - memory.buffer.byteLength) / PAGE));
    }
    new Uint8Array(memory.buffer).fill(RUBBISH, this.end, stop);
    this.guards.push([this.end, at], [at + bytes, stop]);
    this.end = stop;
    return at;
  }

  intact() {
    const memory = new Uint8Array(this.lm.memory.buffer);
    return this.guards.every(([from, to]) => memory.subarray(from, to).every((byte) => byte === RUBBISH));
  }
}

const padding = ([, , , , padded]) => padded;
const width = (array) => array[3];
const height = (array) => array[5] || array[2];

/** One case's buffers in the module's memory. */
class Call {
  constructor(lm, golden, stored) {
    this.lm = lm;
    this.golden = golden;
    this.stored = stored;
    this.arena = new Arena(lm);
    this.args = golden.args;
    this.places = new Map();
    for (const arrays of Object.values(golden.in)) for (const array of arrays) this.put(array);
    this.outputs = golden.out.map(([type, , h, w]) => this.arena.take(BYTES[type] * h * w));
  }

  put(array) {
    const [type, from, rows, w, pad] = array;
    const row = BYTES[type] * w;
    const stride = row + BYTES[type] * pad;
    const at = this.arena.take(stride * (rows - 1) + row);
    const memory = new Uint8Array(this.lm.memory.buffer);
    for (let y = 0; y < rows; y++) memory.set(this.stored.subarray(from + y * row, from + (y + 1) * row), at + y * stride);
    this.places.set(array, at);
  }

  /** Address of an input without padding between its rows. */
  plain(name) {
    const [array] = this.golden.in[name];
    return this.places.get(array);
  }

  words(...values) {
    const at = this.arena.take(4 * values.length);
    const view = new DataView(this.lm.memory.buffer);
    values.forEach((value, i) => view.setInt32(at + 4 * i, value, true));
    return at;
  }

  /** lm_plane[]: data, stride, w, h. */
  planes(name) {
    const described = this.golden.in[name].flatMap((array) => [
      this.places.get(array),
      array[5] ? 0 : width(array) + padding(array),
      width(array),
      height(array),
    ]);
    return this.words(...described);
  }

  /** lm_out[]: data, w, h. */
  outs(count) {
    return this.words(...this.outputs.slice(0, count).flatMap((at, i) => [at, width(this.golden.out[i]), height(this.golden.out[i])]));
  }

  pointers() {
    return this.words(...this.outputs);
  }

  /** As much scratch as the header asks for, for pictures of this size. */
  scratch(w, h) {
    return this.arena.take(this.lm.lm_scratch_bytes(w, h));
  }

  run() {
    const { args, lm, outputs } = this;
    const given = this.golden.in;
    const { layout, colour } = args;
    const first = Object.values(given)[0][0];
    const [w, h] = [width(first), height(first)];
    const [toW, toH] = args.size ?? [w, h];
    switch (this.golden.kernel) {
      case "lm_rgb_to_planes":
        return lm.lm_rgb_to_planes(this.plain("rgb"), w / 3, h, layout, colour, ...outputs);
      case "lm_rgba_to_planes": {
        const [rgba] = given.rgba;
        const stride = width(rgba) + padding(rgba);
        return lm.lm_rgba_to_planes(this.plain("rgba"), stride, w / 4, h, args.order, layout, colour, ...outputs);
      }
      case "lm_split_chroma": {
        const [uv] = given.uv;
        const plane = this.words(this.plain("uv"), width(uv) + padding(uv), w / 2, h);
        return lm.lm_split_chroma(plane, ...outputs);
      }
      case "lm_halve":
        return lm.lm_halve(this.planes("planes"), outputs[0]);
      case "lm_planes_to_rgb":
        return lm.lm_planes_to_rgb(this.planes("planes"), layout, colour, outputs[0]);
      case "lm_luma":
        return lm.lm_luma(this.planes("planes"), outputs[0]);
      case "lm_relight": {
        const [planes, out] = [this.planes("planes"), this.pointers()];
        return lm.lm_relight(planes, layout, colour, ...args.gains, out, this.scratch(w, h));
      }
      case "lm_downscale":
        return lm.lm_downscale(this.planes("planes"), outputs[0], toW, toH, this.scratch(Math.max(w, toW), Math.max(h, toH)));
      case "lm_downscale_rgb": {
        const scratch = this.scratch(Math.max(w, 2 * toW), Math.max(h, 2 * toH));
        const planes = this.planes("planes");
        return lm.lm_downscale_rgb(planes, layout, colour, outputs[0], toW, toH, args.planar, outputs[1], scratch);
      }
      case "lm_gain":
        return lm.lm_gain(this.plain("rgb"), (w * h) / 3, args.planar, outputs[0]);
      case "lm_temporal":
        return lm.lm_temporal(...["alpha", "luma", "before", "luma_before", "moved"].map((name) => this.plain(name)), w, h, ...outputs, this.scratch(2 * w, 2 * h));
      case "lm_who_stays": {
        const before = (given.before ?? [null, null]).map((array) => this.places.get(array) ?? 0);
        return lm.lm_who_stays(this.plain("alpha"), ...before, w, h, args.step, args.leave, args.enter, ...outputs, this.scratch(2 * w, 2 * h));
      }
      case "lm_zone":
        return lm.lm_zone(this.plain("corners"), h, toW, toH, args.inset, args.soft, outputs[0], this.scratch(2 * toW, 2 * toH));
      case "lm_room": {
        const [alpha] = given.alpha;
        const size = [width(alpha), height(alpha)];
        const scratch = this.scratch(2 * size[0], 2 * size[1]);
        return lm.lm_room(this.plain("rgb"), this.plain("room"), this.plain("alpha"), ...size, args.before, args.step, ...outputs, scratch);
      }
      case "lm_guided": {
        const [alpha] = given.alpha;
        const [fullW, fullH] = [width(alpha), height(alpha)];
        const { reduce, radius, epsilon, gain } = args;
        const scratch = this.scratch(2 * fullW, 2 * fullH);
        return lm.lm_guided(this.plain("small"), layout, this.plain("alpha"), fullW, fullH, reduce, radius, epsilon, gain, ...outputs, scratch);
      }
      case "lm_apply_guided": {
        const [luma] = given.planes;
        const scratch = this.scratch(Math.max(width(luma), 2 * w), Math.max(height(luma), h / 2));
        return lm.lm_apply_guided(this.plain("lines"), w, h / 4, this.planes("planes"), layout, outputs[0], scratch);
      }
      case "lm_upsample": // a struct that goes by value goes as the address of a copy
        return lm.lm_upsample(this.plain("alpha"), w, h, this.outs(1), this.scratch(Math.max(toW, 2 * w), Math.max(toH, 2 * h)));
      case "lm_blur_plate": {
        const [planes, alpha, out] = [this.planes("planes"), this.plain("alpha"), this.outs(3)];
        return lm.lm_blur_plate(planes, layout, alpha, args.reduce, args.sigma, out, this.scratch(w, h));
      }
      case "lm_bokeh_plate": {
        const [planes, alpha, out] = [this.planes("planes"), this.plain("alpha"), this.outs(3)];
        return lm.lm_bokeh_plate(planes, layout, alpha, args.reduce, args.radius, out, this.scratch(w, h));
      }
      case "lm_foreground": {
        const [planes, alpha, out] = [this.planes("planes"), this.plain("alpha"), this.pointers()];
        return lm.lm_foreground(planes, layout, alpha, args.reduce, args.sigma, out, this.scratch(w, h));
      }
      case "lm_crop":
        return lm.lm_crop(this.planes("planes"), ...args.window, outputs[0], this.scratch(w, h));
      case "lm_wrap_map": {
        const [matte] = given.alpha;
        const [frameW, frameH] = [width(matte), height(matte)];
        const [plate, alpha, light] = [this.planes("planes"), this.plain("alpha"), this.outs(3)];
        const scratch = this.scratch(frameW, frameH);
        const { sigma, strength } = args;
        return lm.lm_wrap_map(plate, layout, alpha, frameW, frameH, sigma, strength, light, outputs[3], scratch);
      }
      case "lm_composite": {
        const [light, wrap] = given.light ? [this.planes("light"), this.planes("wrap")] : [0, 0];
        const [planes, alpha, plate] = [this.planes("planes"), this.plain("alpha"), this.planes("plate")];
        return lm.lm_composite(planes, layout, alpha, plate, light, wrap, this.pointers(), this.scratch(w, h));
      }
      default:
        throw new Error(`no kernel ${this.golden.kernel}`);
    }
  }

  /** What is wrong with the outputs and the memory around them; nothing if all is well. */
  faults() {
    const { lm, stored } = this;
    const found = [];
    const memory = new Uint8Array(lm.memory.buffer);
    this.golden.out.forEach(([type, from, h, w], i) => {
      const expected = stored.subarray(from, from + BYTES[type] * h * w);
      const got = memory.subarray(this.outputs[i], this.outputs[i] + expected.length);
      const wrong = differing(expected, got);
      if (wrong) found.push(`output ${i}: ${wrong} of ${expected.length} bytes differ`);
    });
    if (!this.arena.intact()) found.push("wrote outside its buffers");
    for (const [[type, from, rows, w, pad], at] of this.places) {
      const row = BYTES[type] * w;
      for (let y = 0; y < rows; y++) {
        const now = memory.subarray(at + y * (row + BYTES[type] * pad)).subarray(0, row);
        if (differing(now, stored.subarray(from + y * row, from + (y + 1) * row))) found.push("changed an input");
      }
    }
    return found;
  }
}
