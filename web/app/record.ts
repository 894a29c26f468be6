/** Record the output to a file, and take snapshots of it. */

import { Told } from "./words.js";

const KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/mp4", "video/webm"];
const SLICE_MS = 1000;
const BITS_PER_SECOND = 6_000_000;

export class Recording {
  private written = new Blob();
  private readonly recorder: MediaRecorder;
  private readonly started_ms = performance.now();

  /** @throws Told where this browser cannot record. */
  constructor(tracks: readonly MediaStreamTrack[], told: (seconds: number, bytes: number) => void) {
    // Firefox writes nothing where opus is named and there is no sound
    const sound = tracks.some(({ kind }) => kind === "audio") ? ",opus" : "";
    const kinds = KINDS.map((kind) => (kind.includes("codecs") ? kind + sound : kind));
    const mimeType = kinds.find((kind) => typeof MediaRecorder !== "undefined" && MediaRecorder.isTypeSupported(kind));
    if (!mimeType) throw new Told("This browser cannot record.");
    this.recorder = new MediaRecorder(new MediaStream([...tracks]), { mimeType, videoBitsPerSecond: BITS_PER_SECOND });
    this.recorder.addEventListener("dataavailable", ({ data }) => {
      this.written = new Blob([this.written, data]); // browsers keep large ones on disk
      told((performance.now() - this.started_ms) / 1000, this.written.size);
    });
    this.recorder.start(SLICE_MS);
  }

  /** End, and give the file; it ends by itself when the track does. */
  async stop(): Promise<File> {
    if (this.recorder.state !== "inactive") {
      const stopped = new Promise((done) => this.recorder.addEventListener("stop", done, { once: true }));
      this.recorder.stop();
      await stopped;
    }
    const type = this.recorder.mimeType.split(";")[0] as string;
    return new File([this.written], `${named()}.${type.split("/")[1]}`, { type });
  }
}

/** What the element shows, as a PNG of the video's size; transparent parts stay so where the browser keeps them. */
export async function snapshot(video: HTMLVideoElement): Promise<File> {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return new File([await canvas.convertToBlob()], `${named()}.png`, { type: "image/png" });
}

/** Hand a file to the person. */
export function download(file: File): void {
  const url = URL.createObjectURL(file);
  const link = Object.assign(document.createElement("a"), { href: url, download: file.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function named(): string {
  return `livematte-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}`;
}
