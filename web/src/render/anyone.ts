/** Whether a matte shows somebody: docs/spec/compositing.md, "Somebody"; src/livematte/effects/_anyone.py has the same. */

import type { Matte } from "./renderer.js";

/** Alpha that counts: one half, which neither refinement nor softness moves. */
const PERSON = 0.5;

/** Somebody is there if that alpha takes up one of so many parts of the picture (0.005) or more. */
const PARTS = 200;

/** Whether enough of a picture belongs to a person; without a matte there is nobody. */
export function anyone(matte: Pick<Matte, "alpha"> | null): boolean {
  if (!matte) return false;
  let count = 0;
  for (const alpha of matte.alpha) if (alpha >= PERSON) count++;
  return count * PARTS >= matte.alpha.length;
}
