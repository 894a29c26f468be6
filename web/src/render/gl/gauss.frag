#version 300 es
// "Gauss" of docs/spec/kernels.md, one direction of it.
precision highp float;
uniform sampler2D picture;
uniform ivec2 step_;
uniform int radius;
uniform float taps[64];
out vec4 blurred;

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  ivec2 last = textureSize(picture, 0) - 1;
  vec4 sum = texelFetch(picture, at, 0) * taps[0];
  for (int k = 1; k <= radius; k++) {
    sum += (texelFetch(picture, clamp(at - k * step_, ivec2(0), last), 0) + texelFetch(picture, clamp(at + k * step_, ivec2(0), last), 0)) * taps[k];
  }
  blurred = sum;
}
