/** The worker: owns the hot path. It hears the messages of protocol.ts and does them in order. */

import { asError, LivematteError } from "../errors.js";
import type { EffectMessage, FromWorker, ToWorker } from "../protocol.js";
import { CpuRenderer } from "../render/cpu.js";
import { Kernels } from "../render/kernels.js";
import type { Picture, Renderer } from "../render/renderer.js";
import { type Engine, openEngine } from "../segmenter/litert.js";
import { pump, type Stream } from "../track/streams.js";
import type { ModelName, Stats } from "../types.js";
import { chooseRenderer } from "./choose.js";
import { SmallKernels } from "./estimate.js";
import { Pipeline } from "./pipeline.js";
import { Room } from "./room.js";

const STATS_EVERY_MS = 500;
const DEFAULT_FPS = 30;

type Opening = Extract<ToWorker, { type: "open" }>;

/** One Background's side in the worker. */
class Host {
  private engine: Promise<Engine> | null = null;
  private stream: Stream | null = null;
  private size: Stats["size"] = null;
  private failures = 0;
  private rendererWhy = "";
  private fallback: (() => Promise<Renderer>) | null = null;

  private constructor(
    private readonly options: Opening,
    readonly pipeline: Pipeline,
    private model: ModelName,
  ) {
    setInterval(() => tell({ type: "stats", stats: this.stats() }), STATS_EVERY_MS);
  }

  private engineFound: Engine | null = null;

  static async open(options: Opening): Promise<Host> {
    const opened_ms = performance.now();
    const module = await Kernels.compile(options.assetBase);
    const [full, small] = await Promise.all([Kernels.open(module), Kernels.open(module)]);
    const { renderer, why } = await chooseRenderer(options.renderer, () => new CpuRenderer(full), () => Kernels.open(module));
    const { effect } = options;
    const stages = { network: null, renderer, painting: effect.painting, wishes: { who: effect.who, zones: effect.zones, room: null, parts: null, temporal: options.temporal } };
    const told = {
      ready: () => tell({ type: "ready" }),
      rung: (change: Stats["rungs"][number]) => tell({ type: "rung", change }),
      error: tellError,
    };
    const pipeline = new Pipeline(stages, new SmallKernels(small), told, opened_ms, { governor: options.governor, fps: DEFAULT_FPS, framing: options.framing });
    const host = new Host(options, pipeline, options.model);
    host.rendererWhy = why;
    host.fallback = async () => new CpuRenderer(await Kernels.open(module));
    host.setEffect(effect);
    host.setRoom(options.room);
    return host;
  }

  /** Load a network and put it in place of the one before, which runs until then and stays if this fails. */
  async setModel(model: ModelName, parts: readonly number[] | null): Promise<void> {
    const { pipeline } = this;
    // not while anything else is fetched: its script is loaded synchronously, and Chromium then now and then forgets a fetch for ever
    this.engine ??= openEngine(this.options.assetBase, this.options.engine).catch((thrown: unknown) => {
      this.engine = null; // the next call tries again
      throw thrown;
    });
    const engine = (this.engineFound = await this.engine);
    if (pipeline.stages.network?.name !== model) pipeline.exchange(await engine.load(model));
    pipeline.stages.wishes = { ...pipeline.stages.wishes, parts };
    this.model = model;
  }

  setEffect(effect: EffectMessage): void {
    const { plate, stages } = this.pipeline;
    plate.exchange(effect.painting.type === "color" ? effect.painting.rgb : null);
    if (effect.picture && effect.painting.match > 0) plate.see(effect.picture, performance.now());
    stages.renderer.setBackdrop(effect.picture ?? null);
    stages.painting = effect.painting;
    stages.wishes = { ...stages.wishes, who: effect.who, zones: effect.zones };
  }

  setRoom(picture: ImageBitmap | null): void {
    const { stages } = this.pipeline;
    stages.wishes = { ...stages.wishes, room: picture && new Room(picture) };
  }

  /** The next frame of a film behind the person. */
  setBackdrop(frame: VideoFrame): void {
    const { plate, stages } = this.pipeline;
    if (stages.painting.match > 0) plate.see(frame, performance.now());
    stages.renderer.setBackdrop(frame);
  }

  start(message: Extract<ToWorker, { type: "start" }>): MediaStreamTrack | undefined {
    this.halt();
    this.pipeline.governor.fps = message.fps || DEFAULT_FPS;
    const { transport } = message;
    if (transport.kind === "element") return undefined;
    const stream = pump(transport, async (frame, skipped) => (await this.render(frame, skipped))?.[0] ?? null, 1e6 / (message.fps || DEFAULT_FPS));
    this.stream = stream;
    void stream.ended.then(() => {
      if (this.stream === stream) tell({ type: "ended" });
    });
    return stream.track;
  }

