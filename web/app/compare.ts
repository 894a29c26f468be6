/** Before and after: a line over the picture, left of it the camera as it is. It shows nothing of it until it is moved. */

const HALF = 50;

export class Compare {
  private track: MediaStreamTrack | null = null;

  /**
   * @param stage element that gets `--split`, how much of the width is "before", as a percentage.
   * @param split the line: an input of type range, 0-100.
   */
  constructor(
    private readonly stage: HTMLElement,
    private readonly before: HTMLVideoElement,
    private readonly split: HTMLInputElement,
    private readonly button: HTMLButtonElement,
  ) {
    split.addEventListener("input", () => this.follow());
    button.addEventListener("click", () => {
      split.value = String(Number(split.value) > 0 ? 0 : HALF);
      this.follow();
      if (Number(split.value) > 0) split.focus();
    });
  }

  /** The track to compare with, or null. */
  use(track: MediaStreamTrack | null): void {
    this.track = track;
    this.button.disabled = track === null;
    if (!track) this.split.value = "0";
    this.follow();
  }

  /** Show all of the camera's own picture, to draw on it, or none. */
  whole(on: boolean): void {
    this.split.value = on ? "100" : "0";
    this.follow();
  }

  private follow(): void {
    const share = Number(this.split.value);
    const shown = share > 0 && this.track !== null;
    this.stage.style.setProperty("--split", `${share}%`);
    this.stage.classList.toggle("comparing", shown);
    this.button.setAttribute("aria-pressed", String(shown));
    // the camera's own picture is connected only while somebody asks for it
    if (shown && !this.before.srcObject) {
      this.before.srcObject = new MediaStream([this.track as MediaStreamTrack]);
      void this.before.play().catch(() => undefined);
    }
    if (!shown) this.before.srcObject = null;
  }
}
