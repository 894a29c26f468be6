/**
 * Layers of a convolutional network as a TFLite file, which is what the engine reads.
 *
 * A FlatBuffer is written front to back: what a table points at lies behind it.
 * Source: TensorFlow, lite/schema/schema.fbs (version 3); FlatBuffers, "Internals".
 */

import type { Size } from "../render/renderer.js";

/** A convolution with its bias and what bends its result; the layers before hang on `from`. */
export interface Layer {
  readonly kind: "conv" | "depthwise";
  readonly from: Layer | null; // null: the picture
  readonly name: string;
  /** As TensorFlow has them: (height, width, in, out), or (height, width, in, multiplier). */
  readonly filter: Float32Array;
  readonly shape: readonly [number, number, number, number];
  readonly bias: Float32Array;
  readonly stride: readonly [number, number]; // down, across
  readonly dilation: readonly [number, number];
  readonly same: boolean; // padded to the input's size by the stride, or not at all
  readonly bend: "none" | "relu" | "relu6";
}

const COLOURS = 3;
const SCHEMA_VERSION = 3;
/** Alignment of weights, and of vectors of numbers. */
const [WIDE, WORD] = [16, 4];
/** enum BuiltinOperator, BuiltinOptions, Padding and ActivationFunctionType. */
const OPERATORS = { conv: { code: 3, options: 1 }, depthwise: { code: 4, options: 2 } } as const;
const [SAME, VALID] = [0, 1];
const BENDS = { none: 0, relu: 1, relu6: 3 };

export const outputs = ({ kind, shape }: Layer): number => (kind === "conv" ? shape[3] : shape[2] * shape[3]);

/** A network that takes RGB (1, height, width, 3) and gives what these layers do, in this order. */
export function tflite(results: readonly Layer[], picture: Size): Uint8Array {
  const layers = inOrder(results);
  const kinds = [...new Set(layers.map(({ kind }) => kind))];
  const buffers: Field[] = [table([])]; // the first one is empty: tensors without values have it
  const tensors: Field[] = [];
  const tensor = (name: string, shape: readonly number[], values?: Float32Array): number => {
    if (values) buffers.push(table([bytes(values)]));
    return tensors.push(table([ints(shape), byte(0), word(values ? buffers.length - 1 : 0), text(name)])) - 1;
  };
  const input = tensor("rgb", [1, picture.height, picture.width, COLOURS]);
  const made = new Map<Layer | null, { at: number; size: Size }>([[null, { at: input, size: picture }]]);
  const operators = layers.map((layer) => {
    const { at, size } = made.get(layer.from) as { at: number; size: Size };
    const [high, wide, inputs, rest] = layer.shape;
    const filter = layer.kind === "conv" ? tensor(`${layer.name}/filter`, [rest, high, wide, inputs], outputsFirst(layer)) : tensor(`${layer.name}/filter`, [1, high, wide, inputs * rest], layer.filter);
    const bias = tensor(`${layer.name}/bias`, [layer.bias.length], layer.bias);
    const given = { width: side(size.width, wide, layer.stride[1], layer.dilation[1], layer.same), height: side(size.height, high, layer.stride[0], layer.dilation[0], layer.same) };
    const result = tensor(layer.name, [1, given.height, given.width, outputs(layer)]);
    made.set(layer, { at: result, size: given });
    const bend = byte(BENDS[layer.bend]);
    const [down, across, dilatedDown, dilatedAcross] = [...layer.stride, ...layer.dilation].map(word) as [Field, Field, Field, Field];
    const padding = byte(layer.same ? SAME : VALID);
    const options = layer.kind === "conv" ? [padding, across, down, bend, dilatedAcross, dilatedDown] : [padding, across, down, word(rest), bend, dilatedAcross, dilatedDown];
    return table([word(kinds.indexOf(layer.kind)), ints([at, filter, bias]), ints([result]), byte(OPERATORS[layer.kind].options), table(options)]);
  });
  const ends = results.map((layer) => (made.get(layer) as { at: number }).at);
  const graph = table([list(tensors), ints([input]), ints(ends), list(operators)]);
  const codes = kinds.map((kind) => table([byte(OPERATORS[kind].code), null, word(1), word(OPERATORS[kind].code)]));
  return new Writer().file(table([word(SCHEMA_VERSION), list(codes), list([graph]), text("livematte"), list(buffers)]));
}

