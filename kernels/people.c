/* Whose alpha it is: parts of a matte, followed from frame to frame. */
#include "common.h"

/* A part is a 4-connected set of alpha above FAINT; its size counts alpha, so that faint
 * ghosts weigh little. What is fainter belongs to the part it lies nearest to. */
static const float FAINT = 0.1f, NOBODY = 1.0f / 4096.0f;

/* A part goes on from the part before that it covers most, if that is at least so much of it. */
static const float FOLLOWED = 0.25f;

typedef struct {
  i32 first, count;    /* its pixels in the queue */
  float size, shown;   /* sum of alpha; how much of it was seen before, 0-1 */
  i32 followed, stays; /* goes on from one before */
} part;

typedef struct {
  const float *alpha;
  i32 w, h, *label, *queue;
} ground;

/* Take pixel i into part k, if it is free and its alpha is above `least`. */
static inline i32 claim(const ground *g, i32 i, i32 k, float least, i32 end) {
  if (g->label[i] >= 0 || !(g->alpha[i] > least)) return end;
  g->label[i] = k;
  g->queue[end] = i;
  return end + 1;
}

/* Give the neighbours of the pixels queued from `next` on to the part of the pixel they lie
 * beside, and theirs in turn: left, right, above, below. The new end of the queue. */
static i32 spread(const ground *g, i32 next, i32 end, float least) {
  for (; next < end; next++) {
    i32 i = g->queue[next], k = g->label[i], x = i % g->w, y = i / g->w;
    if (x > 0) end = claim(g, i - 1, k, least, end);
    if (x + 1 < g->w) end = claim(g, i + 1, k, least, end);
    if (y > 0) end = claim(g, i - g->w, k, least, end);
    if (y + 1 < g->h) end = claim(g, i + g->w, k, least, end);
  }
  return end;
}

/* The part before that lies under pixel i, of at most n; -1 if there is none. */
static inline i32 under(const float *of, i32 i, i32 n) { return of[i] >= 0.0f && of[i] < (float)n ? (i32)of[i] : -1; }

/* Which part before this one goes on from, the first of equals, and how much of that was seen
 * where it lies. `covered` is 0 for every part before, and is left so. */
static void follow(const ground *g, part *p, const float *of, const float *shown, i32 *covered, i32 most) {
  i32 best = -1;
  const i32 *pixel = g->queue + p->first;
  for (i32 k = 0; k < p->count; k++) {
    i32 before = under(of, pixel[k], most);
    if (before >= 0) covered[before]++;
  }
  for (i32 k = 0; k < p->count; k++) {
    i32 before = under(of, pixel[k], most);
    if (before < 0) continue;
    if (best < 0 || covered[before] > covered[best] || (covered[before] == covered[best] && before < best)) best = before;
  }
  p->followed = best >= 0 && (float)covered[best] >= FOLLOWED * (float)p->count;
  for (i32 k = 0; k < p->count; k++) {
    i32 i = pixel[k], before = under(of, i, most);
    if (before < 0) continue;
    covered[before] = 0;
    if (p->followed && before == best && shown[i] > p->shown) p->shown = shown[i];
  }
}

static i32 anybody(const float *shown, i32 n) {
  for (i32 i = 0; i < n; i++)
    if (shown[i] > 0.0f) return 1;
  return 0;
}

