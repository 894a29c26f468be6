#version 300 es
// docs/spec/compositing.md: out = a F + (1 - a) B. What it draws, and crop.frag from that alone, is all that reaches the canvas.
precision highp float;
uniform sampler2D frame;
uniform sampler2D alpha;
uniform sampler2D plate;
uniform sampler2D room; // the room and the person at the rim, for despill
uniform sampler2D person;
uniform sampler2D light;
uniform vec4 cut; // of the plate: scale and offset
uniform vec4 gain; // of the person's red, green and blue
uniform float wrap; // 0 for none
uniform bool despill;
uniform bool transparent;
out vec4 picture;

void main() {
  ivec2 size = textureSize(alpha, 0);
  ivec2 pixel = ivec2(gl_FragCoord.x, float(size.y) - gl_FragCoord.y); // the canvas has its first row below
  vec2 at = (vec2(pixel) + 0.5) / vec2(size);
  float a = texelFetch(alpha, pixel, 0).r;
  vec3 colour = texelFetch(frame, pixel, 0).rgb;
  if (despill) {
    vec3 own = texture(person, at).rgb;
    colour = clamp(own + (colour - mix(texture(room, at).rgb, own, a)) * a, 0.0, 1.0);
  }
  colour = min(colour * gain.rgb, 1.0);
  if (wrap > 0.0) {
    vec4 near = texture(light, at);
    float part = wrap * (1.0 - near.a) * dot(near.rgb, vec3(77.0, 150.0, 29.0) / 256.0) * a;
    colour += max(near.rgb - colour, 0.0) * part;
  }
  // straight alpha: a VideoFrame takes the canvas's pixels as they are
  picture = transparent ? vec4(colour, a) : vec4(mix(texture(plate, at * cut.xy + cut.zw).rgb, colour, a), 1.0);
}
