#version 300 es
// "Disc" of docs/spec/kernels.md: bright cells count more.
precision highp float;
uniform sampler2D sums;
uniform vec4 luma; // of R, G, B, and black; 0-255
out vec4 cell;

const float GLARE = 31.0;
const float DULL = 150.0;
const float WHITE = 235.0;

void main() {
  vec4 sum = texelFetch(sums, ivec2(gl_FragCoord.xy), 0);
  float light = sum.a > 0.0 ? dot(luma.rgb, sum.rgb / sum.a) + luma.a : 0.0;
  float bright = clamp((light - DULL) / (WHITE - DULL), 0.0, 1.0);
  cell = sum * (1.0 + GLARE * bright * bright);
}
