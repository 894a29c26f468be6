#version 300 es
// docs/spec/framing.md: a part of what composite.frag has drawn, on the canvas.
precision highp float;
uniform sampler2D whole; // first row below, as the canvas has it
uniform vec4 window; // of the picture: scale and offset
out vec4 picture;

void main() {
  picture = texture(whole, gl_FragCoord.xy / vec2(textureSize(whole, 0)) * window.xy + window.zw);
}
