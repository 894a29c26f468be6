/* Pictures of one side of the matte only: the room without the person, and the person
 * without the room. Weighted sums over cells of reduce x reduce pixels, a Gaussian on the
 * sums, then a division (normalised convolution, Knutsson and Westin 1993). */
#include "rows.h"

enum { ROOM = 0, PERSON = 1, BAND = 8 };

static const u8 ONES[2 * LM_LANES] = {[0 ... 2 * LM_LANES - 1] = 1};

/* Sums of a cell grid: three colours and the weight itself. */
typedef struct {
  float *sum[4];
  i32 w, h;
} cells;

static cells take_cells(const lm_plane *p, i32 reduce, u8 **free) {
  cells c = {{0}, (p->w + reduce - 1) / reduce, (p->h + reduce - 1) / reduce};
  for (i32 k = 0; k < 4; k++) c.sum[k] = lm_take(free, (size_t)c.w * (size_t)c.h * sizeof(float));
  return c;
}

/* Pixels come in pairs, the two bytes of a lane of 16 bits: LM_LANES pairs at once. */
static inline u16v pairs(const u8 *p, i32 bytes) {
  u16v v = {0};
  __builtin_memcpy(&v, p, (size_t)bytes);
  return v;
}

/* 0..15: 15 far on the wanted side of the matte, 0 from half on. */
static inline u16v weigh(u16v alpha, i32 side) {
  if (side == ROOM) return ((127 - alpha) & (u16v)(alpha < 127)) >> 3;
  return ((alpha - 128) & (u16v)(alpha > 128)) >> 3;
}

/* The sums of a block of columns over a band of rows: colour x weight, and weight, each
 * of two neighbouring pixels. 8 rows of 2 x 15 x 255 still fit 16 bits. */
typedef struct {
  u16v of[4];
} sums;

static inline sums sum_block(const lm_plane *p, i32 shift, const u8 *alpha, i32 side, i32 x, i32 top, i32 bottom,
                             i32 bytes, i32 chroma_bytes) {
  sums s = {{{0}, {0}, {0}, {0}}};
  u16v four = {0}; /* weights of the pixels that a chroma sample colours */
  i32 w = p[0].w;
  u16v there = pairs((const u8 *)ONES, bytes); /* 1 in each byte of the picture, 0 beyond */
  for (i32 y = top; y < bottom; y++) {
    const u8 *matte = alpha + (size_t)y * w + x;
    lm_soon(matte);
    u16v a = pairs(matte, bytes);
    u16v even = weigh(a & 255, side) * (there & 255), odd = weigh(a >> 8, side) * (there >> 8);
    const u8 *row = p[0].data + (ptrdiff_t)y * p[0].stride + x;
    lm_soon(row);
    u16v luma = pairs(row, bytes);
    s.of[0] += even * (luma & 255) + odd * (luma >> 8);
    s.of[3] += even + odd;
    if (shift) {
      four += even + odd;
      if (!(y & 1) && y + 1 < bottom) continue;
      for (i32 k = 1; k < 3; k++) {
        const u8 *colour = p[k].data + (ptrdiff_t)(y >> 1) * p[k].stride + (x >> 1);
        lm_soon(colour);
        s.of[k] += four * lm_load(colour, chroma_bytes);
      }
      four = (u16v){0};
    } else {
      for (i32 k = 1; k < 3; k++) {
        u16v colour = pairs(p[k].data + (ptrdiff_t)y * p[k].stride + x, bytes);
        s.of[k] += even * (colour & 255) + odd * (colour >> 8);
      }
    }
  }
  return s;
}

/* Add sums of `step` (1, 2, 4, 8 or 16) neighbours to n cells, halving again and again. */
static void halve(const u32 *restrict from, i32 m, u32 *restrict to) {
  for (i32 x = 0; x < m; x++) to[x] = from[2 * x] + from[2 * x + 1];
}

