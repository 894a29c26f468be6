/** The presets of this browser: saved, chosen, and kept in one TOML file. */

import { checkName, type Preset, type Presets, readPresets, writePresets } from "./presets.js";
import { download } from "./record.js";
import { wordsFor } from "./words.js";

const PLACE = "livematte presets";

export class Shelf {
  private presets: Presets = new Map();

  /**
   * @param list of their names; what is chosen there is applied.
   * @param now the settings as they are.
   * @param apply changes the settings; what it cannot do it returns in words.
   * @param told gets what happens.
   */
  constructor(
    private readonly list: HTMLSelectElement,
    private readonly name: HTMLInputElement,
    private readonly now: () => Preset,
    private readonly apply: (preset: Preset) => Promise<string[]>,
    private readonly told: (words: string) => void,
  ) {
    try {
      const kept = localStorage.getItem(PLACE);
      if (kept) ({ presets: this.presets } = readPresets(kept));
    } catch (thrown) {
      told(`The presets of this browser cannot be read. ${wordsFor(thrown)}`);
    }
    list.addEventListener("change", () => void this.choose(list.value));
    this.fill("");
  }

  save(): void {
    this.trying(() => {
      const name = checkName(this.name.value);
      this.keep(new Map([...this.presets, [name, this.now()]]), name, `Saved as ${name}.`);
    });
  }

  remove(): void {
    if (!this.presets.has(this.list.value)) return this.told("Choose the preset that is to go.");
    this.trying(() => this.keep(new Map([...this.presets].filter(([name]) => name !== this.list.value)), "", "Removed."));
  }

  export(): void {
    if (!this.presets.size) return this.told("There is no preset yet. Save one first.");
    this.trying(() => download(new File([writePresets(this.presets)], "presets.toml", { type: "application/toml" })));
  }

  /** Take the presets of a file; those of the same name give way. */
  async import(file: File): Promise<void> {
    const source = await file.text();
    this.trying(() => {
      const { presets, notes } = readPresets(source);
      this.keep(new Map([...this.presets, ...presets]), "", [`${presets.size} presets came in.`, ...notes].join(" "));
    });
  }

  private async choose(name: string): Promise<void> {
    const preset = this.presets.get(name);
    if (!preset) return;
    this.name.value = name;
    this.told((await this.apply(preset)).join(" "));
  }

  /** Have these presets from now on, in this browser, too, and tell so. */
  private keep(presets: Presets, chosen: string, words: string): void {
    const written = writePresets(presets);
    this.presets = presets;
    this.fill(chosen);
    this.told(words);
    try {
      localStorage.setItem(PLACE, written);
    } catch {
      this.told("This browser keeps nothing for this page. Export the presets to have them next time.");
    }
  }

  private fill(chosen: string): void {
    const first = new Option(this.presets.size ? "choose one" : "none yet", "");
    this.list.replaceChildren(first, ...[...this.presets.keys()].map((name) => new Option(name)));
    this.list.value = chosen;
  }

  private trying(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.told(wordsFor(thrown));
    }
  }
}
