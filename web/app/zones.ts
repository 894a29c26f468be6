/** Zones drawn on the picture, by pointer or by keys: what lies outside all of them goes with the background. */

import type { Zone } from "../src/index.js";

type Point = readonly [number, number];

/** Step of an arrow key, and with Shift; parts of the picture. */
const [STEP, LEAP] = [0.02, 0.1];
/** How near to the first corner a click closes the zone. */
const NEAR = 0.03;
const FEWEST = 3;
const [MOST_POINTS, MOST_ZONES] = [64, 16];
const MIDDLE: Point = [0.5, 0.5];

const ARROWS: Record<string, Point> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class ZoneEditor {
  private kept: readonly Zone[] = [];
  private corners: Point[] = [];
  private cursor: Point = MIDDLE;

  /**
   * @param told gets what happens, in words.
   * @param changed is called with the zones whenever they are others.
   * @param drawing is called when drawing begins and ends.
   */
  constructor(
    private readonly canvas: SVGSVGElement,
    private readonly told: (words: string) => void,
    private readonly changed: (zones: readonly Zone[]) => void,
    private readonly drawing: (on: boolean) => void,
  ) {
    canvas.addEventListener("pointermove", (event) => this.move(this.under(event)));
    canvas.addEventListener("click", (event) => this.click(this.under(event)));
    canvas.addEventListener("keydown", (event) => this.press(event));
  }

  get zones(): readonly Zone[] {
    return this.kept;
  }

  set zones(zones: readonly Zone[]) {
    this.kept = zones;
    this.changed(zones);
  }

  get active(): boolean {
    return !this.canvas.hasAttribute("hidden");
  }

  /** @param size of the picture that is drawn on, in pixels. */
  begin(size: { width: number; height: number }): void {
    if (this.kept.length >= MOST_ZONES) return this.told(`There are ${MOST_ZONES} zones already, which is as many as there may be.`);
    this.corners = [];
    this.cursor = MIDDLE;
    this.canvas.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    this.canvas.removeAttribute("hidden");
    this.drawing(true);
    this.draw();
    this.canvas.focus();
    this.told("Click the corners of what stays. By keys: arrows move, Space sets a corner, Enter closes, Escape leaves it.");
  }

  add(): void {
    if (this.corners.length >= MOST_POINTS) return this.told(`A zone has at most ${MOST_POINTS} corners. Close it.`);
    this.corners.push(this.cursor);
    const [x, y] = this.cursor.map((value) => Math.round(100 * value));
    this.told(`Corner ${this.corners.length} at ${x} % across, ${y} % down.${this.corners.length >= FEWEST ? " Enter closes the zone." : ""}`);
    this.draw();
  }

  undo(): void {
    this.corners.pop();
    this.told(`${this.corners.length} corners are left.`);
    this.draw();
  }

  close(): void {
    if (this.corners.length < FEWEST) return this.told(`A zone needs ${FEWEST} corners; this one has ${this.corners.length}.`);
    this.end();
    this.zones = [...this.kept, this.corners.map(([x, y]) => [round(x), round(y)] as const)];
    this.told("");
  }

  /** Leave the zone that is being drawn. */
  cancel(): void {
    if (!this.active) return;
    this.end();
    this.told("");
  }

  private end(): void {
    this.canvas.setAttribute("hidden", "");
    this.drawing(false);
  }

  private press(event: KeyboardEvent): void {
    const arrow = ARROWS[event.key];
    const step = event.shiftKey ? LEAP : STEP;
    if (arrow) this.move([this.cursor[0] + arrow[0] * step, this.cursor[1] + arrow[1] * step]);
    else if (event.key === " ") this.add();
    else if (event.key === "Enter") this.close();
    else if (event.key === "Backspace") this.undo();
    else if (event.key === "Escape") this.cancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private click(point: Point): void {
    const [first] = this.corners;
    this.move(point);
    if (first && this.corners.length >= FEWEST && Math.hypot(point[0] - first[0], point[1] - first[1]) < NEAR) this.close();
    else this.add();
  }

  private move(point: Point): void {
    this.cursor = [within(point[0]), within(point[1])];
    this.draw();
  }

  /** Where the pointer is, in parts of the picture. */
  private under({ clientX, clientY }: MouseEvent): Point {
    const matrix = this.canvas.getScreenCTM();
    if (!matrix) return this.cursor;
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
    const { width, height } = this.canvas.viewBox.baseVal;
    return [x / width, y / height];
  }

  private draw(): void {
    const { width, height } = this.canvas.viewBox.baseVal;
    const shape = (name: string, attributes: Record<string, string | number>): SVGElement => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
      return made;
    };
    const points = (zone: readonly Point[]): string => zone.map(([x, y]) => `${x * width},${y * height}`).join(" ");
    const dot = ([x, y]: Point, kind: string): SVGElement => shape("circle", { class: kind, cx: x * width, cy: y * height, r: width / 90 });
    this.canvas.replaceChildren(
      ...this.kept.map((zone) => shape("polygon", { class: "kept", points: points(zone) })),
      shape("polygon", { class: "open", points: points([...this.corners, this.cursor]) }),
      ...this.corners.map((corner) => dot(corner, "corner")),
      dot(this.cursor, "cursor"),
    );
  }
}

const within = (value: number): number => Math.min(Math.max(value, 0), 1);
const round = (value: number): number => Math.round(1000 * value) / 1000;
