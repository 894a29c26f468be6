/* Pictures of one side of the matte only: the room without the person, and the person
 * without the room. Weighted sums over cells of reduce x reduce pixels, a Gaussian on the
 * sums or the mean over a disc, then a division (normalised convolution, Knutsson and
 * Westin 1993). */
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

typedef struct {
  double of[4];
} totals;

/* Sums are whole numbers: exact in any order. */
static totals add_up(cells c) {
  totals all = {{0.0, 0.0, 0.0, 0.0}};
  for (i32 k = 0; k < 4; k++) {
    i64 total = 0;
    for (size_t i = 0; i < (size_t)c.w * (size_t)c.h; i++) total += (i32)c.sum[k][i];
    all.of[k] = (double)total;
  }
  return all;
}

/* Colours from blurred sums; `full` is the weight of a cell that lies wholly on its side. False if nothing had any
 * weight. */
static int divide(cells c, totals all, float full, u8 *const *out) {
  float faint = FAINT * full;
  for (i32 k = 0; k < 3; k++) {
    float mean = all.of[3] > 0.0 ? (float)(all.of[k] / all.of[3]) : 128.0f;
    const float *restrict s = c.sum[k], *restrict weight = c.sum[3];
    u8 *restrict o = out[k];
    for (size_t i = 0; i < (size_t)c.w * (size_t)c.h; i++) o[i] = to_byte((s[i] + faint * mean) / (weight[i] + faint));
  }
  return all.of[3] > 0.0;
}

static int finish(cells c, i32 reduce, float sigma, u8 *const *out, u8 *free) {
  totals all = add_up(c);
  for (i32 k = 0; k < 4; k++) lm_gauss(c.sum[k], c.w, c.h, sigma, free);
  return divide(c, all, (float)(15 * reduce * reduce), out);
}

void lm_blur_plate(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float sigma, const lm_out *out,
                   void *scratch) {
  u8 *free = scratch;
  cells c = take_cells(p, reduce, &free);
  sum_cells(p, layout, alpha, ROOM, reduce, c, free);
  u8 *const planes[3] = {out[0].data, out[1].data, out[2].data};
  finish(c, reduce, sigma, planes, free);
}

/* A disc in place of the Gaussian: what a lens makes of a room out of focus. */

/* Weight of a full cell, and how many times a lamp outweighs it: what lights a room is far brighter than the whitest
 * code value, and a lens shows it as a bright disc. Within them and LARGEST_DISC sums fit 32 bits. */
enum { FULL = 32, GLARE = 31, LARGEST_DISC = 32 };
static const float DULL = 150.0f, WHITE = 235.0f;

/* Four sums of a cell, and those of SOME cells one behind the other. */
enum { SOME = 16 };
typedef u32 u32x4 __attribute__((vector_size(16)));
typedef u32 some_u32 __attribute__((vector_size(4 * SOME * sizeof(u32))));
typedef float some_float __attribute__((vector_size(4 * SOME * sizeof(float))));
typedef u32 lane_u32 __attribute__((vector_size(SOME * sizeof(u32))));
typedef i32 lane_i32 __attribute__((vector_size(SOME * sizeof(i32))));
typedef float lane_float __attribute__((vector_size(SOME * sizeof(float))));
typedef u32 pair_u32 __attribute__((vector_size(2 * SOME * sizeof(u32))));
#define PAIRS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define FOURS                                                                                                            \
  0, 1, 32, 33, 2, 3, 34, 35, 4, 5, 36, 37, 6, 7, 38, 39, 8, 9, 40, 41, 10, 11, 42, 43, 12, 13, 44, 45, 14, 15, 46, 47, \
      16, 17, 48, 49, 18, 19, 50, 51, 20, 21, 52, 53, 22, 23, 54, 55, 24, 25, 56, 57, 26, 27, 58, 59, 28, 29, 60, 61,   \
      30, 31, 62, 63
#define EVERY_FOURTH(K) \
  K, K + 4, K + 8, K + 12, K + 16, K + 20, K + 24, K + 28, K + 32, K + 36, K + 40, K + 44, K + 48, K + 52, K + 56, K + 60

