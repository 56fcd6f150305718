/* demo_clips: the films it makes (through FFmpeg's libraries), their labels, and that a seed fixes every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cjson/cJSON.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "core/file.h"
#include "data/image.h"
#include "tests/support/tmp.h"

static const char small[] = "--train 4 --test 3 --seconds 0.4 --size 160x120 --fps 10 2>/dev/null >/dev/null";

/* The exit status of demo_clips with these arguments and --out folder. */
static int run(const char *folder, const char *arguments) {
  char command[16384];
  const char *bin = getenv("UM_BIN");
  snprintf(command, sizeof command, "%s/demo_clips --out %s %s", bin ? bin : "bin", folder, arguments);
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static cJSON *metadata(const char *folder, const char *part) {
  char path[4096], *text;
  size_t size;
  um_error err;
  snprintf(path, sizeof path, "%s/%s/metadata.json", folder, part);
  assert_int_equal(um_file_read(&text, &size, path, 1 << 20, &err), UM_OK);
  cJSON *root = cJSON_Parse(text);
  free(text);
  assert_non_null(root);
  return root;
}

/* Frames of a film, decoded; codec, size and rate checked. */
static int count_frames(const char *path) {
  AVFormatContext *file = NULL;
  assert_int_equal(avformat_open_input(&file, path, NULL, NULL), 0);
  assert_true(avformat_find_stream_info(file, NULL) >= 0);
  assert_int_equal(file->nb_streams, 1);
  const AVStream *s = file->streams[0];
  if (avcodec_find_encoder_by_name("libx264")) assert_int_equal(s->codecpar->codec_id, AV_CODEC_ID_H264);
  assert_int_equal(s->codecpar->width, 160);
  assert_int_equal(s->codecpar->height, 120);
  assert_int_equal(av_cmp_q(s->avg_frame_rate, (AVRational){10, 1}), 0);
  const AVCodec *codec = avcodec_find_decoder(s->codecpar->codec_id);
  AVCodecContext *c = avcodec_alloc_context3(codec);
  AVPacket *packet = av_packet_alloc();
  AVFrame *frame = av_frame_alloc();
  assert_true(c && packet && frame);
  assert_true(avcodec_parameters_to_context(c, s->codecpar) >= 0);
  assert_int_equal(avcodec_open2(c, codec, NULL), 0);
  int frames = 0;
  for (bool more = true; more;) {
    more = av_read_frame(file, packet) >= 0;
    assert_true(avcodec_send_packet(c, more ? packet : NULL) >= 0);
    if (more) av_packet_unref(packet);
    while (avcodec_receive_frame(c, frame) >= 0) frames++;
  }
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&c);
  avformat_close_input(&file);
  return frames;
}

static void labels_and_films(void **state) {
  static const char *const parts[] = {"train", "heldout"};
  static const int clips[] = {4, 3}, reals[] = {2, 2};
  char path[8192];
  const char *folder = tmp_path("clips");
  (void)state;
  assert_int_equal(run(folder, small), 0);
  for (int p = 0; p < 2; p++) {
    cJSON *root = metadata(folder, parts[p]);
    const cJSON *c;
    int real = 0;
    assert_int_equal(cJSON_GetArraySize(root), clips[p]);
    cJSON_ArrayForEach(c, root) {
      const cJSON *original = cJSON_GetObjectItem(c, "original");
      assert_string_equal(cJSON_GetObjectItem(c, "split")->valuestring, p ? "test" : "train");
      if (!strcmp(cJSON_GetObjectItem(c, "label")->valuestring, "REAL")) {
        assert_true(cJSON_IsNull(original));
        real++;
      } else {
        /* The original is a real clip of the same part: identities do not cross over. */
        const cJSON *source = cJSON_GetObjectItem(root, original->valuestring);
        assert_string_equal(cJSON_GetObjectItem(c, "label")->valuestring, "FAKE");
        assert_non_null(source);
        assert_string_equal(cJSON_GetObjectItem(source, "label")->valuestring, "REAL");
      }
      snprintf(path, sizeof path, "%s/%s/%s", folder, parts[p], c->string);
      assert_int_equal(count_frames(path), 4);
    }
    assert_int_equal(real, reals[p]);
    cJSON_Delete(root);
  }
}

