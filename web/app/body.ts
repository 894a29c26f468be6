/** Body parts, where the network tells them apart: which of them stay, and a coloured view of all. */

import { type Background, type BodyPart, paintParts } from "../src/index.js";

const GROUPS: readonly [BodyPart, string][] = [
  ["face", "Face"],
  ["hand", "Hands"],
  ["arm", "Arms"],
  ["torso", "Upper body"],
  ["leg", "Legs"],
  ["feet", "Feet"],
];
const EVERY_MS = 100;

export class Body {
  private shown = false;

  /**
   * @param field gets the switches; it is hidden where the network knows no parts.
   * @param canvas over the picture, which is `video`'s.
   * @param changed is called when other parts are to stay.
   */
  constructor(
    private readonly field: HTMLFieldSetElement,
    private readonly canvas: HTMLCanvasElement,
    private readonly video: HTMLVideoElement,
    private readonly running: () => Background | null,
    changed: () => void,
  ) {
    for (const [part, name] of GROUPS) {
      const label = Object.assign(document.createElement("label"), { className: "switch" });
      label.append(Object.assign(document.createElement("input"), { type: "checkbox", value: part, checked: true, id: `part-${part}` }), name);
      label.addEventListener("change", changed);
      field.querySelector(".parts")?.append(label);
    }
  }

  /** What createBackground() and setModel() are told: nothing where all of them stay. */
  get options(): { parts?: BodyPart[] } {
    const boxes = [...this.field.querySelectorAll<HTMLInputElement>(".parts input")];
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value as BodyPart);
    return this.field.hidden || chosen.length === boxes.length || !chosen.length ? {} : { parts: chosen };
  }

  /** The network is another one. */
  use(model: string): void {
    this.field.hidden = !/^bodypix:.*-s16/.test(model);
  }

  /** Show or hide the coloured view. */
  show(on: boolean): void {
    const before = this.shown;
    this.shown = on;
    this.canvas.hidden = !on;
    if (on && !before) void this.follow();
  }

  private async follow(): Promise<void> {
    while (this.shown) {
      const map = this.field.hidden ? null : await this.running()?.parts().catch(() => null);
      // a map has the network's shape, and lies over the whole picture
      [this.canvas.width, this.canvas.height] = [this.video.videoWidth, this.video.videoHeight];
      const picture = map && (await createImageBitmap(paintParts(map)));
      if (picture) this.canvas.getContext("2d")?.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
      picture?.close();
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
}
