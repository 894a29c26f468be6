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

/* Where a pixel's colours lie: bytes from one pixel to the next, and of red, green and blue in it. */
typedef struct {
  i32 step, r, g, b;
} packing;

static inline void split(const u8 *pixels, size_t pitch, packing at, i32 w, i32 h, u8 *p0, u8 *p1, u8 *p2) {
  for (i32 y = 0; y < h; y++) {
    const u8 *restrict s = pixels + y * pitch;
    u8 *restrict r = p0 + (size_t)y * w, *restrict g = p1 + (size_t)y * w, *restrict b = p2 + (size_t)y * w;
    for (i32 x = 0; x < w; x++) {
      r[x] = s[at.step * x + at.r];
      g[x] = s[at.step * x + at.g];
      b[x] = s[at.step * x + at.b];
    }
  }
}

static inline void luma_rows(const u8 *pixels, size_t pitch, packing at, i32 w, i32 h, to_yuv k, u8 *p0) {
  for (i32 y = 0; y < h; y++) {
    const u8 *restrict s = pixels + y * pitch;
    u8 *restrict o = p0 + (size_t)y * w;
    for (i32 x = 0; x < w; x++) {
      const u8 *c = s + at.step * x;
      o[x] = (u8)(k.black + ((k.yr * c[at.r] + k.yg * c[at.g] + k.yb * c[at.b] + (1 << 14)) >> 15));
    }
  }
}

static inline void chroma_rows(const u8 *pixels, size_t pitch, packing at, i32 w, i32 h, i32 shift, to_yuv k, u8 *p1,
                               u8 *p2) {
  i32 cw = (w + shift) >> shift, ch = (h + shift) >> shift;
  for (i32 y = 0; y < ch; y++) {
    const u8 *a = pixels + ((size_t)y << shift) * pitch;
    const u8 *b = pixels + (size_t)lm_min((y << shift) + shift, h - 1) * pitch;
    u8 *restrict u = p1 + (size_t)y * cw, *restrict v = p2 + (size_t)y * cw;
    for (i32 x = 0; x < cw; x++) {
      /* the sum of 4 pixels; a border pixel stands in for its missing neighbour */
      size_t i = at.step * ((size_t)x << shift), j = at.step * (size_t)lm_min((x << shift) + shift, w - 1);
      i32 red = a[i + at.r] + a[j + at.r] + b[i + at.r] + b[j + at.r];
      i32 green = a[i + at.g] + a[j + at.g] + b[i + at.g] + b[j + at.g];
      i32 blue = a[i + at.b] + a[j + at.b] + b[i + at.b] + b[j + at.b];
      u[x] = byte(128 + ((k.ur * red + k.ug * green + k.ub * blue + (1 << 16)) >> 17));
      v[x] = byte(128 + ((k.vr * red + k.vg * green + k.vb * blue + (1 << 16)) >> 17));
    }
  }
}

/* Inlined with a constant packing, so that compilers know the steps. */
static inline void to_planes(const u8 *pixels, size_t pitch, packing at, i32 w, i32 h, i32 layout, i32 colour, u8 *p0,
                             u8 *p1, u8 *p2) {
  if (layout == LM_RGB) {
    split(pixels, pitch, at, w, h, p0, p1, p2);
    return;
  }
  luma_rows(pixels, pitch, at, w, h, TO_YUV[colour], p0);
  chroma_rows(pixels, pitch, at, w, h, layout == LM_I420, TO_YUV[colour], p1, p2);
}

void lm_rgb_to_planes(const u8 *rgb, i32 w, i32 h, i32 layout, i32 colour, u8 *p0, u8 *p1, u8 *p2) {
  to_planes(rgb, 3 * (size_t)w, (packing){3, 0, 1, 2}, w, h, layout, colour, p0, p1, p2);
}

void lm_rgba_to_planes(const u8 *rgba, i32 stride, i32 w, i32 h, i32 order, i32 layout, i32 colour, u8 *p0, u8 *p1,
                       u8 *p2) {
  if (order == LM_BGRA)
    to_planes(rgba, (size_t)stride, (packing){4, 2, 1, 0}, w, h, layout, colour, p0, p1, p2);
  else
    to_planes(rgba, (size_t)stride, (packing){4, 0, 1, 2}, w, h, layout, colour, p0, p1, p2);
}

