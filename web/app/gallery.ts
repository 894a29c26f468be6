/** The backgrounds to choose from: radio buttons with pictures, and one's own files beside them. */

import type { Effect } from "../src/index.js";
import { drawScene, SCENES } from "./scenes.js";

/** An effect without the settings that all of them share. */
export type Choice = { type: "off" | "blur" | "color" | "transparent" } | { type: "image" | "video"; src: Blob };
export type ChoiceType = Effect["type"];

const PLAIN: readonly [string, Choice["type"] & ("off" | "blur" | "color" | "transparent")][] = [
  ["Blur", "blur"],
  ["Colour", "color"],
  ["Transparent", "transparent"],
  ["Off", "off"],
];

export class Gallery {
  private readonly choices = new Map<string, Choice>();

  /** @param chosen is called with every choice of the person. */
  constructor(
    private readonly field: HTMLFieldSetElement,
    private readonly chosen: (choice: Choice) => void,
  ) {
    for (const [name, type] of PLAIN) this.tile(name, { type }, type);
    field.addEventListener("change", ({ target }) => this.chosen(this.choices.get((target as HTMLInputElement).value) as Choice));
    this.check("Blur");
  }

  /** Draw the built-in pictures; a moment later they can be chosen. */
  async fill(): Promise<void> {
    for (const name of Object.keys(SCENES)) {
      const src = await drawScene(name);
      this.tile(name, { type: "image", src }, "scene", URL.createObjectURL(src));
    }
  }

  /** Add the person's own file, and choose it. */
  add(file: File): void {
    const type = file.type.startsWith("video/") ? "video" : "image";
    const name = this.choices.has(file.name) ? `${file.name} ${this.choices.size}` : file.name;
    this.tile(name, { type, src: file }, type === "image" ? "scene" : "video", URL.createObjectURL(file));
    this.check(name);
    this.chosen(this.choices.get(name) as Choice);
  }

  /** Name of what is chosen. */
  get chosenName(): string {
    return this.field.querySelector<HTMLInputElement>("input:checked")?.value ?? "";
  }

  /** Choose by kind, or a picture or film by its name with or without its folder and ending; null where there is none. */
  select(type: Choice["type"], name = ""): Choice | null {
    const bare = (path: string): string => path.replace(/^.*[/\\]/, "").replace(/\.\w+$/, "").toLowerCase();
    const [found, choice] = [...this.choices].find(([known, each]) => each.type === type && (!name || bare(known) === bare(name))) ?? [];
    if (!found || !choice) return null;
    this.check(found);
    return choice;
  }

  /** Choose the n-th, from 1. */
  choose(index: number): void {
    const name = [...this.choices.keys()][index - 1];
    if (!name) return;
    this.check(name);
    this.chosen(this.choices.get(name) as Choice);
  }

  private check(name: string): void {
    for (const input of this.field.querySelectorAll("input")) input.checked = input.value === name;
  }

  private tile(name: string, choice: Choice, look: string, url?: string): void {
    this.choices.set(name, choice);
    const label = Object.assign(document.createElement("label"), { className: `tile ${look}`, title: name });
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "background", value: name });
    const shown = document.createElement(choice.type === "video" ? "video" : "span");
    shown.className = "shown";
    if (url && choice.type === "video") Object.assign(shown, { src: url, muted: true, preload: "metadata" });
    else if (url) shown.append(Object.assign(document.createElement("img"), { src: url, alt: "" }));
    label.append(input, shown, Object.assign(document.createElement("span"), { className: "name", textContent: name }));
    this.field.append(label);
  }
}