static void gather(const u16 *restrict sum, i32 n, i32 step, u32 *half, float *restrict cell) {
  i32 m = n * step;
  for (i32 x = 0; x < m; x++) half[x] = sum[x];
  for (; step > 1; step /= 2) {
    halve(half, m / 2, half + m);
    half += m;
    m /= 2;
  }
  for (i32 x = 0; x < n; x++) cell[x] += (float)(i32)half[x];
}

static void sum_cells(const lm_plane *p, i32 layout, const u8 *alpha, i32 side, i32 reduce, cells c, u8 *free) {
  i32 w = p[0].w, h = p[0].h, shift = layout == LM_I420, block = 2 * LM_LANES;
  i32 padded = (c.w * reduce + block) / 2; /* in pairs */
  i32 band = lm_min(reduce, BAND);
  u16 *sum[4];
  for (i32 k = 0; k < 4; k++) {
    sum[k] = lm_take(&free, (size_t)padded * sizeof(u16));
    for (i32 x = 0; x < padded; x++) sum[k][x] = 0;
  }
  u32 *half = lm_take(&free, 2 * (size_t)padded * sizeof(u32));
  for (i32 k = 0; k < 4; k++)
    for (size_t i = 0; i < (size_t)c.w * (size_t)c.h; i++) c.sum[k][i] = 0.0f;
  for (i32 top = 0; top < h; top += band) {
    i32 bottom = lm_min(top + band, h), x = 0;
    for (; x + block <= w; x += block) {
      sums s = sum_block(p, shift, alpha, side, x, top, bottom, 2 * LM_LANES, LM_LANES);
      for (i32 k = 0; k < 4; k++) __builtin_memcpy(sum[k] + x / 2, &s.of[k], sizeof(u16v));
    }
    if (x < w) {
      sums s = sum_block(p, shift, alpha, side, x, top, bottom, w - x, shift ? p[1].w - x / 2 : 0);
      for (i32 k = 0; k < 4; k++) __builtin_memcpy(sum[k] + x / 2, &s.of[k], sizeof(u16v));
    }
    size_t row = (size_t)(top / reduce) * c.w;
    for (i32 k = 0; k < 4; k++) gather(sum[k], c.w, reduce / 2, half, c.sum[k] + row);
  }
}

/* A cell with hardly any weight takes the mean of the whole side: FAINT of a full cell. */
static const float FAINT = 1.0f / 1024.0f;

static inline u8 to_byte(float v) { return (u8)(i32)((v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v) + 0.5f); }

/* Blur the sums and divide; false if nothing had any weight. */
static int finish(cells c, i32 reduce, float sigma, u8 *const *out, u8 *free) {
  size_t n = (size_t)c.w * (size_t)c.h;
  double total[4] = {0.0, 0.0, 0.0, 0.0};
  for (i32 k = 0; k < 4; k++)
    for (size_t i = 0; i < n; i++) total[k] += (double)c.sum[k][i]; /* integers: exact in any order */
  for (i32 k = 0; k < 4; k++) lm_gauss(c.sum[k], c.w, c.h, sigma, free);
  float faint = FAINT * (float)(15 * reduce * reduce);
  for (i32 k = 0; k < 3; k++) {
    float mean = total[3] > 0.0 ? (float)(total[k] / total[3]) : 128.0f;
    const float *restrict s = c.sum[k], *restrict weight = c.sum[3];
    u8 *restrict o = out[k];
    for (size_t i = 0; i < n; i++) o[i] = to_byte((s[i] + faint * mean) / (weight[i] + faint));
  }
  return total[3] > 0.0;
}

void lm_blur_plate(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float sigma, const lm_out *out,
                   void *scratch) {
  u8 *free = scratch;
  cells c = take_cells(p, reduce, &free);
  sum_cells(p, layout, alpha, ROOM, reduce, c, free);
  u8 *const planes[3] = {out[0].data, out[1].data, out[2].data};
  finish(c, reduce, sigma, planes, free);
}

