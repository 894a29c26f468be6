/* What a picture of the empty room says of a matte. */
#include "common.h"

enum { COLOURS = 3 };

/* Alpha up to which a pixel is surely room: it shows how the frame's light differs from the
 * picture's, and whether the camera still stands where it stood. Nobody is added there. And
 * alpha from which a pixel is surely person: nobody is taken away there. */
static const float SURE_ROOM = 0.05f, SURE_PERSON = 0.99f, PER_ROOM = 20.0f, PER_PERSON = 50.0f;

/* Part of the picture that must be surely room for anything to be said. */
static const float FEWEST = 0.05f;

/* Difference of a colour, 0-1, up to which it is the room's, and from which it is not. */
static const float SAME = 0.01f, PER_DIFFERENCE = 1.0f / 0.07f;

/* Part of the sure room that differs, up to which the camera stands still, and from which it
 * has moved. */
static const float STANDS = 0.1f, MOVED = 0.25f;

/* Variance in code values^2 below which a plain wall tells no gain. */
enum { PLAIN = 64 };

static inline i32 code(float v) { return (i32)(v * 255.0f + 0.5f); }

/* Passes of least squares, and how many times the mean a difference may be to count in the
 * next: what is new in the room says nothing of its light. */
enum { PASSES = 3 };
static const float USUAL = 1.5f;

/* Where a pixel of a colour's planes is sure room and differs by at most `most` from the room in
 * this light: -1, else 0. */
static inline i32 counts(float frame, float room, float alpha, float gain, float offset, float most) {
  float d = frame - (room * gain + offset);
  return -((alpha < SURE_ROOM) & ((d < 0.0f ? -d : d) <= most));
}

/* Least squares of the frame's colour over the room's where it is surely room, drawn to a gain
 * of 1: gain 0.5 to 2, and offset. Sums of a row fit 32 bits. */
static void light(const float *frame, const float *room, const float *alpha, i32 w, i32 h, i32 sure, float *gain,
                  float *offset) {
  float most = 2.0f, k = 1.0f, o = 0.0f;
  for (i32 pass = 0; pass < PASSES; pass++) {
    i64 n = 0, x = 0, y = 0, xx = 0, xy = 0, far = 0;
    for (i32 row = 0; row < h; row++) {
      const float *f = frame + (size_t)row * w, *r = room + (size_t)row * w, *a = alpha + (size_t)row * w;
      i32 n_row = 0, x_row = 0, y_row = 0, xx_row = 0, xy_row = 0;
      for (i32 i = 0; i < w; i++) {
        i32 mask = counts(f[i], r[i], a[i], k, o, most), cx = code(r[i]) & mask, cy = code(f[i]) & mask;
        n_row -= mask, x_row += cx, y_row += cy, xx_row += cx * cx, xy_row += cx * cy;
      }
      n += n_row, x += x_row, y += y_row, xx += xx_row, xy += xy_row;
    }
    if (!n) break;
    i64 plain = n * n * PLAIN;
    k = (float)(n * xy - x * y + plain) / (float)(n * xx - x * x + plain);
    k = k < 0.5f ? 0.5f : k > 2.0f ? 2.0f : k;
    o = ((float)y - k * (float)x) / (float)(255 * n);
    for (i32 row = 0; row < h; row++) {
      const float *f = frame + (size_t)row * w, *r = room + (size_t)row * w, *a = alpha + (size_t)row * w;
      i32 far_row = 0;
      for (i32 i = 0; i < w; i++) {
        float d = f[i] - (r[i] * k + o);
        far_row += code(d < 0.0f ? -d : d) & -(a[i] < SURE_ROOM);
      }
      far += far_row;
    }
    most = USUAL * ((float)far / (float)(255 * (i64)sure));
  }
  *gain = k;
  *offset = o;
}

static inline float lower(float a, float b) { return a < b ? a : b; }
static inline float higher(float a, float b) { return a > b ? a : b; }

/* The least and the largest of three neighbours in a row, edges repeated. */
static void span_row(const float *restrict p, i32 w, float *restrict low, float *restrict high) {
  for (i32 x = 1; x < w - 1; x++) {
    low[x] = lower(lower(p[x - 1], p[x]), p[x + 1]);
    high[x] = higher(higher(p[x - 1], p[x]), p[x + 1]);
  }
  for (i32 x = 0; x < w; x += w > 1 ? w - 1 : 1) { /* the first and the last */
    float a = p[lm_max(x - 1, 0)], b = p[lm_min(x + 1, w - 1)];
    low[x] = lower(lower(a, p[x]), b);
    high[x] = higher(higher(a, p[x]), b);
  }
}

