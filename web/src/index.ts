/**
 * Blur, replace or remove the background of a camera track, on the user's own machine.
 *
 *     const background = await createBackground({ effect: { type: "blur", strength: 0.6 } });
 *     const processed = await background.process(cameraTrack);
 */

import { Background } from "./background.js";
import type { Options } from "./types.js";

export { Background };
export { type ErrorCode, LivematteError } from "./errors.js";
export { paintParts, PARTS } from "./parts.js";
export type { BackgroundEvents, BodyPart, Effect, EngineName, Look, ModelName, ModelOptions, Options, PartMap, Percentiles, RendererName, RungChange, RungName, Stage, Stats, Zone } from "./types.js";

/**
 * Start a worker with the kernels in it. The network loads meanwhile; until it runs, the output
 * is covered (see `background.loaded` and the event "ready").
 * @throws LivematteError "option", "plate", "unsupported", "worker", "engine".
 */
export function createBackground(options: Options = {}): Promise<Background> {
  return Background.open(options);
}