/* Sums become small integers: weight, and weight x mean colour. */
static void outshine(cells c, i32 layout, i32 reduce) {
  float part = (float)FULL / (float)(15 * reduce * reduce);
  float *restrict a = c.sum[0], *restrict b = c.sum[1], *restrict d = c.sum[2], *restrict weight = c.sum[3];
  for (size_t i = 0; i < (size_t)c.w * (size_t)c.h; i++) {
    float each = weight[i] > 0.0f ? 1.0f / weight[i] : 0.0f;
    float p0 = a[i] * each, p1 = b[i] * each, p2 = d[i] * each;
    float luma = layout == LM_RGB ? ((77.0f * p0 + 150.0f * p1) + 29.0f * p2) * (1.0f / 256.0f) : p0;
    float bright = (luma - DULL) * (1.0f / (WHITE - DULL));
    bright = bright < 0.0f ? 0.0f : bright > 1.0f ? 1.0f : bright;
    float w = (float)(i32)((weight[i] * part) * (1.0f + (float)GLARE * (bright * bright)) + 0.5f);
    a[i] = (float)(i32)(w * p0 + 0.5f);
    b[i] = (float)(i32)(w * p1 + 0.5f);
    d[i] = (float)(i32)(w * p2 + 0.5f);
    weight[i] = w;
  }
}

/* Half of a disc's chord through each row of cells, from the middle down, in halves of a cell; a row's chord is the mean
 * of four. `area` is twice the cells it covers. */
typedef struct {
  i32 rows, half[LARGEST_DISC + 1], area;
} disc;

static disc make_disc(float radius) {
  disc d = {0, {0}, 0};
  for (i32 y = 0; y <= LARGEST_DISC; y++) {
    float sum = 0.0f;
    for (i32 k = -3; k <= 3; k += 2) {
      float at = (float)y + (float)k * 0.125f, rest = radius * radius - at * at;
      sum += rest > 0.0f ? __builtin_sqrtf(rest) : 0.0f;
    }
    i32 half = lm_max((i32)(sum * 0.5f + 0.5f), y == 0);
    if (!half) break;
    d.half[d.rows++] = half;
    d.area += (y ? 4 : 2) * half;
  }
  return d;
}

/* The four sums of SOME cells of a row, cell by cell. */
static inline some_u32 interleave(const float *const *row) {
  lane_u32 v[4];
  for (i32 k = 0; k < 4; k++) {
    lane_float f;
    __builtin_memcpy(&f, row[k], sizeof f);
    v[k] = __builtin_convertvector(__builtin_convertvector(f, lane_i32), lane_u32);
  }
  pair_u32 ab = __builtin_shufflevector(v[0], v[1], PAIRS), cd = __builtin_shufflevector(v[2], v[3], PAIRS);
  return __builtin_shufflevector(ab, cd, FOURS);
}

/* Running sums along the rows, from `pad` cells before them on, edges repeated, doubled: those up to cell i, and those up
 * to its middle `size` further on. They wrap around, their differences do not. */
static void run_up(cells c, i32 pad, size_t pitch, u32x4 *until, size_t size, u32x4 *line) {
  for (i32 y = 0; y < c.h; y++) {
    const float *row[4];
    for (i32 k = 0; k < 4; k++) row[k] = c.sum[k] + (size_t)y * c.w;
    i32 x = 0;
    for (; x + SOME <= c.w; x += SOME) {
      const float *at[4] = {row[0] + x, row[1] + x, row[2] + x, row[3] + x};
      some_u32 cells_ = interleave(at);
      __builtin_memcpy(line + pad + x, &cells_, sizeof cells_);
    }
    for (; x < c.w; x++)
      line[pad + x] = (u32x4){(u32)(i32)row[0][x], (u32)(i32)row[1][x], (u32)(i32)row[2][x], (u32)(i32)row[3][x]};
    for (i32 i = 0; i < pad; i++) line[i] = line[pad], line[pad + c.w + i] = line[pad + c.w - 1];
    u32x4 sum = {0, 0, 0, 0}, *restrict whole = until + pitch * (size_t)y, *restrict middle = whole + size;
    for (i32 i = 0; i < c.w + 2 * pad; i++) {
      whole[i] = sum;
      middle[i] = sum + line[i];
      sum += line[i] + line[i];
    }
  }
}

/* Means over a disc, edges repeated, in place: a difference of running sums for every row of the disc. Down columns of SOME
 * cells, so that the rows of a disc stay near. */
