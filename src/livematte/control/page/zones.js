/**
 * Zones drawn on the picture, by pointer or by keys: what lies outside all of them goes with the background.
 * The control page and the web app (web/app) draw with this one file.
 *
 * @typedef {readonly [number, number]} Point in parts of the picture, (0, 0) top left
 * @typedef {readonly Point[]} Zone
 * @typedef {{ width: number, height: number }} Size in pixels
 */

/** Step of an arrow key, and with Shift; parts of the picture. */
const [STEP, LEAP] = [0.02, 0.1];
/** How near to the first corner a click closes the zone. */
const NEAR = 0.03;
/** As src/livematte/effects/_zones.py has them. */
const [FEWEST, MOST_POINTS, MOST_ZONES] = [3, 64, 16];
/** @type {Point} */
const MIDDLE = [0.5, 0.5];

/** @type {Record<string, Point>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class ZoneEditor {
  #canvas;
  #told;
  #changed;
  #drawing;
  /** @type {readonly Zone[]} */
  #kept = [];
  /** @type {Point[]} */
  #corners = [];
  #cursor = MIDDLE;

  /**
   * @param {SVGSVGElement} canvas
   * @param {(words: string) => void} told gets what happens, in words.
   * @param {(zones: readonly Zone[]) => void} changed is called with the zones whenever they are others.
   * @param {(on: boolean) => void} drawing is called when drawing begins and ends.
   */
  constructor(canvas, told, changed, drawing) {
    this.#canvas = canvas;
    this.#told = told;
    this.#changed = changed;
    this.#drawing = drawing;
    canvas.addEventListener("pointermove", (event) => this.#move(this.#under(event)));
    canvas.addEventListener("click", (event) => this.#click(this.#under(event)));
    canvas.addEventListener("keydown", (event) => this.#press(event));
  }

  get zones() {
    return this.#kept;
  }

  set zones(zones) {
    this.take(zones);
    this.#changed(zones);
  }

  /**
   * Zones that somebody else has changed.
   * @param {readonly Zone[]} zones
   */
  take(zones) {
    this.#kept = zones;
    if (this.active) this.#draw();
  }

  get active() {
    return !this.#canvas.hasAttribute("hidden");
  }

  /** @param {Size} size of the picture that is drawn on. */
  begin(size) {
    if (this.#kept.length >= MOST_ZONES) return this.#told(`There are ${MOST_ZONES} zones already, which is as many as there may be.`);
    this.#corners = [];
    this.#cursor = MIDDLE;
    this.#canvas.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    this.#canvas.removeAttribute("hidden");
    this.#drawing(true);
    this.#draw();
    this.#canvas.focus();
    this.#told("Click the corners of what stays. By keys: arrows move, Space sets a corner, Enter closes, Escape leaves it.");
  }

  add() {
    if (this.#corners.length >= MOST_POINTS) return this.#told(`A zone has at most ${MOST_POINTS} corners. Close it.`);
    this.#corners.push(this.#cursor);
    const [x, y] = this.#cursor.map((value) => Math.round(100 * value));
    this.#told(`Corner ${this.#corners.length} at ${x} % across, ${y} % down.${this.#corners.length >= FEWEST ? " Enter closes the zone." : ""}`);
    this.#draw();
  }

  undo() {
    this.#corners.pop();
    const { length } = this.#corners;
    this.#told(length === 1 ? "1 corner is left." : `${length || "No"} corners are left.`);
    this.#draw();
  }

  close() {
    if (this.#corners.length < FEWEST) return this.#told(`A zone needs ${FEWEST} corners; this one has ${this.#corners.length}.`);
    this.#end();
    this.zones = [...this.#kept, this.#corners.map(([x, y]) => /** @type {Point} */ ([round(x), round(y)]))];
    this.#told("");
  }

  /** Leave the zone that is being drawn. */
  cancel() {
    if (!this.active) return;
    this.#end();
    this.#told("");
  }

  #end() {
    this.#canvas.setAttribute("hidden", "");
    this.#drawing(false);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const arrow = ARROWS[event.key];
    const step = event.shiftKey ? LEAP : STEP;
    if (arrow) this.#move([this.#cursor[0] + arrow[0] * step, this.#cursor[1] + arrow[1] * step]);
    else if (event.key === " ") this.add();
    else if (event.key === "Enter") this.close();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Escape") this.cancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {Point} point */
  #click(point) {
    const [first] = this.#corners;
    this.#move(point);
    if (first && this.#corners.length >= FEWEST && Math.hypot(point[0] - first[0], point[1] - first[1]) < NEAR) this.close();
    else this.add();
  }

  /** @param {Point} point */
  #move(point) {
    this.#cursor = [within(point[0]), within(point[1])];
    this.#draw();
  }

  /**
   * Where the pointer is.
   * @param {MouseEvent} event
   * @returns {Point}
   */
  #under({ clientX, clientY }) {
    const matrix = this.#canvas.getScreenCTM();
    if (!matrix) return this.#cursor;
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
    const { width, height } = this.#canvas.viewBox.baseVal;
    return [x / width, y / height];
  }

  #draw() {
    const size = this.#canvas.viewBox.baseVal;
    /** @type {(at: Point, kind: string) => SVGElement} */
    const dot = ([x, y], kind) => shape("circle", { class: kind, cx: x * size.width, cy: y * size.height, r: size.width / 90 });
    this.#canvas.replaceChildren(
      ...this.#kept.map((zone) => polygon(zone, "kept", size)),
      polygon([...this.#corners, this.#cursor], "open", size),
      ...this.#corners.map((corner) => dot(corner, "corner")),
      dot(this.#cursor, "cursor"),
    );
  }
}

/**
 * Show where zones are, without drawing any.
 * @param {SVGSVGElement} canvas
 * @param {readonly Zone[]} zones
 * @param {Size} size of the picture that it lies on.
 */
export function mark(canvas, zones, size) {
  canvas.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  canvas.replaceChildren(...zones.map((zone) => polygon(zone, "kept", size)));
}

/** @type {(zone: Zone, kind: string, size: Size) => SVGElement} */
const polygon = (zone, kind, { width, height }) => shape("polygon", { class: kind, points: zone.map(([x, y]) => `${x * width},${y * height}`).join(" ") });

/** @type {(name: "polygon" | "circle", attributes: Record<string, string | number>) => SVGElement} */
function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** @type {(value: number) => number} */
const within = (value) => Math.min(Math.max(value, 0), 1);
/** @type {(value: number) => number} */
const round = (value) => Math.round(1000 * value) / 1000;
