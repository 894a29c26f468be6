/* out = a F + (1 - a) B: the only kernel whose output carries a frame's own pixels. */
#include "rows.h"

static u16v mix(u16v f, u16v b, u16v a) { return lm_div255v(f * a + b * (255 - a)); }

static void over(const u8 *f, const u8 *b, const u8 *a, i32 w, u8 *out) {
  LM_EACH(w, {
    int who = lm_who(a + x, n);
    if (who == LM_RIM)
      lm_store(out + x, mix(lm_load(f + x, n), lm_load(b + x, n), lm_load(a + x, n)), n);
    else
      __builtin_memcpy(out + x, who == LM_NOBODY ? b + x : f + x, (size_t)n);
  });
}

/* over() with a plate between two stretched rows. */
static void over_rows(const u8 *f, const u8 *above, const u8 *below, i32 part, const u8 *a, i32 w, u8 *out) {
  u16 t = (u16)(part >> 8);
  LM_EACH(w, {
    lm_soon(f + x);
    lm_soon(a + x);
    lm_soon(out + x);
    int who = lm_who(a + x, n);
    if (who == LM_SOMEBODY) {
      __builtin_memcpy(out + x, f + x, (size_t)n);
    } else {
      u16v b = lm_mixed(above + x, below + x, t, n);
      lm_store(out + x, who == LM_NOBODY ? b : mix(lm_load(f + x, n), b, lm_load(a + x, n)), n);
    }
  });
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

/* What makes a plane of the output. */
typedef struct {
  const lm_plane *own;
  rows8 behind, light, map;
  u8 *lit, *out;
  int chroma;
} layer;

static void layer_row(layer *l, const u8 *a, i32 y, int wrap) {
  i32 w = l->own->w;
  const u8 *f = l->own->data + (ptrdiff_t)y * l->own->stride, *above, *below;
  if (wrap) {
    const u8 *g = rows8_at(&l->light, y), *m = rows8_at(&l->map, y);
    if (l->chroma)
      wrap_chroma(f, g, m, a, w, l->lit);
    else
      wrap_light(f, g, m, a, w, l->lit);
    f = l->lit;
  }
  u8 *out = l->out + (size_t)y * w;
  i32 part = rows8_around(&l->behind, y, &above, &below);
  if (above == below)
    over(f, above, a, w, out);
  else
    over_rows(f, above, below, part, a, w, out);
}

/* Planes advance together, so that a row of alpha is used while it is near. */
void lm_composite(const lm_plane *p, i32 layout, const u8 *alpha, const lm_plane *plate, const lm_plane *light,
                  const lm_plane *wrap, u8 *const *out, void *scratch) {
  u8 *free = scratch;
  i32 w = p[0].w, h = p[0].h, shift = layout == LM_I420;
  layer layers[3];
  for (i32 k = 0; k < 3; k++) {
    layer *l = layers + k;
    l->own = p + k;
    l->out = out[k];
    l->chroma = k && layout != LM_RGB;
    l->behind = rows8_of(plate + k, p[k].w, p[k].h, &free);
    if (!wrap) continue;
    l->lit = lm_take(&free, (size_t)p[k].w);
    l->light = rows8_of(light + k, p[k].w, p[k].h, &free);
    l->map = rows8_of(wrap, p[k].w, p[k].h, &free);
  }
  u8 *half = lm_take(&free, (size_t)w);
  for (i32 y = 0; y < h; y++) {
    const u8 *a = alpha + (size_t)y * w;
    layer_row(layers, a, y, wrap != 0);
    if (!shift) {
      for (i32 k = 1; k < 3; k++) layer_row(layers + k, a, y, wrap != 0);
    } else if ((y & 1) || y == h - 1) {
      lm_half_row(alpha, w, h, y >> 1, half);
      for (i32 k = 1; k < 3; k++) layer_row(layers + k, half, y >> 1, wrap != 0);
    }
  }
}
