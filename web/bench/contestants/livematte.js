/** livematte with its defaults: its own network, governor switched off so that the full quality is measured. */
import { createBackground } from "../../dist/index.js";

export const about = { name: "livematte", settings: 'blur 0.6, own network 256x144 on every frame, refinement, temporal; governor off' };

export async function start(track, { assets, model = "livematte" }) {
  const background = await createBackground({ effect: { type: "blur", strength: 0.6 }, model, assetBase: assets, governor: false });
  const ready = new Promise((resolve) => background.addEventListener("ready", resolve));
  return { track: await background.process(track), ready, figures: () => background.stats() };
}
