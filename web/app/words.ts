/** Failures in words for the person at the screen: what happened, and what to do. */

import { LivematteError } from "../src/index.js";

const CAMERA: Record<string, string> = {
  NotAllowedError: "The camera may not be used. Allow it for this page (the camera sign in the address bar), then try again. A file works without.",
  NotFoundError: "No camera was found. Connect one and try again, or open a file.",
  NotReadableError: "The camera is in use by another program. Close that program and try again.",
  OverconstrainedError: "This camera is gone. Choose another one, or open a file.",
  AbortError: "The camera could not be started. Try again, or restart the browser.",
};

const BY_CODE: Record<LivematteError["code"], string> = {
  unsupported: "This browser cannot do it. Chromium 94, Firefox 130 and Safari 18 or later can.",
  option: "That is not possible:",
  weights: "The network could not be loaded, so everything stays covered. Try again, or choose another network.",
  engine: "The network failed, and the picture is covered. Try again; if it stays like this, reload the page.",
  plate: "That background cannot be shown.",
  track: "The picture has ended.",
  worker: "The part that changes the picture has stopped. Nothing of your room was shown. Try again.",
  renderer: "The graphics part failed; the picture goes on as soon as it can.",
  stopped: "It was stopped.",
};

/** An error whose message is meant for the person. */
export class Told extends Error {}

/** What to tell of anything that was thrown. */
export function wordsFor(thrown: unknown): string {
  if (thrown instanceof LivematteError) {
    const detail = ["option", "plate", "weights"].includes(thrown.code) ? ` (${thrown.message})` : "";
    return BY_CODE[thrown.code] + detail;
  }
  if (thrown instanceof DOMException && CAMERA[thrown.name]) return CAMERA[thrown.name] as string;
  if (thrown instanceof Told) return thrown.message;
  return `It did not work: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
}

export const NO_CAMERAS_HERE = "Browsers give cameras only to pages from https or from this computer (localhost). Files work here, too.";
export const NOT_A_PICTURE = "This file is no video or picture that the browser can read. MP4, WebM, JPEG and PNG are.";
export const CAMERA_GONE = "The camera was disconnected. Connect it and try again, or open a file.";
