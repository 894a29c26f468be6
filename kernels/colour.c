/* RGB to planes and back, in integers (ITU-R BT.601-7 and BT.709-6, 8 bits). */
#include "common.h"

/* Q15. Luma rows sum to the range's 219 or 255 steps, chroma rows to 0: grey stays grey. */
typedef struct {
  i32 black, yr, yg, yb, ur, ug, ub, vr, vg, vb;
} to_yuv;

static const to_yuv TO_YUV[4] = {
    {16, 8414, 16520, 3208, -4857, -9535, 14392, 14392, -12051, -2341},
    {0, 9798, 19234, 3736, -5529, -10855, 16384, 16384, -13720, -2664},
    {16, 5983, 20127, 2032, -3298, -11094, 14392, 14392, -13072, -1320},
    {0, 6966, 23436, 2366, -3754, -12630, 16384, 16384, -14882, -1502},
};

/* Q14. */
typedef struct {
  i32 black, y, rv, gu, gv, bu;
} to_rgb;

static const to_rgb TO_RGB[4] = {
    {16, 19077, 26149, -6419, -13320, 33050},
    {0, 16384, 22970, -5638, -11700, 29032},
    {16, 19077, 29372, -3494, -8731, 34610},
    {0, 16384, 25802, -3069, -7670, 30402},
};

static inline u8 byte(i32 v) { return (u8)lm_clamp(v, 0, 255); }

static void split_row(const u8 *restrict rgb, i32 w, u8 *restrict r, u8 *restrict g, u8 *restrict b) {
  for (i32 x = 0; x < w; x++) {
    r[x] = rgb[3 * x];
    g[x] = rgb[3 * x + 1];
    b[x] = rgb[3 * x + 2];
  }
}

void lm_rgb_to_planes(const u8 *rgb, i32 w, i32 h, i32 layout, i32 colour, u8 *p0, u8 *p1, u8 *p2) {
  size_t pitch = 3 * (size_t)w;
  if (layout == LM_RGB) {
    for (i32 y = 0; y < h; y++) {
      size_t o = (size_t)y * w;
      split_row(rgb + y * pitch, w, p0 + o, p1 + o, p2 + o);
    }
    return;
  }
  to_yuv k = TO_YUV[colour];
  for (i32 y = 0; y < h; y++) {
    const u8 *restrict s = rgb + y * pitch;
    u8 *restrict o = p0 + (size_t)y * w;
    for (i32 x = 0; x < w; x++)
      o[x] = (u8)(k.black + ((k.yr * s[3 * x] + k.yg * s[3 * x + 1] + k.yb * s[3 * x + 2] + (1 << 14)) >> 15));
  }
  i32 shift = layout == LM_I420, cw = (w + shift) >> shift, ch = (h + shift) >> shift;
  for (i32 y = 0; y < ch; y++) {
    const u8 *a = rgb + ((size_t)y << shift) * pitch;
    const u8 *b = rgb + (size_t)lm_min((y << shift) + shift, h - 1) * pitch;
    u8 *u = p1 + (size_t)y * cw, *v = p2 + (size_t)y * cw;
    for (i32 x = 0; x < cw; x++) {
      /* the sum of 4 pixels; a border pixel stands in for its missing neighbour */
      size_t i = 3 * ((size_t)x << shift), j = 3 * (size_t)lm_min((x << shift) + shift, w - 1);
      i32 red = a[i] + a[j] + b[i] + b[j];
      i32 green = a[i + 1] + a[j + 1] + b[i + 1] + b[j + 1];
      i32 blue = a[i + 2] + a[j + 2] + b[i + 2] + b[j + 2];
      u[x] = byte(128 + ((k.ur * red + k.ug * green + k.ub * blue + (1 << 16)) >> 17));
      v[x] = byte(128 + ((k.vr * red + k.vg * green + k.vb * blue + (1 << 16)) >> 17));
    }
  }
}

void lm_planes_to_rgb(const lm_plane *p, i32 layout, i32 colour, u8 *rgb) {
  i32 w = p[0].w, h = p[0].h, shift = layout == LM_I420;
  to_rgb k = TO_RGB[colour];
  for (i32 y = 0; y < h; y++) {
    const u8 *restrict a = p[0].data + (ptrdiff_t)y * p[0].stride;
    const u8 *restrict b = p[1].data + (ptrdiff_t)(y >> shift) * p[1].stride;
    const u8 *restrict c = p[2].data + (ptrdiff_t)(y >> shift) * p[2].stride;
    u8 *restrict o = rgb + 3 * (size_t)y * w;
    if (layout == LM_RGB) {
      for (i32 x = 0; x < w; x++) {
        o[3 * x] = a[x];
        o[3 * x + 1] = b[x];
        o[3 * x + 2] = c[x];
      }
      continue;
    }
    for (i32 x = 0; x < w; x++) {
      i32 luma = (a[x] - k.black) * k.y + (1 << 13), u = b[x >> shift] - 128, v = c[x >> shift] - 128;
      o[3 * x] = byte((luma + k.rv * v) >> 14);
      o[3 * x + 1] = byte((luma + k.gu * u + k.gv * v) >> 14);
      o[3 * x + 2] = byte((luma + k.bu * u) >> 14);
    }
  }
}

/* Full-range BT.601 luma, as a guide and a brightness; not for colour conversion. */
void lm_luma(const lm_plane *p, u8 *luma) {
  for (i32 y = 0; y < p[0].h; y++) {
    const u8 *restrict r = p[0].data + (ptrdiff_t)y * p[0].stride;
    const u8 *restrict g = p[1].data + (ptrdiff_t)y * p[1].stride;
    const u8 *restrict b = p[2].data + (ptrdiff_t)y * p[2].stride;
    u8 *restrict o = luma + (size_t)y * p[0].w;
    for (i32 x = 0; x < p[0].w; x++) o[x] = (u8)((u16)(77 * r[x] + 150 * g[x] + 29 * b[x] + 128) >> 8);
  }
}
