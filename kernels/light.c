/* How dark a picture is for a network. */
#include "common.h"

enum { CODES = 256 };

/* The bright end of a picture: this part of its pixels is darker. A network is at its best
 * where the bright end lies at BRIGHT or above it; more than MOST would show it noise alone. */
static const float DARKER = 0.95f, BRIGHT = 0.6f, MOST = 4.0f;

/* Luma 0-255 of a pixel whose colours lie `step` apart. */
static inline i32 luma(const float *rgb, ptrdiff_t step) {
  float v = (rgb[0] * 77.0f + rgb[step] * 150.0f) + rgb[2 * step] * 29.0f;
  i32 code = (i32)(v * (255.0f / 256.0f) + 0.5f);
  return lm_clamp(code, 0, CODES - 1);
}

void lm_gain(const float *rgb, i32 n, i32 planar, float *gain) {
  i32 count[CODES] = {0}, darker = 0, code = 0;
  for (i32 i = 0; i < n; i++) count[planar ? luma(rgb + i, n) : luma(rgb + 3 * (ptrdiff_t)i, 1)]++;
  while (code < CODES - 1 && (float)(darker += count[code]) < DARKER * (float)n) code++;
  float wanted = BRIGHT * 255.0f / (float)lm_max(code, 1);
  *gain = wanted < 1.0f ? 1.0f : wanted > MOST ? MOST : wanted;
}
