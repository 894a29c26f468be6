#version 300 es
// "Weights" of docs/spec/kernels.md: means over cells of weight times colour, and of weight.
precision highp float;
uniform sampler2D frame;
uniform sampler2D alpha;
uniform int side; // of a cell in pixels
uniform bool person; // whose weights: the person's, or the room's
out vec4 cell;

void main() {
  ivec2 size = textureSize(frame, 0);
  ivec2 from = ivec2(gl_FragCoord.xy) * side;
  ivec2 to = min(from + side, size);
  vec4 sum = vec4(0.0);
  for (int y = from.y; y < to.y; y++) {
    for (int x = from.x; x < to.x; x++) {
      float matte = texelFetch(alpha, ivec2(x, y), 0).r * 255.0;
      float weight = floor(max(person ? matte - 128.0 : 127.0 - matte, 0.0) / 8.0 + 1e-3);
      sum += weight * vec4(texelFetch(frame, ivec2(x, y), 0).rgb, 1.0);
    }
  }
  cell = sum / (15.0 * float(side * side));
}
