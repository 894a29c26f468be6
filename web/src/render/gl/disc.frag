#version 300 es
// "Disc" of docs/spec/kernels.md: the mean over a disc, edges repeated.
precision highp float;
uniform sampler2D picture;
uniform int radius; // rows above and below the middle
uniform float chords[33]; // half of the disc's chord through each of them, in cells
out vec4 blurred;

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  ivec2 last = textureSize(picture, 0) - 1;
  vec4 sum = vec4(0.0);
  float area = 0.0;
  for (int y = -radius; y <= radius; y++) {
    float half_ = chords[abs(y)];
    int reach = int(half_ + 0.5);
    for (int x = -reach; x <= reach; x++) {
      float part = clamp(half_ + 0.5 - float(abs(x)), 0.0, 1.0);
      sum += part * texelFetch(picture, clamp(at + ivec2(x, y), ivec2(0), last), 0);
    }
    area += 2.0 * half_;
  }
  blurred = sum / area;
}
