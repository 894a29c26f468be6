/** The networks this SDK runs. One RGB picture 0-1 in, one alpha of its size out. */

import type { Size } from "../render/renderer.js";
import type { ModelName } from "../types.js";

export interface ModelSpec {
  readonly name: ModelName;
  /** The same network for pictures of several aspects; the first is the usual one. */
  readonly graphs: readonly Graph[];
  /** The same for the larger input of the ladder's best rung, where there are such. */
  readonly large?: readonly Graph[];
  readonly licence: string;
}

export interface Graph {
  /** Below assetBase. */
  readonly file: string;
  readonly sha256: string;
  /** Of the picture it takes. */
  readonly size: Size;
}

/** The graph that a picture of `size` is stretched to least; the first of equals: 4:3 lies as far from 16:9 as from a square. */
export function nearest(graphs: readonly Graph[], { width, height }: Size): Graph {
  const stretch = ({ size }: Graph): number => Math.round(1e6 * Math.abs(Math.log((width * size.height) / (height * size.width))));
  return graphs.reduce((best, graph) => (stretch(graph) < stretch(best) ? graph : best));
}

const LANDSCAPE: Size = { width: 256, height: 144 };

export const MODELS: Record<ModelName, ModelSpec> = {
  livematte: {
    name: "livematte",
    graphs: [
      { file: "models/livematte-fast-256x144.tflite", sha256: "d1a5e62d75c930abc8ae3d707d9c2640c4fa6abe06bef0813becf22964d4abc6", size: LANDSCAPE },
      { file: "models/livematte-fast-144x256.tflite", sha256: "d0592bf08c0c3e0a2da0c9589ccd59f739a6a9938158cb22d3af52b444c98634", size: { width: 144, height: 256 } },
      { file: "models/livematte-fast-192x192.tflite", sha256: "cfa01603534bacde1704a4949a33122b30e80b16182641f766bb2b1ad816ad61", size: { width: 192, height: 192 } },
    ],
    large: [
      { file: "models/livematte-base-384x224.tflite", sha256: "d5d4f44b10646c6d582f50e519efbd4bc3cf091b0f02412aff91c8688025ffad", size: { width: 384, height: 224 } },
      { file: "models/livematte-base-224x384.tflite", sha256: "bbfcb019d6cd1cd3363c60320bcf2d44e38869742beffa7f390e44f30eb8d607", size: { width: 224, height: 384 } },
      { file: "models/livematte-base-288x288.tflite", sha256: "591a35938afc93e96b87ac6e6fb9031137dfb1513c4db8ed5d63f818a1cbcef4", size: { width: 288, height: 288 } },
    ],
    licence: "Apache-2.0",
  },
  "mediapipe:landscape": {
    name: "mediapipe:landscape",
    graphs: [{ file: "models/selfie_segmentation_landscape.tflite", sha256: "4aafe6223bb8dac6fac8ca8ed56852870a33051ef3f6238822d282a109962894", size: LANDSCAPE }],
    licence: "Apache-2.0",
  },
  "mediapipe:general": {
    name: "mediapipe:general",
    graphs: [{ file: "models/selfie_segmentation.tflite", sha256: "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27", size: { width: 256, height: 256 } }],
    licence: "Apache-2.0",
  },
};
