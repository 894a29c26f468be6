/** Effects as users write them, made into what the worker needs: options checked and filled in, pictures decoded. */

import { asError, LivematteError } from "./errors.js";
import type { EffectMessage } from "./protocol.js";
import type { Effect } from "./types.js";

const WEAKEST_BLUR = 0.1;
/** The green of chroma-key paint. */
const GREEN = [0, 177, 64] as const;
const DEFAULTS = { softness: 0.3, lightWrap: 0, pictureWrap: 0.3, strength: 0.6 };
/** Pictures larger than this are made smaller: no frame is larger. */
const LARGEST_PICTURE_PX = 1920;
/** Of a room: it is only looked at in the network's size. */
const LARGEST_ROOM_PX = 960;
/** Of zones; src/livematte/effects/_zones.py has the same. */
const FEWEST_POINTS = 3;
const MOST_POINTS = 64;
const MOST_ZONES = 16;
const TYPES = ["blur", "image", "video", "color", "transparent", "off"];

/** @throws LivematteError "option", "plate". */
export async function prepare(effect: Effect): Promise<EffectMessage> {
  if (!TYPES.includes(effect?.type)) throw new LivematteError("option", `effect.type must be one of ${TYPES.join(", ")}; got ${String(effect?.type)}`);
  const { type, who = "everyone", zones = [], softness = DEFAULTS.softness, match = 0 } = effect;
  const picture = type === "image" || type === "video";
  const { lightWrap = picture ? DEFAULTS.pictureWrap : DEFAULTS.lightWrap, despill = type !== "blur" && type !== "off" } = effect;
  const strength = (type === "blur" ? effect.strength : undefined) ?? DEFAULTS.strength;
  const bokeh = type === "blur" && Boolean(effect.bokeh);
  fraction("strength", strength, WEAKEST_BLUR);
  fraction("softness", softness, 0);
  fraction("lightWrap", lightWrap, 0);
  fraction("match", match, 0);
  if (match > 0 && !picture && type !== "color") throw new LivematteError("option", `match takes its light from a new background; ${type} has none`);
  if (who !== "everyone" && who !== "nearest") throw new LivematteError("option", `who must be "everyone" or "nearest", got ${String(who)}`);
  checkZones(zones);
  const rgb = type === "color" ? parseRgb(effect.rgb ?? GREEN) : GREEN;
  const message: EffectMessage = { painting: { type, strength, bokeh, rgb, lightWrap, despill: Boolean(despill), softness, match }, who, zones };
  if (type === "image") message.picture = await decode(effect.src, LARGEST_PICTURE_PX);
  return message;
}

/**
 * A picture of the empty room, decoded.
 * @throws LivematteError "option", "plate".
 */
export async function prepareRoom(src: string | URL | Blob): Promise<ImageBitmap> {
  return decode(src, LARGEST_ROOM_PX);
}

function checkZones(zones: unknown): void {
  const polygons = Array.isArray(zones) ? (zones as unknown[]) : [null];
  if (polygons.length > MOST_ZONES) throw new LivematteError("option", `there may be at most ${MOST_ZONES} zones, got ${polygons.length}`);
  const part = (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 1;
  const point = (value: unknown): boolean => Array.isArray(value) && value.length === 2 && value.every(part);
  for (const zone of polygons) {
    if (Array.isArray(zone) && zone.length >= FEWEST_POINTS && zone.length <= MOST_POINTS && zone.every(point)) continue;
    throw new LivematteError("option", `a zone is ${FEWEST_POINTS} to ${MOST_POINTS} points [x, y] in parts of the picture from 0 to 1, got ${JSON.stringify(zone)}`);
  }
}

function fraction(name: string, value: unknown, lowest: number): void {
  if (typeof value !== "number" || !(value >= lowest && value <= 1)) throw new LivematteError("option", `${name} must be a number from ${lowest} to 1, got ${String(value)}`);
}

/** `#rrggbb` or three numbers, as three numbers. */
function parseRgb(color: string | readonly number[]): readonly [number, number, number] {
  const hex = typeof color === "string" ? /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color) : null;
  const [red, green, blue, ...more] = hex ? hex.slice(1).map((part) => parseInt(part, 16)) : typeof color === "string" ? [] : color;
  const byte = (value: number | undefined): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 255;
  if (!byte(red) || !byte(green) || !byte(blue) || more.length) throw new LivematteError("option", `a color is #rrggbb or three whole numbers from 0 to 255, got ${String(color)}`);
  return [red, green, blue];
}

/** The address or file of a picture or film as something an element takes; `release` when it is done. */
export function sourceOf(src: unknown): { url: string; release: () => void } {
  if (src instanceof Blob) {
    const url = URL.createObjectURL(src);
    return { url, release: () => URL.revokeObjectURL(url) };
  }
  if ((typeof src === "string" && src !== "") || src instanceof URL) return { url: new URL(src, document.baseURI).href, release: () => undefined };
  throw new LivematteError("option", `src must be an address or a Blob, got ${String(src)}`);
}

async function decode(src: string | URL | Blob, largest_px: number): Promise<ImageBitmap> {
  const { url, release } = sourceOf(src);
  try {
    const image = new Image();
    image.crossOrigin = "anonymous"; // its pixels are read
    image.src = url;
    await image.decode();
    const scale = Math.min(largest_px / Math.max(image.naturalWidth, image.naturalHeight), 1);
    const [resizeWidth, resizeHeight] = [image.naturalWidth, image.naturalHeight].map((side) => Math.max(Math.round(side * scale), 1)) as [number, number];
    return await createImageBitmap(image, scale < 1 ? { resizeWidth, resizeHeight, resizeQuality: "high" } : {});
  } catch (thrown) {
    throw asError(thrown, "plate", `the picture ${src instanceof Blob ? "" : url} cannot be read`);
  } finally {
    release();
  }
}
