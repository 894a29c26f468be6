/* From the network's alpha to an alpha of the frame's size. */
#include "rows.h"

/* Still areas (small change) move a part of the way, moving ones (change of 0.3 and
 * more) all of it at once. */
static const float STILL = 0.4f, PER_CHANGE = 2.0f;

/* Networks end in a sigmoid, whose tails are denormal numbers, and those cost a hundred
 * times as much to add. What is a sixteenth of a code value is nobody; so is NaN. */
static inline float somebody(float alpha) { return alpha > 1.0f / 4096.0f ? alpha : 0.0f; }

void lm_temporal(const float *restrict alpha, const float *restrict before, float *restrict out, i32 n) {
  for (i32 i = 0; i < n; i++) {
    float change = somebody(alpha[i]) - before[i];
    float part = STILL + PER_CHANGE * (change < 0.0f ? -change : change);
    out[i] = somebody(before[i] + change * (part < 1.0f ? part : 1.0f));
  }
}

enum { MAX_RADIUS = 16 };

/* Sum of n neighbours, left to right; n is known where this is inlined. */
static inline void sum_right(const float *restrict row, i32 n, float share, i32 w, float *restrict out) {
  for (i32 x = 0; x < w; x++) {
    float sum = row[x];
    for (i32 k = 1; k < n; k++) sum += row[x + k];
    out[x] = sum * share;
  }
}

static void move_down(float *restrict sum, const float *restrict in, const float *restrict gone, i32 w) {
  for (i32 x = 0; x < w; x++) sum[x] += in[x] - gone[x];
}

/* Mean over (2r+1)^2, edges repeated: a sum of rows that moves down, then neighbours. */
static void box(const float *s, float *out, i32 w, i32 h, i32 r, float *row) {
  float share = 1.0f / (float)((2 * r + 1) * (2 * r + 1));
  float *restrict v = row + r;
  for (i32 x = 0; x < w; x++) v[x] = s[x] * (float)(r + 1);
  for (i32 j = 1; j <= r; j++) {
    const float *restrict line = s + (size_t)lm_min(j, h - 1) * w;
    for (i32 x = 0; x < w; x++) v[x] += line[x];
  }
  for (i32 y = 0; y < h; y++) {
    if (y) move_down(v, s + (size_t)lm_min(y + r, h - 1) * w, s + (size_t)lm_max(y - r - 1, 0) * w, w);
    for (i32 k = 0; k < r; k++) row[k] = v[0], v[w + k] = v[w - 1];
    float *o = out + (size_t)y * w;
    switch (r) {
      case 1: sum_right(row, 3, share, w, o); break;
      case 2: sum_right(row, 5, share, w, o); break;
      case 3: sum_right(row, 7, share, w, o); break;
      case 4: sum_right(row, 9, share, w, o); break;
      default: sum_right(row, 2 * r + 1, share, w, o);
    }
  }
}

/* Steepest slope, in alpha a whole range of luma: steeper ones follow noise. */
static const float STEEPEST = 4.0f;

/* Within 8191 every sum of lm_apply_guided stays in 16 bits. */
static inline i16 q9(float v) {
  float scaled = v * 512.0f;
  scaled = scaled > 8191.0f ? 8191.0f : scaled < -8191.0f ? -8191.0f : scaled;
  return (i16)(i32)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
}

/* `gain` makes the edge steeper about one half. */
void lm_guided(const float *guide, const float *alpha, i32 w, i32 h, i32 radius, float epsilon, float gain,
               i16 *restrict slope, i16 *restrict offset, void *scratch) {
  u8 *free = scratch;
  size_t n = (size_t)w * (size_t)h;
  float *m[6], *row = lm_take(&free, (size_t)(w + 2 * MAX_RADIUS) * sizeof(float));
  for (i32 k = 0; k < 6; k++) m[k] = lm_take(&free, n * sizeof(float));
  float *restrict i1 = m[0], *restrict ip = m[1], *restrict ii = m[2], *restrict p = m[5];
  for (size_t i = 0; i < n; i++) {
    p[i] = somebody(alpha[i]);
    i1[i] = guide[i] * (1.0f / 255.0f);
    ip[i] = i1[i] * p[i];
    ii[i] = i1[i] * i1[i];
  }
  box(m[1], m[3], w, h, radius, row); /* mean of guide x alpha */
  box(m[2], m[4], w, h, radius, row); /* mean of guide^2 */
  box(m[0], m[1], w, h, radius, row); /* mean of guide */
  box(m[5], m[2], w, h, radius, row); /* mean of alpha */
  float *restrict mean_i = m[1], *restrict mean_p = m[2], *restrict mean_ip = m[3], *restrict mean_ii = m[4];
  float *restrict a = m[0], *restrict b = m[5];
  for (size_t i = 0; i < n; i++) {
    float k = (mean_ip[i] - mean_i[i] * mean_p[i]) / ((mean_ii[i] - mean_i[i] * mean_i[i]) + epsilon);
    k = k > STEEPEST ? STEEPEST : k < -STEEPEST ? -STEEPEST : k;
    a[i] = k;
    b[i] = mean_p[i] - k * mean_i[i];
  }
  box(m[0], m[3], w, h, radius, row);
  box(m[5], m[4], w, h, radius, row);
  for (size_t i = 0; i < n; i++) {
    slope[i] = q9((m[3][i] * gain) * (256.0f / 255.0f)); /* luma comes as a part of 256 */
    offset[i] = q9((m[4][i] - 0.5f) * gain + 0.5f);
  }
}

