/** A track processor for LiveKit: `await videoTrack.setProcessor(livematteProcessor({ effect: { type: "blur" } }))`. */

import { createBackground, type Background, type Effect, type Options } from "./index.js";

/** What LiveKit's client calls; its TrackProcessor<Track.Kind.Video> has this shape. */
export interface LiveKitProcessor {
  readonly name: string;
  processedTrack?: MediaStreamTrack;
  init(options: { track: MediaStreamTrack }): Promise<void>;
  restart(options: { track: MediaStreamTrack }): Promise<void>;
  destroy(): Promise<void>;
  /** Change the effect while it runs. */
  setEffect(effect: Effect): Promise<void>;
  /** The running Background, for stats() and events. */
  readonly background: Background | null;
}

export function livematteProcessor(options: Options = {}): LiveKitProcessor {
  return new Processor(options);
}

class Processor implements LiveKitProcessor {
  readonly name = "livematte";
  processedTrack?: MediaStreamTrack;
  background: Background | null = null;

  constructor(private options: Options) {}

  async init({ track }: { track: MediaStreamTrack }): Promise<void> {
    this.background ??= await createBackground(this.options);
    this.processedTrack = await this.background.process(track);
  }

  async restart(options: { track: MediaStreamTrack }): Promise<void> {
    await this.init(options);
  }

  async destroy(): Promise<void> {
    this.background?.stop();
    this.background = null;
    delete this.processedTrack;
  }

  async setEffect(effect: Effect): Promise<void> {
    this.options = { ...this.options, effect };
    await this.background?.setEffect(effect);
  }
}
