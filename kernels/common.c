#include "common.h"

#if defined(__x86_64__)
#include <cpuid.h>

static u64 xcr0(void) {
  u32 low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((u64)high << 32) | low;
}

/* 0 any x86-64, 1 with AVX2 and FMA's generation, 2 with AVX-512 F, DQ, BW and VL, each
 * only if the operating system saves the registers. */
i32 lm_cpu_level(void) {
  u32 a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if (!(c & (1u << 27))) return 0; /* OSXSAVE */
  u64 saved = xcr0();
  if ((saved & 0x6) != 0x6) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  if (!(b & (1u << 5)) || !(b & (1u << 8))) return 0; /* AVX2, BMI2 */
  u32 wide = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);
  return (b & wide) == wide && (saved & 0xe6) == 0xe6 ? 2 : 1;
}
#else
i32 lm_cpu_level(void) { return 0; }
#endif

/* Room for the largest need, foreground(): two sets of four float planes at half size
 * and one more for the Gaussian, and some rows. */
size_t lm_scratch_bytes(i32 w, i32 h) {
  size_t cells = (((size_t)w + 1) / 2 + 64) * (((size_t)h + 1) / 2 + 64);
  return 10 * cells * sizeof(float) + 64 * ((size_t)w + 4096) + 65536;
}

typedef i16 i16x8 __attribute__((vector_size(16)));
typedef i32 i32x8 __attribute__((vector_size(32)));
typedef u8 u8x8 __attribute__((vector_size(8)));

static const u16x8 LANES = {0, 1, 2, 3, 4, 5, 6, 7};

lm_plan lm_make_plan(lm_axis axis, i32 n, i32 w, i32 shift, u8 **free) {
  lm_plan p = {n, w, 0, 0, axis, 0, 0};
  i32 step = p.axis.step, x = 0, groups = 0;
  if (step > 65536) return p; /* a row that shrinks is sampled one by one */
  p.count = lm_take(free, (size_t)n * sizeof(u16));
  p.part = lm_take(free, ((size_t)n + (size_t)w / 8 + 1) * sizeof(u16x8));
  while (x < w && p.axis.at + x * step < 0) x++;
  p.lead = x;
  for (i32 t = p.axis.at + x * step; p.intervals < n - 1 && x < w; p.intervals++) {
    i32 count = 0;
    for (; t < 65536; count++, t += step)
      if (count % 8 == 0) p.part[groups++] = (LANES * (u16)step + (u16)t) >> (u16)shift;
    p.count[p.intervals] = (u16)count;
    x += count;
    t -= 65536;
  }
  return p;
}

/* What is written too far is written again by the next pair of neighbours. */
#define EXPAND(NAME, T, PAIR, ONE)                                                                       \
  void NAME(const T *from, const lm_plan *p, T *to) {                                                    \
    i32 w = p->w, x = 0;                                                                                 \
    if (!p->part) {                                                                                      \
      for (; x < w; x++) {                                                                               \
        i32 at = lm_position(p->axis, x), i = at >> 16;                                                  \
        to[x] = at < p->axis.last ? ONE(from[i], from[i + 1], at & 0xffff) : from[p->n - 1];             \
      }                                                                                                  \
      return;                                                                                            \
    }                                                                                                    \
    const u16x8 *part = p->part;                                                                         \
    for (; x < p->lead; x++) to[x] = from[0];                                                            \
    for (i32 i = 0; i < p->intervals; i++) {                                                             \
      i32 count = p->count[i];                                                                           \
      PAIR(to + x, from[i], from[i + 1], *part++);                                                       \
      for (i32 k = 8; k < count; k += 8) PAIR(to + lm_min(x + k, w), from[i], from[i + 1], *part++);     \
      x += count;                                                                                        \
    }                                                                                                    \
    while (x < w) to[x++] = from[p->n - 1];                                                              \
  }

static inline void pair_i16(i16 *to, i16 a, i16 b, u16x8 part) {
  i16x8 rise = (i16x8){0} + (i16)(2 * (b - a));
  i32x8 product = __builtin_convertvector(rise, i32x8) * __builtin_convertvector((i16x8)part, i32x8);
  i16x8 out = __builtin_convertvector(product >> 16, i16x8) + a;
  __builtin_memcpy(to, &out, sizeof out);
}

/* a (256 - t) + b t, modulo 2^16, in which the result lies. */
static inline void pair_u8(u8 *to, u8 a, u8 b, u16x8 part) {
  u16x8 value = part * (u16)(b - a) + (u16)(256 * a + 128);
  u8x8 out = __builtin_convertvector(value >> 8, u8x8);
  __builtin_memcpy(to, &out, sizeof out);
}