/** Every layer behind those that it hangs on. */
function inOrder(results: readonly Layer[]): Layer[] {
  const order = new Set<Layer>();
  for (const result of results) {
    const chain: Layer[] = [];
    for (let layer: Layer | null = result; layer && !order.has(layer); layer = layer.from) chain.push(layer);
    for (const layer of chain.reverse()) order.add(layer);
  }
  return [...order];
}

function side(length: number, kernel: number, stride: number, dilation: number, same: boolean): number {
  return Math.ceil((same ? length : length - (kernel - 1) * dilation) / stride);
}

/** (height, width, in, out) as (out, height, width, in). */
function outputsFirst({ filter, shape: [high, wide, inputs, count] }: Layer): Float32Array {
  const places = high * wide * inputs;
  const out = new Float32Array(filter.length);
  for (let place = 0; place < places; place++) for (let to = 0; to < count; to++) out[to * places + place] = filter[place * count + to] as number;
  return out;
}

/** A value of a table: a number in it, or something that lies further on. */
type Field = { readonly bytes: 1 | 4; readonly value: number } | { readonly bytes: 4; write(writer: Writer): number } | null;

const byte = (value: number): Field => ({ bytes: 1, value });
const word = (value: number): Field => ({ bytes: 4, value });
const table = (fields: readonly Field[]): Field => ({ bytes: 4, write: (writer) => writer.table(fields) });
const list = (items: readonly Field[]): Field => ({ bytes: 4, write: (writer) => writer.list(items) });
const ints = (values: readonly number[]): Field => ({ bytes: 4, write: (writer) => writer.vector(new Uint8Array(Int32Array.from(values).buffer), values.length, WORD) });
const bytes = (values: Float32Array): Field => ({ bytes: 4, write: (writer) => writer.vector(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), values.byteLength, WIDE) });
const text = (value: string): Field => ({ bytes: 4, write: (writer) => writer.vector(new TextEncoder().encode(`${value}\0`), new TextEncoder().encode(value).length, WORD) });

class Writer {
  private data = new Uint8Array(1 << 16);
  private view = new DataView(this.data.buffer);
  private end = 0;

  file(root: Field): Uint8Array {
    this.take(8);
    this.data.set(new TextEncoder().encode("TFL3"), 4);
    this.point(0, root);
    return this.data.slice(0, this.end);
  }

  /** Address of a table behind the list of where its fields are; words come before bytes. */
  table(fields: readonly Field[]): number {
    const places = fields.map(() => 0);
    let size = 4; // the way back to that list
    for (const width of [4, 1]) for (const [i, field] of fields.entries()) if (field?.bytes === width) [places[i], size] = [size, size + width];
    const listed = 4 + 2 * fields.length;
    this.align(4, listed);
    const list = this.take(listed);
    const at = this.take(size);
    [listed, size, ...places].forEach((value, i) => this.view.setUint16(list + 2 * i, value, true));
    this.view.setInt32(at, at - list, true);
    for (const [i, field] of fields.entries()) if (field) this.put(at + (places[i] as number), field);
    return at;
  }

  list(items: readonly Field[]): number {
    this.align(4);
    const at = this.take(4 + 4 * items.length);
    this.view.setUint32(at, items.length, true);
    items.forEach((item, i) => this.point(at + 4 + 4 * i, item));
    return at;
  }

  /** @param alignment of the first value. */
  vector(values: Uint8Array, count: number, alignment: number): number {
    this.align(alignment, 4);
    const at = this.take(4 + values.length);
    this.view.setUint32(at, count, true);
    this.data.set(values, at + 4);
    return at;
  }

  private put(at: number, field: NonNullable<Field>): void {
    if ("write" in field) this.point(at, field);
    else if (field.bytes === 1) this.data[at] = field.value;
    else this.view.setInt32(at, field.value, true);
  }

  private point(at: number, field: Field): void {
    if (field && "write" in field) {
      const to = field.write(this); // may move the memory
      this.view.setUint32(at, to - at, true);
    }
  }

  /** Go on where something of `before` bytes ends on a multiple. */
  private align(multiple: number, before = 0): void {
    this.take((multiple - ((this.end + before) % multiple)) % multiple);
  }

  private take(length: number): number {
    const at = this.end;
    this.end += length;
    if (this.end > this.data.length) {
      const larger = new Uint8Array(Math.max(2 * this.data.length, this.end));
      larger.set(this.data);
      this.data = larger;
      this.view = new DataView(larger.buffer);
    }
    return at;
  }
}
