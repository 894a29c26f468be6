/** The settings: fields to values that are asked for, and the state of the stream back into the fields. */

const element = (id) => document.getElementById(id);
const RANGES = ["softness", "light_wrap", "match"];
const SWITCHES = ["despill", "bokeh", "framing", "mirror"];
const EFFECTS = ["blur", "image", "color", "off"];

/**
 * @param change called with the settings that somebody chose.
 * @param send called with a picture file.
 * @returns show(state): put a state into the fields.
 */
export function fields(change, send) {
  const form = element("settings");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const id of RANGES) element(id).addEventListener("input", () => (paint(), change({ [id]: element(id).valueAsNumber })));
  for (const id of SWITCHES) element(id).addEventListener("change", () => change({ [id]: element(id).checked }));
  element("strength").addEventListener("input", () => (paint(), change({ effect: "blur", strength: element("strength").valueAsNumber })));
  element("color").addEventListener("input", () => change({ effect: `color:${element("color").value}` }));
  element("nearest").addEventListener("change", () => change({ who: element("nearest").checked ? "nearest" : "everyone" }));
  element("model").addEventListener("change", () => change({ model: element("model").value }));
  element("uncover").addEventListener("click", () => {
    form.querySelector("input[value=off]").focus(); // the button goes
    change({ effect: "off" });
  });
  element("choose").addEventListener("click", () => element("file").click());
  element("file").addEventListener("change", () => {
    const [file] = element("file").files;
    if (file) send(file);
    element("file").value = "";
  });

  let hasPicture = false;
  let asking = null; // effect that is chosen here, and waits: for a picture, or for the button that shows the room
  let before = null; // preset of the last state
  for (const radio of form.elements.effect) {
    radio.addEventListener("change", () => {
      paint();
      asking = radio.value === "off" || (radio.value === "image" && !hasPicture) ? radio.value : null; // arrow keys pass over "off"
      if (radio.value === "blur") change({ effect: "blur", strength: element("strength").valueAsNumber });
      else if (radio.value === "color") change({ effect: `color:${element("color").value}` });
      else if (radio.value === "image" && hasPicture) change({ effect: "image" });
    });
  }

  /** What belongs to another effect is not there; numbers stand beside their sliders. */
  function paint() {
    const chosen = form.elements.effect.value;
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(chosen);
    for (const output of form.querySelectorAll("output[for]")) output.value = `${Math.round(element(output.htmlFor.value).valueAsNumber * 100)} %`;
  }

  /** A field that somebody is using is left alone. */
  const free = (field) => document.activeElement !== field;

  function show({ settings, picture, live, preset }) {
    const [kind, argument] = split(settings.effect);
    const known = EFFECTS.includes(kind) && !(kind === "image" && argument);
    element("other-label").hidden = known;
    element("other").textContent = known ? "" : settings.effect;
    if (kind === asking || (preset && preset !== before)) asking = null;
    if (!asking) form.elements.effect.value = known ? kind : "other";
    before = preset;
    element("uncover").hidden = kind === "off";
    element("uncovered").textContent = kind === "off" ? "Others see the room as it is." : "Nothing has changed yet: others would see the room as it is.";
    hasPicture = Boolean(picture);
    element("picture").textContent = picture ?? "PNG, JPEG or WebP, up to 20 MB";
    if (kind === "blur" && free(element("strength"))) element("strength").value = argument ?? 0.6;
    if (kind === "color" && free(element("color")) && /^#[0-9a-f]{6}$/i.test(argument ?? "")) element("color").value = argument;
    for (const id of RANGES) if (free(element(id))) element(id).value = settings[id];
    for (const id of SWITCHES) element(id).checked = settings[id];
    element("nearest").checked = settings.who === "nearest";
    if (free(element("model"))) choose(element("model"), live && !live.loading ? live.model : settings.model);
    element("loading").textContent = live?.loading ? `Loading ${settings.model}; until then ${live.model} goes on.` : (element("model").selectedOptions[0]?.title ?? "");
    paint();
  }

  return { show };
}

/** A name and what stands after its colon. */
function split(effect) {
  const at = effect.indexOf(":");
  return at < 0 ? [effect, null] : [effect.slice(0, at), effect.slice(at + 1)];
}

/** Choose a value of a list, and add it if it is not there. */
export function choose(list, value) {
  if (value && ![...list.options].some((option) => option.value === value)) list.add(new Option(value, value));
  list.value = value ?? "";
}