static inline i16 one_i16(i16 a, i16 b, i32 t) { return lm_lerp(a, b, (i16)(t >> 1)); }

static inline u8 one_u8(u8 a, u8 b, i32 t) { return (u8)((a * (256 - (t >> 8)) + b * (t >> 8) + 128) >> 8); }

EXPAND(lm_expand_i16, i16, pair_i16, one_i16)
EXPAND(lm_expand_u8, u8, pair_u8, one_u8)

void lm_half_row(const u8 *alpha, i32 w, i32 h, i32 row, u8 *out) {
  const u8 *a = alpha + (size_t)(2 * row) * w, *b = 2 * row + 1 < h ? a + w : a;
  i32 pairs = w / 2;
  LM_EACH(pairs, { /* the two of a pair are the bytes of a lane */
    u16v above = {0};
    u16v below = {0};
    __builtin_memcpy(&above, a + 2 * x, 2 * (size_t)n);
    __builtin_memcpy(&below, b + 2 * x, 2 * (size_t)n);
    u16v sum = (above & 255) + (above >> 8) + (below & 255) + (below >> 8);
    lm_store(out + x, (sum + 2) >> 2, n);
  });
  if (w & 1) out[pairs] = (u8)((2 * a[w - 1] + 2 * b[w - 1] + 2) >> 2);
}

enum { TAPS = 64 }; /* of one side; sigma is at most 20 samples */

/* e^x for x <= 0 to 1e-7, since there is no libc. */
static float exp_negative(float x) {
  if (x < -80.0f) return 0.0f;
  float y = 1.0f, term = 1.0f, part = x / 64.0f;
  for (i32 k = 1; k < 12; k++) {
    term *= part / (float)k;
    y += term;
  }
  for (i32 k = 0; k < 6; k++) y *= y;
  return y;
}

static i32 gauss_taps(float sigma, float *tap) {
  i32 radius = lm_min((i32)(3.0f * sigma + 0.999f), TAPS - 1);
  float sum = 0.0f;
  for (i32 k = 0; k <= radius; k++) {
    tap[k] = exp_negative(-(float)(k * k) / (2.0f * sigma * sigma));
    sum += k ? 2.0f * tap[k] : tap[k];
  }
  for (i32 k = 0; k <= radius; k++) tap[k] /= sum;
  return radius;
}

/* Add taps k..k+n-1 to a row; n is known where this is inlined, so that the sum stays in
 * a register. */
static inline void add_taps(float *restrict o, const float *const *before, const float *const *after, const float *tap,
                            i32 n, i32 w) {
  for (i32 x = 0; x < w; x++) {
    float sum = o[x];
    for (i32 k = 0; k < n; k++) sum += (before[k][x] + after[k][x]) * tap[k];
    o[x] = sum;
  }
}

static void add_all_taps(float *o, const float *const *before, const float *const *after, const float *tap, i32 n,
                         i32 w) {
  i32 k = 0;
  for (; k + 4 <= n; k += 4) add_taps(o, before + k, after + k, tap + k, 4, w);
  for (; k < n; k++) add_taps(o, before + k, after + k, tap + k, 1, w);
}

void lm_gauss(float *plane, i32 w, i32 h, float sigma, u8 *scratch) {
  float tap[TAPS];
  const float *before[TAPS], *after[TAPS];
  i32 radius = gauss_taps(sigma, tap);
  float *row = lm_take(&scratch, (size_t)(w + 2 * TAPS) * sizeof(float)), *centre = row + radius;
  float *other = lm_take(&scratch, (size_t)w * (size_t)h * sizeof(float));
  for (i32 k = 0; k < radius; k++) before[k] = centre - (k + 1), after[k] = centre + (k + 1);
  for (i32 y = 0; y < h; y++) {
    const float *restrict s = plane + (size_t)y * w;
    float *restrict o = other + (size_t)y * w;
    for (i32 k = 0; k < radius; k++) row[k] = s[0], centre[w + k] = s[w - 1];
    for (i32 x = 0; x < w; x++) centre[x] = s[x];
    for (i32 x = 0; x < w; x++) o[x] = s[x] * tap[0];
    add_all_taps(o, before, after, tap + 1, radius, w);
  }
  for (i32 y = 0; y < h; y++) {
    const float *restrict s = other + (size_t)y * w;
    float *restrict o = plane + (size_t)y * w;
    for (i32 k = 0; k < radius; k++) {
      before[k] = other + (size_t)lm_max(y - k - 1, 0) * w;
      after[k] = other + (size_t)lm_min(y + k + 1, h - 1) * w;
    }
    for (i32 x = 0; x < w; x++) o[x] = s[x] * tap[0];
    add_all_taps(o, before, after, tap + 1, radius, w);
  }
}
