/* From the network's alpha to an alpha of the frame's size. */
#include "rows.h"

/* Where the picture stands still the matte is the mean of the alphas since it moved, and in
 * the end moves a tenth of the way; where luma changes by NOISE + MOVES code values, all of
 * it at once. */
static const float STILL = 0.1f, NOISE = 1.5f, MOVES = 12.0f;

/* Alpha falls faster than it rises: what the person has left is room, not to be seen, and a
 * network that remembers the last frame lets go of it late. */
static const float FALLS = 2.0f;

/* At the start and in another scene a network that remembers the last frame takes a few to
 * find who is there; until then all it says is followed. */
static const float BEGINS = 4.0f;

/* Another scene: luma of so many changed by so much. Someone who walks by changes a tenth. */
static const float OTHER = 20.0f;
enum { CUT_SHARE = 4 };

/* Networks end in a sigmoid, whose tails are denormal numbers, and those cost a hundred
 * times as much to add. What is a sixteenth of a code value is nobody; so is NaN. */
static inline float somebody(float alpha) { return alpha > 1.0f / 4096.0f ? alpha : 0.0f; }

static inline float distance(float a, float b) { return a > b ? a - b : b - a; }

/* The largest of each sample, its left and its right neighbour. */
static void widest(const float *restrict in, i32 w, float *restrict out) {
  for (i32 x = 0; x < w; x++) {
    float left = in[x ? x - 1 : 0], right = in[x + 1 < w ? x + 1 : x], most = left > right ? left : right;
    out[x] = most > in[x] ? most : in[x];
  }
}

static void settle(const float *restrict alpha, const float *restrict before, const float *restrict change,
                   const float *restrict moved, i32 w, float *restrict out, float *restrict motion) {
  for (i32 x = 0; x < w; x++) {
    float moves = (change[x] - NOISE) * (1.0f / MOVES), m = moved[x];
    float rest = m > 1.0f ? m - 1.0f : m / (1.0f + m);
    moves = moves < 1.0f ? moves : 1.0f;
    moves = moves > rest ? moves : rest;
    moves = moves > STILL ? moves : STILL;
    float way = somebody(alpha[x]) - before[x], part = way < 0.0f ? moves * FALLS : moves;
    motion[x] = moves;
    out[x] = somebody(before[x] + way * (part < 1.0f ? part : 1.0f));
  }
}

