/* Per-pixel work of livematte: one source for the Python package and for WASM.
 *
 * Portable C11, freestanding: no libc, no global state, no allocation. The caller passes
 * every buffer, `scratch` among them (lm_scratch_bytes() bytes, 64-byte aligned, one a
 * thread). Loops are plain so that compilers vectorise them. Integers wherever exact is
 * possible; floats keep one order of operations (-ffp-contract=off), so every build
 * gives the same bits. What each function computes is said in docs/spec/kernels.md and
 * run in NumPy by src/livematte/kernels/reference.py.
 *
 * Sides are 1 to 16384 pixels. Strides are bytes between rows. Planes must not overlap
 * unless said so.
 */
#ifndef LIVEMATTE_H
#define LIVEMATTE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LM_API __attribute__((dllexport))
#else
#define LM_API __attribute__((visibility("default")))
#endif

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

enum { LM_MAX_SIDE = 16384 };

/* A plane that is read. */
typedef struct {
  const u8 *data;
  ptrdiff_t stride;
  i32 w, h;
} lm_plane;

/* A plane that is written, without padding between rows. */
typedef struct {
  u8 *data;
  i32 w, h;
} lm_out;

enum lm_layout { LM_I420 = 0, LM_I444 = 1, LM_RGB = 2 };
enum lm_order { LM_RGBA = 0, LM_BGRA = 1 };
enum lm_colour { LM_BT601_LIMITED = 0, LM_BT601_FULL = 1, LM_BT709_LIMITED = 2, LM_BT709_FULL = 3 };

/* common.c */
LM_API i32 lm_cpu_level(void);
LM_API size_t lm_scratch_bytes(i32 w, i32 h);

/* colour.c */
LM_API void lm_rgb_to_planes(const u8 *rgb, i32 w, i32 h, i32 layout, i32 colour, u8 *p0, u8 *p1, u8 *p2);
LM_API void lm_planes_to_rgb(const lm_plane *p, i32 layout, i32 colour, u8 *rgb);
LM_API void lm_rgba_to_planes(const u8 *rgba, i32 stride, i32 w, i32 h, i32 order, i32 layout, i32 colour, u8 *p0,
                              u8 *p1, u8 *p2);
LM_API void lm_split_chroma(const lm_plane *uv, u8 *u, u8 *v);
LM_API void lm_luma(const lm_plane *rgb, u8 *luma);
LM_API void lm_relight(const lm_plane *p, i32 layout, i32 colour, i32 red, i32 green, i32 blue, u8 *const *out,
                       void *scratch);

/* downscale.c */
LM_API void lm_downscale(const lm_plane *p, float *out, i32 w, i32 h, void *scratch);
LM_API void lm_halve(const lm_plane *p, u8 *out);
LM_API void lm_downscale_rgb(const lm_plane *p, i32 layout, i32 colour, float *out, i32 w, i32 h, i32 planar,
                             float *small, void *scratch);

/* matte.c */
LM_API void lm_temporal(const float *alpha, const float *luma, const float *before, const float *luma_before,
                        const float *moved, i32 w, i32 h, float *out, float *motion, void *scratch);
LM_API void lm_guided(const float *guide, i32 layout, const float *alpha, i32 w, i32 h, i32 reduce, i32 radius,
                      float epsilon, float gain, i16 *lines, void *scratch);
LM_API void lm_apply_guided(const i16 *lines, i32 w, i32 h, const lm_plane *p, i32 layout, u8 *alpha, void *scratch);
LM_API void lm_upsample(const float *alpha, i32 w, i32 h, lm_out out, void *scratch);

/* people.c */
LM_API void lm_who_stays(const float *alpha, const float *of_before, const float *shown_before, i32 w, i32 h,
                         float step, float leave, float enter, float *out, float *of, float *shown, void *scratch);
LM_API void lm_zone(const float *corners, i32 count, i32 w, i32 h, float inset, float soft, float *out, void *scratch);

/* room.c */
LM_API void lm_room(const float *rgb, const float *room, const float *alpha, i32 w, i32 h, float before, float step,
                    float *out, float *weight, void *scratch);

/* light.c */
LM_API void lm_gain(const float *rgb, i32 n, i32 planar, float *gain);

/* blur.c */
LM_API void lm_blur_plate(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float sigma, const lm_out *out,
                          void *scratch);
LM_API void lm_bokeh_plate(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float radius, const lm_out *out,
                           void *scratch);
LM_API void lm_foreground(const lm_plane *p, i32 layout, const u8 *alpha, i32 reduce, float sigma, u8 *const *out,
                          void *scratch);
LM_API void lm_wrap_map(const lm_plane *plate, i32 layout, const u8 *alpha, i32 w, i32 h, float sigma,
                        float strength, const lm_out *light, u8 *map, void *scratch);

/* crop.c */
LM_API void lm_crop(const lm_plane *p, i32 left, i32 top, i32 side, u8 *out, void *scratch);

/* composite.c */
LM_API void lm_composite(const lm_plane *p, i32 layout, const u8 *alpha, const lm_plane *plate, const lm_plane *light,
                         const lm_plane *wrap, u8 *const *out, void *scratch);

#endif
