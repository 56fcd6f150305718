/* The program train with degraded and self-blended pictures: runs repeat and resume to the bit; real pictures alone will do; what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "tests/support/tmp.h"
#include "tests/support/train_run.h"

#define ALL                                                                                                                                \
  "--set augmentation.self_blend=0.5 --set augmentation.color_probability=0.5 --set augmentation.blur_probability=0.5 "                    \
  "--set augmentation.downscale_probability=0.5 --set augmentation.noise_probability=0.5 --set augmentation.jpeg_probability=0.5 "         \
  "--set augmentation.cutout_probability=0.5"

static int set_up(void **state) {
  (void)state;
  return train_run_set_up("augment");
}

/* Other workers, a cache, and a run that went on after each epoch end with the same bits; without any of it the run is another. */
static void same_and_resumed(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --quiet --device ref --set data.workers=1 " ALL " --out $D/out/straight");
  RUN(0,
      "$T --config $D/tiny.json --quiet --device ref --set data.workers=3 --set data.cache=1M --set epochs=1 " ALL " --out $D/out/parts");
  RUN(0, "$T --resume $D/out/parts --quiet --device ref --set data.workers=2 --set epochs=2");
  RUN(0, "$T --resume $D/out/parts --quiet --device ref --set data.workers=4 --set epochs=3");
  assert_true(same_files("out/straight/last.safetensors", "out/parts/last.safetensors"));
  assert_true(same_files("out/straight/best.safetensors", "out/parts/best.safetensors"));
  RUN(2, "$T --resume $D/out/parts --set epochs=4 --set augmentation.jpeg_quality=[1,2]");
  SAYS("augmentation.jpeg_quality: cannot change in a run that is resumed");
  RUN(2, "$T --resume $D/out/parts --set epochs=4 --set augmentation.self_blend=1");
  SAYS("augmentation.self_blend: cannot change in a run that is resumed");
}

/* Nine reals and nine fakes to train on, three of each held out: twins are of the nine alone. */
static void says_what_it_does(void **state) {
  (void)state;
  RUN(0, "$T --config $D/tiny.json --set epochs=1 " ALL " --set augmentation.noise_sigma=4 --out $D/out/says");
  SAYS("training  23 pictures: fake 14, real 9");
  SAYS("held out  6 pictures: fake 3, real 3");
  SAYS("Degrade     colour (50%), blur 0.3 to 2 px (50%), downscale 0.3 to 0.9 (50%), noise 4 (50%), JPEG 30 to 95 (50%), cut-out 0.1 to "
       "0.3");
  SAYS("Self-blend  5 of the fakes are made of real pictures, anew each epoch; 0 with the face's points, the others as faces that fill");
  RUN(2, "$T --config $D/tiny.json --set augmentation.jpeg_quality=[90,30] --out $D/out/never");
  SAYS("augmentation.jpeg_quality: expected [low, high] with 1 <= low <= high <= 100, or one such number, got [90,30]");
  RUN(2, "$T --config $D/tiny.json --set augmentation.self_blend=2 --out $D/out/never");
  SAYS("augmentation.self_blend: expected a number from 0 to 1, got 2");
}

static void real_ones_alone(void **state) {
  (void)state;
  RUN(0, "mkdir -p $D/alone && cp -r $D/pics/real $D/alone/");
  RUN(1, "$T --config $D/tiny.json --set data.train_dir=$D/alone --out $D/out/never");
  SAYS("found 1 class folder (real), expected two, such as fake and real; with real ones alone, augmentation.self_blend=1 makes fakes");
  RUN(0, "$T --config $D/tiny.json --set data.train_dir=$D/alone --set augmentation.self_blend=1 --out $D/out/alone");
  SAYS("no fakes are held out: validation is on self-blended ones");
  SAYS("training  18 pictures: fake 9, real 9");
  SAYS("held out  6 pictures: fake 3, real 3");
  assert_true(um_is_file(in("out/alone/augmented.png")));
  assert_true(um_is_file(in("out/alone/best.safetensors")));
  /* Held-out fakes from elsewhere stay as they are. */
  RUN(0, "mkdir -p $D/few/real $D/other/fake $D/other/real && cp $D/pics/real/00[0-5].png $D/few/real/ && "
         "cp $D/pics/real/00[6-9].png $D/other/real/ && cp $D/pics/fake/00[6-9].png $D/other/fake/");
  RUN(0, "$T --config $D/tiny.json --set data.train_dir=$D/few --set augmentation.self_blend=1 --set data.validation_split=0 "
         "--set data.validation_dir=$D/other --set epochs=1 --out $D/out/elsewhere");
  SAYS("training  12 pictures: fake 6, real 6");
  SAYS("held out  8 pictures: fake 4, real 4");
  assert_null(strstr(said, "no fakes are held out"));
  RUN(0, "mkdir -p $D/named && cp -r $D/pics/real $D/named/a && cp -r $D/pics/fake $D/named/b");
  RUN(1, "$T --config $D/tiny.json --set data.train_dir=$D/named --set augmentation.self_blend=1 --out $D/out/never");
  SAYS("augmentation.self_blend: needs a class folder named real (and fake, or none): found a, b");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_and_resumed),
      cmocka_unit_test(says_what_it_does),
      cmocka_unit_test(real_ones_alone),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
