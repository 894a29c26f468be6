/**
 * A graph model of TensorFlow.js as layers: chains of convolutions, which is all that BodyPix's MobileNets are.
 *
 * Source: TensorFlow.js, tfjs-core, io/types.ts (ModelJSON, WeightsManifestConfig) and tfjs-converter,
 * operations/op_list; TensorFlow, core/ops/nn_ops.cc.
 */

import { LivematteError } from "../errors.js";
import { type Layer, outputs } from "./tflite.js";

interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: { readonly dtype: string; readonly min?: number; readonly scale?: number };
}

interface Node {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, { s?: string; list?: { i?: readonly (string | number)[]; s?: readonly string[] } }>>;
}

export interface GraphModel {
  readonly modelTopology: { readonly node: readonly Node[] };
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: readonly Weight[] }[];
}

/** Bytes of a value as it is stored. */
const STORED: Record<string, number> = { float32: 4, int32: 4, float16: 2, uint16: 2, uint8: 1 };
/** More than the largest MobileNet has. */
const MOST_BYTES = 64 << 20;

/** The model's description; what is no such thing is refused. */
export function readModel(json: string, where: string): GraphModel {
  let model: Partial<GraphModel>;
  try {
    model = JSON.parse(json) as Partial<GraphModel>;
  } catch {
    throw broken(`${where} is no JSON`);
  }
  if (!Array.isArray(model?.modelTopology?.node) || !Array.isArray(model.weightsManifest)) throw broken(`${where} is no graph model of TensorFlow.js`);
  return model as GraphModel;
}

/** Names of the files that hold the weights; plain ones, which lie beside the description. */
export function shardNames({ weightsManifest }: GraphModel): string[] {
  const names = weightsManifest.flatMap(({ paths }) => [...paths]);
  const odd = names.find((name) => typeof name !== "string" || !/^[\w.-]+$/.test(name));
  if (odd !== undefined) throw broken(`weights in ${JSON.stringify(odd)}, expected a plain file name`);
  return names;
}

/** @param shards the files of shardNames(), in that order. */
export function layersOf(model: GraphModel, shards: readonly Uint8Array[], wanted: readonly string[]): (Layer | null)[] {
  const weights = values(model, shards);
  const nodes = new Map(model.modelTopology.node.map((node) => [node.name, node]));
  const known = new Map<string, Layer | null>();
  const open = new Set<string>(); // on the way to them
  const follow = (reference: string): Layer | null => {
    const name = reference.replace(/^\^|:0$/g, "");
    const found = known.get(name);
    if (found !== undefined) return found;
    const node = nodes.get(name);
    if (!node) throw broken(`there is no node ${name}`);
    if (open.has(name)) throw broken(`${name} hangs on itself`);
    open.add(name);
    const layer = made(node, weights, follow);
    known.set(name, layer);
    return layer;
  };
  return wanted.map((name) => (nodes.has(name) ? follow(name) : null));
}

function made(node: Node, weights: Map<string, Tensor>, follow: (name: string) => Layer | null): Layer | null {
  const [x = "", ...rest] = node.input ?? [];
  const constant = (i: number): Tensor => {
    const found = weights.get((rest[i] ?? "").replace(/:0$/, ""));
    if (!found) throw broken(`${node.name} has no weights ${rest[i]}`);
    return found;
  };
  switch (node.op) {
    case "Placeholder":
      return null;
    case "Identity":
      return follow(x);
    case "Conv2D":
    case "_FusedConv2D":
      return convolution("conv", node, follow(x), constant);
    case "DepthwiseConv2dNative":
    case "FusedDepthwiseConv2dNative":
      return convolution("depthwise", node, follow(x), constant);
    case "BiasAdd":
    case "Add":
    case "AddV2":
      return biased(plain(node, follow(x)), constant(0).values, node);
    case "Relu":
      return { ...plain(node, follow(x)), bend: "relu", name: node.name };
    case "Relu6":
      return { ...plain(node, follow(x)), bend: "relu6", name: node.name };
    default:
      throw broken(`${node.name} is a ${node.op}, which BodyPix's MobileNets do not have`);
  }
}

