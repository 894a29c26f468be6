/* Area means: every source pixel counts by how much of it lies in the cell. */
#include "common.h"

static i32 gcd(i32 a, i32 b) {
  while (b) {
    i32 t = a % b;
    a = b;
    b = t;
  }
  return a;
}

/* One axis in units of 1/cell of a source pixel, in which all borders are integers: cell
 * x of the output is [x span, (x + 1) span), pixel i of the source [i cell, (i + 1) cell). */
typedef struct {
  i32 span, cell;
} axis;

static axis make_axis(i32 from, i32 to) {
  i32 g = gcd(from, to);
  axis a = {from / g, to / g};
  return a;
}

/* Border x of the output's cells: the pixel it falls in, and how much of it lies left. */
typedef struct {
  i32 pixel, part;
} border;

static border border_at(axis a, i32 x) {
  i64 at = (i64)x * a.span;
  border b = {(i32)(at / a.cell), (i32)(at % a.cell)};
  return b;
}

/* Sums over the source rows from border `a` to border `b`, of `cell` units each. 16 bits
 * hold them where a cell spans few units, which every usual size does; a block of columns
 * then stays in a register. */
static inline u16v sum_block(const lm_plane *p, border a, border b, i32 cell, i32 x, i32 n) {
  u16v sum = {0};
  for (i32 j = a.pixel; j <= b.pixel; j++) {
    i32 part = (j == b.pixel ? b.part : cell) - (j == a.pixel ? a.part : 0);
    const u8 *row = p->data + (ptrdiff_t)j * p->stride + x;
    lm_soon(row);
    sum += lm_load(row, n) * (u16)part;
  }
  return sum;
}

enum { WIDE = 4 }; /* blocks side by side, which share the walk down the rows */

static inline void sum_blocks(const lm_plane *p, border a, border b, i32 cell, i32 x, u16v *sum) {
  const u8 *row = p->data + (ptrdiff_t)a.pixel * p->stride + x;
  for (i32 k = 0; k < WIDE; k++) sum[k] = (u16v){0};
  for (i32 j = a.pixel; j <= b.pixel; j++, row += p->stride) {
    u16 part = (u16)((j == b.pixel ? b.part : cell) - (j == a.pixel ? a.part : 0));
    for (i32 k = 0; k < WIDE; k++) {
      if (k % 2 == 0) lm_soon(row + k * LM_LANES);
      sum[k] += lm_load(row + k * LM_LANES, LM_LANES) * part;
    }
  }
}

typedef u32 u32v __attribute__((vector_size(128)));

static inline void store_block(u16v sum, i32 n, u32 *out) {
  u32v wide = __builtin_convertvector(sum, u32v);
  __builtin_memcpy(out, &wide, (size_t)n * sizeof(u32));
}

static void add_row(u32 *restrict sum, const u8 *restrict row, i32 w, u32 part) {
  for (i32 x = 0; x < w; x++) sum[x] += row[x] * part;
}

static void sum_rows(const lm_plane *p, border a, border b, axis ay, u32 *sum) {
  if (ay.span <= 65535 / 255) {
    i32 done = 0;
    for (; done + WIDE * LM_LANES <= p->w; done += WIDE * LM_LANES) {
      u16v blocks[WIDE];
      sum_blocks(p, a, b, ay.cell, done, blocks);
      for (i32 k = 0; k < WIDE; k++) store_block(blocks[k], LM_LANES, sum + done + k * LM_LANES);
    }
    LM_EACH(p->w - done, store_block(sum_block(p, a, b, ay.cell, done + x, n), n, sum + done + x););
    return;
  }
  for (i32 x = 0; x < p->w; x++) sum[x] = 0;
  for (i32 j = a.pixel; j <= b.pixel; j++) {
    i32 part = (j == b.pixel ? b.part : ay.cell) - (j == a.pixel ? a.part : 0);
    add_row(sum, p->data + (ptrdiff_t)j * p->stride, p->w, (u32)part);
  }
}

typedef u32 u32x16 __attribute__((vector_size(64)));