/* Let the difference be at least how far the frame lies outside of what the 3x3 pixels about
 * each of the room span, edges repeated. */
static void add_outside(const float *frame, const float *low, const float *high, i32 w, i32 h, float *difference) {
  for (i32 y = 0; y < h; y++) {
    size_t above = (size_t)lm_max(y - 1, 0) * w, here = (size_t)y * w, below = (size_t)lm_min(y + 1, h - 1) * w;
    const float *restrict l0 = low + above, *restrict l1 = low + here, *restrict l2 = low + below;
    const float *restrict h0 = high + above, *restrict h1 = high + here, *restrict h2 = high + below;
    const float *restrict f = frame + here;
    float *restrict d = difference + here;
    for (i32 x = 0; x < w; x++) {
      float under = lower(lower(l0[x], l1[x]), l2[x]) - f[x], over = f[x] - higher(higher(h0[x], h1[x]), h2[x]);
      d[x] = higher(higher(under, over), d[x]);
    }
  }
}

/* Sums of three neighbours in a row, edges repeated. */
static void three_row(const float *restrict p, i32 w, float *restrict out) {
  for (i32 x = 1; x < w - 1; x++) out[x] = (p[x - 1] + p[x]) + p[x + 1];
  out[0] = (p[0] + p[0]) + p[lm_min(1, w - 1)];
  if (w > 1) out[w - 1] = (p[w - 2] + p[w - 1]) + p[w - 1];
}

static inline float part_of(float v) { return v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v; }

/* What of the room differs from its picture now, 0-1 a pixel, and the part of the sure room. */
static float differs(const float *alpha, i32 w, i32 h, i32 sure, float *difference, float *rows) {
  i64 sum = 0;
  for (i32 y = 0; y < h; y++) three_row(difference + (size_t)y * w, w, rows + (size_t)y * w);
  for (i32 y = 0; y < h; y++) {
    const float *restrict r0 = rows + (size_t)lm_max(y - 1, 0) * w, *restrict r1 = rows + (size_t)y * w;
    const float *restrict r2 = rows + (size_t)lm_min(y + 1, h - 1) * w, *restrict a = alpha + (size_t)y * w;
    float *restrict d = difference + (size_t)y * w;
    i32 row = 0;
    for (i32 x = 0; x < w; x++) {
      d[x] = part_of((((r0[x] + r1[x]) + r2[x]) * (1.0f / 9.0f) - SAME) * PER_DIFFERENCE);
      row += code(d[x]) & -(a[x] < SURE_ROOM);
    }
    sum += row;
  }
  return (float)sum / (float)(255 * (i64)sure);
}

void lm_room(const float *rgb, const float *room, const float *alpha, i32 w, i32 h, float before, float step, float *out,
             float *weight, void *scratch) {
  u8 *free = scratch;
  i32 n = w * h, sure = 0;
  float *p[5];
  for (i32 k = 0; k < 5; k++) p[k] = lm_take(&free, (size_t)n * sizeof(float));
  float *difference = p[0], *frame = p[1], *empty = p[2], *low = p[3], *high = p[4];
  for (i32 i = 0; i < n; i++) {
    out[i] = alpha[i];
    difference[i] = 0.0f;
    sure += alpha[i] < SURE_ROOM;
  }
  *weight = 0.0f;
  if ((float)sure < FEWEST * (float)n || !sure) return;
  for (i32 c = 0; c < COLOURS; c++) {
    float gain, offset;
    for (i32 i = 0; i < n; i++) frame[i] = rgb[COLOURS * i + c], empty[i] = room[COLOURS * i + c];
    light(frame, empty, alpha, w, h, sure, &gain, &offset);
    for (i32 i = 0; i < n; i++) empty[i] = empty[i] * gain + offset;
    for (i32 y = 0; y < h; y++) span_row(empty + (size_t)y * w, w, low + (size_t)y * w, high + (size_t)y * w);
    add_outside(frame, low, high, w, h, difference);
  }
  float moved = differs(alpha, w, h, sure, difference, low);
  float trust = part_of((MOVED - moved) / (MOVED - STANDS));
  if (before == 0.0f && moved > STANDS) trust = 0.0f;
  if (before >= 0.0f && trust > before + step) trust = before + step;
  *weight = trust;
  if (!(trust > 0.0f)) return;
  for (i32 i = 0; i < n; i++) {
    float a = alpha[i], person = 2.0f * difference[i] - 1.0f;
    float more = a + ((trust * part_of((a - SURE_ROOM) * PER_ROOM)) * person) * (1.0f - a);
    float less = a + ((trust * part_of((SURE_PERSON - a) * PER_PERSON)) * person) * a;
    out[i] = person > 0.0f ? more : less;
  }
}
