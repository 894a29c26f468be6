import type { Renderer } from "./renderer.js";

/** Null until there is one. */
export async function openWebgl(): Promise<{ renderer: Renderer; rasteriser: string; software: boolean } | null> {
  return null;
}
