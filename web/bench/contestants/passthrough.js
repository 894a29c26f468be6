/** The floor: the camera's own track. */
export const about = { name: "passthrough", settings: "the camera's track, played" };

export async function start(track) {
  return { track };
}
