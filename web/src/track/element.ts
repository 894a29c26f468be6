/** Frames by a video element and a canvas, where the browser has no streams of frames (Firefox). */

import type { ToWorker } from "../protocol.js";
import type { Size } from "../render/renderer.js";

export class ElementFeed {
  /** The output. */
  readonly track: MediaStreamTrack;
  private readonly canvas: CanvasRenderingContext2D;
  private readonly element = document.createElement("video");
  private readonly visibility = (): void => this.follow();
  private busy = false;
  private waiting = false; // a frame was presented meanwhile
  private skipped = 0;
  private stopped = false;
  private waits_s = 0; // its time
  private shown_s = -1;

  /**
   * @param camera the track to read; it stays the caller's.
   * @param post sends to the worker.
   */
  constructor(
    camera: MediaStreamTrack,
    private readonly fps: number,
    private readonly post: (message: ToWorker, transfer?: Transferable[]) => void,
  ) {
    const canvas = document.createElement("canvas");
    const { width = 640, height = 480 } = camera.getSettings();
    [canvas.width, canvas.height] = [width, height];
    // in memory, not on a graphics card: captureStream() reads back every picture. Firefox's frames lose their alpha before they come here
    this.canvas = canvas.getContext("2d", { alpha: false, willReadFrequently: true }) as CanvasRenderingContext2D;
    this.track = canvas.captureStream().getVideoTracks()[0] as MediaStreamTrack;
    Object.assign(this.element, { muted: true, playsInline: true, srcObject: new MediaStream([camera]) });
  }

  async start(): Promise<void> {
    document.addEventListener("visibilitychange", this.visibility);
    const next = (_now: number, { mediaTime }: VideoFrameCallbackMetadata): void => {
      if (this.stopped) return;
      this.take(mediaTime);
      this.element.requestVideoFrameCallback(next);
    };
    this.element.requestVideoFrameCallback(next);
    this.follow();
    await this.element.play();
  }

  /** The worker's output of the frame before, from top to bottom; none where nothing may be shown. */
  drawn(strips: readonly ImageBitmap[]): void {
    this.busy = false;
    const [first] = strips;
    if (first && !this.stopped) this.show(strips, { width: first.width, height: strips.reduce((height, strip) => height + strip.height, 0) });
    for (const strip of strips) strip.close();
    if (this.waiting) this.take(this.waits_s);
  }

  /** All of a picture in one task: no capture comes between its strips. */
  private show(strips: readonly ImageBitmap[], { width, height }: Size): void {
    const { canvas } = this.canvas;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    // a picture with alpha comes in one piece, which must not be laid over the one before; strips have none
    this.canvas.globalCompositeOperation = strips.length === 1 ? "copy" : "source-over";
    let top = 0;
    for (const strip of strips) {
      this.canvas.drawImage(strip, 0, top);
      top += strip.height;
    }
  }

  /** The worker's timer, which runs while the page is hidden and no frames are presented. */
  tick(): void {
    if (document.hidden && this.element.currentTime !== this.shown_s) this.take(this.element.currentTime);
  }

  stop(): void {
    this.stopped = true;
    document.removeEventListener("visibilitychange", this.visibility);
    this.post({ type: "tick", interval_ms: 0 });
    this.element.srcObject = null;
    this.track.stop();
  }

  private follow(): void {
    this.post({ type: "tick", interval_ms: document.hidden ? 1000 / this.fps : 0 });
  }

  /**
   * Send the frame that is shown. Only one is on its way: while the worker is busy, the newest one waits.
   * @param at_s its time; Firefox's own VideoFrame of an element has whole seconds in place of microseconds.
   */
  private take(at_s: number): void {
    if (this.stopped || this.element.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    if (this.busy) {
      if (this.waiting) this.skipped++;
      [this.waiting, this.waits_s] = [true, at_s];
      return;
    }
    this.waiting = false;
    this.shown_s = this.element.currentTime;
    const frame = new VideoFrame(this.element, { timestamp: Math.round(1e6 * at_s) });
    this.busy = true;
    this.post({ type: "frame", frame, skipped: this.skipped }, [frame]);
    this.skipped = 0;
  }
}
