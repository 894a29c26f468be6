/** The web app: a camera or a file, another background, on the person's own machine. It is an example of the SDK, too. */

import { ZoneEditor } from "../../src/livematte/control/page/zones.js";
import { type Background, createBackground, type Effect, type ModelName, type RendererName } from "../src/index.js";
import { Body } from "./body.js";
import { Compare } from "./compare.js";
import { type Choice, Gallery } from "./gallery.js";
import { fillPanel } from "./panel.js";
import { beyondPage, type Preset } from "./presets.js";
import { download, Recording, snapshot } from "./record.js";
import { EmptyRoom } from "./room.js";
import { Shelf } from "./shelf.js";
import { cameras, openCamera, openFile, type Source } from "./source.js";
import { CAMERA_GONE, Told, wordsFor } from "./words.js";

const STATS_EVERY_MS = 500;
/** Name, what it is called here, and the file by which it is seen whether it is there. */
const MODELS: readonly [ModelName, string, string][] = [
  ["livematte", "livematte", "models/livematte-fast-256x144.tflite"],
  ["mediapipe:landscape", "MediaPipe, landscape", "models/selfie_segmentation_landscape.tflite"],
  ["mediapipe:general", "MediaPipe, general", "models/selfie_segmentation.tflite"],
  ["bodypix:mobilenet-050-s16", "BodyPix, with body parts", "models/bodypix/mobilenet/float/050/model-stride16.json"],
  ["bodypix:mobilenet-075-s16", "BodyPix, larger", "models/bodypix/mobilenet/float/075/model-stride16.json"],
];
/** Settings of "More" that every kind of background begins with. */
const USUAL = { softness: "0.3", match: "0", light: "0", pictureLight: "0.3", strength: "0.6" };

const at = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const button = (id: string): HTMLButtonElement => at(id);
const input = (id: string): HTMLInputElement => at(id);

const stage = at("stage");
const after = at<HTMLVideoElement>("after");
const cameraList = at<HTMLSelectElement>("cameras");
const compare = new Compare(stage, at("before"), input("split"), button("compare"));
const gallery = new Gallery(at("gallery"), (choice) => void choose(choice));
const model = at<HTMLSelectElement>("model");
const body = new Body(at("body"), at("body-map"), after, () => background, () => void changeModel());
const room = new EmptyRoom(at("room-said"), at("countdown"), button("room-take"), async (picture) => background?.setRoom(picture));
const zones = new ZoneEditor(document.querySelector("#zone-canvas") as SVGSVGElement, (words) => notice(words), zonesChanged, drawing);
const shelf = new Shelf(at("preset"), input("preset-name"), preset, usePreset, (words) => void (at<HTMLOutputElement>("preset-said").value = words));

let background: Background | null = null;
let source: Source | null = null;
let recording: Recording | null = null;
let choice: Choice = { type: "blur" };
let again: () => Promise<Source> = openCamera;
let turn = 0; // of the newest start; older ones give up

// ---- the picture

type State = "empty" | "starting" | "running" | "failed";

function show(state: State, message = ""): void {
  stage.dataset.state = state;
  at("message").textContent = message;
  button("again").hidden = state !== "failed";
  const running = state === "running" || state === "starting";
  for (const id of ["record", "snapshot", "stop", "zone", "room-take"]) button(id).disabled = !running;
}

/** Open a camera or a file and change its background; what ran before ends. */
async function begin(open: () => Promise<Source>): Promise<void> {
  const mine = ++turn;
  again = open;
  notice("");
  await end();
  show("starting", "Getting ready…");
  try {
    const opened = await open();
    if (mine !== turn) return opened.stop();
    source = opened;
    background ??= listen(await createBackground({ effect: effect(), model: model.value as ModelName, ...body.options, ...(room.picture ? { room: room.picture } : {}), renderer: at<HTMLSelectElement>("renderer").value as RendererName, temporal: input("temporal").checked, framing: input("framing").checked, governor: input("governor").checked }));
    const output = await background.process(opened.track);
    if (mine !== turn) return;
    after.srcObject = new MediaStream([output]);
    await after.play().catch(() => undefined);
    compare.use(opened.track);
    button("pause").hidden = opened.film === null;
    button("pause").disabled = false;
    await listCameras(opened);
    if (background.stats().firstMatte_ms !== null) show("running");
    else show("starting", "The network is getting ready. Until then everything is covered.");
  } catch (thrown) {
    if (mine === turn) await fail(thrown);
  }
}

