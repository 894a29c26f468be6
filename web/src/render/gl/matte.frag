#version 300 es
// "Apply" and "Upsample" of docs/spec/kernels.md: alpha of every pixel from slopes and offset on a small grid.
precision highp float;
uniform sampler2D frame;
uniform sampler2D line; // slopes of luma, U and V, and offset, as alpha 0-1 of 0-256
uniform vec4 luma; // of R, G, B, and black; 0-255
uniform vec4 u; // the same of chroma, from 128 on
uniform vec4 v;
out vec4 alpha;

// bilinear, centre on centre; 32-bit floats have no filter of their own everywhere
vec4 stretched(vec2 at) {
  ivec2 last = textureSize(line, 0) - 1;
  vec2 place = clamp(at * vec2(last + 1) - 0.5, vec2(0.0), vec2(last));
  ivec2 cell = ivec2(place);
  ivec2 next = min(cell + 1, last);
  vec2 part = place - vec2(cell);
  vec4 above = mix(texelFetch(line, cell, 0), texelFetch(line, ivec2(next.x, cell.y), 0), part.x);
  vec4 below = mix(texelFetch(line, ivec2(cell.x, next.y), 0), texelFetch(line, next, 0), part.x);
  return mix(above, below, part.y);
}

void main() {
  vec4 pixel = texelFetch(frame, ivec2(gl_FragCoord.xy), 0);
  vec2 at = gl_FragCoord.xy / vec2(textureSize(frame, 0));
  vec4 fitted = stretched(at);
  vec3 seen = vec3(dot(luma.rgb, pixel.rgb) + luma.a, dot(u.rgb, pixel.rgb), dot(v.rgb, pixel.rgb));
  alpha = vec4(clamp(dot(fitted.rgb, seen) / 256.0 + fitted.a, 0.0, 1.0));
}
