#version 300 es
// "Normalised convolution" of docs/spec/kernels.md: weighted colours become colours.
precision highp float;
uniform sampler2D sums;
uniform sampler2D mean; // one pixel: means over the whole picture
out vec4 colour;

const float FAINT = 1.0 / 1024.0;

void main() {
  vec4 sum = texelFetch(sums, ivec2(gl_FragCoord.xy), 0);
  vec4 whole = texelFetch(mean, ivec2(0), 0);
  vec3 usual = whole.a > 0.0 ? whole.rgb / whole.a : vec3(128.0 / 255.0);
  colour = vec4((sum.rgb + FAINT * usual) / (sum.a + FAINT), 1.0);
}