function listen(made: Background): Background {
  made.addEventListener("ready", () => show("running"));
  made.addEventListener("rung", ({ detail }) => notice(detail.rung === "full" || detail.rung === "large-input" ? "Full quality." : `This machine is busy: ${detail.rung.replaceAll("-", " ")}.`));
  made.addEventListener("ended", () => {
    if (background === made && source && source.track.readyState === "ended") void fail(new Told(CAMERA_GONE));
  });
  made.addEventListener("error", ({ detail }) => {
    if (background !== made) return;
    if (detail.code === "worker") background = null;
    if (["worker", "weights", "engine"].includes(detail.code)) void fail(detail);
    else notice(wordsFor(detail));
  });
  return made;
}

async function fail(thrown: unknown): Promise<void> {
  await end();
  background?.stop();
  background = null;
  show("failed", wordsFor(thrown));
}

/** End the picture; a recording that runs is kept. */
async function end(): Promise<void> {
  zones.cancel();
  room.cancel();
  await endRecording();
  compare.use(null);
  after.srcObject = null;
  source?.stop();
  source = null;
  button("pause").hidden = true;
}

async function listCameras(opened: Source): Promise<void> {
  const found = await cameras();
  cameraList.disabled = found.length === 0;
  const { deviceId } = opened.track.getSettings();
  const options = found.map((device, i) => new Option(device.label || `Camera ${i + 1}`, device.deviceId, false, device.deviceId === deviceId));
  if (opened.film || !found.some((device) => device.deviceId === deviceId)) options.unshift(new Option("not in use", "", false, true));
  cameraList.replaceChildren(...options);
}

const notice = (text: string): void => void (at("notice").textContent = text);

// ---- the background

function effect(): Effect {
  const number = (id: string): number => Number(input(id).value);
  const look = { softness: number("softness"), lightWrap: number("light"), despill: input("despill").checked, who: input("nearest").checked ? "nearest" : "everyone", zones: zones.zones } as const;
  if (choice.type === "blur") return { ...look, type: "blur", strength: number("strength"), bokeh: input("bokeh").checked };
  const match = ["image", "video", "color"].includes(choice.type) ? number("match") : 0;
  if (choice.type === "color") return { ...look, match, type: "color", rgb: input("color").value };
  return { ...look, match, ...choice } as Effect;
}

async function choose(next: Choice): Promise<void> {
  suit(next);
  await apply();
}

/** What suits the kind of background, until the person says otherwise. */
function suit(next: Choice): void {
  choice = next;
  input("despill").checked = !["blur", "off"].includes(next.type);
  input("light").value = ["image", "video"].includes(next.type) ? USUAL.pictureLight : USUAL.light;
}

async function apply(): Promise<void> {
  at("settings").dataset.type = choice.type;
  stage.classList.toggle("transparent", choice.type === "transparent");
  for (const output of document.querySelectorAll<HTMLOutputElement>("#settings output[for]")) output.value = `${Math.round(100 * Number(input(output.htmlFor.value).value))} %`;
  await background?.setEffect(effect()).catch((thrown: unknown) => notice(wordsFor(thrown)));
}

/** Settings that a running Background cannot change: make a new one. */
async function restart(): Promise<void> {
  background?.stop();
  background = null;
  if (source) await begin(again);
}

async function changeModel(): Promise<void> {
  body.use(model.value);
  await background?.setModel(model.value as ModelName, body.options).then(() => notice(""), (thrown: unknown) => notice(wordsFor(thrown)));
}

async function listModels(): Promise<void> {
  const options = await Promise.all(
    MODELS.map(async ([name, label, file]) => {
      const there = await fetch(new URL(`assets/${file}`, document.baseURI), { method: "HEAD" }).then(({ ok }) => ok, () => false);
      const option = new Option(there ? label : `${label} (livematte models pull ${name})`, name);
      option.disabled = !there;
      return option;
    }),
  );
  model.replaceChildren(...options);
}

// ---- zones, the empty room, presets

function zonesChanged(drawn: readonly unknown[]): void {
  at<HTMLOutputElement>("zone-count").value = drawn.length ? `${drawn.length} drawn` : "";
  button("zone-clear").disabled = !drawn.length;
  void apply();
}

