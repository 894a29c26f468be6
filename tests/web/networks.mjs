/** Pictures for networks in plain JavaScript, from the numbers in model.json, and how far alphas are from Python's. */

/** Python's arrays of pictures.bin. */
export function arrays(buffer) {
  const size = ({ shape }) => shape.reduce((a, b) => a * b, 1);
  return { bytes: (place) => new Uint8Array(buffer, place.at, size(place)), floats: (place) => new Float32Array(buffer, place.at, size(place)) };
}

/**
 * A picture as a network is given it: stretched, each value the mean of the area below it.
 * @param rgb bytes (h, w, 3) of a picture whose shape is [h, w, 3].
 * @param input `input` of model.json.
 * @returns floats (input.height, input.width, 3).
 */
export function small(rgb, [h, w], input) {
  if (input.colours !== "RGB" || input.resize !== "stretch, mean over areas") throw new Error(`a network wants ${input.colours} by ${input.resize}, which is unknown here`);
  const rows = parts(h, input.height);
  const columns = parts(w, input.width);
  const out = new Float32Array(3 * input.height * input.width);
  rows.forEach((down, y) =>
    columns.forEach((across, x) => {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (const [j, high] of down) for (const [i, wide] of across) sum += high * wide * rgb[3 * (j * w + i) + c];
        out[3 * (y * input.width + x) + c] = sum * input.scale - input.mean[c];
      }
    }),
  );
  return out;
}

/** For each of `count` equal parts of a line of pixels: the pixels in it, and what share of the part each has. */
function parts(length, count) {
  return Array.from({ length: count }, (_, n) => {
    const [from, to] = [(n * length) / count, ((n + 1) * length) / count];
    const held = [];
    for (let i = Math.floor(from); i < Math.min(Math.ceil(to), length); i++) held.push([i, ((Math.min(i + 1, to) - Math.max(i, from)) * count) / length]);
    return held;
  });
}

/**
 * Run a network on every picture.
 * @param facts pictures.json; `buffer` is pictures.bin.
 * @param input what the network takes, as in model.json.
 * @param known of `facts`: the network's pictures and alphas in Python.
 * @param run picture -> alpha.
 * @returns for each picture the largest differences from Python: of the small one, in code values, of the alpha by each engine; and how much the alpha varies.
 */
export async function differences({ whole }, buffer, input, known, run) {
  const { bytes, floats } = arrays(buffer);
  const found = [];
  for (const [n, place] of whole.entries()) {
    const picture = small(bytes(place), place.shape, input);
    const alpha = await run(picture);
    const apart = Object.entries(known.alphas).map(([engine, alphas]) => [engine, largest(alpha, floats(alphas[n]))]);
    found.push({ picture: largest(picture, floats(known.small[n])) / input.scale, alphas: Object.fromEntries(apart), spread: spread(alpha) });
  }
  return found;
}

function largest(a, b) {
  if (a.length !== b.length) throw new Error(`${a.length} values, Python has ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.abs(a[i] - b[i]) <= most ? most : Math.abs(a[i] - b[i]); // NaN stays
  return most;
}

/** Standard deviation. */
function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** How TensorFlow.js runs a graph model on a picture (h, w, 3), fed and read by the names in model.json. */
export function runs(tf, model, { input, output }) {
  return async (picture) => {
    const given = tf.tensor4d(picture, [1, input.height, input.width, 3]);
    const made = model.execute({ [input.name]: given }, output.name);
    try {
      return await made.data();
    } finally {
      tf.dispose([given, made]);
    }
  };
}
