/** Background: one camera track in, one track with another background out. All pixels are the worker's. */

import { prepare, prepareRoom } from "./effect.js";
import { asError, LivematteError } from "./errors.js";
import { Film } from "./film.js";
import type { FromWorker, ToWorker } from "./protocol.js";
import { ElementFeed } from "./track/element.js";
import { partNumbers } from "./parts.js";
import type { BackgroundEvents, Effect, ModelName, ModelOptions, Options, PartMap, Stats } from "./types.js";

const DEFAULT_FPS = 30;
/** The worker speaks twice a second. After so many seconds without a word it is dead. */
const SILENT_S = 5;
const MODEL_NAMES: readonly string[] = ["livematte", "mediapipe:landscape", "mediapipe:general", "bodypix:mobilenet-050-s8"];
/** Those that tell body parts apart: width of the network, and -q2 or -q1 for weights of two bytes or of one. */
const KNOWS_PARTS = /^bodypix:mobilenet-(050|075|100)-s16(-q[12])?$/;

type Request = Extract<ToWorker, { id: number }>;
type Answer = { track?: MediaStreamTrack; frame?: VideoFrame; map?: PartMap | null };
/** A request before it has its number. */
type Asked = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

interface Pending {
  resolve(answer: Answer): void;
  reject(error: LivematteError): void;
}

export class Background extends EventTarget {
  /** Settles when the network runs; until then the output is covered. Rejects with what an "error" event says, too. */
  readonly loaded: Promise<void>;
  private readonly pending = new Map<number, Pending>();
  private last: Stats;
  private nextId = 0;
  private transport: Stats["transport"] = null;
  private workerTracks = false;
  private feed: ElementFeed | null = null;
  private camera: MediaStreamTrack | null = null; // the caller's
  private output: MediaStreamTrack | null = null;
  private film: Film | null = null;
  private over: LivematteError | null = null;
  private startLoading!: () => void;
  private silent_s = 0;
  private pulse = 0;

