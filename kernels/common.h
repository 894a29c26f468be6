/* What several kernels share: small arithmetic, scratch memory, stretching of rows. */
#ifndef LM_COMMON_H
#define LM_COMMON_H

#include "livematte.h"

static inline i32 lm_min(i32 a, i32 b) { return a < b ? a : b; }
static inline i32 lm_max(i32 a, i32 b) { return a > b ? a : b; }
static inline i32 lm_clamp(i32 v, i32 lo, i32 hi) { return v < lo ? lo : v > hi ? hi : v; }

/* a b / 2^16 rounded down: one instruction on x86 and arm64. */
static inline i16 lm_mulh(i16 a, i16 b) { return (i16)((i32)a * b >> 16); }

/* a + (b - a) t with t in Q15; |b - a| below 2^14. */
static inline i16 lm_lerp(i16 a, i16 b, i16 t) { return (i16)(a + lm_mulh((i16)(2 * (b - a)), t)); }

/* v / 255 rounded to nearest, exact for v = 0..65025. */
static inline u16 lm_div255(u16 v) {
  u16 t = (u16)(v + 128);
  return (u16)((u16)(t + (t >> 8)) >> 8);
}

/* 32 samples at once, in 16 bits: compilers left alone would take 32 bits for each. The
 * last ones of a row are fewer, n of them. */
enum { LM_LANES = 32 };
typedef u8 u8v __attribute__((vector_size(32)));
typedef u16 u16v __attribute__((vector_size(64)));

static inline u16v lm_load(const u8 *p, i32 n) {
  u8v v = {0};
  __builtin_memcpy(&v, p, (size_t)n);
  return __builtin_convertvector(v, u16v);
}

static inline void lm_store(u8 *p, u16v value, i32 n) {
  u8v v = __builtin_convertvector(value, u8v);
  __builtin_memcpy(p, &v, (size_t)n);
}

/* Most of a matte is nobody or somebody and nothing between. */
enum { LM_NOBODY = 0, LM_RIM = 1, LM_SOMEBODY = 2 };

static inline int lm_who(const u8 *alpha, i32 n) {
  u64 v[LM_LANES / 8];
  if (n < LM_LANES) return LM_RIM;
  __builtin_memcpy(v, alpha, LM_LANES);
  if ((v[0] | v[1] | v[2] | v[3]) == 0) return LM_NOBODY;
  return (v[0] & v[1] & v[2] & v[3]) == ~(u64)0 ? LM_SOMEBODY : LM_RIM;
}

/* Fetch what lies 8 cache lines ahead: processors do not foresee walks down columns, and
 * at 1080p planes are larger than the cache next to a core. */
static inline void lm_soon(const u8 *p) { __builtin_prefetch(p + 512); }

/* Run a block for every x of a row of w samples with n of them in hand; n is a constant
 * but for the last block. */
#define LM_EACH(W, ...)                                     \
  do {                                                      \
    i32 x = 0;                                              \
    for (; x + LM_LANES <= (W); x += LM_LANES) {            \
      const i32 n = LM_LANES;                               \
      __VA_ARGS__                                           \
    }                                                       \
    if (x < (W)) {                                          \
      const i32 n = (W)-x;                                  \
      __VA_ARGS__                                           \
    }                                                       \
  } while (0)

static inline u16v lm_div255v(u16v v) {
  v += 128;
  return (v + (v >> 8)) >> 8;
}

/* Scratch is cut off front to back, in 64-byte steps. */
static inline void *lm_take(u8 **scratch, size_t bytes) {
  void *p = *scratch;
  *scratch += (bytes + 63) & ~(size_t)63;
  return p;
}

/* Where the samples of a row of `from` stretched to `to` samples lie: sample x is at
 * `at + x step` in 1/65536 of a source sample, centre on centre. */
typedef struct {
  i32 at, step, last;
} lm_axis;

static inline lm_axis lm_stretch(i32 from, i32 to) {
  i32 step = (i32)(((u32)from << 16) / (u32)to);
  lm_axis axis = {step / 2 - 32768, step, (from - 1) << 16};
  return axis;
}

static inline i32 lm_position(lm_axis axis, i32 x) { return lm_clamp(axis.at + x * axis.step, 0, axis.last); }

typedef u16 u16x8 __attribute__((vector_size(16)));

/* How a row of n samples becomes one of w: `lead` samples like the first; then between
 * each two neighbours `count[i]` samples, whose parts of the way lie in `part` in groups of
 * eight, of 2^(16 - shift); then the rest like the last. The same for every row. */
typedef struct {
  i32 n, w, lead, intervals;
  lm_axis axis;
  u16 *count;
  u16x8 *part;
} lm_plan;

lm_plan lm_make_plan(lm_axis axis, i32 n, i32 w, i32 shift, u8 **free);

/* `to` has room for w + 16 samples. */
void lm_expand_i16(const i16 *from, const lm_plan *plan, i16 *to); /* shift 1 */
void lm_expand_u8(const u8 *from, const lm_plan *plan, u8 *to);    /* shift 8 */

/* Mean alpha of the 2x2 pixels of each chroma sample in rows y and y + 1. */
void lm_half_row(const u8 *alpha, i32 w, i32 h, i32 row, u8 *out);

/* A separable Gaussian of standard deviation `sigma` (in samples, at most 20), edges
 * repeated, in place. `scratch` holds a plane and a row. */
void lm_gauss(float *plane, i32 w, i32 h, float sigma, u8 *scratch);

#endif
