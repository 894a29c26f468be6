/** Where the picture comes from: a camera, or a file that is played. */

import { NO_CAMERAS_HERE, NOT_A_PICTURE, Told } from "./words.js";

export interface Source {
  readonly name: string;
  readonly track: MediaStreamTrack;
  /** Sound that belongs to it, for recordings. */
  readonly sound: readonly MediaStreamTrack[];
  /** Only of films. */
  readonly film: HTMLVideoElement | null;
  stop(): void;
}

const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const PICTURE_FPS = 15;
const LARGEST_PX = 1920;

type Capturing = HTMLVideoElement & { captureStream?(): MediaStream; mozCaptureStream?(): MediaStream };

/** @throws DOMException as getUserMedia does, Told. */
export async function openCamera(deviceId?: string): Promise<Source> {
  if (!navigator.mediaDevices?.getUserMedia) throw new Told(NO_CAMERAS_HERE);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { ...WANTED, ...(deviceId ? { deviceId: { exact: deviceId } } : {}) } });
  const track = stream.getVideoTracks()[0] as MediaStreamTrack;
  return { name: track.label, track, sound: [], film: null, stop: () => track.stop() };
}

/** Cameras that can be chosen; their names are known once one of them is in use. */
export async function cameras(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind }) => kind === "videoinput");
}

/** @throws Told: a file that cannot be read. */
export async function openFile(file: File): Promise<Source> {
  if (file.type.startsWith("image/")) return openPicture(file);
  const url = URL.createObjectURL(file);
  const film = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true, src: url }) as Capturing;
  const release = (): void => {
    film.pause();
    film.removeAttribute("src");
    film.load();
    URL.revokeObjectURL(url);
  };
  try {
    await film.play();
    const stream = film.captureStream?.() ?? film.mozCaptureStream?.();
    const track = stream?.getVideoTracks()[0];
    if (!stream || !track) throw new Told(NOT_A_PICTURE);
    const stop = (): void => {
      stream.getTracks().forEach((part) => part.stop());
      release();
    };
    return { name: file.name, track, sound: stream.getAudioTracks(), film, stop };
  } catch {
    release();
    throw new Told(NOT_A_PICTURE);
  }
}

/** A still as a track: a canvas that is drawn again and again. */
async function openPicture(file: File): Promise<Source> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Told(NOT_A_PICTURE);
  });
  const scale = Math.min(LARGEST_PX / Math.max(bitmap.width, bitmap.height), 1);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height].map((side) => Math.max(Math.round((side * scale) / 2) * 2, 2)) as [number, number];
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const draw = (): void => context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  draw();
  const timer = setInterval(draw, 1000 / PICTURE_FPS);
  const track = canvas.captureStream(PICTURE_FPS).getVideoTracks()[0] as MediaStreamTrack;
  const stop = (): void => {
    clearInterval(timer);
    track.stop();
    bitmap.close();
  };
  return { name: file.name, track, sound: [], film: null, stop };
}
