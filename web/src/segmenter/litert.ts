/** LiteRT.js: runs the TFLite networks, on XNNPACK in WebAssembly or on WebGPU. */

import { type CompiledModel, loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";
import { asError, LivematteError } from "../errors.js";
import { softwareAdapter } from "../render/rasteriser.js";
import type { Size } from "../render/renderer.js";
import type { EngineName, ModelName } from "../types.js";
import { type Graph, type ModelSpec, nearest, specOf } from "./models.js";

const COLOURS = 3;

/** A network, for pictures of every aspect. */
export interface Network {
  readonly name: ModelName;
  /** Whether there are graphs for a larger input. */
  readonly hasLarge: boolean;
  /**
   * The graph that a frame of this size is stretched to least. It is loaded when it is first asked for;
   * until it is here, and where it cannot be had, another one of the network serves.
   * @param large with the larger input.
   */
  at(frame: Size, large: boolean): Segmenter;
  /** Resolves once `at` has that graph, or knows that it cannot be had. */
  settled(frame: Size): Promise<void>;
  close(): void;
}

/** A loaded graph. It keeps no memory of the frames before: a recurrent one is handed what it gave. */
export interface Segmenter {
  readonly name: ModelName;
  readonly size: Size;
  /** Whether it is to get dark pictures as bright as others. */
  readonly lighten: boolean;
  /**
   * Find people.
   * @param picture RGB 0-1, (height, width, 3).
   * @param previous what this gave for the frame before, or null; only recurrent networks look at it.
   * @param chosen numbers of the body parts that count as the person; null for all. Only BodyPix knows them.
   * @throws LivematteError "engine": it failed, or gave what is no alpha.
   */
  segment(picture: Float32Array, previous: Float32Array | null, chosen: readonly number[] | null): Promise<Segmented>;
  close(): void;
}

/** What a graph finds, of the caller's. */
export interface Segmented {
  readonly alpha: Float32Array; // 0-1, (height, width)
  /** The body part of each pixel, -1 where nobody is; made when it is asked for. Null where the network knows none. */
  readonly parts: (() => { data: Int8Array; size: Size }) | null;
}

/** A tensor as a graph gives it. */
export interface Output {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** What is fetched for BodyPix alone. */
type BodyPix = typeof import("../bodypix/index.js");

export interface Engine {
  readonly name: EngineName;
  readonly why: string;
  /** The network with its usual graph loaded. */
  load(model: ModelName): Promise<Network>;
}

/**
 * Load the engine: once in a worker.
 * @throws LivematteError "engine".
 */
export async function openEngine(assetBase: string, wanted: EngineName | "auto"): Promise<Engine> {
  const [accelerator, why] = await choose(wanted);
  try {
    // its WebAssembly is looked for beside the worker's script unless it is told otherwise; its log is not ours
    const silent = (): void => undefined;
    Object.assign(self, { Module: { locateFile: (name: string) => `${assetBase}litert/${name}`, print: silent, printErr: silent } });
    // it opens a WebGPU device wherever it sees one, whether it is used or not
    if (accelerator === "wasm") Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
    // The build for WebGPU waits inside WebAssembly for the device (JSPI); others need no such thing.
    await loadLiteRt(`${assetBase}litert/`, accelerator === "webgpu" ? { jspi: true } : {});
  } catch (thrown) {
    throw asError(thrown, "engine", `the engine did not load from ${assetBase}litert/, copy the folder dist/assets there`);
  }
  return { name: accelerator, why, load: async (model) => loadNetwork(specOf(model), assetBase, accelerator) };
}

async function choose(wanted: EngineName | "auto"): Promise<[EngineName, string]> {
  if (wanted === "wasm") return ["wasm", "asked for"];
  if (!("Suspending" in WebAssembly)) {
    if (wanted === "webgpu") throw new LivematteError("unsupported", "WebGPU needs a browser with WebAssembly JSPI; use engine: \"auto\"");
    return ["wasm", "no WebAssembly JSPI, which WebGPU needs"];
  }
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) {
    if (wanted === "webgpu") throw new LivematteError("unsupported", "there is no WebGPU adapter; use engine: \"auto\"");
    return ["wasm", "no WebGPU adapter"];
  }
  if (wanted === "webgpu") return ["webgpu", "asked for"];
  const software = softwareAdapter(adapter.info);
  return software ? ["wasm", `the WebGPU adapter is software: ${software}`] : ["webgpu", `WebGPU adapter ${adapter.info.vendor} ${adapter.info.architecture}`];
}

async function loadNetwork(spec: ModelSpec, assetBase: string, accelerator: EngineName): Promise<Network> {
  const load = (graph: Graph): Promise<Segmenter> => loadSegmenter(spec, graph, assetBase, accelerator);
  const first = spec.graphs[0] as Graph;
  const usual = await load(first); // takes every picture, only stretched
  const loaded = new Map([[first, usual]]);
  const asked = new Map([[first, Promise.resolve()]]);
  let open = true;
  const keep = (graph: Graph, segmenter: Segmenter): void => void (open ? loaded.set(graph, segmenter) : segmenter.close());
  const ask = (graph: Graph): Promise<void> => {
    const asking = asked.get(graph) ?? load(graph).then((segmenter) => keep(graph, segmenter), () => undefined);
    asked.set(graph, asking);
    return asking;
  };
  const have = (graph: Graph, meanwhile: Segmenter): Segmenter => {
    void ask(graph);
    return loaded.get(graph) ?? meanwhile;
  };
  return {
    name: spec.name,
    hasLarge: spec.large !== undefined,
    at(frame, large) {
      const own = have(nearest(spec.graphs, frame), usual);
      return large && spec.large ? have(nearest(spec.large, frame), own) : own;
    },
    settled: (frame) => ask(nearest(spec.graphs, frame)),
    close() {
      open = false;
      for (const segmenter of loaded.values()) segmenter.close();
    },
  };
}

async function loadSegmenter(spec: ModelSpec, graph: Graph, assetBase: string, accelerator: EngineName): Promise<Segmenter> {
  const bodypix = spec.bodypix ? await loadBodyPix(assetBase) : null;
  const weights = await fetchWeights(spec, graph, assetBase, bodypix);
  let model: CompiledModel | null;
  try {
    model = await loadAndCompile(weights, { accelerator });
  } catch (thrown) {
    throw asError(thrown, "weights", `${spec.name} could not be compiled`);
  }
  const { size } = graph;
  const nobody = new Float32Array(size.width * size.height);
  const places = model.getInputDetails().map(({ shape }) => [...shape]); // one for the picture, maybe one for the previous alpha
  return {
    name: spec.name,
    size,
    lighten: spec.lighten ?? false,
    async segment(rgb, previous, chosen) {
      if (!model) throw new LivematteError("stopped", `${spec.name} was closed`);
      const before = previous?.length === nobody.length ? previous : nobody;
      const picture = bodypix?.given(rgb) ?? rgb;
      let inputs: Tensor[] = [];
      let outputs: Tensor[] = [];
      try {
        inputs = places.map((shape) => new Tensor(shape.at(-1) === COLOURS ? picture : before, shape));
        if (accelerator === "webgpu") inputs = await Promise.all(inputs.map((input) => input.moveTo("webgpu")));
        outputs = await model.run(inputs);
        const made = await Promise.all(outputs.map(async (tensor) => ({ data: ((await tensor.data()) as Float32Array).slice(), shape: [...tensor.type.layout.dimensions] })));
        const found = bodypix?.read(made, size, chosen) ?? { alpha: (made[0] as Output).data, parts: null };
        return { ...found, alpha: checked(found.alpha, spec.name, size) };
      } catch (thrown) {
        throw asError(thrown, "engine", `${spec.name} failed`);
      } finally {
        for (const tensor of [...inputs, ...outputs]) tensor.delete();
      }
    },
    close() {
      model?.delete();
      model = null;
    },
  };
}

/** Limited to 0-1, which engines leave by a rounding error. What is not finite is no matte. */
function checked(alpha: Float32Array, name: ModelName, size: Size): Float32Array {
  const expected = size.width * size.height;
  if (alpha.length !== expected) throw new LivematteError("engine", `${name} gave ${alpha.length} values, expected ${expected}`);
  for (let i = 0; i < alpha.length; i++) {
    const value = alpha[i] as number;
    if (!Number.isFinite(value)) throw new LivematteError("engine", `${name} gave values that are not finite`);
    alpha[i] = value > 0 ? (value < 1 ? value : 1) : 0;
  }
  return alpha;
}

/** A classic worker may import a module, and unlike importScripts() that waits for nobody. */
async function loadBodyPix(assetBase: string): Promise<BodyPix> {
  const url = `${assetBase}livematte.bodypix.js`;
  return import(url).catch((thrown: unknown) => {
    throw asError(thrown, "engine", `${url} did not load, copy the folder dist/assets there`);
  }) as Promise<BodyPix>;
}

async function fetchWeights(spec: ModelSpec, graph: Graph, assetBase: string, bodypix: BodyPix | null): Promise<Uint8Array> {
  const fetched = async (url: string): Promise<Uint8Array<ArrayBuffer>> => {
    const response = await fetch(url).catch((thrown: unknown) => {
      throw asError(thrown, "weights", `${url} could not be fetched`);
    });
    if (!response.ok) throw new LivematteError("weights", `${url}: ${response.status} ${response.statusText}; put the file of ${spec.name} there`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const url = new URL(graph.file, assetBase).href;
  const weights = await fetched(url);
  if (bodypix && url.endsWith(".json")) return bodypix.graph(weights, url, fetched, graph.size);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", weights));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (sha256 !== graph.sha256) throw new LivematteError("weights", `${url} is damaged or another file: SHA-256 ${sha256}, expected ${graph.sha256}`);
  return weights;
}
