/** Backgrounds that are drawn here, so that nothing is downloaded: a few rooms and landscapes. */

const SIZE = { width: 1280, height: 720 };

type Draw = (context: OffscreenCanvasRenderingContext2D, width: number, height: number) => void;

export const SCENES: Record<string, Draw> = {
  Studio(context, width, height) {
    const light = context.createRadialGradient(width * 0.5, height * 0.4, 0, width * 0.5, height * 0.5, width * 0.7);
    light.addColorStop(0, "#b9c0c8");
    light.addColorStop(1, "#4a525c");
    fill(context, light, 0, 0, width, height);
  },
  Dusk(context, width, height) {
    sky(context, width, height, ["#2b2a5e", "#a94f74", "#f2a65a"]);
    const hills = ["#6d3f63", "#4a2f52", "#2b2140"];
    hills.forEach((color, i) => ridge(context, width, height, height * (0.58 + 0.13 * i), 40 - 8 * i, i + 1, color));
  },
  Sea(context, width, height) {
    sky(context, width, height, ["#7db7e8", "#cfe6f5", "#f5efe0"]);
    fill(context, "#2f7fa3", 0, height * 0.55, width, height);
    for (let i = 0; i < 60; i++) fill(context, "rgba(255,255,255,.12)", (i * 397) % width, height * (0.56 + 0.4 * (i / 60)), 40 + 3 * i, 1 + i / 20);
    fill(context, "#e6d3a8", 0, height * 0.9, width, height);
  },
  Forest(context, width, height) {
    sky(context, width, height, ["#dfeadf", "#b9d0b9", "#8fb08f"]);
    ["#7da07f", "#527a58", "#2e5237"].forEach((color, depth) => {
      for (let i = 0; i < 16 + 6 * depth; i++) tree(context, ((i * 251 + depth * 83) % 1000) * (width / 1000), height, height * (0.45 + 0.2 * depth), color);
    });
  },
  Library(context, width, height) {
    fill(context, "#3b2a20", 0, 0, width, height);
    const colors = ["#7d3b32", "#2f4f5e", "#a0793d", "#4c5b3c", "#6a4a6b", "#8a8376"];
    const rows = 5;
    for (let row = 0; row < rows; row++) {
      const floor = ((row + 1) * height) / rows - 14;
      for (let x = 10, i = row * 7; x < width - 10; i++) {
        const [thick, tall] = [16 + ((i * 13) % 22), 78 + ((i * 29) % 38)];
        fill(context, colors[(i * 5) % colors.length] as string, x, floor - tall, thick, tall);
        fill(context, "rgba(255,255,255,.1)", x + 2, floor - tall, 2, tall);
        x += thick + 2;
      }
      fill(context, "#241911", 0, floor, width, 14);
    }
  },
  Window(context, width, height) {
    fill(context, "#d9d2c6", 0, 0, width, height);
    const [left, top, wide, high] = [width * 0.56, height * 0.12, width * 0.32, height * 0.56];
    const glass = context.createLinearGradient(0, top, 0, top + high);
    glass.addColorStop(0, "#bfe0f5");
    glass.addColorStop(1, "#eef6e8");
    fill(context, glass, left, top, wide, high);
    context.strokeStyle = "#f7f4ee";
    context.lineWidth = 14;
    context.strokeRect(left, top, wide, high);
    context.strokeRect(left, top, wide / 2, high);
    fill(context, "#b49a78", 0, height * 0.86, width, height);
    fill(context, "rgba(255,255,255,.25)", width * 0.1, height * 0.86, width * 0.5, height * 0.06);
  },
};

/** A scene as a JPEG. */
export async function drawScene(name: string): Promise<Blob> {
  const canvas = new OffscreenCanvas(SIZE.width, SIZE.height);
  (SCENES[name] as Draw)(canvas.getContext("2d") as OffscreenCanvasRenderingContext2D, SIZE.width, SIZE.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}

function fill(context: OffscreenCanvasRenderingContext2D, style: string | CanvasGradient, x: number, y: number, width: number, height: number): void {
  context.fillStyle = style;
  context.fillRect(x, y, width, height);
}

function sky(context: OffscreenCanvasRenderingContext2D, width: number, height: number, colors: readonly string[]): void {
  const gradient = context.createLinearGradient(0, 0, 0, height * 0.7);
  colors.forEach((color, i) => gradient.addColorStop(i / (colors.length - 1), color));
  fill(context, gradient, 0, 0, width, height);
}

function ridge(context: OffscreenCanvasRenderingContext2D, width: number, height: number, y: number, waves: number, seed: number, color: string): void {
  context.fillStyle = color;
  context.beginPath();
  context.moveTo(0, height);
  for (let x = 0; x <= width; x += 8) context.lineTo(x, y + waves * Math.sin(x / (90 * seed) + seed) + 0.4 * waves * Math.sin(x / 37 + 2 * seed));
  context.lineTo(width, height);
  context.fill();
}

function tree(context: OffscreenCanvasRenderingContext2D, x: number, height: number, tall: number, color: string): void {
  context.fillStyle = color;
  context.beginPath();
  context.moveTo(x, height - tall);
  context.lineTo(x + tall * 0.2, height);
  context.lineTo(x - tall * 0.2, height);
  context.fill();
}