/** While a zone is drawn the person sees the camera as it is; what goes out stays as it was. */
function drawing(on: boolean): void {
  at("zone-tools").hidden = !on;
  stage.classList.toggle("drawing", on);
  compare.whole(on);
  if (on) stage.scrollIntoView({ block: "nearest" });
  else button("zone").focus({ preventScroll: true });
}

function drawZone(): void {
  const { width, height } = source?.track.getSettings() ?? {};
  zones.begin({ width: width || after.videoWidth || 16, height: height || after.videoHeight || 9 });
}

async function takeRoom(): Promise<void> {
  stage.scrollIntoView({ block: "nearest" });
  if (source) await room.take(source.track);
}

async function useRoom(work: () => Promise<void>): Promise<void> {
  await work().catch((thrown: unknown) => notice(wordsFor(thrown)));
  button("room-forget").disabled = !room.picture;
}

/** The settings as a preset has them. */
function preset(): Preset {
  const number = (id: string): number => Number(input(id).value);
  const argument = { blur: `:${number("strength")}`, color: `:${input("color").value}`, image: `:${gallery.chosenName}`, video: `:${gallery.chosenName}`, transparent: "", off: "" }[choice.type];
  return {
    effect: choice.type + argument,
    model: model.value === "livematte" ? "livematte:fast" : model.value,
    light_wrap: number("light"),
    softness: number("softness"),
    despill: input("despill").checked,
    match: number("match"),
    who: input("nearest").checked ? "nearest" : "everyone",
    zones: zones.zones,
    framing: input("framing").checked,
    bokeh: input("bokeh").checked,
  };
}

