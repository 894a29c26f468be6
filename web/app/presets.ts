/** Presets as TOML: settings with a name, with the keys that `livematte live` has in its file. */

import { parse, stringify } from "smol-toml";
import type { Zone } from "../src/index.js";
import { Told } from "./words.js";

/** What a preset says; what it leaves out stays as its effect has it. */
export interface Preset {
  effect?: string; // "blur:0.6", "image:NAME", "video:NAME", "color:#00ff00", "transparent", "off"
  model?: string;
  light_wrap?: number;
  softness?: number;
  despill?: boolean;
  match?: number;
  who?: "everyone" | "nearest";
  zones?: readonly Zone[];
  framing?: boolean;
  bokeh?: boolean;
  mirror?: boolean; // of `livematte live` alone
  room?: string; // a path on the machine; "" for none
}

export type Presets = Map<string, Preset>;

/** As src/livematte/_preset_file.py has them. */
const [MOST_BYTES, MOST_PRESETS, LONGEST_NAME] = [256 * 1024, 200, 64];
/** As src/livematte/effects/_zones.py has them. */
const [FEWEST_POINTS, MOST_POINTS, MOST_ZONES] = [3, 64, 16];

/** What Python's `str.isprintable` takes: no control character, and no white space but the plain one. */
const PRINTABLE = /^(?:[^\p{C}\p{Z}]| )*$/u;

const part = (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 1;
const truth = (value: unknown): boolean => typeof value === "boolean";
const text = (value: unknown): boolean => typeof value === "string" && value.length <= 1024 && PRINTABLE.test(value);
const isName = (name: string): boolean => name !== "" && [...name].length <= LONGEST_NAME && PRINTABLE.test(name) && name === name.trim();
const polygon = (zone: unknown): boolean => Array.isArray(zone) && zone.length >= FEWEST_POINTS && zone.length <= MOST_POINTS && zone.every((point) => Array.isArray(point) && point.length === 2 && point.every(part));

/** What a key must be, and in words. */
const KEYS: Record<keyof Preset, [(value: unknown) => boolean, string]> = {
  effect: [(value) => text(value) && /^(blur|image|video|color|transparent|off)(:|$)/.test(value as string), "an effect such as blur:0.6 or color:#00ff00"],
  model: [text, "the name of a network"],
  light_wrap: [part, "a number from 0 to 1"],
  softness: [part, "a number from 0 to 1"],
  despill: [truth, "true or false"],
  match: [part, "a number from 0 to 1"],
  who: [(value) => value === "everyone" || value === "nearest", "everyone or nearest"],
  zones: [(value) => Array.isArray(value) && value.length <= MOST_ZONES && value.every(polygon), "polygons of 3 to 64 points from 0 to 1"],
  framing: [truth, "true or false"],
  bokeh: [truth, "true or false"],
  mirror: [truth, "true or false"],
  room: [text, "the path of a picture"],
};

/**
 * The presets in a file. What is not understood is left out and told.
 * @throws Told: no TOML, or none with presets.
 */
export function readPresets(source: string): { presets: Presets; notes: string[] } {
  if (source.length > MOST_BYTES) throw new Told(`This file is too long for presets: ${Math.round(source.length / 1000)} kB, at most ${MOST_BYTES / 1024} are read.`);
  let file: Record<string, unknown>;
  try {
    file = parse(source);
  } catch (thrown) {
    throw new Told(`This file is no TOML: ${thrown instanceof Error ? (thrown.message.split("\n")[0] as string) : "it cannot be read"}`);
  }
  const { presets: tables, ...others } = file;
  if (!isTable(tables)) throw new Told("There are no presets in this file: they begin with a line like [presets.office].");
  const notes = Object.keys(others).map((key) => `${key} is unknown and was left out.`);
  const presets: Presets = new Map();
  for (const [name, table] of Object.entries(tables)) {
    if (presets.size >= MOST_PRESETS) notes.push(`Only the first ${MOST_PRESETS} presets were read.`);
    if (presets.size >= MOST_PRESETS) break;
    if (!isTable(table) || !isName(name)) notes.push(`${name.slice(0, LONGEST_NAME)} is no preset and was left out.`);
    else presets.set(name, checked(name, table, notes));
  }
  return { presets, notes };
}

/**
 * The file that holds them.
 * @throws Told: there are more of them than a file may have.
 */
export function writePresets(presets: Presets): string {
  const written = `${stringify({ presets: Object.fromEntries(presets) })}\n`;
  if (presets.size > MOST_PRESETS || new TextEncoder().encode(written).length > MOST_BYTES) throw new Told(`There may be ${MOST_PRESETS} presets and ${MOST_BYTES / 1024} kB of them: remove one first.`);
  return written;
}

/**
 * What a page cannot do of a preset, in words.
 * @param room name of the file that is in use as the picture of the empty room; "" if none is.
 */
export function beyondPage(preset: Preset, room: string): string[] {
  const notes: string[] = [];
  if (preset.room && preset.room.split(/[/\\]/).at(-1) !== room) notes.push(`${preset.room} is a file that no page can read by itself: choose it under “The empty room”.`);
  if (preset.mirror) notes.push("The picture is not mirrored here: only livematte live does that.");
  return notes;
}

export function checkName(name: string): string {
  const trimmed = name.trim();
  if (!isName(trimmed)) throw new Told(`Give the preset a name of at most ${LONGEST_NAME} plain characters.`);
  return trimmed;
}

function checked(name: string, table: Record<string, unknown>, notes: string[]): Preset {
  const preset: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(table)) {
    const known = Object.hasOwn(KEYS, key) ? KEYS[key as keyof Preset] : undefined;
    if (!known) notes.push(`${name}: ${key} is unknown and was left out.`);
    else if (!known[0](value)) notes.push(`${name}: ${key} must be ${known[1]}; it was left out.`);
    else preset[key] = value;
  }
  return preset;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