void lm_temporal(const float *alpha, const float *luma, const float *before, const float *luma_before,
                 const float *moved, i32 w, i32 h, float *out, float *motion, void *scratch) {
  u8 *free = scratch;
  i32 n = w * h, others = 0;
  float *rows = lm_take(&free, 3 * (size_t)w * sizeof(float)), *most = lm_take(&free, (size_t)w * sizeof(float));
  float *change = lm_take(&free, (size_t)w * sizeof(float));
  for (i32 i = 0; i < n; i++) others += distance(luma[i], luma_before[i]) > OTHER;
  if (others > n / CUT_SHARE) {
    for (i32 i = 0; i < n; i++) out[i] = somebody(alpha[i]), motion[i] = BEGINS;
    return;
  }
  for (i32 y = -1; y < h; y++) { /* rows y - 1, y and y + 1 of the change, each widened along the row */
    if (y + 1 < h) {
      const float *restrict now = luma + (size_t)(y + 1) * w, *restrict then = luma_before + (size_t)(y + 1) * w;
      for (i32 x = 0; x < w; x++) change[x] = distance(now[x], then[x]);
      widest(change, w, rows + (size_t)((y + 1) % 3) * w);
    }
    if (y < 0) continue;
    const float *restrict a = rows + (size_t)(lm_max(y - 1, 0) % 3) * w, *restrict b = rows + (size_t)(y % 3) * w;
    const float *restrict c = rows + (size_t)(lm_min(y + 1, h - 1) % 3) * w;
    for (i32 x = 0; x < w; x++) {
      float v = a[x] > c[x] ? a[x] : c[x];
      most[x] = v > b[x] ? v : b[x];
    }
    size_t at = (size_t)y * w;
    settle(alpha + at, before + at, most, moved + at, w, out + at, motion + at);
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

/* Means of a row of w sums that begins at row + r; edges repeated. */
static void across(float *row, i32 w, i32 r, float share, float *out) {
  float *v = row + r;
  for (i32 k = 0; k < r; k++) row[k] = v[0], v[w + k] = v[w - 1];
  switch (r) {
    case 1: sum_right(row, 3, share, w, out); break;
    case 2: sum_right(row, 5, share, w, out); break;
    case 3: sum_right(row, 7, share, w, out); break;
    case 4: sum_right(row, 9, share, w, out); break;
    default: sum_right(row, 2 * r + 1, share, w, out);
  }
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
    across(row, w, r, share, out + (size_t)y * w);
  }
}

/* The guide: luma, and two colour differences that weigh so much more, since rooms and
 * people differ less in colour, and colour has less texture. */
enum { GUIDES = 3 };
static const float CHROMA = 6.0f;

/* Steepest slope, in alpha a whole range of luma: steeper ones follow noise. */
static const float STEEPEST = 4.0f;

/* BT.601, full range: from R, G, B to luma and colour differences of -1/2 to 1/2. */
static const float FROM_RGB[GUIDES][3] = {
    {0.299f, 0.587f, 0.114f}, {-0.168736f, -0.331264f, 0.5f}, {0.5f, -0.418688f, -0.081312f}};

/* Within 8191 sums of two products of lm_apply_guided stay in 16 bits. */
static inline i16 whole(float scaled) {
  scaled = scaled > 8191.0f ? 8191.0f : scaled < -8191.0f ? -8191.0f : scaled;
  return (i16)(i32)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
}

static inline i16 q9(float v) { return whole(v * 512.0f); }
static inline i16 q7(float v) { return whole(v * 128.0f); }

static inline float sharpened(float alpha, float gain) {
  float v = (somebody(alpha) - 0.5f) * gain + 0.5f;
  return v > 0.0f ? v < 1.0f ? v : 1.0f : 0.0f;
}

/* Means over cells of reduce x reduce, 1 or 2. */
static void cells_of(const float *restrict in, i32 w, i32 h, i32 reduce, float *restrict out) {
  i32 gw = w / reduce;
  for (i32 y = 0; y < h / reduce; y++) {
    const float *restrict a = in + (size_t)(y * reduce) * w, *restrict b = a + (reduce - 1) * w;
    float *restrict o = out + (size_t)y * gw;
    if (reduce == 1)
      for (i32 x = 0; x < gw; x++) o[x] = a[x];
    else
      for (i32 x = 0; x < gw; x++) o[x] = ((a[2 * x] + a[2 * x + 1]) + (b[2 * x] + b[2 * x + 1])) * 0.25f;
  }
}

/* Planes of the picture, in place, to what the fit is made in. */
static void to_guide(float *const *g, i32 layout, size_t n) {
  float *restrict a = g[0], *restrict b = g[1], *restrict c = g[2];
  const float *y = FROM_RGB[0], *u = FROM_RGB[1], *v = FROM_RGB[2];
  if (layout == LM_RGB)
    for (size_t i = 0; i < n; i++) {
      float red = a[i] * (1.0f / 255.0f), green = b[i] * (1.0f / 255.0f), blue = c[i] * (1.0f / 255.0f);
      a[i] = (red * y[0] + green * y[1]) + blue * y[2];
      b[i] = ((red * u[0] + green * u[1]) + blue * u[2]) * CHROMA;
      c[i] = ((red * v[0] + green * v[1]) + blue * v[2]) * CHROMA;
    }
  else
    for (size_t i = 0; i < n; i++) {
      a[i] *= 1.0f / 255.0f;
      b[i] = (b[i] - 128.0f) * (CHROMA / 255.0f);
      c[i] = (c[i] - 128.0f) * (CHROMA / 255.0f);
    }
}

/* p, I0..2, I p, and the six products of two guides. */
enum { MEANS = 13 };

static void products(const float *p, const float *const *g, size_t at, i32 w, float *const *out) {
  const float *restrict a = p + at, *restrict x0 = g[0] + at, *restrict x1 = g[1] + at, *restrict x2 = g[2] + at;
  float *restrict o0 = out[0], *restrict o1 = out[1], *restrict o2 = out[2], *restrict o3 = out[3];
  float *restrict o4 = out[4], *restrict o5 = out[5], *restrict o6 = out[6], *restrict o7 = out[7];
  float *restrict o8 = out[8], *restrict o9 = out[9], *restrict o10 = out[10], *restrict o11 = out[11];
  float *restrict o12 = out[12];
  for (i32 x = 0; x < w; x++) {
    float v = a[x], i = x0[x], j = x1[x], k = x2[x];
    o0[x] = v, o1[x] = i, o2[x] = j, o3[x] = k;
    o4[x] = i * v, o5[x] = j * v, o6[x] = k * v;
    o7[x] = i * i, o8[x] = i * j, o9[x] = i * k;
    o10[x] = j * j, o11[x] = j * k, o12[x] = k * k;
  }
}

static inline float between(float v, float limit) { return v > limit ? limit : v < -limit ? -limit : v; }
static inline float at_least(float v, float least) { return v > least ? v : least; }

/* The line through a window: (S + epsilon 1) k = covariance, by L D L^T. */
static void fit_row(float *const *m, i32 w, float epsilon, float *restrict k0, float *restrict k1, float *restrict k2,
                    float *restrict b) {
  const float *restrict p = m[0], *restrict x0 = m[1], *restrict x1 = m[2], *restrict x2 = m[3];
  const float *restrict p0 = m[4], *restrict p1 = m[5], *restrict p2 = m[6];
  const float *restrict s00 = m[7], *restrict s01 = m[8], *restrict s02 = m[9];
  const float *restrict s11 = m[10], *restrict s12 = m[11], *restrict s22 = m[12];
  for (i32 x = 0; x < w; x++) {
    float a = p[x], i = x0[x], j = x1[x], k = x2[x];
    float c0 = p0[x] - i * a, c1 = p1[x] - j * a, c2 = p2[x] - k * a;
    float v01 = s01[x] - i * j, v02 = s02[x] - i * k, v12 = s12[x] - j * k;
    float r0 = 1.0f / at_least((s00[x] - i * i) + epsilon, epsilon), l1 = v01 * r0, l2 = v02 * r0;
    float r1 = 1.0f / at_least(((s11[x] - j * j) + epsilon) - l1 * v01, epsilon), e = v12 - l1 * v02, l3 = e * r1;
    float r2 = 1.0f / at_least((((s22[x] - k * k) + epsilon) - l2 * v02) - l3 * e, epsilon);
    c1 = c1 - l1 * c0;
    c2 = (c2 - l2 * c0) - l3 * c1;
    float f2 = c2 * r2, f1 = c1 * r1 - l3 * f2, f0 = (c0 * r0 - l1 * f1) - l2 * f2;
    f0 = between(f0, STEEPEST), f1 = between(f1, STEEPEST), f2 = between(f2, STEEPEST);
    k0[x] = f0, k1[x] = f1, k2[x] = f2;
    b[x] = a - ((f0 * i + f1 * j) + f2 * k);
  }
}

/* What is added to slopes and offset so that they take code values, chroma from 128 on. */
static void lines_of(float *const *k, i32 layout, size_t n, float gain, i16 *restrict out) {
  const float *restrict k0 = k[0], *restrict k1 = k[1], *restrict k2 = k[2], *restrict b = k[3];
  i16 *restrict a0 = out, *restrict a1 = a0 + n, *restrict a2 = a1 + n, *restrict offset = a2 + n;
  const float *y = FROM_RGB[0], *u = FROM_RGB[1], *v = FROM_RGB[2];
  float luma = gain * (256.0f / 255.0f), chroma = luma * CHROMA;
  if (layout == LM_RGB)
    for (size_t i = 0; i < n; i++) {
      float l = k0[i] * luma, d = k1[i] * chroma, e = k2[i] * chroma;
      a0[i] = q7((l * y[0] + d * u[0]) + e * v[0]);
      a1[i] = q7((l * y[1] + d * u[1]) + e * v[1]);
      a2[i] = q7((l * y[2] + d * u[2]) + e * v[2]);
      offset[i] = q9(((b[i] + k0[i] * (128.0f / 255.0f)) - 0.5f) * gain + 0.5f);
    }
  else
    for (size_t i = 0; i < n; i++) {
      a0[i] = q9(k0[i] * luma);
      a1[i] = q7(k1[i] * chroma);
      a2[i] = q7(k2[i] * chroma);
      offset[i] = q9((b[i] - 0.5f) * gain + 0.5f);
    }
}

/* `gain` makes the edge steeper about one half, before the fit and after it. */
void lm_guided(const float *guide, i32 layout, const float *alpha, i32 w, i32 h, i32 reduce, i32 radius,
               float epsilon, float gain, i16 *lines, void *scratch) {
  u8 *free = scratch;
  i32 gw = w / reduce, gh = h / reduce, r = radius;
  size_t n = (size_t)gw * (size_t)gh;
  float *p = lm_take(&free, n * sizeof(float)), *g[GUIDES], *k[GUIDES + 1];
  float *sum[MEANS], *in[MEANS], *gone[MEANS], *mean[MEANS];
  for (i32 c = 0; c < GUIDES; c++) g[c] = lm_take(&free, n * sizeof(float));
  for (i32 c = 0; c <= GUIDES; c++) k[c] = lm_take(&free, n * sizeof(float));
  size_t row = (size_t)(gw + 2 * MAX_RADIUS) * sizeof(float);
  for (i32 c = 0; c < MEANS; c++)
    sum[c] = lm_take(&free, row), in[c] = lm_take(&free, row), gone[c] = lm_take(&free, row), mean[c] = gone[c];
  float *sharp = k[0]; /* of the network's size: it may lie over all of k, which comes later */
  if (reduce == 1) sharp = p;
  for (size_t i = 0; i < (size_t)w * (size_t)h; i++) sharp[i] = sharpened(alpha[i], gain);
  if (reduce > 1) cells_of(sharp, w, h, reduce, p);
  for (i32 c = 0; c < GUIDES; c++) cells_of(guide + (size_t)c * w * h, w, h, reduce, g[c]);
  to_guide(g, layout, n);
  float share = 1.0f / (float)((2 * r + 1) * (2 * r + 1));
  for (i32 y = 0; y < gh; y++) {
    if (y == 0) {
      for (i32 j = 0; j <= r; j++) {
        products(p, (const float *const *)g, (size_t)lm_min(j, gh - 1) * gw, gw, in);
        for (i32 c = 0; c < MEANS; c++)
          for (i32 x = 0; x < gw; x++) sum[c][r + x] = j ? sum[c][r + x] + in[c][x] : in[c][x] * (float)(r + 1);
      }
    } else {
      products(p, (const float *const *)g, (size_t)lm_min(y + r, gh - 1) * gw, gw, in);
      products(p, (const float *const *)g, (size_t)lm_max(y - r - 1, 0) * gw, gw, gone);
      for (i32 c = 0; c < MEANS; c++) move_down(sum[c] + r, in[c], gone[c], gw);
    }
    for (i32 c = 0; c < MEANS; c++) across(sum[c], gw, r, share, mean[c]);
    size_t at = (size_t)y * gw;
    fit_row(mean, gw, epsilon, k[0] + at, k[1] + at, k[2] + at, k[3] + at);
  }
  float *smooth[GUIDES + 1] = {g[0], g[1], g[2], p}; /* no longer needed */
  for (i32 c = 0; c <= GUIDES; c++) box(k[c], smooth[c], gw, gh, (r + 1) / 2, sum[0]);
  lines_of(smooth, layout, n, gain, lines);
}

/* Alpha in Q10, 0..1024, as a byte, rounded to nearest. */
static inline u8 alpha_byte(i16 v) {
  v = v < 0 ? 0 : v > 1024 ? 1024 : v;
  return (u8)lm_mulh((i16)(16 * (v + 2)), 4 * 255);
}

/* Three quarters of one and one of the other, which differ by less than 2^15 - 2. */
static inline i16 nearer(i16 near, i16 far) { return (i16)(near + ((i16)(far - near + 2) >> 2)); }

/* Slope a and offset b between the stretched rows 0 and 1, t of the way (Q15); the tints are
 * what colour adds, in the nearest row of chroma and in the one on the other side. */
static void apply_row(const i16 *restrict a0, const i16 *restrict a1, const i16 *restrict b0, const i16 *restrict b1,
                      i16 t, const u8 *restrict light, const i16 *near, const i16 *far, i32 w, u8 *restrict out) {
  for (i32 x = 0; x < w; x++) {
    i16 a = lm_lerp(a0[x], a1[x], t), b = lm_lerp(b0[x], b1[x], t);
    i16 own = (i16)(lm_mulh((i16)(4 * a), (i16)(light[x] << 7)) + 2 * b);
    out[x] = alpha_byte(__builtin_elementwise_add_sat(own, nearer(near[x], far[x])));
  }
}

static void apply_tint(const i16 *restrict b0, const i16 *restrict b1, i16 t, const i16 *restrict tint, i32 w,
                       u8 *restrict out) {
  for (i32 x = 0; x < w; x++) out[x] = alpha_byte(__builtin_elementwise_add_sat((i16)(2 * lm_lerp(b0[x], b1[x], t)), tint[x]));
}

/* Slopes of a plane, Q7, times its samples from 128 on, added up. */
static void add_colour(const i16 *restrict a0, const i16 *restrict a1, i16 t, const u8 *restrict v, i32 w, i32 first,
                       i32 *restrict sum) {
  if (first)
    for (i32 x = 0; x < w; x++) sum[x] = lm_lerp(a0[x], a1[x], t) * (v[x] - 128);
  else
    for (i32 x = 0; x < w; x++) sum[x] += lm_lerp(a0[x], a1[x], t) * (v[x] - 128);
}

/* Where in a row of the coefficients somebody may be: the first and the last sample whose
 * alpha is not 0 whatever the luma; w and -1 if there is none. */
typedef struct {
  i32 first, last;
} extent;

static extent extent_of(const i16 *lines, size_t n, size_t at, i32 w) {
  const i16 *a = lines + at, *b = a + n, *c = b + n, *offset = c + n;
  extent e = {0, w - 1};
  while (e.first < w && !(a[e.first] | b[e.first] | c[e.first]) && offset[e.first] <= 0) e.first++;
  while (e.last >= 0 && !(a[e.last] | b[e.last] | c[e.last]) && offset[e.last] <= 0) e.last--;
  return e;
}

/* The last pixel of a row of w that lies left of a sample of the coefficients, or on it. */
static i32 pixel_at(lm_axis axis, i32 sample, i32 w) {
  i64 x = (((i64)sample << 16) - axis.at) / axis.step;
  return (i32)(x < 0 ? 0 : x < w ? x : w);
}

enum { TINT_MOST = 16000 };

/* What colour adds to the alpha of a row, Q10, at the size of the planes it comes from. */
static void tint_row(rows16 *slopes, const lm_plane *p, i32 first, i32 y, i32 *sum, i16 *restrict out) {
  i32 w = p[first].w;
  for (i32 c = first; c < GUIDES; c++) {
    const i16 *a0, *a1;
    i16 t = (i16)(rows16_around(&slopes[c], y, &a0, &a1) >> 1);
    add_colour(a0, a1, t, p[c].data + (ptrdiff_t)y * p[c].stride, w, c == first, sum);
  }
  for (i32 x = 0; x < w; x++) out[x] = (i16)lm_clamp((sum[x] + 16) >> 5, -TINT_MOST, TINT_MOST);
}

/* Two samples for each, a quarter of the way to the neighbours; in[-1] and in[w] are written. */
static void twice(i16 *restrict in, i32 w, i16 *restrict out) {
  in[-1] = in[0], in[w] = in[w - 1];
  for (i32 x = 0; x < w; x++) { /* both at once: two of 16 bits are one of 32 */
    u32 pair = (u16)nearer(in[x], in[x - 1]) | (u32)(u16)nearer(in[x], in[x + 1]) << 16;
    __builtin_memcpy(out + 2 * x, &pair, sizeof pair);
  }
}

void lm_apply_guided(const i16 *lines, i32 w, i32 h, const lm_plane *p, i32 layout, u8 *alpha, void *scratch) {
  u8 *free = scratch;
  i32 width = p->w, height = p->h, half = layout == LM_I420, first = layout != LM_RGB;
  size_t n = (size_t)w * (size_t)h;
  extent *rows = lm_take(&free, (size_t)h * sizeof(extent));
  i32 *sum = lm_take(&free, (size_t)width * sizeof(i32));
  i16 *chroma = (i16 *)lm_take(&free, ((size_t)width + 2) * sizeof(i16)) + 1, *tints[2];
  for (i32 k = 0; k < 2; k++) tints[k] = lm_take(&free, ((size_t)width + 1) * sizeof(i16));
  rows16 slopes[GUIDES], offsets = rows16_make(lines + GUIDES * n, w, w, h, width, height, &free);
  for (i32 c = 0; c < GUIDES; c++) slopes[c] = rows16_make(lines + (size_t)c * n, w, w, h, p[c].w, p[c].h, &free);
  for (i32 i = 0; i < h; i++) rows[i] = extent_of(lines, n, (size_t)i * w, w);
  lm_axis down = lm_stretch(h, height), down_c = lm_stretch(h, p[1].h);
  lm_axis sideways = lm_stretch(w, width), sideways_c = lm_stretch(w, p[1].w);
  i32 have[2] = {-1, -1}; /* rows of chroma in `tints` */
  for (i32 y = 0; y < height; y++) {
    i32 near = half ? y >> 1 : y, far = half ? lm_clamp(near + (y & 1 ? 1 : -1), 0, p[1].h - 1) : y;
    i32 upper = lm_min(near, far), lower = lm_max(near, far), i = lm_position(down, y) >> 16;
    i32 above = lm_min(i, lm_position(down_c, upper) >> 16), below = lm_max(i, lm_position(down_c, lower) >> 16) + 1;
    extent e = {w, -1};
    for (i32 k = above; k <= lm_min(below, h - 1); k++)
      e.first = lm_min(e.first, rows[k].first), e.last = lm_max(e.last, rows[k].last);
    extent px = {0, 0}; /* stretched from the sample before to the one after, of luma and of chroma */
    if (e.first <= e.last) {
      extent c = {pixel_at(sideways_c, e.first - 1, p[1].w), pixel_at(sideways_c, e.last + 1, p[1].w) + 1};
      px.first = lm_min(pixel_at(sideways, e.first - 1, width), lm_max(c.first - half, 0) << half);
      px.last = lm_min(lm_max(pixel_at(sideways, e.last + 1, width) + 1, (c.last + half) << half), width);
    }
    i32 from = px.first, to = px.last;
    u8 *out = alpha + (size_t)y * width;
    __builtin_memset(out, 0, (size_t)from);
    __builtin_memset(out + to, 0, (size_t)(width - to));
    if (from == to) continue;
    for (i32 row = upper; row <= lower; row++) {
      if (have[row & 1] == row) continue;
      tint_row(slopes, p, first, row, sum, half ? chroma : tints[row & 1]);
      if (half) twice(chroma, p[1].w, tints[row & 1]);
      have[row & 1] = row;
    }
    const i16 *tint = tints[near & 1] + from, *other = tints[far & 1] + from;
    const i16 *a0, *a1, *b0, *b1;
    i16 t = (i16)(rows16_around(&offsets, y, &b0, &b1) >> 1);
    if (!first) {
      apply_tint(b0 + from, b1 + from, t, tint, to - from, out + from);
      continue;
    }
    rows16_around(&slopes[0], y, &a0, &a1);
    apply_row(a0 + from, a1 + from, b0 + from, b1 + from, t, p->data + (ptrdiff_t)y * p->stride + from, tint, other,
              to - from, out + from);
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