/** A layer that a bias or a bend can still be put into. */
function plain(node: Node, layer: Layer | null): Layer {
  if (!layer || layer.bend !== "none") throw broken(`${node.name} does not follow a convolution`);
  return layer;
}

function biased(layer: Layer, bias: Float32Array, node: Node): Layer {
  if (bias.length !== layer.bias.length) throw broken(`${node.name} has ${bias.length} values for ${layer.bias.length} channels`);
  return { ...layer, bias: layer.bias.map((value, i) => value + (bias[i] as number)), name: node.name };
}

function convolution(kind: Layer["kind"], node: Node, from: Layer | null, constant: (i: number) => Tensor): Layer {
  const pair = (name: string): readonly [number, number] => {
    const [, down = 1, across = 1] = (node.attr?.[name]?.list?.i ?? []).map(Number);
    return [down, across];
  };
  const padding = atob(node.attr?.padding?.s ?? "");
  const { shape, values: filter } = constant(0);
  const channels = from ? outputs(from) : 3;
  if (shape.length !== 4 || shape[2] !== channels) throw broken(`${node.name} has a filter ${shape} for ${channels} channels`);
  if (padding !== "SAME" && padding !== "VALID") throw broken(`${node.name} is padded by ${padding || "nothing that is named"}`);
  const numbers = [...pair("strides"), ...pair("dilations")];
  if (!numbers.every((number) => Number.isInteger(number) && number >= 1 && number <= 64)) throw broken(`${node.name} has strides and dilations ${numbers}`);
  const size = shape as unknown as Layer["shape"];
  const count = kind === "conv" ? size[3] : size[2] * size[3];
  const bare: Layer = { kind, from, name: node.name, filter, shape: size, bias: new Float32Array(count), stride: pair("strides"), dilation: pair("dilations"), same: padding === "SAME", bend: "none" };
  const fused = (node.attr?.fused_ops?.list?.s ?? []).map(atob);
  return fused.reduce((layer, op) => {
    if (op === "BiasAdd") return biased(layer, constant(1).values, node);
    if (op === "Relu" || op === "Relu6") return { ...layer, bend: op === "Relu" ? "relu" : "relu6" };
    throw broken(`${node.name} is fused with ${op}`);
  }, bare);
}

interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Every weight as float32. */
function values({ weightsManifest }: GraphModel, shards: readonly Uint8Array[]): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  let next = 0;
  for (const { paths, weights } of weightsManifest) {
    const parts = shards.slice(next, (next += paths.length));
    const stored = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (stored.set(part, at), at + part.length), 0);
    let at = 0;
    for (const weight of weights) {
      const count = weight.shape.reduce((product, n) => product * n, 1);
      const bytes = STORED[weight.quantization?.dtype ?? weight.dtype];
      if (!bytes || !Number.isInteger(count) || count < 0 || count * 4 > MOST_BYTES) throw broken(`the weight ${weight.name} is ${weight.shape} of ${weight.dtype}`);
      if (at + bytes * count > stored.length) throw broken(`the weights end within ${weight.name}: ${stored.length} bytes`);
      found.set(weight.name, { shape: weight.shape, values: numbers(stored.slice(at, (at += bytes * count)), weight) });
    }
    if (at !== stored.length) throw broken(`${stored.length} bytes of weights, the description has ${at}`);
  }
  return found;
}

/** @param stored bytes of their own, so that every type lies aligned. */
function numbers({ buffer }: Uint8Array<ArrayBuffer>, { dtype, quantization }: Weight): Float32Array {
  const { dtype: kind = dtype, scale = 1, min = 0 } = quantization ?? {};
  switch (kind) {
    case "float32":
      return new Float32Array(buffer);
    case "int32":
      return Float32Array.from(new Int32Array(buffer));
    case "float16":
      return Float32Array.from(new Uint16Array(buffer), half);
    default:
      return Float32Array.from(kind === "uint8" ? new Uint8Array(buffer) : new Uint16Array(buffer), (value) => value * scale + min);
  }
}

/** A number from its 16 bits; IEEE 754, binary16. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * 2 ** -24 * fraction;
  return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * 2 ** (exponent - 25) * (1024 + fraction);
}

const broken = (what: string): LivematteError => new LivematteError("weights", `not BodyPix: ${what}`);
