/** What can go wrong, by kind: catch `LivematteError`, or look at its `code`. */

export type ErrorCode =
  | "unsupported" // this browser cannot do it at all
  | "option" // an option outside its range
  | "weights" // the network's file is missing or broken
  | "engine" // the engine did not load, or failed while running
  | "plate" // a background picture or film cannot be read
  | "track" // not a live video track, or the camera's track ended
  | "worker" // the worker died
  | "renderer" // the graphics context was lost
  | "stopped"; // used after stop()

/** An error of this library: what was got, what was expected, what to do. */
export class LivematteError extends Error {
  override readonly name = "LivematteError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Any thrown thing as a LivematteError; one that is already one stays as it is. */
export function asError(thrown: unknown, code: ErrorCode, doing: string): LivematteError {
  if (thrown instanceof Error && thrown.name === "LivematteError") return thrown as LivematteError; // BodyPix's module has a class of its own
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  return new LivematteError(code, `${doing}: ${said}`, { cause: thrown });
}
