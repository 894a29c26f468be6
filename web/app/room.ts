/** A picture of the room without people: taken from the camera after a countdown, or chosen. */

import type { Background } from "../src/index.js";
import { Told } from "./words.js";

const COUNTDOWN_S = 5;
/** Trust in the picture below which it is not used: the camera moves, or has moved. */
const TRUSTED = 0.5;
/** Looks in a row without trust before that is said; a frame that shook is no move. */
const LOOKS = 3;

export class EmptyRoom {
  private kept: Blob | null = null;
  private counting: AbortController | null = null;
  private doubts = 0;

  /**
   * @param said shows how it stands.
   * @param countdown shows the seconds that are left, over the picture.
   * @param tell the running Background of the picture, if there is one.
   */
  constructor(
    private readonly said: HTMLOutputElement,
    private readonly countdown: HTMLElement,
    private readonly button: HTMLButtonElement,
    private readonly tell: (picture: Blob | null) => Promise<void>,
  ) {}

  get picture(): Blob | null {
    return this.kept;
  }

  /** Of the file that was chosen; "" if none was. */
  get name(): string {
    return this.kept instanceof File ? this.kept.name : "";
  }

  /**
   * Take a picture of what the camera sees in a few seconds; asked again meanwhile, it does not.
   * @throws Told, LivematteError.
   */
  async take(camera: MediaStreamTrack): Promise<void> {
    if (this.counting) return this.cancel();
    const mine = (this.counting = new AbortController());
    const { signal } = mine;
    this.button.textContent = "Stop the countdown";
    try {
      for (let left_s = COUNTDOWN_S; left_s > 0 && !signal.aborted; left_s--) {
        this.countdown.textContent = `${left_s}`;
        this.said.value = `Step out of the picture: ${left_s}`;
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      if (signal.aborted) return;
      await this.use(await still(camera));
    } finally {
      if (this.counting === mine) this.cancel(); // not the next one, if this was cancelled
    }
  }

  /** @throws LivematteError: it is no picture. */
  async use(picture: Blob | null): Promise<void> {
    await this.tell(picture);
    this.kept = picture;
    this.doubts = 0;
    this.said.value = picture ? "In use." : "";
  }

  cancel(): void {
    if (!this.counting) return;
    this.counting.abort();
    this.counting = null;
    this.countdown.textContent = "";
    this.button.textContent = "Take a picture of the empty room";
    if (!this.kept || /^Step/.test(this.said.value)) this.said.value = this.kept ? "In use." : "";
  }

  /** Look whether the picture is still trusted. */
  follow(background: Background | null): void {
    const trust = background?.stats().room ?? null;
    if (!this.kept || this.counting || trust === null) return;
    this.doubts = trust < TRUSTED ? this.doubts + 1 : 0;
    this.said.value = this.doubts < LOOKS ? "In use." : "Left aside: the camera moves, or stands elsewhere than then. Take a new picture if it stays so.";
  }
}

/** What a camera sees now, as a PNG. */
async function still(camera: MediaStreamTrack): Promise<Blob> {
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  video.srcObject = new MediaStream([camera]);
  try {
    await video.play();
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    return await canvas.convertToBlob();
  } catch {
    throw new Told("The camera gave no picture. Try again.");
  } finally {
    video.srcObject = null;
  }
}