/* The mean colour f of the person and b of the room nearby say what the mixture should
 * be; what the pixel differs from it is the person's own detail (Forte 2021). */
static void unmix(const u8 *restrict mixed, const u8 *restrict alpha, const u8 *restrict f, const u8 *restrict b, i32 w,
                  u8 *restrict out) {
  for (i32 x = 0; x < w; x++) {
    i32 a = alpha[x], expected = lm_div255((u16)(f[x] * a + b[x] * (255 - a)));
    i32 detail = ((mixed[x] - expected) * a * 257 + 32768) >> 16; /* / 255 */
    out[x] = (u8)lm_clamp(f[x] + detail, 0, 255);
  }
}

void lm_foreground(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float sigma, u8 *const *out,
                   void *scratch) {
  u8 *free = scratch, *f[3], *b[3];
  i32 w = p[0].w, h = p[0].h, shift = layout == LM_I420;
  cells c = take_cells(p, reduce, &free);
  for (i32 k = 0; k < 3; k++) {
    f[k] = lm_take(&free, (size_t)c.w * (size_t)c.h + 2);
    b[k] = lm_take(&free, (size_t)c.w * (size_t)c.h + 2);
  }
  sum_cells(p, layout, alpha, ROOM, reduce, c, free);
  finish(c, reduce, sigma, b, free);
  sum_cells(p, layout, alpha, PERSON, reduce, c, free);
  int anybody = finish(c, reduce, sigma, f, free);
  u8 *half = lm_take(&free, (size_t)w);
  for (i32 k = 0; k < 3; k++) {
    u8 *rest = free;
    i32 chroma = k && shift, pw = p[k].w, ph = p[k].h;
    rows8 near_f = rows8_make(f[k], c.w, c.w, c.h, pw, ph, &rest);
    rows8 near_b = rows8_make(b[k], c.w, c.w, c.h, pw, ph, &rest);
    for (i32 y = 0; y < ph; y++) {
      const u8 *a = alpha + (size_t)y * w, *mixed = p[k].data + (ptrdiff_t)y * p[k].stride;
      u8 *o = out[k] + (size_t)y * pw;
      if (chroma) {
        lm_half_row(alpha, w, h, y, half);
        a = half;
      }
      int solid = 1;
      for (i32 x = 0; x < pw; x++) solid &= a[x] == 255;
      if (solid || !anybody) {
        __builtin_memcpy(o, mixed, (size_t)pw);
        continue;
      }
      unmix(mixed, a, rows8_at(&near_f, y), rows8_at(&near_b, y), pw, o);
    }
  }
}

/* What light of the plate reaches the rim: a blurred plate, and how much of it, which is
 * most where a blurred matte falls off and the plate is bright. */
void lm_wrap_map(const lm_plane *plate, i32 layout, const u8 *alpha, i32 w, i32 h, float sigma, float strength,
                 const lm_out *light, u8 *map, void *scratch) {
  u8 *free = scratch;
  i32 cw = light[0].w, ch = light[0].h;
  size_t n = (size_t)cw * (size_t)ch;
  float *plane = lm_take(&free, n * sizeof(float));
  for (i32 k = 0; k < 3; k++) {
    lm_downscale(plate + k, plane, cw, ch, free);
    lm_gauss(plane, cw, ch, sigma, free);
    for (size_t i = 0; i < n; i++) light[k].data[i] = to_byte(plane[i]);
  }
  lm_plane matte = {alpha, w, w, h};
  lm_downscale(&matte, plane, cw, ch, free);
  lm_gauss(plane, cw, ch, sigma, free);
  for (size_t i = 0; i < n; i++) {
    i32 luma = light[0].data[i];
    if (layout == LM_RGB) luma = (77 * light[0].data[i] + 150 * light[1].data[i] + 29 * light[2].data[i] + 128) >> 8;
    map[i] = to_byte((strength * (255.0f - plane[i])) * ((float)luma * (1.0f / 255.0f)));
  }
}
