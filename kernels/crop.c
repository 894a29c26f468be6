/* A part of a picture at the size of the whole: what auto-framing shows of an output. */
#include "rows.h"

/* Where the samples of a row lie that shows `side` of a row of n samples, from `from` on (both of 65536): counted from
 * the first sample that is needed. */
static lm_axis window(i32 n, i32 from, i32 side, i32 *first) {
  i32 at = from * n + side / 2 - 32768;
  *first = at > 0 ? at >> 16 : 0;
  lm_axis axis = {at - (*first << 16), side, (n - 1 - *first) << 16};
  return axis;
}

void lm_crop(const lm_plane *p, i32 left, i32 top, i32 side, u8 *out, void *scratch) {
  u8 *free = scratch;
  i32 x, y;
  lm_axis across = window(p->w, left, side, &x), down = window(p->h, top, side, &y);
  const u8 *first = p->data + (ptrdiff_t)y * p->stride + x;
  rows8 rows = rows8_along(first, p->stride, across, p->w - x, down, p->w, &free);
  for (i32 i = 0; i < p->h; i++) __builtin_memcpy(out + (size_t)i * p->w, rows8_at(&rows, i), (size_t)p->w);
}
