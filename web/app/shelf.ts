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
      this.presets.set(name, this.now());
      this.keep(name);
      this.told(`Saved as ${name}.`);
    });
  }

  remove(): void {
    if (!this.presets.delete(this.list.value)) return this.told("Choose the preset that is to go.");
    this.keep("");
    this.told("Removed.");
  }

  export(): void {
    if (!this.presets.size) return this.told("There is no preset yet. Save one first.");
    download(new File([writePresets(this.presets)], "presets.toml", { type: "application/toml" }));
  }

  /** Take the presets of a file; those of the same name give way. */
  async import(file: File): Promise<void> {
    const source = await file.text();
    this.trying(() => {
      const { presets, notes } = readPresets(source);
      for (const [name, preset] of presets) this.presets.set(name, preset);
      this.keep("");
      this.told([`${presets.size} presets came in.`, ...notes].join(" "));
    });
  }

  private async choose(name: string): Promise<void> {
    const preset = this.presets.get(name);
    if (!preset) return;
    this.name.value = name;
    this.told((await this.apply(preset)).join(" "));
  }

  private keep(chosen: string): void {
    this.fill(chosen);
    try {
      localStorage.setItem(PLACE, writePresets(this.presets));
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