  private constructor(
    private readonly worker: Worker,
    model: ModelName,
    options: ModelOptions,
  ) {
    super();
    this.last = noStats(model);
    this.loaded = new Promise<void>((resolve) => (this.startLoading = resolve)).then(() => this.setModel(model, options));
    this.loaded.catch((error: unknown) => this.emit("error", asError(error, "weights", "the network did not load")));
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.hear(data));
    worker.addEventListener("error", (event) => this.fail(new LivematteError("worker", `the worker failed: ${event.message || "its script did not load"}; copy the folder dist/assets to assetBase`)));
  }

  /** See createBackground(). */
  static async open(options: Options): Promise<Background> {
    check(options);
    const { effect = { type: "blur" }, model = "livematte", temporal = true, framing = false, renderer = "auto", engine = "auto", governor = true } = options;
    const prepared = await prepare(effect);
    const room = options.room === undefined ? null : await prepareRoom(options.room);
    const assetBase = new URL(options.assetBase ?? new URL("./assets/", import.meta.url), document.baseURI).href.replace(/\/*$/, "/");
    let worker: Worker;
    try {
      worker = new Worker(`${assetBase}livematte.worker.js`, { name: "livematte" });
    } catch (thrown) {
      throw asError(thrown, "worker", `a worker from ${assetBase} is refused; it must be of the page's own origin and allowed by worker-src`);
    }
    const background = new Background(worker, model, options);
    try {
      const transfer = [prepared.picture, room].filter((picture) => picture instanceof ImageBitmap);
      await background.ask({ type: "open", assetBase, model, effect: prepared, room, temporal, framing: Boolean(framing), renderer, engine, governor }, transfer);
      background.pulse = window.setInterval(() => background.check(), 1000);
      background.startLoading();
      await background.playFilm(effect);
    } catch (thrown) {
      background.stop();
      throw asError(thrown, "worker", "the worker did not start");
    }
    return background;
  }

  /**
   * Change the background of a camera's track. What was processed before ends.
   * @returns a live track; it ends when the camera's does. Until there is a matte it is covered.
   * @throws LivematteError "track": not a live video track; "stopped".
   */
  async process(track: MediaStreamTrack): Promise<MediaStreamTrack> {
    if (track?.kind !== "video" || track.readyState !== "live") {
      throw new LivematteError("track", `process() takes a live video track, got ${track?.kind ?? String(track)} ${track?.readyState ?? ""}`);
    }
    this.endTrack();
    this.camera = track;
    const ended = (): void => {
      if (this.camera === track) this.endTrack("ended");
    };
    track.addEventListener("ended", ended, { once: true });
    const output = await this.connect(track, track.getSettings().frameRate || DEFAULT_FPS);
    if (this.camera !== track) {
      output.stop();
      throw new LivematteError("track", "the track was replaced or ended before it started");
    }
    return (this.output = output);
  }

  /**
   * Change the effect; the one before runs until the new one's picture is decoded.
   * @throws LivematteError "option", "plate", "stopped".
   */
  async setEffect(effect: Effect): Promise<void> {
    const prepared = await prepare(effect);
    await this.ask({ type: "effect", effect: prepared }, prepared.picture ? [prepared.picture] : []);
    await this.playFilm(effect);
  }

  /**
   * Sharpen the matte by a picture of the room without people, taken by the same camera from the same place;
   * as soon as the camera moves, the picture is left aside. One of another shape is not used: an "error" event says so.
   * @param room null: no longer.
   * @throws LivematteError "option", "plate", "stopped".
   */
  async setRoom(room: string | URL | Blob | null): Promise<void> {
    const picture = room === null ? null : await prepareRoom(room);
    await this.ask({ type: "room", room: picture }, picture ? [picture] : []);
  }

  /**
   * Change the network, or which body parts count as the person; the one before runs until the new one is loaded,
   * and stays if that fails.
   * @throws LivematteError "option", "weights", "engine", "stopped".
   */
  async setModel(model: ModelName, options: ModelOptions = {}): Promise<void> {
    const parts = checkModel(model, options);
    await this.ask({ type: "model", model, parts });
  }

  /**
   * Body parts in the newest frame; null before the first matte, and of networks that know none.
   * @throws LivematteError "stopped".
   */
  async parts(): Promise<PartMap | null> {
    return (await this.ask({ type: "parts" })).map ?? null;
  }

  /** Figures of the running stream, at most half a second old. */
  stats(): Stats {
    return { ...this.last, transport: this.transport };
  }

  /** End the output and free everything; twice is fine. The camera's own track stays the caller's. */
  stop(): void {
    if (this.over?.code === "stopped") return;
    this.end(new LivematteError("stopped", "this Background was stopped; make a new one with createBackground()"));
  }

  override addEventListener<K extends keyof BackgroundEvents>(type: K, listener: (event: CustomEvent<BackgroundEvents[K]>) => void, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  override addEventListener(type: string, listener: unknown, options?: boolean | AddEventListenerOptions): void {
    super.addEventListener(type, listener as EventListener, options);
  }

  /** Send a message that is not part of the API: tests make parts fail, or draw one still frame. */
  async probe(message: Extract<ToWorker, { type: "fault" }> | { type: "still"; frame: VideoFrame }): Promise<VideoFrame | undefined> {
    if (message.type === "fault") return void this.post(message);
    return (await this.ask({ type: "still", frame: message.frame }, [message.frame])).frame;
  }

  private async connect(camera: MediaStreamTrack, fps: number): Promise<MediaStreamTrack> {
    if ("MediaStreamTrackProcessor" in window && "MediaStreamTrackGenerator" in window) {
      this.transport = "streams";
      const { readable } = new MediaStreamTrackProcessor({ track: camera as MediaStreamVideoTrack, maxBufferSize: 1 });
      const generator = new MediaStreamTrackGenerator({ kind: "video" });
      const { writable } = generator;
      await this.ask({ type: "start", transport: { kind: "streams", readable, writable }, fps }, [readable, writable] as unknown as Transferable[]);
      return generator;
    }
    if (this.workerTracks) {
      this.transport = "track";
      const track = camera.clone(); // a transferred track is gone from here
      const answer = await this.ask({ type: "start", transport: { kind: "track", track }, fps }, [track as unknown as Transferable]);
      return answer.track as MediaStreamTrack;
    }
    if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype) || !("VideoFrame" in window) || !("captureStream" in HTMLCanvasElement.prototype)) {
      throw new LivematteError("unsupported", "this browser has no WebCodecs frames; use Chromium 94, Firefox 130 or Safari 18 and later");
    }
    this.transport = "element";
    const feed = (this.feed = new ElementFeed(camera, fps, (message, transfer) => this.post(message, transfer)));
    await this.ask({ type: "start", transport: { kind: "element" }, fps });
    await feed.start().catch((thrown: unknown) => {
      throw asError(thrown, "track", "the camera's frames cannot be played");
    });
    return feed.track;
  }

  private async playFilm(effect: Effect): Promise<void> {
    this.film?.stop();
    this.film = null;
    if (effect.type === "video") this.film = await Film.play(effect.src, (frame) => this.post({ type: "backdrop", frame }, [frame]));
  }

  private hear(message: FromWorker): void {
    this.silent_s = 0;
    switch (message.type) {
      case "done":
      case "picture":
      case "map":
        return this.settle(message.id)?.resolve(message);
      case "failed":
        return this.settle(message.id)?.reject(new LivematteError(message.code, message.message));
      case "opened":
        this.workerTracks = message.tracks;
        return;
      case "stats":
        this.last = message.stats;
        return;
      case "drawn":
        if (this.feed) return this.feed.drawn(message.strips);
        return message.strips.forEach((strip) => strip.close());
      case "tick":
        return this.feed?.tick();
      case "ready":
        return this.emit("ready", this.stats());
      case "rung":
        return this.emit("rung", message.change);
      case "error":
        return this.emit("error", new LivematteError(message.code, message.message));
      case "ended":
        return this.endTrack("ended");
    }
  }

  /** Once a second: a track that was stopped by its owner says nothing, nor does a worker that died. */
  private check(): void {
    if (this.camera?.readyState === "ended") this.endTrack("ended");
    if (++this.silent_s > SILENT_S) this.fail(new LivematteError("worker", `the worker has not answered for ${SILENT_S} s; make a new Background with createBackground()`));
  }

  private emit<K extends keyof BackgroundEvents>(type: K, detail: BackgroundEvents[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  private post(message: ToWorker, transfer: Transferable[] = []): void {
    if (!this.over) this.worker.postMessage(message, transfer);
    else for (const item of transfer) if (item instanceof VideoFrame) item.close();
  }

  private ask(message: Asked, transfer: Transferable[] = []): Promise<Answer> {
    if (this.over) return Promise.reject(this.over);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.worker.postMessage({ ...message, id }, transfer);
    });
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }

  private endTrack(event?: "ended"): void {
    const had = this.camera !== null;
    if (had) this.post({ type: "halt" });
    this.output?.stop();
    this.feed?.stop();
    this.camera = this.output = this.feed = null;
    if (had && event) this.emit("ended", null);
  }

  /** The worker is gone: the output ends, which shows nothing of the room. */
  private fail(error: LivematteError): void {
    if (this.over) return;
    this.end(error);
    this.emit("error", error);
  }

  private end(error: LivematteError): void {
    const first = this.over === null;
    this.over = error;
    clearInterval(this.pulse);
    this.film?.stop();
    this.film = null;
    this.endTrack(first && error.code !== "stopped" ? "ended" : undefined);
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
    this.worker.terminate();
  }
}

