/* A plane stretched over a picture row by row, each source row stretched once. Made for
 * samples of 8 and of 16 bits from one text. */
#ifndef LM_ROWS_H
#define LM_ROWS_H

#include "common.h"

#define LM_ROWS(NAME, T, SHIFT, EXPAND, MIX)                                                            \
  typedef struct {                                                                                      \
    const T *data;                                                                                      \
    ptrdiff_t pitch; /* in samples */                                                                   \
    i32 w;                                                                                              \
    lm_axis axis;                                                                                       \
    lm_plan plan;                                                                                       \
    T *row[2], *mixed;                                                                                  \
    i32 have[2], same;                                                                                  \
  } NAME;                                                                                               \
                                                                                                        \
  /* n samples a row along `across`, w of them in the picture, and rows along `down`; `free` gives      \
   * memory for three rows and a plan. */                                                               \
  static inline NAME NAME##_along(const T *data, ptrdiff_t pitch, lm_axis across, i32 n, lm_axis down,  \
                                  i32 w, u8 **free) {                                                   \
    NAME r = {.data = data, .pitch = pitch, .w = w, .axis = down, .have = {-1, -1}};                    \
    r.plan = lm_make_plan(across, n, w, SHIFT, free);                                                   \
    for (i32 k = 0; k < 2; k++) r.row[k] = lm_take(free, ((size_t)w + 16) * sizeof(T));                 \
    r.mixed = lm_take(free, (size_t)w * sizeof(T));                                                     \
    return r;                                                                                           \
  }                                                                                                     \
                                                                                                        \
  /* n x m samples over w x h. */                                                                       \
  static inline NAME NAME##_make(const T *data, ptrdiff_t pitch, i32 n, i32 m, i32 w, i32 h, u8 **free) {\
    lm_axis down = lm_stretch(m, h);                                                                    \
    NAME same = {.data = data, .pitch = pitch, .w = w, .axis = down, .have = {-1, -1}, .same = 1};      \
    return n == w && m == h ? same : NAME##_along(data, pitch, lm_stretch(n, w), n, down, w, free);     \
  }                                                                                                     \
                                                                                                        \
  static inline const T *NAME##_stretched(NAME *r, i32 i) {                                             \
    i32 k = i & 1;                                                                                      \
    if (r->have[k] != i) {                                                                              \
      EXPAND(r->data + i * r->pitch, &r->plan, r->row[k]);                                              \
      r->have[k] = i;                                                                                   \
    }                                                                                                   \
    return r->row[k];                                                                                   \
  }                                                                                                     \
                                                                                                        \
  /* The stretched rows above and below row y of the picture, and the part of the way from              \
   * one to the other, of 65536; valid until the next call. */                                          \
  static inline i32 NAME##_around(NAME *r, i32 y, const T **above, const T **below) {                   \
    if (r->same) {                                                                                      \
      *above = *below = r->data + y * r->pitch;                                                         \
      return 0;                                                                                         \
    }                                                                                                   \
    i32 at = lm_position(r->axis, y), i = at >> 16;                                                     \
    *above = NAME##_stretched(r, i);                                                                    \
    *below = at < r->axis.last ? NAME##_stretched(r, i + 1) : *above;                                   \
    return at & 0xffff;                                                                                 \
  }                                                                                                     \
                                                                                                        \
  /* Row y of the picture; valid until the next call. */                                                \
  static inline const T *NAME##_at(NAME *r, i32 y) {                                                    \
    const T *above, *below;                                                                             \
    i32 part = NAME##_around(r, y, &above, &below);                                                     \
    if (r->same) return above;                                                                          \
    MIX(above, below, part, r->w, r->mixed);                                                            \
    return r->mixed;                                                                                    \
  }                                                                                                     \
                                                                                                        \
  /* n samples of row y of the picture, from x on. */                                                   \
  static inline void NAME##_part(NAME *r, i32 y, i32 x, i32 n, T *out) {                                \
    const T *above, *below;                                                                             \
    i32 part = NAME##_around(r, y, &above, &below);                                                     \
    MIX(above + x, below + x, part, n, out);                                                            \
  }

static inline u16v lm_mixed(const u8 *a, const u8 *b, u16 t, i32 n) {
  return (lm_load(a, n) * (u16)(256 - t) + lm_load(b, n) * t + 128) >> 8;
}

static inline void lm_mix_u8(const u8 *restrict a, const u8 *restrict b, i32 part, i32 w, u8 *restrict out) {
  u16 t = (u16)(part >> 8);
  LM_EACH(w, lm_store(out + x, lm_mixed(a + x, b + x, t, n), n););
}

static inline void lm_mix_i16(const i16 *restrict a, const i16 *restrict b, i32 part, i32 w, i16 *restrict out) {
  i16 t = (i16)(part >> 1); /* Q15 */
  for (i32 x = 0; x < w; x++) out[x] = lm_lerp(a[x], b[x], t);
}

LM_ROWS(rows8, u8, 8, lm_expand_u8, lm_mix_u8)
LM_ROWS(rows16, i16, 1, lm_expand_i16, lm_mix_i16)

static inline rows8 rows8_of(const lm_plane *p, i32 w, i32 h, u8 **free) {
  return rows8_make(p->data, p->stride, p->w, p->h, w, h, free);
}

#endif
