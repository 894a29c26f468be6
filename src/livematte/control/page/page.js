/** The page: state in, commands out. */

import { choose, fields } from "./fields.js";
import { ask, follow, keep, Refusal } from "./link.js";
import { mark, ZoneEditor } from "./zones.js";

const element = (id) => document.getElementById(id);
const CAMERA = {
  closed: "Camera closed",
  opening: "Camera is being opened",
  open: "Camera on",
  lost: "Camera lost, tried again and again",
  ended: "The input has ended",
};

let failure = null; // words of the last command that was refused; gone with the next that is not
let pending = 0; // commands on their way: a state from before them would put fields back
let newest = null;

const settings = fields(change, send);
const zones = new ZoneEditor(element("zone-canvas"), notice, (drawn) => change({ zones: turned(drawn) }), drawing);
const stream = follow({ status, preview, lost });

/** Do a command and show what came of it. */
async function command(method, path, body, headers) {
  pending++;
  try {
    newest = await ask(method, path, body, headers);
    failure = null;
    if (!zones.active) notice("");
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (refusal.status === 401 || refusal.status === 0) lost(refusal);
    failure = refusal.message;
  } finally {
    pending--;
  }
  if (pending === 0 && newest) status(newest);
}

let asked = null; // settings that wait for those on their way, the newest of each
let busy = false;

/** Ask for settings; a slider that is drawn asks no faster than it is answered. */
async function change(values) {
  asked = { ...asked, ...values };
  if ("effect" in values && !("strength" in values)) delete asked.strength;
  if (busy) return;
  busy = true;
  while (asked) {
    const now = asked;
    asked = null;
    await command("PATCH", "api/settings", now);
  }
  busy = false;
}

function send(file) {
  return command("POST", "api/picture", file, { "X-Name": encodeURIComponent(file.name) });
}

/** A state of the stream. */
function status(state) {
  newest = state;
  if (pending > 0) return;
  const live = state.running ? state.live : null;
  document.body.dataset.state = live ? (live.paused ? "paused" : live.camera) : "stopped";
  element("camera").textContent = live ? (live.paused ? "Paused: the camera is closed" : CAMERA[live.camera]) : "Not running";
  element("entry").hidden = true;
  element("browser-way").hidden = !state.startable;
  element("start").hidden = !state.startable || state.running;
  element("stop").disabled = element("pause").disabled = !live;
  element("pause").setAttribute("aria-pressed", String(Boolean(live?.paused)));
  element("pause").textContent = live?.paused ? "Go on" : "Pause";
  tell(failure ?? state.error);
  figures(live);
  settings.show({ ...state, live });
  presets(state);
  room(live);
  if (state.settings.framing || state.settings.mirror !== mirrored) zones.cancel(); // what is seen is another picture
  mirrored = state.settings.mirror;
  zones.take(turned(state.settings.zones));
  marks();
  if (!live) blank("Not running");
}

function figures(live) {
  const ms = (value) => (value == null ? "–" : `${value.toFixed(1)} ms`);
  const shown = live
    ? {
        fps: `${live.fps.toFixed(1)} fps`,
        p50: ms(live.latency.p50_ms),
        p95: ms(live.latency.p95_ms),
        p99: ms(live.latency.p99_ms),
        size: live.size.join("×"),
        covered: live.covered,
        dropped: live.dropped,
        rung: live.rung,
      }
    : {};
  for (const cell of document.querySelectorAll("#figures dd")) cell.textContent = shown[cell.id] ?? "–";
  const rungs = live?.rungs ?? [];
  if (element("rungs").childElementCount === rungs.length) return;
  element("rungs").replaceChildren(
    ...rungs.map(({ at_s, rung, why }) => Object.assign(document.createElement("li"), { textContent: `${at_s.toFixed(1)} s: ${rung}; ${why}` })),
  );
}

// ---- the empty room

/** What is known of the room, and how far the taking of its picture is. */
function room(live) {
  const { source = null, taking = null, refused = null } = live?.room ?? {};
  element("room").disabled = !live || live.paused || taking !== null;
  element("room-drop").disabled = source === null;
  const there = source === null ? "" : source === "taken" ? "Taken, and in use until the stream ends." : `In use: ${source.split(/[\\/]/).pop()}`;
  const said = taking === null ? (refused ? `${refused[0].toUpperCase()}${refused.slice(1)}.` : there) : taking > 0 ? `Step out of the picture: ${Math.ceil(taking)}` : "It is being taken: stay out.";
  element("room-said").classList.toggle("bad", taking === null && refused !== null);
  if (element("room-said").value !== said) element("room-said").value = said; // read aloud once
}

element("room").addEventListener("click", () => command("POST", "api/room"));
element("room-drop").addEventListener("click", () => command("DELETE", "api/room"));

// ---- zones

let mirrored = false; // whether the picture that is seen has left and right turned round

/** Zones as they lie in the picture that is seen, from the camera's, and back. */
const turned = (zones) => (mirrored ? zones.map((zone) => zone.map(([x, y]) => [Math.round(1000 * (1 - x)) / 1000, y])) : zones);

/** A zone is drawn on what goes out: this page never has the camera's own picture. */
function drawZone() {
  if (!size) return notice("There is no picture to draw on: start the stream, with the preview on.");
  if (newest?.settings.framing) return notice("Zones lie in the whole picture: take “Keep the people in the middle” off to draw one.");
  zones.begin(size);
}

