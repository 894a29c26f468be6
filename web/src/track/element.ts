/** Frames by a video element and a canvas, where the browser has no streams of frames (Firefox). */

import type { ToWorker } from "../protocol.js";

export class ElementFeed {
  /** The output. */
  readonly track: MediaStreamTrack;
  private readonly canvas: ImageBitmapRenderingContext;
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
    this.canvas = canvas.getContext("bitmaprenderer") as ImageBitmapRenderingContext;
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

  /** The worker's output of the frame before; null where nothing may be shown. */
  drawn(bitmap: ImageBitmap | null): void {
    this.busy = false;
    this.show(bitmap);
    if (this.waiting) this.take(this.waits_s);
  }

  private show(bitmap: ImageBitmap | null): void {
    if (this.stopped || !bitmap) return bitmap?.close();
    const { canvas } = this.canvas;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    this.canvas.transferFromImageBitmap(bitmap);
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
