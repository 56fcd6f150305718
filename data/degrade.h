/* What pictures go through on their way to a viewer, drawn anew for each sample: changed colours, blur, a smaller size and back, noise,
 * JPEG compression; and cut-out. On the resized picture, in the loader's workers, before the affine transform. */
#ifndef UM_DATA_DEGRADE_H
#define UM_DATA_DEGRADE_H

#include "core/config.h"
#include "core/rng.h"

/* A thread's memory for pictures of one size. */
typedef struct um_degrader um_degrader;

int um_degrader_open(um_degrader **out, int height, int width, um_error *err);
void um_degrader_close(um_degrader *d);

/* Whether the config asks for any of it. */
bool um_degrade_wanted(const um_augmentation_config *a);

/* Draws at `at` (stream DEGRADE) and does, in this order: colour (brightness, contrast, saturation, shift), blur, downscale, noise,
 * JPEG, cut-out, each where its own probability says so. pixels: height x width x 3 of the degrader's size, in place. */
int um_degrade(um_degrader *d, uint8_t *pixels, const um_augmentation_config *a, const um_rng *at, um_error *err);

/* The parts. n: pixels of 3 bytes. Equal to the byte to Pillow's ImageEnhance.Brightness, Contrast and Color. */
void um_adjust_brightness(uint8_t *rgb, size_t n, float factor);
void um_adjust_contrast(uint8_t *rgb, size_t n, float factor);
void um_adjust_saturation(uint8_t *rgb, size_t n, float factor);
/* Adds shift[c] to each value of channel c, clipped to 0..255. */
void um_shift_channels(uint8_t *rgb, size_t n, const int shift[3]);

/* In place: values of height x width x channels, edges repeated, the kernel cut off at int(3 sigma + 0.5): what
 * scipy.ndimage.gaussian_filter(mode="nearest", truncate=3) computes, in single precision. scratch: um_gaussian_scratch floats. */
void um_gaussian_blur(float *values, int height, int width, int channels, double sigma, float *scratch);
size_t um_gaussian_scratch(int height, int width, int channels, double sigma);

/* um_gaussian_blur of a picture, rounded; sigma up to 20. */
void um_blur(um_degrader *d, uint8_t *pixels, double sigma);

/* Down to height_small x width_small and up again, both as Pillow resizes. */
int um_downscale(um_degrader *d, uint8_t *pixels, int height_small, int width_small, um_interpolation how, um_error *err);

/* Adds Gaussian noise, rounded and clipped. Of the words at `at` from draw 1024 on, each one's bits 0-9, 10-19 and 20-29 choose three
 * values of 1024, which part the normal distribution into equal shares. */
void um_add_noise(const um_degrader *d, uint8_t *pixels, size_t bytes, double sigma, const um_rng *at);
/* The k-th of those values for sigma = 1. */
float um_noise_level(const um_degrader *d, int k);

/* Compresses with libjpeg's defaults for the quality (chroma at half the size) and decodes again. */
int um_compress_jpeg(um_degrader *d, uint8_t *pixels, int quality, um_error *err);

/* Fills the rectangle, clipped to the picture, with value. */
void um_cut_out(uint8_t *pixels, int height, int width, int top, int left, int bottom, int right, uint8_t value);

#endif