void lm_who_stays(const float *alpha, const float *of_before, const float *shown_before, i32 w, i32 h, float step,
                  float leave, float enter, float *out, float *of, float *shown, void *scratch) {
  u8 *free = scratch;
  i32 n = w * h, parts = 0, end = 0, most = n / 2 + 1; /* no two parts touch */
  ground g = {alpha, w, h, lm_take(&free, (size_t)n * sizeof(i32)), lm_take(&free, (size_t)n * sizeof(i32))};
  i32 *covered = lm_take(&free, (size_t)most * sizeof(i32));
  part *part_of = lm_take(&free, (size_t)most * sizeof(part));
  i32 first = !shown_before || !anybody(shown_before, n);
  i32 largest = 0;
  for (i32 i = 0; i < n; i++) g.label[i] = -1;
  for (i32 k = 0; k < most; k++) covered[k] = 0;
  for (i32 seed = 0; seed < n; seed++) {
    i32 start = end;
    end = spread(&g, start, claim(&g, seed, parts, FAINT, end), FAINT);
    if (end == start) continue;
    part p = {start, end - start, 0.0f, 0.0f, 0, 0};
    for (i32 k = start; k < end; k++) p.size += alpha[g.queue[k]];
    if (!first) follow(&g, &p, of_before, shown_before, covered, most);
    if (!parts || p.size > part_of[largest].size) largest = parts;
    part_of[parts++] = p;
  }
  for (i32 k = 0; k < parts; k++) {
    part *p = part_of + k;
    if (k == largest && !p->followed) p->shown = 1.0f;
    p->stays = p->size >= (enter + (leave - enter) * p->shown) * part_of[largest].size;
  }
  for (i32 i = 0; i < n; i++) of[i] = (float)g.label[i];
  spread(&g, 0, end, NOBODY);
  for (i32 i = 0; i < n; i++) {
    out[i] = shown[i] = 0.0f;
    if (g.label[i] < 0) continue;
    const part *p = part_of + g.label[i];
    float seen = p->stays ? 1.0f : 0.0f;
    if (!first) {
      i32 hidden = of[i] >= 0.0f && under(of_before, i, most) >= 0 && shown_before[i] < p->shown;
      seen = (hidden ? shown_before[i] : p->shown) + (p->stays ? step : -step);
      seen = seen < 0.0f ? 0.0f : seen > 1.0f ? 1.0f : seen;
    }
    out[i] = alpha[i] * seen;
    if (of[i] >= 0.0f) shown[i] = seen;
  }
}

/* Square of the distance of p from the line from a to b. */
static inline float apart(float px, float py, const float *a, const float *b) {
  float ex = b[0] - a[0], ey = b[1] - a[1], vx = px - a[0], vy = py - a[1];
  float length = ex * ex + ey * ey, t = length > 0.0f ? (vx * ex + vy * ey) / length : 0.0f;
  t = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t;
  float dx = vx - t * ex, dy = vy - t * ey;
  return dx * dx + dy * dy;
}

/* Whether the line leads along the border of the picture, where a zone has no edge. */
static inline i32 on_border(const float *a, const float *b, float w, float h) {
  return (a[0] <= 0.0f && b[0] <= 0.0f) || (a[1] <= 0.0f && b[1] <= 0.0f) || (a[0] >= w && b[0] >= w) ||
         (a[1] >= h && b[1] >= h);
}

void lm_zone(const float *corners, i32 count, i32 w, i32 h, float inset, float soft, float *out, void *scratch) {
  u8 *free = scratch;
  float *corner = lm_take(&free, ((size_t)count + 1) * 2 * sizeof(float));
  for (i32 k = 0; k <= count; k++) { /* the first one again at the end */
    corner[2 * k] = corners[2 * (k % count)] * (float)w;
    corner[2 * k + 1] = corners[2 * (k % count) + 1] * (float)h;
  }
  for (i32 y = 0; y < h; y++) {
    for (i32 x = 0; x < w; x++) {
      float px = (float)x + 0.5f, py = (float)y + 0.5f, nearest = (inset + soft) * (inset + soft);
      i32 inside = 0;
      for (i32 k = 0; k < count; k++) {
        const float *a = corner + 2 * k, *b = a + 2;
        if ((a[1] > py) != (b[1] > py) && px < (b[0] - a[0]) * ((py - a[1]) / (b[1] - a[1])) + a[0]) inside = !inside;
        float distance = on_border(a, b, (float)w, (float)h) ? nearest : apart(px, py, a, b);
        if (distance < nearest) nearest = distance;
      }
      float deep = inside ? (__builtin_sqrtf(nearest) - inset) / soft : 0.0f;
      out[(size_t)y * w + x] = deep > 0.0f ? deep : 0.0f;
    }
  }
}
