#version 300 es
// The light of a plate at a rim, in cells: the plate's colour, and the matte beside it.
precision highp float;
uniform sampler2D plate;
uniform sampler2D alpha;
uniform vec4 cut; // of the plate: scale and offset
uniform int side;
out vec4 light;

void main() {
  ivec2 size = textureSize(alpha, 0);
  ivec2 from = ivec2(gl_FragCoord.xy) * side;
  ivec2 to = min(from + side, size);
  float sum = 0.0;
  vec3 colour = vec3(0.0);
  for (int y = from.y; y < to.y; y++) {
    for (int x = from.x; x < to.x; x++) {
      sum += texelFetch(alpha, ivec2(x, y), 0).r;
      colour += texture(plate, (vec2(x, y) + 0.5) / vec2(size) * cut.xy + cut.zw).rgb;
    }
  }
  light = vec4(colour, sum) / float((to.x - from.x) * (to.y - from.y));
}
