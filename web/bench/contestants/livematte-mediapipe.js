/** livematte with the network that the peers use. */
import { start as open } from "./livematte.js";

export const about = { name: "livematte, MediaPipe's network", settings: "as livematte, with selfie_segmentation_landscape" };

export const start = (track, places) => open(track, { ...places, model: "mediapipe:landscape" });