function drawing(on) {
  element("zone-tools").hidden = !on;
  if (on) element("shown").scrollIntoView({ block: "nearest" });
  else element("zone").focus({ preventScroll: true });
  marks();
}

/** Show the zones over the picture, for this page alone; where the people are kept in the middle they are elsewhere. */
function marks() {
  const { zones: drawn = [], framing } = newest?.settings ?? {};
  element("zone-count").value = drawn.length ? `${drawn.length} drawn` : "";
  element("zone-clear").disabled = !drawn.length;
  const seen = drawn.length > 0 && !framing && !zones.active && size !== null;
  element("zone-marks").toggleAttribute("hidden", !seen);
  element("marks-hint").hidden = !seen;
  if (seen) mark(element("zone-marks"), turned(drawn), size);
}

function notice(words) {
  element("notice").textContent = words;
}

const zoneTools = { zone: drawZone, "zone-close": () => zones.close(), "zone-undo": () => zones.undo(), "zone-cancel": () => zones.cancel(), "zone-clear": () => change({ zones: [] }) };
for (const [id, act] of Object.entries(zoneTools)) element(id).addEventListener("click", act);

// ---- presets

let listed = "";

function presets(state) {
  const names = JSON.stringify(state.presets);
  if (names !== listed) {
    listed = names;
    element("preset").replaceChildren(new Option(state.presets.length ? "none chosen" : "none yet", ""), ...state.presets.map((name) => new Option(name, name)));
  }
  if (document.activeElement !== element("preset")) choose(element("preset"), state.preset);
  element("delete").disabled = !state.presets.includes(element("preset-name").value.trim() || state.preset);
  element("presets-error").textContent = state.presets_error ?? "";
}

// ---- the preview

let shown = null;
let loading = false; // a slow browser would never finish a picture if each gave way to the next
let size = null; // of the picture that is seen; the element itself knows none while it takes the next one in

element("preview").addEventListener("load", ({ target: { naturalWidth: width, naturalHeight: height } }) => {
  const first = !size;
  size = shown && { width, height };
  loading = false;
  if (first) marks();
});
element("preview").addEventListener("error", () => (loading = false));

/** The newest picture of the output. */
function preview(blob) {
  if (!watching() || loading) return;
  const before = shown;
  loading = true;
  shown = URL.createObjectURL(blob);
  element("preview").src = shown;
  element("no-preview").hidden = true;
  if (before) URL.revokeObjectURL(before);
}

function blank(words) {
  zones.cancel();
  element("preview").removeAttribute("src");
  if (shown) URL.revokeObjectURL(shown);
  shown = size = null;
  loading = false;
  marks();
  element("no-preview").textContent = words;
  element("no-preview").hidden = false;
}

function tell(words) {
  const line = words ? `${words[0].toUpperCase()}${words.slice(1)}` : "";
  if (element("error").textContent !== line) element("error").textContent = line; // read aloud once
  element("error").hidden = !words;
}

/** The stream does not answer, or not to us. */
function lost(refusal) {
  const locked = refusal.status === 401;
  document.body.dataset.state = locked ? "locked" : "lost";
  element("camera").textContent = locked ? "Locked" : "No stream";
  element("entry").hidden = !locked;
  element("stop").disabled = element("pause").disabled = true;
  blank("Nothing goes out");
  tell(refusal.message);
}

const watching = () => element("watch").getAttribute("aria-pressed") === "true";
const watch = () => stream.watch(watching() && !document.hidden);

element("watch").addEventListener("click", () => {
  element("watch").setAttribute("aria-pressed", String(!watching()));
  if (!watching()) blank("The preview is off");
  watch();
});
document.addEventListener("visibilitychange", watch);

const pause = () => command("POST", newest?.live?.paused ? "api/resume" : "api/pause");
element("pause").addEventListener("click", pause);
element("start").addEventListener("click", () => command("POST", "api/start"));
element("stop").addEventListener("click", () => command("POST", "api/stop"));
element("preset").addEventListener("change", () => element("preset").value && command("POST", `api/presets/${encodeURIComponent(element("preset").value)}`));
element("preset-name").addEventListener("input", () => newest && presets(newest));
element("preset-name").addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), element("save").click()));
element("save").addEventListener("click", () => {
  const name = element("preset-name").value.trim() || newest?.preset;
  if (!name) return element("preset-name").focus();
  element("preset-name").value = "";
  return command("PUT", `api/presets/${encodeURIComponent(name)}`);
});
element("delete").addEventListener("click", () => {
  const name = element("preset-name").value.trim() || newest?.preset;
  element("preset-name").value = "";
  return command("DELETE", `api/presets/${encodeURIComponent(name)}`);
});
element("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  keep(element("token").value.trim());
  element("token").value = "";
  begin();
  stream.again();
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input[type=text], input[type=password], select");
  if (event.key === "p" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !element("pause").disabled) pause();
});

/** What does not change while the stream runs. */
async function begin() {
  try {
    const models = await ask("GET", "api/models");
    element("model").replaceChildren(...models.map(({ name, summary }) => Object.assign(new Option(name, name), { title: `${summary[0].toUpperCase()}${summary.slice(1)}.` })));
    if (newest) status(newest);
  } catch {
    // link.js tells why
  }
}

begin();
watch();
