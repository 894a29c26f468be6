/** The 24 parts of a body that BodyPix tells apart, by its own names and in its order; src/livematte/models/_parts.py has the same. */

import { LivematteError } from "./errors.js";
import type { BodyPart, PartMap } from "./types.js";

/** Name, and red, green and blue of its colour: once around the colours of the rainbow from head to feet. */
export const PARTS = [
  ["left_face", [110, 64, 170]],
  ["right_face", [143, 61, 178]],
  ["left_upper_arm_front", [178, 60, 178]],
  ["left_upper_arm_back", [210, 62, 167]],
  ["right_upper_arm_front", [238, 67, 149]],
  ["right_upper_arm_back", [255, 78, 125]],
  ["left_lower_arm_front", [255, 94, 99]],
  ["left_lower_arm_back", [255, 115, 75]],
  ["right_lower_arm_front", [255, 140, 56]],
  ["right_lower_arm_back", [239, 167, 47]],
  ["left_hand", [217, 194, 49]],
  ["right_hand", [194, 219, 64]],
  ["torso_front", [175, 240, 91]],
  ["torso_back", [135, 245, 87]],
  ["left_upper_leg_front", [96, 247, 96]],
  ["left_upper_leg_back", [64, 243, 115]],
  ["right_upper_leg_front", [40, 234, 141]],
  ["right_upper_leg_back", [28, 219, 169]],
  ["left_lower_leg_front", [26, 199, 194]],
  ["left_lower_leg_back", [33, 176, 213]],
  ["right_lower_leg_front", [47, 150, 224]],
  ["right_lower_leg_back", [65, 125, 224]],
  ["left_feet", [84, 101, 214]],
  ["right_feet", [99, 81, 195]],
] as const;

/**
 * Numbers of the parts that are meant: a name is one of PARTS, or what several of them have in common, as
 * `face`, `hand`, `left_lower_arm`.
 * @throws LivematteError "option": nothing is called that.
 */
export function partNumbers(names: readonly BodyPart[]): number[] {
  const all = PARTS.map(([name]) => name);
  const meant = names.map((name) => all.filter((part) => `_${part}_`.includes(`_${name}_`)));
  const unknown = names.find((_, i) => !meant[i]?.length);
  if (!names.length || unknown !== undefined) throw new LivematteError("option", `parts are names like face, hand, torso, left_lower_arm or right_feet; got ${unknown === undefined ? "none" : String(unknown)}`);
  return all.flatMap((part, number) => (meant.flat().includes(part) ? [number] : []));
}

/** A part map in colours, transparent where nobody is: `context.putImageData(paintParts(map), 0, 0)`. */
export function paintParts({ width, height, data }: PartMap): ImageData {
  const picture = new ImageData(width, height);
  data.forEach((number, i) => {
    const part = PARTS[number];
    if (part) picture.data.set([...part[1], 255], 4 * i);
  });
  return picture;
}