function check(options: Options): void {
  const { model = "livematte", renderer = "auto", engine = "auto" } = options;
  checkModel(model, options);
  if (!["auto", "cpu", "webgl"].includes(renderer)) throw new LivematteError("option", `renderer must be auto, cpu or webgl, got ${String(renderer)}`);
  if (!["auto", "wasm", "webgpu"].includes(engine)) throw new LivematteError("option", `engine must be auto, wasm or webgpu, got ${String(engine)}`);
  if (typeof Worker === "undefined" || typeof WebAssembly === "undefined") throw new LivematteError("unsupported", "this browser has no workers or no WebAssembly");
}

/** Numbers of the parts that count as the person; null for all. */
function checkModel(model: ModelName, { parts }: ModelOptions): number[] | null {
  if (!MODEL_NAMES.includes(model) && !KNOWS_PARTS.test(model)) throw new LivematteError("option", `model must be one of ${MODEL_NAMES.join(", ")}, bodypix:mobilenet-050-s16 (or 075, 100; -q2, -q1); got ${String(model)}`);
  if (parts === undefined) return null;
  if (!KNOWS_PARTS.test(model)) throw new LivematteError("option", `${model} knows no body parts; BodyPix with -s16 does`);
  return partNumbers(parts);
}

function noStats(model: ModelName): Stats {
  const why = "not started";
  return { model, frames: 0, covered: 0, dropped: 0, fps: 0, size: null, stages: {}, renderer: { name: "cpu", why }, engine: { name: "wasm", why }, transport: null, rung: "full", rungs: [], room: null, firstMatte_ms: null };
}
