#version 300 es
// "Downscale" of docs/spec/kernels.md: the mean over each cell of a grid laid over the picture.
precision highp float;
uniform sampler2D picture;
uniform vec2 target; // size in pixels
out vec4 mean;

void main() {
  vec2 size = vec2(textureSize(picture, 0));
  vec2 from = floor(gl_FragCoord.xy) * size / target;
  vec2 to = min(from + size / target, size);
  vec4 sum = vec4(0.0);
  for (float y = floor(from.y); y < to.y; y += 1.0) {
    float high = min(y + 1.0, to.y) - max(y, from.y);
    for (float x = floor(from.x); x < to.x; x += 1.0) {
      float wide = min(x + 1.0, to.x) - max(x, from.x);
      sum += wide * high * texelFetch(picture, ivec2(x, y), 0);
    }
  }
  mean = sum / ((to.x - from.x) * (to.y - from.y));
}