/** Put the settings as a preset says; what cannot be is returned in words. */
async function usePreset(wanted: Preset): Promise<string[]> {
  const notes: string[] = [];
  if (wanted.effect !== undefined) {
    const [, type, argument] = /^(\w+):?(.*)$/s.exec(wanted.effect) as unknown as [string, Choice["type"], string];
    const found = gallery.select(type, ["image", "video"].includes(type) ? argument : "");
    if (found) suit(found);
    else notes.push(`${argument} is not here: add the picture or film, then choose the preset again.`);
    if (type === "color" && /^#[0-9a-f]{6}$/i.test(argument)) input("color").value = argument;
    else if (type === "color" && argument) notes.push(`The colour ${argument} is known to livematte on the command line alone: write it as #rrggbb.`);
    if (type === "blur") input("strength").value = argument || USUAL.strength;
    [input("softness").value, input("match").value] = [USUAL.softness, USUAL.match];
    [input("nearest").checked, input("bokeh").checked] = [false, false];
    zones.zones = [];
  }
  const ranges = { light: wanted.light_wrap, softness: wanted.softness, match: wanted.match };
  for (const [id, value] of Object.entries(ranges)) if (value !== undefined) input(id).value = String(value);
  const switches = { despill: wanted.despill, bokeh: wanted.bokeh, nearest: wanted.who && wanted.who === "nearest" };
  for (const [id, on] of Object.entries(switches)) if (on !== undefined) input(id).checked = Boolean(on);
  if (wanted.zones) zones.zones = wanted.zones;
  await apply();
  await useModel(wanted.model, notes);
  if (wanted.room === "") await useRoom(() => room.use(null));
  notes.push(...beyondPage(wanted, room.name));
  if (wanted.framing !== undefined && wanted.framing !== input("framing").checked) {
    input("framing").checked = wanted.framing;
    await restart();
  }
  return notes;
}

async function useModel(name: string | undefined, notes: string[]): Promise<void> {
  if (name === undefined) return;
  const here = /^livematte(:fast)?$/.test(name) ? "livematte" : name;
  const option = [...model.options].find(({ value, disabled }) => value === here && !disabled);
  if (!option) return void notes.push(`The network ${name} is not here; ${model.value} stays.`);
  if (model.value === here) return;
  model.value = here;
  await changeModel();
}

// ---- what the picture is good for

async function toggleRecording(): Promise<void> {
  if (recording) return endRecording();
  const stream = after.srcObject as MediaStream | null;
  if (!stream) return;
  try {
    recording = new Recording([...stream.getVideoTracks(), ...(source?.sound ?? [])], (seconds, bytes) => {
      at<HTMLOutputElement>("recorded").value = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds) % 60).padStart(2, "0")} · ${(bytes / 1e6).toFixed(1)} MB`;
    });
    pressed("record", true, "Stop recording");
  } catch (thrown) {
    notice(wordsFor(thrown));
  }
}

async function endRecording(): Promise<void> {
  const running = recording;
  recording = null;
  if (!running) return;
  pressed("record", false, "Record");
  at<HTMLOutputElement>("recorded").value = "";
  download(await running.stop());
}

function pressed(id: string, on: boolean, text?: string): void {
  button(id).setAttribute("aria-pressed", String(on));
  if (text) button(id).textContent = text;
}

function togglePause(): void {
  const film = source?.film;
  if (!film) return;
  if (film.paused) void film.play();
  else film.pause();
  pressed("pause", !film.paused, film.paused ? "Pause" : "Play");
}

function toggleFigures(): void {
  const panel = at<HTMLTableElement>("panel");
  panel.hidden = !panel.hidden;
  pressed("figures", !panel.hidden);
  figures();
}

function figures(): void {
  const panel = at<HTMLTableElement>("panel");
  if (!panel.hidden) fillPanel(panel.tBodies[0] as HTMLTableSectionElement, source ? (background?.stats() ?? null) : null);
}

function take(files: FileList | null | undefined): void {
  const [file] = files ?? [];
  if (file) void begin(() => openFile(file));
}

// ---- wiring

const clicks: Record<string, () => unknown> = {
  "use-camera": () => begin(() => openCamera()),
  again: () => begin(again),
  open: () => input("file").click(),
  "open-too": () => input("file").click(),
  add: () => input("own").click(),
  record: toggleRecording,
  snapshot: async () => download(await snapshot(after)),
  figures: toggleFigures,
  pause: togglePause,
  zone: drawZone,
  "zone-close": () => zones.close(),
  "zone-undo": () => zones.undo(),
  "zone-cancel": () => zones.cancel(),
  "zone-clear": () => void (zones.zones = []),
  "room-take": () => useRoom(takeRoom),
  "room-choose": () => input("room-file").click(),
  "room-forget": () => useRoom(() => room.use(null)),
  "preset-save": () => shelf.save(),
  "preset-remove": () => shelf.remove(),
  "preset-export": () => shelf.export(),
  "preset-import": () => input("preset-file").click(),
  stop: () => end().then(() => show("empty", "Choose what to change the background of.")),
};
for (const [id, act] of Object.entries(clicks)) button(id).addEventListener("click", () => void act());

input("file").addEventListener("change", () => (take(input("file").files), (input("file").value = "")));
input("own").addEventListener("change", () => ([...(input("own").files ?? [])].forEach((file) => gallery.add(file)), (input("own").value = "")));
const chosen: Record<string, (file: File) => unknown> = { "room-file": (file) => useRoom(() => room.use(file)), "preset-file": (file) => shelf.import(file) };
for (const [id, act] of Object.entries(chosen)) input(id).addEventListener("change", () => (input(id).files?.[0] && void act(input(id).files?.[0] as File), (input(id).value = "")));
input("body-view").addEventListener("change", () => {
  const { checked } = input("body-view");
  body.show(checked);
  if (checked && input("framing").checked) notice("The colours lie on the whole picture: they fit once “Keep the people in the middle” is off.");
});
input("preset-name").addEventListener("keydown", ({ key }) => key === "Enter" && shelf.save());
cameraList.addEventListener("change", () => void (cameraList.value && begin(() => openCamera(cameraList.value))));
for (const id of ["strength", "bokeh", "color", "softness", "light", "match", "despill", "nearest"]) input(id).addEventListener("input", () => void apply());
for (const id of ["renderer", "temporal", "framing", "governor"]) at(id).addEventListener("change", () => void restart());
at("model").addEventListener("change", () => void changeModel());
at("settings").addEventListener("submit", (event) => event.preventDefault());

for (const type of ["dragover", "dragleave", "drop"] as const) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", type === "dragover");
    if (type === "drop") take(event.dataTransfer?.files);
  });
}

const KEYS: Record<string, string> = { r: "record", s: "snapshot", b: "compare", f: "figures" };
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof HTMLElement && event.target.matches("select, input[type=color], input[type=text]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[1-9]$/.test(event.key)) return gallery.choose(Number(event.key));
  const id = KEYS[event.key.toLowerCase()];
  if (id && !button(id).disabled) button(id).click();
});

setInterval(() => (figures(), room.follow(source ? background : null)), STATS_EVERY_MS);
void listModels();
void gallery.fill();
void apply();
