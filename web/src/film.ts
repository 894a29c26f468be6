/** A film behind the person: a muted element in a loop, whose frames go to the worker. */

import { asError } from "./errors.js";
import { sourceOf } from "./effect.js";

export class Film {
  private readonly element = document.createElement("video");
  private readonly release: () => void;
  private stopped = false;

  private constructor(src: string | URL | Blob) {
    const { url, release } = sourceOf(src);
    this.release = release;
    Object.assign(this.element, { muted: true, loop: true, playsInline: true, crossOrigin: "anonymous", src: url });
  }

  /**
   * Play a film; `show` gets its frames, the first one before this resolves.
   * @throws LivematteError "option", "plate".
   */
  static async play(src: string | URL | Blob, show: (frame: VideoFrame) => void): Promise<Film> {
    const film = new Film(src);
    try {
      const first = new Promise((seen) => film.element.requestVideoFrameCallback(seen));
      await film.element.play();
      await first;
    } catch (thrown) {
      film.stop();
      throw asError(thrown, "plate", "the film cannot be played");
    }
    const next = (): void => {
      if (film.stopped) return;
      show(new VideoFrame(film.element));
      film.element.requestVideoFrameCallback(next);
    };
    next();
    return film;
  }

  stop(): void {
    this.stopped = true;
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
    this.release();
  }
}