/* The same seed and any number of jobs: the same bytes. Another seed: others. */
static void seed_fixes_every_byte(void **state) {
  const char *a = tmp_path("a"), *b = tmp_path("b"), *c = tmp_path("c");
  char path[8192], arguments[256];
  char one[65], two[65];
  um_error err;
  (void)state;
  snprintf(arguments, sizeof arguments, "--jobs 1 --seed 5 %s", small);
  assert_int_equal(run(a, arguments), 0);
  snprintf(arguments, sizeof arguments, "--jobs 3 --seed 5 %s", small);
  assert_int_equal(run(b, arguments), 0);
  snprintf(arguments, sizeof arguments, "--seed 6 %s", small);
  assert_int_equal(run(c, arguments), 0);
  cJSON *root = metadata(a, "train"), *other = metadata(c, "train");
  const cJSON *clip;
  cJSON_ArrayForEach(clip, root) {
    snprintf(path, sizeof path, "%s/train/%s", a, clip->string);
    assert_int_equal(um_sha256_file(one, path, &err), UM_OK);
    snprintf(path, sizeof path, "%s/train/%s", b, clip->string);
    assert_int_equal(um_sha256_file(two, path, &err), UM_OK);
    assert_string_equal(one, two);
    assert_null(cJSON_GetObjectItem(other, clip->string));
  }
  cJSON_Delete(root), cJSON_Delete(other);
}

/* A fake is its original but for the inner face: nearly the same in the corners, not in the middle. */
static void fakes_differ_in_the_face(void **state) {
  const char *folder = tmp_path("pairs"), *stills = tmp_path("stills");
  char path[8192], arguments[8192];
  um_error err;
  (void)state;
  snprintf(arguments, sizeof arguments, "--stills %s --train 6 --test 0 --seconds 0.1 --size 240x180 2>/dev/null >/dev/null", stills);
  assert_int_equal(run(folder, arguments), 0);
  cJSON *root = metadata(folder, "train");
  const cJSON *clip;
  int pairs = 0;
  cJSON_ArrayForEach(clip, root) {
    const cJSON *original = cJSON_GetObjectItem(clip, "original");
    um_image fake = {0}, real = {0};
    double outer = 0, inner = 0;
    int outer_count = 0, inner_count = 0;
    if (!cJSON_IsString(original)) continue;
    snprintf(path, sizeof path, "%s/%.10s.png", stills, clip->string);
    assert_int_equal(um_image_read(&fake, path, &err), UM_OK);
    snprintf(path, sizeof path, "%s/%.10s.png", stills, original->valuestring);
    assert_int_equal(um_image_read(&real, path, &err), UM_OK);
    for (int y = 0; y < 180; y++)
      for (int x = 0; x < 240; x++) {
        int d = 0;
        for (int k = 0; k < 3; k++) d += abs(fake.pixels[(y * 240 + x) * 3 + k] - real.pixels[(y * 240 + x) * 3 + k]);
        if (y < 20 || x < 20 || x >= 220)
          outer += d, outer_count++;
        else if (y >= 70 && y < 110 && x >= 100 && x < 140)
          inner += d, inner_count++;
      }
    assert_true(inner / inner_count > 1.5 * outer / outer_count);
    um_image_free(&fake), um_image_free(&real);
    pairs++;
  }
  assert_int_equal(pairs, 3);
  cJSON_Delete(root);
}

static void wrong_usage(void **state) {
  const char *folder = tmp_path("usage"), *file = tmp_path("usage-file");
  (void)state;
  assert_int_equal(run(folder, "--train none 2>/dev/null"), 2);
  assert_int_equal(run(folder, "--size 161x120 2>/dev/null"), 2);
  assert_int_equal(run(folder, "--seconds 0 2>/dev/null"), 2);
  assert_int_equal(run(folder, "--nonsense 2>/dev/null"), 2);
  assert_int_equal(run(folder, "more 2>/dev/null"), 2);
  assert_int_equal(run(folder, "--help >/dev/null"), 0);
  assert_int_equal(run(folder, "--version >/dev/null"), 0);
  /* The folder cannot be made: a file is in its way. */
  tmp_write(file, "x", 1);
  assert_int_equal(run(file, small), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(labels_and_films), cmocka_unit_test(seed_fixes_every_byte),
                                     cmocka_unit_test(fakes_differ_in_the_face), cmocka_unit_test(wrong_usage)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