static void disc_means(cells c, const disc *d, u8 *free) {
  i32 pad = d->half[0] / 2 + 2, spans = 2 * d->rows - 1;
  size_t pitch = (size_t)(c.w + 2 * pad + SOME), size = pitch * (size_t)c.h;
  u32x4 *until = lm_take(&free, 2 * size * sizeof(u32x4));
  run_up(c, pad, pitch, until, size, lm_take(&free, pitch * sizeof(u32x4)));
  size_t end[2 * LARGEST_DISC + 1], start[2 * LARGEST_DISC + 1];
  for (i32 j = 0; j < spans; j++) {
    i32 reach = d->half[j < d->rows ? d->rows - 1 - j : j + 1 - d->rows] + 1; /* from where the cell in the middle starts */
    size_t middle = reach & 1 ? size : 0;
    end[j] = middle + (size_t)(pad + (reach >> 1));
    start[j] = middle + (size_t)(pad + 1 - ((reach + 1) >> 1));
  }
  float share = 1.0f / (float)d->area;
  for (i32 x = 0; x < c.w; x += SOME) {
    i32 n = lm_min(SOME, c.w - x);
    for (i32 y = 0; y < c.h; y++) {
      some_u32 sum = {0};
      for (i32 j = 0; j < spans; j++) {
        const u32x4 *row = until + pitch * (size_t)lm_clamp(y + j + 1 - d->rows, 0, c.h - 1) + x;
        some_u32 after, before;
        __builtin_memcpy(&after, row + end[j], sizeof after);
        __builtin_memcpy(&before, row + start[j], sizeof before);
        sum += after - before;
      }
      some_float mean = __builtin_convertvector(sum, some_float) * share;
      lane_float of[4] = {
          __builtin_shufflevector(mean, mean, EVERY_FOURTH(0)), __builtin_shufflevector(mean, mean, EVERY_FOURTH(1)),
          __builtin_shufflevector(mean, mean, EVERY_FOURTH(2)), __builtin_shufflevector(mean, mean, EVERY_FOURTH(3))};
      for (i32 k = 0; k < 4; k++) __builtin_memcpy(c.sum[k] + (size_t)y * c.w + x, &of[k], (size_t)n * sizeof(float));
    }
  }
}

void lm_bokeh_plate(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float radius, const lm_out *out,
                    void *scratch) {
  u8 *free = scratch;
  cells c = take_cells(p, reduce, &free);
  sum_cells(p, layout, alpha, ROOM, reduce, c, free);
  outshine(c, layout, reduce);
  totals all = add_up(c);
  disc d = make_disc(radius < (float)LARGEST_DISC ? radius : (float)LARGEST_DISC);
  disc_means(c, &d, free);
  u8 *const planes[3] = {out[0].data, out[1].data, out[2].data};
  divide(c, all, (float)FULL, planes);
}

/* Pixels that are looked at together: most runs are all person, where the mixture is the person, or all room, of which
 * nothing is seen: what stands there is UNSEEN. */
enum { RUN = 64, UNSEEN = 128 };

static inline int every(const u8 *restrict a, i32 n, u8 value) {
  u8 other = 0;
  for (i32 i = 0; i < n; i++) other |= a[i] ^ value;
  return !other;
}

/* The mean colour f of the person and b of the room nearby say what the mixture should
 * be; what the pixel differs from it is the person's own detail (Forte 2021). */
static void unmix(const u8 *restrict mixed, const u8 *restrict alpha, const u8 *restrict f, const u8 *restrict b, i32 w,
                  u8 *restrict out) {
  for (i32 x = 0; x < w; x++) {
    i32 a = alpha[x], expected = lm_div255((u16)(f[x] * a + b[x] * (255 - a)));
    i32 detail = ((mixed[x] - expected) * a * 257 + 32768) >> 16; /* / 255 */
    out[x] = a ? (u8)lm_clamp(f[x] + detail, 0, 255) : UNSEEN;
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
      for (i32 x = 0; x < pw; x += RUN) {
        i32 n = lm_min(RUN, pw - x);
        if (!anybody || every(a + x, n, 255)) {
          __builtin_memcpy(o + x, mixed + x, (size_t)n);
          continue;
        }
        if (every(a + x, n, 0)) {
          __builtin_memset(o + x, UNSEEN, (size_t)n);
          continue;
        }
        u8 person[RUN], room[RUN];
        rows8_part(&near_f, y, x, n, person);
        rows8_part(&near_b, y, x, n, room);
        unmix(mixed + x, a + x, person, room, n, o + x);
      }
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