/* NV12's second plane, of pairs: uv->w counts the pairs. */
void lm_split_chroma(const lm_plane *uv, u8 *p1, u8 *p2) {
  for (i32 y = 0; y < uv->h; y++) {
    const u8 *restrict s = uv->data + (ptrdiff_t)y * uv->stride;
    u8 *restrict u = p1 + (size_t)y * uv->w, *restrict v = p2 + (size_t)y * uv->w;
    for (i32 x = 0; x < uv->w; x++) {
      u[x] = s[2 * x];
      v[x] = s[2 * x + 1];
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

/* Row i of the result: how much of Y, U and V (less black and 128) is in its Y, U or V, in Q12. */
static void gain_matrix(to_yuv k, to_rgb r, const i32 *gain, i32 m[3][3]) {
  const i32 from[3][3] = {{k.yr, k.yg, k.yb}, {k.ur, k.ug, k.ub}, {k.vr, k.vg, k.vb}};
  const i32 to[3][3] = {{r.y, r.y, r.y}, {0, r.gu, r.bu}, {r.rv, r.gv, 0}};
  for (i32 i = 0; i < 3; i++)
    for (i32 j = 0; j < 3; j++) {
      i64 sum = 0;
      for (i32 c = 0; c < 3; c++) sum += (i64)from[i][c] * gain[c] * to[j][c];
      m[i][j] = (i32)((sum + ((i64)1 << 28)) >> 29);
    }
}

static void gain_luma(const u8 *restrict luma, const i32 *restrict more, i32 part, i32 black, i32 w, u8 *restrict out) {
  for (i32 x = 0; x < w; x++) out[x] = byte(black + ((part * (luma[x] - black) + more[x] + 2048) >> 12));
}

static void gain_chroma(const i32 *restrict luma, const u8 *restrict u, const u8 *restrict v, const i32 *m, i32 w,
                        u8 *restrict out) {
  for (i32 x = 0; x < w; x++)
    out[x] = byte(128 + ((m[0] * luma[x] + m[1] * (u[x] - 128) + m[2] * (v[x] - 128) + 2048) >> 12));
}

/* R, G and B times gains in Q12, in whatever layout they are. */
void lm_relight(const lm_plane *p, i32 layout, i32 colour, i32 red, i32 green, i32 blue, u8 *const *out,
                void *scratch) {
  const i32 gain[3] = {red, green, blue};
  i32 w = p[0].w, h = p[0].h, cw = p[1].w, shift = layout == LM_I420, black = TO_YUV[colour].black, m[3][3];
  if (layout == LM_RGB) {
    for (i32 k = 0; k < 3; k++)
      for (i32 y = 0; y < h; y++) {
        const u8 *restrict s = p[k].data + (ptrdiff_t)y * p[k].stride;
        u8 *restrict o = out[k] + (size_t)y * w;
        for (i32 x = 0; x < w; x++) o[x] = byte((s[x] * gain[k] + 2048) >> 12);
      }
    return;
  }
  gain_matrix(TO_YUV[colour], TO_RGB[colour], gain, m);
  u8 *free = scratch;
  i32 *more = lm_take(&free, 2 * (size_t)cw * sizeof(i32)), *mean = lm_take(&free, (size_t)cw * sizeof(i32));
  for (i32 y = 0; y < p[1].h; y++) {
    const u8 *u = p[1].data + (ptrdiff_t)y * p[1].stride, *v = p[2].data + (ptrdiff_t)y * p[2].stride;
    i32 first = y << shift, second = lm_min(first + shift, h - 1);
    const u8 *a = p[0].data + (ptrdiff_t)first * p[0].stride, *b = p[0].data + (ptrdiff_t)second * p[0].stride;
    for (i32 x = 0; x < cw; x++) {
      i32 part = m[0][1] * (u[x] - 128) + m[0][2] * (v[x] - 128);
      if (shift)
        more[2 * x] = more[2 * x + 1] = part;
      else
        more[x] = part;
    }
    gain_luma(a, more, m[0][0], black, w, out[0] + (size_t)first * w);
    if (second != first) gain_luma(b, more, m[0][0], black, w, out[0] + (size_t)second * w);
    if (shift) {
      for (i32 x = 0; x < w / 2; x++)
        mean[x] = ((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2) - black;
      if (w & 1) mean[w / 2] = ((2 * a[w - 1] + 2 * b[w - 1] + 2) >> 2) - black;
    } else {
      for (i32 x = 0; x < w; x++) mean[x] = a[x] - black;
    }
    gain_chroma(mean, u, v, m[1], cw, out[1] + (size_t)y * cw);
    gain_chroma(mean, u, v, m[2], cw, out[2] + (size_t)y * cw);
  }
}
