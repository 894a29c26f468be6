/* out = a F + (1 - a) B: the only kernel whose output carries a frame's own pixels. */
#include "rows.h"

static u16v mix(u16v f, u16v b, u16v a) { return lm_div255v(f * a + b * (255 - a)); }

static void over(const u8 *f, const u8 *b, const u8 *a, i32 w, u8 *out) {
  LM_EACH(w, lm_store(out + x, mix(lm_load(f + x, n), lm_load(b + x, n), lm_load(a + x, n)), n););
}

/* Light only adds: where the plate is darker than the person, nothing happens. */
static void wrap_light(const u8 *f, const u8 *light, const u8 *map, const u8 *a, i32 w, u8 *out) {
  LM_EACH(w, {
    u16v own = lm_load(f + x, n), more = lm_load(light + x, n);
    more = (more - own) & (u16v)(more > own);
    u16v part = lm_div255v(lm_load(map + x, n) * lm_load(a + x, n));
    lm_store(out + x, own + lm_div255v(more * part), n);
  });
}

static void wrap_chroma(const u8 *f, const u8 *light, const u8 *map, const u8 *a, i32 w, u8 *out) {
  LM_EACH(w, {
    u16v part = lm_div255v(lm_load(map + x, n) * lm_load(a + x, n));
    lm_store(out + x, mix(lm_load(light + x, n), lm_load(f + x, n), part), n);
  });
}

void lm_composite(const lm_plane *p, i32 layout, const u8 *alpha, const lm_plane *plate, const lm_plane *light,
                  const lm_plane *wrap, u8 *const *out, void *scratch) {
  i32 w = p[0].w, h = p[0].h;
  for (i32 k = 0; k < 3; k++) {
    u8 *free = scratch;
    i32 chroma = k && layout == LM_I420, pw = p[k].w, ph = p[k].h;
    u8 *half = lm_take(&free, (size_t)pw), *lit = lm_take(&free, (size_t)pw);
    rows8 behind = rows8_of(plate + k, pw, ph, &free), glow, map;
    if (wrap) {
      glow = rows8_of(light + k, pw, ph, &free);
      map = rows8_of(wrap, pw, ph, &free);
    }
    for (i32 y = 0; y < ph; y++) {
      const u8 *a = alpha + (size_t)y * w, *f = p[k].data + (ptrdiff_t)y * p[k].stride;
      if (chroma) {
        lm_half_row(alpha, w, h, y, half);
        a = half;
      }
      if (wrap) {
        const u8 *g = rows8_at(&glow, y), *m = rows8_at(&map, y);
        if (k && layout != LM_RGB)
          wrap_chroma(f, g, m, a, pw, lit);
        else
          wrap_light(f, g, m, a, pw, lit);
        f = lit;
      }
      over(f, rows8_at(&behind, y), a, pw, out[k] + (size_t)y * pw);
    }
  }
}