  /** A frame of a video element. The page puts the strips of the output on a canvas. */
  async draw(frame: VideoFrame, skipped: number): Promise<void> {
    let strips: ImageBitmap[] = [];
    let picture: Picture | null = null;
    try {
      picture = await this.render(frame, skipped, true);
      if (!picture) return;
      const started_ms = performance.now();
      strips = await Promise.all(picture.map((strip) => createImageBitmap(strip)));
      this.pipeline.counter.add("write", performance.now() - started_ms);
    } catch (thrown) {
      tellError(asError(thrown, "renderer", "no picture could be drawn"));
    } finally {
      for (const strip of picture ?? []) strip.close();
      tell({ type: "drawn", strips }, strips);
    }
  }

  /** The output of a frame; null where none could be drawn, and nothing goes out. */
  async render(frame: VideoFrame, skipped: number, strips = false): Promise<Picture | null> {
    const { counter } = this.pipeline;
    try {
      const out = await this.pipeline.render(frame, skipped, strips);
      this.size = { width: out[0].displayWidth, height: out.reduce((height, strip) => height + strip.displayHeight, 0) };
      this.failures = 0;
      counter.sent(performance.now());
      return out;
    } catch (thrown) {
      counter.dropped++;
      if (this.failures++ % DEFAULT_FPS === 0) tellError(asError(thrown, "renderer", "no picture could be drawn"));
      await this.fallBack();
      return null;
    }
  }

  /** The track has ended. */
  halt(): void {
    this.stream?.stop();
    this.stream = null;
    this.pipeline.reset();
  }

  /** From a lost graphics context to the kernels on the CPU. */
  private async fallBack(): Promise<void> {
    const { stages } = this.pipeline;
    if (stages.renderer.name === "cpu" || !this.fallback) return;
    stages.renderer.close();
    stages.renderer = await this.fallback();
    this.rendererWhy = "the graphics context was lost";
  }

  private stats(): Stats {
    const { counter, governor, stages } = this.pipeline;
    const now_ms = performance.now();
    return {
      model: this.model,
      frames: counter.frames,
      covered: counter.covered,
      dropped: counter.dropped,
      fps: counter.fps(now_ms),
      size: this.size,
      stages: counter.stages(),
      renderer: { name: stages.renderer.name, why: this.rendererWhy },
      engine: { name: this.engineFound?.name ?? "wasm", why: this.engineFound?.why ?? "not loaded yet" },
      transport: null, // the page knows
      rung: governor.rung.name,
      rungs: governor.history,
      room: this.pipeline.trust,
      firstMatte_ms: counter.firstMatte_ms,
    };
  }
}

/** Ticks for a hidden page, whose own timers are throttled. */
let timer = 0;
let host: Host | null = null;

function tell(message: FromWorker, transfer: Transferable[] = []): void {
  self.postMessage(message, { transfer });
}

function tellError(error: LivematteError): void {
  tell({ type: "error", code: error.code, message: error.message });
}

async function answer(id: number, work: () => Promise<MediaStreamTrack | undefined | void>): Promise<void> {
  try {
    const track = (await work()) ?? undefined;
    if (track) tell({ type: "done", id, track }, [track as unknown as Transferable]);
    else tell({ type: "done", id });
  } catch (thrown) {
    const { code, message } = asError(thrown, "engine", "the worker failed");
    tell({ type: "failed", id, code, message });
  }
}

function opened(): Host {
  if (!host) throw new LivematteError("stopped", "the worker is not open");
  return host;
}

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case "open":
      return void answer(data.id, async () => {
        host = await Host.open(data);
        tell({ type: "opened", tracks: "VideoTrackGenerator" in self && "MediaStreamTrackProcessor" in self });
      });
    case "start":
      return void answer(data.id, async () => opened().start(data));
    case "frame":
      return void (host ? host.draw(data.frame, data.skipped) : data.frame.close());
    case "still":
      return void answer(data.id, async () => {
        await opened().pipeline.settle(data.frame);
        const [frame] = (await opened().render(data.frame, 0)) ?? [];
        if (!frame) throw new LivematteError("renderer", "no picture could be drawn");
        tell({ type: "picture", id: data.id, frame }, [frame]);
      });
    case "backdrop":
      return void (host ? host.setBackdrop(data.frame) : data.frame.close());
    case "effect":
      return void answer(data.id, async () => opened().setEffect(data.effect));
    case "room":
      return void answer(data.id, async () => opened().setRoom(data.room));
    case "model":
      return void answer(data.id, async () => opened().setModel(data.model, data.parts));
    case "parts":
      return void answer(data.id, async () => tell({ type: "map", id: data.id, map: opened().pipeline.parts() }));
    case "fault":
      if (data.what === "worker") return self.close();
      if (data.what === "context") return host?.pipeline.stages.renderer.loseContext?.();
      return host?.pipeline.fail(data.what, data.frames);
    case "tick":
      clearInterval(timer);
      if (data.interval_ms > 0) timer = setInterval(() => tell({ type: "tick" }), data.interval_ms);
      return;
    case "halt":
      return host?.halt();
  }
});