/* What lies left of each sample. Sixteen at a time, in four steps of adding neighbours. */
static void total_u32(const u32 *sum, i32 w, u32 *total) {
  const u32x16 zero = {0};
  u32x16 so_far = {0};
  i32 x = 0;
  for (; x + 16 <= w; x += 16) {
    u32x16 v, own;
    __builtin_memcpy(&own, sum + x, sizeof own);
    v = own + __builtin_shufflevector(zero, own, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
    v += __builtin_shufflevector(zero, v, 0, 1, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
    v += __builtin_shufflevector(zero, v, 0, 1, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
    v += __builtin_shufflevector(zero, v, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    v += so_far;
    own = v - own;
    __builtin_memcpy(total + x, &own, sizeof own);
    so_far = __builtin_shufflevector(v, v, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15);
  }
  u32 rest = so_far[0];
  for (; x < w; x++) {
    total[x] = rest;
    rest += sum[x];
  }
  total[w] = rest;
}

static void total_u64(const u32 *sum, i32 w, u64 *total) {
  u64 so_far = 0;
  for (i32 x = 0; x < w; x++) {
    total[x] = so_far;
    so_far += sum[x];
  }
  total[w] = so_far;
}

#define CELLS(NAME, T, SIGNED)                                                                              \
  static void NAME(const u32 *restrict sum, const T *restrict total, const i32 *restrict pixel,             \
                   const i32 *restrict part, i32 cell, float scale, i32 w, T *restrict left,                \
                   float *restrict out) {                                                                   \
    for (i32 x = 0; x <= w; x++) left[x] = total[pixel[x]] * (T)cell + (T)sum[pixel[x]] * (T)part[x];       \
    for (i32 x = 0; x < w; x++) out[x] = (float)(SIGNED)(T)(left[x + 1] - left[x]) * scale;                 \
  }

CELLS(cells_u32, u32, i32)
CELLS(cells_u64, u64, i64)

void lm_downscale(const lm_plane *p, float *out, i32 w, i32 h, void *scratch) {
  u8 *free = scratch;
  u32 *sum = lm_take(&free, ((size_t)p->w + 1) * sizeof(u32));
  i32 *pixel = lm_take(&free, ((size_t)w + 1) * sizeof(i32)), *part = lm_take(&free, ((size_t)w + 1) * sizeof(i32));
  u64 *total = lm_take(&free, ((size_t)p->w + 1) * sizeof(u64)), *left = lm_take(&free, ((size_t)w + 1) * sizeof(u64));
  axis ax = make_axis(p->w, w), ay = make_axis(p->h, h);
  u64 units = (u64)ax.span * (u64)ay.span;
  float scale = (float)(1.0 / (double)units);
  for (i32 x = 0; x <= w; x++) {
    border b = border_at(ax, x);
    pixel[x] = b.pixel;
    part[x] = b.part;
  }
  sum[p->w] = 0; /* the last border falls just behind the row, with no part of it */
  for (i32 y = 0; y < h; y++) {
    border a = border_at(ay, y), b = border_at(ay, y + 1);
    if (b.part == 0) b.pixel--, b.part = ay.cell;
    sum_rows(p, a, b, ay, sum);
    float *o = out + (size_t)y * w;
    if (units < (1u << 23)) { /* a cell of white is below 2^31 */
      total_u32(sum, p->w, (u32 *)total);
      cells_u32(sum, (u32 *)total, pixel, part, ax.cell, scale, w, (u32 *)left, o);
    } else {
      total_u64(sum, p->w, total);
      cells_u64(sum, total, pixel, part, ax.cell, scale, w, left, o);
    }
  }
}

/* RGB = (Y - black) y + (U - 128) u + (V - 128) v, in 1/255, for each lm_colour. */
typedef struct {
  float black, y, rv, gu, gv, bu;
} from_yuv;

static const from_yuv FROM_YUV[4] = {
    {16.0f, 0.00456621005f, 0.00625892857f, -0.00153632271f, -0.00318810842f, 0.00791071429f},
    {0.0f, 0.00392156863f, 0.00549803922f, -0.00134955406f, -0.00280053446f, 0.00694901961f},
    {16.0f, 0.00456621005f, 0.00703035714f, -0.000836269076f, -0.0020898405f, 0.00828392857f},
    {0.0f, 0.00392156863f, 0.00617568627f, -0.000734604992f, -0.00183578146f, 0.00727686275f},
};

static inline float unit(float v) { return v > 0.0f ? v < 1.0f ? v : 1.0f : 0.0f; }

/* `step` from pixel to pixel and `next` from colour to colour are known where this is
 * inlined. */
static inline void to_rgb(const float *part, i32 layout, from_yuv k, size_t n, size_t step, size_t next,
                          float *restrict out) {
  const float *restrict a = part, *restrict b = part + n, *restrict c = part + 2 * n;
  if (layout == LM_RGB) {
    for (size_t i = 0; i < n; i++) {
      out[i * step] = a[i] * (1.0f / 255.0f);
      out[i * step + next] = b[i] * (1.0f / 255.0f);
      out[i * step + 2 * next] = c[i] * (1.0f / 255.0f);
    }
    return;
  }
  for (size_t i = 0; i < n; i++) {
    float y = (a[i] - k.black) * k.y, u = b[i] - 128.0f, v = c[i] - 128.0f;
    out[i * step] = unit(y + v * k.rv);
    out[i * step + next] = unit((y + u * k.gu) + v * k.gv);
    out[i * step + 2 * next] = unit(y + u * k.bu);
  }
}

/* `small`: the three planes at this size, code values. */
void lm_downscale_rgb(const lm_plane *p, i32 layout, i32 colour, float *out, i32 w, i32 h, i32 planar, float *small,
                      void *scratch) {
  size_t n = (size_t)w * (size_t)h;
  for (i32 c = 0; c < 3; c++) lm_downscale(p + c, small + (size_t)c * n, w, h, scratch);
  if (planar)
    to_rgb(small, layout, FROM_YUV[colour], n, 1, n, out);
  else
    to_rgb(small, layout, FROM_YUV[colour], n, 3, 1, out);
}

/* Means of 2x2 samples; at an odd border the last one stands in for its neighbour. */
void lm_halve(const lm_plane *p, u8 *out) {
  i32 w = p->w, half = w >> 1;
  for (i32 y = 0; y < (p->h + 1) >> 1; y++) {
    const u8 *restrict a = p->data + (ptrdiff_t)(2 * y) * p->stride;
    const u8 *restrict b = p->data + (ptrdiff_t)lm_min(2 * y + 1, p->h - 1) * p->stride;
    u8 *restrict o = out + (size_t)y * ((w + 1) >> 1);
    for (i32 x = 0; x < half; x++) o[x] = (u8)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) >> 2);
    if (w & 1) o[half] = (u8)((2 * a[w - 1] + 2 * b[w - 1] + 2) >> 2);
  }
}