/* Alpha in Q10, 0..1024, as a byte, rounded to nearest. */
static inline u8 alpha_byte(i16 v) {
  v = v < 0 ? 0 : v > 1024 ? 1024 : v;
  return (u8)lm_mulh((i16)(16 * (v + 2)), 4 * 255);
}

/* Slope a and offset b between the stretched rows 0 and 1, t of the way (Q15). */
static void apply_row(const i16 *restrict a0, const i16 *restrict a1, const i16 *restrict b0, const i16 *restrict b1,
                      i16 t, const u8 *restrict light, i32 w, u8 *restrict out) {
  for (i32 x = 0; x < w; x++) {
    i16 a = lm_lerp(a0[x], a1[x], t), b = lm_lerp(b0[x], b1[x], t);
    out[x] = alpha_byte((i16)(lm_mulh((i16)(4 * a), (i16)(light[x] << 7)) + 2 * b));
  }
}

/* Where in a row of the coefficients somebody may be: the first and the last sample whose
 * alpha is not 0 whatever the luma; w and -1 if there is none. */
typedef struct {
  i32 first, last;
} extent;

static extent extent_of(const i16 *slope, const i16 *offset, i32 w) {
  extent e = {0, w - 1};
  while (e.first < w && slope[e.first] == 0 && offset[e.first] <= 0) e.first++;
  while (e.last >= 0 && slope[e.last] == 0 && offset[e.last] <= 0) e.last--;
  return e;
}

/* The last pixel of a row of w that lies left of a sample of the coefficients, or on it. */
static i32 pixel_at(lm_axis axis, i32 sample, i32 w) {
  i64 x = (((i64)sample << 16) - axis.at) / axis.step;
  return (i32)(x < 0 ? 0 : x < w ? x : w);
}

void lm_apply_guided(const i16 *slope, const i16 *offset, i32 w, i32 h, const lm_plane *luma, u8 *alpha,
                     void *scratch) {
  u8 *free = scratch;
  i32 width = luma->w;
  extent *rows = lm_take(&free, (size_t)h * sizeof(extent));
  for (i32 i = 0; i < h; i++) rows[i] = extent_of(slope + (size_t)i * w, offset + (size_t)i * w, w);
  rows16 slopes = rows16_make(slope, w, w, h, width, luma->h, &free);
  rows16 offsets = rows16_make(offset, w, w, h, width, luma->h, &free);
  lm_axis across = lm_stretch(w, width);
  for (i32 y = 0; y < luma->h; y++) {
    i32 above = lm_position(slopes.axis, y) >> 16, below = lm_min(above + 1, h - 1);
    i32 first = lm_min(rows[above].first, rows[below].first), last = lm_max(rows[above].last, rows[below].last);
    i32 from = pixel_at(across, first - 1, width); /* stretched from the sample before to the one after */
    i32 to = first > last ? from : lm_min(pixel_at(across, last + 1, width) + 1, width);
    u8 *out = alpha + (size_t)y * width;
    __builtin_memset(out, 0, (size_t)from);
    __builtin_memset(out + to, 0, (size_t)(width - to));
    if (from == to) continue;
    const i16 *a0, *a1, *b0, *b1;
    i16 t = (i16)(rows16_around(&slopes, y, &a0, &a1) >> 1);
    rows16_around(&offsets, y, &b0, &b1);
    apply_row(a0 + from, a1 + from, b0 + from, b1 + from, t, luma->data + (ptrdiff_t)y * luma->stride + from, to - from,
              out + from);
  }
}

static void bytes_row(const i16 *restrict v, i32 w, u8 *restrict out) {
  for (i32 x = 0; x < w; x++) out[x] = alpha_byte(v[x]);
}

void lm_upsample(const float *alpha, i32 w, i32 h, lm_out out, void *scratch) {
  u8 *free = scratch;
  size_t n = (size_t)w * (size_t)h;
  i16 *small = lm_take(&free, n * sizeof(i16));
  for (size_t i = 0; i < n; i++) {
    float v = alpha[i] > 0.0f ? alpha[i] < 1.0f ? alpha[i] : 1.0f : 0.0f;
    small[i] = (i16)(i32)(v * 1024.0f + 0.5f);
  }
  rows16 rows = rows16_make(small, w, w, h, out.w, out.h, &free);
  for (i32 y = 0; y < out.h; y++) bytes_row(rows16_at(&rows, y), out.w, out.data + (size_t)y * out.w);
}
