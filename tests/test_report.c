/* infer --report: the page as expat reads it, what it may not hold, hostile names, pictures and numbers in it against JSON's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/checkpoint.h"
#include "core/file.h"
#include "data/image.h"
#include "infer/html.c"
#include "tests/support/clip.h"
#include "tests/support/infer_run.h"
#include "tests/support/scene.h"
#include "tests/support/tmp.h"

/* ---- html.h ---- */

static const char *written; /* of the last call of html_to */
static char buffer[4096];
static FILE *begin(void) {
  FILE *f = fmemopen(buffer, sizeof buffer, "w");
  assert_non_null(f);
  return f;
}
static void end(FILE *f) {
  const long n = ftell(f);
  assert_int_equal(fclose(f), 0);
  buffer[n] = 0;
  written = buffer;
}

static void escaped(void **state) {
  static const struct {
    const char *in, *out;
  } of[] = {{"a.mp4", "a.mp4"},
            {"", ""},
            {"<script>alert('1')</script>", "&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;"},
            {"\" onload=\"x&amp;", "&#34; onload=&#34;x&#38;amp;"},
            {"]]>-->", "]]&#62;--&#62;"},
            {"line\nend\r\t", "line\\nend\\r\\t"},
            {"\x01\x1b[31m\x7f", "\\x01\\x1b[31m\\x7f"},
            {"gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0 \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0 \xf0\x9f\x98\x80"}, /* UTF-8 stays */
            {"\xff\xfe", "\\xff\\xfe"},
            {"\xc0\xaf", "\\xc0\\xaf"},                   /* '/' in two bytes */
            {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},          /* in three */
            {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
            {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
            {"\xe4\xbd", "\\xe4\\xbd"},                   /* cut off */
            {"\xe4<", "\\xe4&#60;"},                      /* may not swallow what follows */
            {"fake\xe2\x80\xae"
             "4pm",
             "fake\\u202e4pm"}, /* turns the rest around */
            {"a\xe2\x80\x8b"
             "b\xef\xbb\xbf",
             "a\\u200bb\\ufeff"},
            {"\xef\xbf\xbf\xc2\x85", "\\uffff\\u0085"}};
  (void)state;
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    FILE *f = begin();
    html_text(f, of[i].in);
    end(f);
    assert_string_equal(written, of[i].out);
  }
}

static void formatted(void **state) {
  (void)state;
  FILE *f = begin();
  html(f, "<p class=\"%s\">%d%% %.2f %5d %lld %zu %g %x %.*f</p>%s|%.2s|%.*s|", "a\"b", -3, 1.005, 42, 1LL << 40, (size_t)7, .5, 255, 3,
       2.5, "<", "\xc3\xbc!", 2, "<b>");
  end(f);
  assert_string_equal(written, "<p class=\"a&#34;b\">-3% 1.00    42 1099511627776 7 0.5 ff 2.500</p>&#60;|\xc3\xbc|&#60;b|");
  f = begin();
  html(f, "%.1s", "\xc3\xbc"); /* half a character is none */
  end(f);
  assert_string_equal(written, "\\xc3");
}

/* The examples of RFC 4648, section 10, and bytes above 127. */
static void base64(void **state) {
  static const char *const of[][2] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "/+++"}};
  (void)state;
  for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
    FILE *f = begin();
    html_base64(f, of[i][0], strlen(of[i][0]));
    end(f);
    assert_string_equal(written, of[i][1]);
  }
}

/* ---- the page ---- */

enum { IMAGES = 400, VALUES = 4000, IDS = 400 };

/* What expat finds in a page. */
typedef struct found {
  char *text; /* all of it, and for each picture its description */
  size_t length;
  char *style;
  size_t style_length;
  int depth_style, images, values, ids, hrefs, articles, rows, external;
  um_image image[IMAGES];
  double value[VALUES];
  char *id[IDS], *href[IDS];
  char policy[512], lang[16];
  bool viewport, title, table_without_caption;
  int headings[7], last_heading, skipped_heading, tables, captions, header_cells, pictures_without_words;
} found;

static void add_text(found *p, const char *s, size_t n) {
  p->text = realloc(p->text, p->length + n + 1);
  assert_non_null(p->text);
  memcpy(p->text + p->length, s, n), p->length += n, p->text[p->length] = 0;
}

static void add_style(found *p, const char *s, size_t n) {
  p->style = realloc(p->style, p->style_length + n + 1);
  assert_non_null(p->style);
  memcpy(p->style + p->style_length, s, n), p->style_length += n, p->style[p->style_length] = 0;
}

static const char *attribute(const char **a, const char *name) {
  for (; *a; a += 2)
    if (!strcmp(a[0], name)) return a[1];
  return NULL;
}

/* The bytes of base64, by its definition. */
static size_t decode64(uint8_t *out, const char *text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t n = 0;
  unsigned bits = 0;
  int have = 0;
  for (; *text && *text != '='; text++) {
    const char *d = strchr(digits, *text);
    assert_non_null(d);
    bits = bits << 6 | (unsigned)(d - digits), have += 6;
    if (have >= 8) out[n++] = (uint8_t)(bits >> (have -= 8));
  }
  return n;
}

static void take_image(found *p, const char **a) {
  static const char head[] = "data:image/jpeg;base64,";
  const char *src = attribute(a, "src"), *alt = attribute(a, "alt");
  um_error err;
  assert_true(src && p->images < IMAGES && !strncmp(src, head, strlen(head)));
  p->pictures_without_words += !alt || !*alt;
  if (alt) add_text(p, alt, strlen(alt));
  uint8_t *bytes = malloc(strlen(src));
  const size_t n = decode64(bytes, src + strlen(head));
  um_image *im = &p->image[p->images++];
  assert_int_equal(um_image_decode(im, bytes, n, "picture", &err), UM_OK);
  assert_int_equal(atoi(attribute(a, "width")), im->width);
  assert_int_equal(atoi(attribute(a, "height")), im->height);
  free(bytes);
}

/* No attribute that runs or loads anything. */
static void check_attributes(found *p, const char *name, const char **a) {
  for (; *a; a += 2) {
    assert_true(strncmp(a[0], "on", 2) != 0 && strcmp(a[0], "srcset") != 0 && strcmp(a[0], "action") != 0);
    if (!strcmp(a[0], "href") || !strcmp(a[0], "xlink:href")) {
      assert_true(a[1][0] == '#' && p->hrefs < IDS);
      p->href[p->hrefs++] = strdup(a[1] + 1);
    }
    if (!strcmp(a[0], "src")) assert_string_equal(name, "img");
    if (!strncmp(a[0], "xmlns", 5)) continue; /* a name, which nobody fetches */
    p->external += strstr(a[1], "http:") || strstr(a[1], "https:") || strstr(a[1], "url(") || strstr(a[1], "javascript:");
  }
}

static void XMLCALL on_start(void *arg, const char *name, const char **a) {
  static const char *const never[] = {"script", "iframe", "object", "embed",         "link", "base",
                                      "form",   "input",  "frame",  "foreignObject", "video"};
  found *p = arg;
  for (size_t i = 0; i < sizeof never / sizeof *never; i++) assert_string_not_equal(name, never[i]);
  check_attributes(p, name, a);
  if (!strcmp(name, "img")) take_image(p, a);
  if (!strcmp(name, "style")) p->depth_style++;
  if (!strcmp(name, "html")) snprintf(p->lang, sizeof p->lang, "%s", attribute(a, "lang"));
  if (!strcmp(name, "title")) p->title = true;
  if (!strcmp(name, "article")) p->articles++;
  if (!strcmp(name, "tr")) p->rows++;
  if (!strcmp(name, "table")) p->tables++;
  if (!strcmp(name, "caption")) p->captions++;
  if (!strcmp(name, "th")) p->header_cells++, assert_non_null(attribute(a, "scope"));
  if (name[0] == 'h' && name[1] >= '1' && name[1] <= '6' && !name[2]) {
    const int level = name[1] - '0';
    p->headings[level]++, p->skipped_heading += level > p->last_heading + 1, p->last_heading = level;
  }
  if (!strcmp(name, "data")) {
    assert_true(p->values < VALUES);
    p->value[p->values++] = strtod(attribute(a, "value"), NULL);
  }
  if (!strcmp(name, "meta") && attribute(a, "http-equiv")) snprintf(p->policy, sizeof p->policy, "%s", attribute(a, "content"));
  if (!strcmp(name, "meta") && attribute(a, "name")) p->viewport |= !strcmp(attribute(a, "name"), "viewport");
  if (attribute(a, "id")) {
    assert_true(p->ids < IDS);
    for (int i = 0; i < p->ids; i++) assert_string_not_equal(p->id[i], attribute(a, "id"));
    p->id[p->ids++] = strdup(attribute(a, "id"));
  }
}

static void XMLCALL on_end(void *arg, const char *name) {
  found *p = arg;
  if (!strcmp(name, "style")) p->depth_style--;
}

static void XMLCALL on_text(void *arg, const char *s, int n) {
  found *p = arg;
  if (p->depth_style)
    add_style(p, s, (size_t)n);
  else
    add_text(p, s, (size_t)n);
}

/* Reads the page, and checks what holds for all. */
static void read_page(found *p, const char *folder) {
  char path[1024], *text;
  size_t size;
  um_error err;
  *p = (found){0};
  snprintf(path, sizeof path, "%s/index.html", folder);
  assert_int_equal(um_file_read(&text, &size, path, 1u << 28, &err), UM_OK);
  XML_Parser x = XML_ParserCreate("UTF-8");
  XML_SetUserData(x, p);
  XML_SetElementHandler(x, on_start, on_end);
  XML_SetCharacterDataHandler(x, on_text);
  if (XML_Parse(x, text, (int)size, 1) != XML_STATUS_OK) fail_msg("no XML: %s", XML_ErrorString(XML_GetErrorCode(x)));
  XML_ParserFree(x);
  free(text);
  assert_true(p->title && p->viewport && !p->external);
  assert_string_equal(p->lang, "en");
  assert_null(strstr(p->style, "url("));
  assert_null(strstr(p->style, "@import"));
  assert_non_null(strstr(p->policy, "default-src 'none'"));
  assert_int_equal(p->headings[1], 1);
  assert_int_equal(p->skipped_heading, 0);
  assert_int_equal(p->tables, p->captions);
  assert_true(p->header_cells >= p->tables && p->pictures_without_words == 0);
  for (int i = 0; i < p->hrefs; i++) {
    bool there = false;
    for (int k = 0; k < p->ids; k++) there |= !strcmp(p->href[i], p->id[k]);
    if (!there) fail_msg("#%s is nowhere", p->href[i]);
  }
}

static void free_page(found *p) {
  for (int i = 0; i < p->images; i++) um_image_free(&p->image[i]);
  for (int i = 0; i < p->ids; i++) free(p->id[i]);
  for (int i = 0; i < p->hrefs; i++) free(p->href[i]);
  free(p->text), free(p->style);
}

static bool has_value(const found *p, double v) {
  for (int i = 0; i < p->values; i++)
    if (p->value[i] == v) return true;
  return false;
}

/* A plot stands in the page and beside it: the SVG is XML, the PNG a picture of twice its size. */
static void check_plot(const found *p, const char *folder, const char *name) {
  char path[1200], words[256], *text;
  size_t size;
  um_image im = {0};
  um_error err;
  int width = 0, height = 0;
  snprintf(words, sizeof words, "%s.svg, %s.png", name, name);
  assert_non_null(strstr(p->text, words));
  snprintf(path, sizeof path, "%s/%s.svg", folder, name);
  assert_int_equal(um_file_read(&text, &size, path, 1u << 26, &err), UM_OK);
  XML_Parser x = XML_ParserCreate(NULL);
  assert_int_equal(XML_Parse(x, text, (int)size, 1), XML_STATUS_OK);
  XML_ParserFree(x);
  assert_int_equal(sscanf(strstr(text, " width="), " width=\"%d\" height=\"%d\"", &width, &height), 2);
  free(text);
  snprintf(path, sizeof path, "%s/%s.png", folder, name);
  assert_int_equal(um_image_read(&im, path, &err), UM_OK);
  assert_true(abs(im.width - 2 * width) <= 2 && abs(im.height - 2 * height) <= 2);
  um_image_free(&im);
}

static double number(const cJSON *o, const char *key) { return infer_get(o, key)->valuedouble; }

/* Every number of the results is in the page, all digits of it. */
static void check_numbers(const found *p, const cJSON *root) {
  const cJSON *r, *s;
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    if (cJSON_IsNull(infer_get(r, "score"))) continue;
    assert_true(has_value(p, number(r, "score")));
    cJSON_ArrayForEach(s, infer_get(r, "seconds")) assert_true(has_value(p, number(s, "score")));
    cJSON_ArrayForEach(s, infer_get(r, "people")) assert_true(has_value(p, number(s, "score")));
  }
  const cJSON *metrics = infer_get(root, "metrics"), *kind, *m;
  if (cJSON_IsNull(metrics)) return;
  static const char *const kinds[] = {"frame", "video"};
  for (int i = 0; i < 2; i++) {
    kind = infer_get(metrics, kinds[i]);
    for (m = infer_get(kind, "accuracy"); m && strcmp(m->string, "confusion"); m = m->next)
      if (cJSON_IsNumber(m)) assert_true(has_value(p, m->valuedouble));
    cJSON_ArrayForEach(m, infer_get(kind, "intervals")) {
      if (!cJSON_IsArray(m)) continue;
      assert_true(has_value(p, m->child->valuedouble) && has_value(p, m->child->next->valuedouble));
    }
  }
}

/* A 32 x 32 face that is grey but for a square, whose redness makes the score. */
static void write_face(const char *path, int redness) {
  uint8_t pixels[32 * 32 * 3];
  const um_image im = {.pixels = pixels, .width = 32, .height = 32};
  um_error err;
  memset(pixels, 128, sizeof pixels);
  for (int y = 8; y < 24; y++)
    for (int x = 8; x < 24; x++)
      pixels[(y * 32 + x) * 3] = (uint8_t)(128 + redness), pixels[(y * 32 + x) * 3 + 1] = (uint8_t)(128 - redness);
  assert_int_equal(um_image_write_png(&im, path, &err), UM_OK);
}

/* Names that try to be markup, to break lines, to hide what they are; what the page calls them. */
static const struct {
  const char *file, *shown;
} hostile[] = {{"\"><img src=x onerror=alert(1)>.png", "\"><img src=x onerror=alert(1)>.png"},
               {"<script>alert('a')&lt;.png", "<script>alert('a')&lt;.png"},
               {"two\nlines.png", "two\\nlines.png"},
               {"\xff\xc0\xaf.png", "\\xff\\xc0\\xaf.png"},
               {"fak\xe2\x80\xae"
                "gnp.png",
                "fak\\u202egnp.png"},
               {"]]>--><!--.png", "]]>--><!--.png"},
               {"%s%n&#0;&bogus;.png", "%s%n&#0;&bogus;.png"}};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* tmp_path that lasts. */
static const char *lasting(char out[1024], const char *name) {
  snprintf(out, 1024, "%s", tmp_path(name));
  return out;
}

static void names(void **state) {
  char model[1024], folder[1024], out[1024], json[1024], from[1024], to[1024], name[256];
  (void)state;
  infer_heat_model(lasting(model, "names.safetensors"), "fake", "real", -9, 1, false);
  lasting(folder, "<b>set & \"co\""), lasting(out, "names report"), lasting(json, "names.json");
  for (int i = 0; i < HOSTILE; i++) {
    write_face(lasting(from, "a face.png"), 10 * i);
    snprintf(name, sizeof name, "<b>set & \"co\"/%s/%s", i % 2 ? "real" : "fake", hostile[i].file);
    assert_int_equal(rename(from, lasting(to, name)), 0);
  }
  tmp_write(lasting(to, "<b>set & \"co\"/real/<i>broken.png"), "no picture", 10);
  assert_int_equal(
      infer_run("--model %s --faces-are-cut --quiet --labels folders --report '%s' --json %s '%s' 2>/dev/null", model, out, json, folder),
      3);
  found p;
  read_page(&p, out);
  cJSON *root = infer_json(json);
  check_numbers(&p, root);
  for (int i = 0; i < HOSTILE; i++) assert_non_null(strstr(p.text, hostile[i].shown));
  assert_non_null(strstr(p.text, "<i>broken.png"));
  assert_non_null(strstr(p.text, "<b>set & \"co\""));
  assert_int_equal(p.articles, HOSTILE + 1);
  static const char *const plots[] = {"roc", "precision-recall", "reliability", "scores"};
  for (int i = 0; i < 4; i++) check_plot(&p, out, plots[i]);
  cJSON_Delete(root);
  free_page(&p);
}

/* The mean of how much redder than green a part of a picture is. */
static double redder(const um_image *im, int x0, int y0, int x1, int y1) {
  double sum = 0;
  for (int y = y0; y < y1; y++)
    for (int x = x0; x < x1; x++) sum += im->pixels[(y * im->width + x) * 3] - im->pixels[(y * im->width + x) * 3 + 1];
  return sum / (y1 - y0) / (x1 - x0);
}

/* One face: the two pictures are the face and its heat, which lies in the square. */
static void pictures(void **state) {
  char model[1024], face[1024], out[1024], json[1024];
  (void)state;
  infer_heat_model(lasting(model, "one.safetensors"), "real", "fake", 9, -.5, false);
  write_face(lasting(face, "one.png"), 60);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --report %s --json %s %s", model, lasting(out, "deep/one"),
                             lasting(json, "one.json"), face),
                   0);
  found p;
  read_page(&p, out);
  cJSON *root = infer_json(json);
  check_numbers(&p, root);
  assert_int_equal(p.images, 2);
  const um_image *plain = &p.image[0], *heat = &p.image[1];
  assert_true(plain->width == 256 && plain->height == 256 && heat->width == 256 && heat->height == 256);
  assert_true(fabs(redder(plain, 80, 80, 176, 176) - 120) < 4 && fabs(redder(plain, 8, 8, 248, 40)) < 2);
  assert_true(redder(heat, 80, 80, 176, 176) - redder(plain, 80, 80, 176, 176) < -5 || redder(heat, 80, 80, 176, 176) > 125);
  double apart = 0;
  for (int i = 0; i < 40 * 256 * 3; i++) apart = fmax(apart, abs(plain->pixels[i] - heat->pixels[i])); /* no heat: the face as it is */
  assert_true(apart < 12);
  assert_non_null(strstr(p.text, infer_get(infer_get(root, "model"), "sha256")->valuestring));
  assert_non_null(strstr(p.text, model));
  cJSON_Delete(root);
  free_page(&p);
}

/* More inputs than are shown in all detail: of labelled ones the most mistaken of each kind, else the highest scores. */
static void many(void **state) {
  enum { FACES = 130 };
  char model[1024], folder[1024], out[1024], json[1024], name[64];
  (void)state;
  infer_heat_model(lasting(model, "many.safetensors"), "real", "fake", 20, -2, false);
  lasting(folder, "many"), lasting(out, "many report"), lasting(json, "many.json");
  for (int i = 0; i < FACES; i++) {
    snprintf(name, sizeof name, "many/%s/%03d.png", i % 2 ? "real" : "fake", i);
    write_face(tmp_path(name), (i * 37 % FACES) / 2);
  }
  for (int labels = 0; labels < 2; labels++) {
    assert_int_equal(infer_run("--model %s --faces-are-cut --quiet %s --report '%s' --report-details 10 --json %s %s", model,
                               labels ? "--labels folders" : "", out, json, folder),
                     0);
    found p;
    read_page(&p, out);
    cJSON *root = infer_json(json);
    const cJSON *results = infer_get(root, "results");
    check_numbers(&p, root);
    assert_int_equal(p.articles, 10);
    assert_non_null(strstr(p.text, "10 of 130"));
    /* Which they are: none that is left out would come before one that is shown. */
    double least[2] = {2, 2}, most[2] = {-1, -1};
    int shown[2] = {0, 0}, index = 0;
    for (const cJSON *r = results->child; r; r = r->next, index++) {
      const bool fake = labels && !strcmp(infer_get(r, "label")->valuestring, "fake");
      const double weight = fake ? 1 - number(r, "score") : number(r, "score");
      bool here = false;
      snprintf(name, sizeof name, "n%d", index + 1);
      for (int i = 0; i < p.ids; i++) here |= !strcmp(p.id[i], name);
      shown[fake] += here;
      if (here) least[fake] = fmin(least[fake], weight);
      if (!here) most[fake] = fmax(most[fake], weight);
    }
    assert_int_equal(shown[1], labels ? 5 : 0);
    assert_int_equal(shown[0], labels ? 5 : 10);
    for (int k = 0; k <= labels; k++) assert_true(least[k] >= most[k]);
    cJSON_Delete(root);
    free_page(&p);
  }
}

/* A calibrated model with a band: verdicts counted by label, scores before and after, and what it was calibrated on. */
static void calibrated(void **state) {
  enum { FACES = 40 };
  const um_calibration c = {.method = UM_CALIBRATION_PLATT,
                            .slope = .7,
                            .offset = -.3,
                            .band = true,
                            .fake_above = .6,
                            .real_below = .35,
                            .false_alarms = .05,
                            .misses = .1,
                            .real = 403,
                            .fake = 409};
  char model[1024], folder[1024], out[1024], json[1024], name[64], words[256];
  (void)state;
  infer_calibrated_model(lasting(model, "calibrated.safetensors"), "real", "fake", 80, -2.5f, false, &c);
  lasting(folder, "calibrated"), lasting(out, "calibrated report"), lasting(json, "calibrated.json");
  for (int i = 0; i < FACES; i++) {
    snprintf(name, sizeof name, "calibrated/%s/%03d.png", i % 3 ? "real" : "fake", i);
    write_face(tmp_path(name), i * 17 % FACES);
  }
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --labels folders --report '%s' --json %s %s", model, out, json, folder),
                   0);
  found p;
  read_page(&p, out);
  cJSON *root = infer_json(json);
  const cJSON *r;
  int of[2][4] = {{0}, {0}};
  check_numbers(&p, root);
  cJSON_ArrayForEach(r, infer_get(root, "results")) {
    const bool fake = !strcmp(infer_get(r, "label")->valuestring, "fake");
    for (int v = 0; v < 4; v++) of[fake][v] += !strcmp(infer_get(r, "verdict")->valuestring, um_verdict_name((um_verdict)v));
    assert_true(has_value(&p, number(r, "raw_score")) && number(r, "raw_score") != number(r, "score"));
    if (cJSON_IsString(infer_get(r, "reason"))) assert_non_null(strstr(p.text, infer_get(r, "reason")->valuestring));
  }
  for (int l = 0; l < 2; l++) {
    assert_true(of[l][UM_VERDICT_FAKE] && of[l][UM_VERDICT_UNCERTAIN] && of[l][UM_VERDICT_REAL]);
    snprintf(words, sizeof words, "Labelled %s%d%d%d%d\n", l ? "fake" : "real", of[l][UM_VERDICT_FAKE], of[l][UM_VERDICT_UNCERTAIN],
             of[l][UM_VERDICT_REAL], of[l][UM_VERDICT_NONE]);
    assert_non_null(strstr(p.text, words));
  }
  assert_non_null(strstr(p.text, "403 real and 409 fake"));
  assert_non_null(strstr(p.text, "scores above 0.6000, as at most 5 %"));
  assert_non_null(strstr(p.text, "scores below 0.3500, as at most 10 %"));
  assert_null(strstr(p.text, "not calibrated"));
  cJSON_Delete(root);
  free_page(&p);
}

static void draw_people(uint8_t *grey, int width, int height, int i, void *arg) {
  (void)arg;
  scene_draw(grey, width, height, scene_faces, i % 5 ? 2 : 1);
  for (int k = 0; k < width * height; k++) grey[k] = (uint8_t)(grey[k] * (100 - i * 7 % 12 * 2) / 100);
}

/* A video of two people, with the pictures of --explain beside; a name that a shell would take apart. */
static void video(void **state) {
  char model[1024], clip_path[1024], out[1024], json[1024], explain[1024], words[64];
  int time[20];
  (void)state;
  for (int i = 0; i < 20; i++) time[i] = 150 * i + (i % 3 == 1 ? 40 : 0); /* pictures are not where the sampling is */
  infer_heat_model(lasting(model, "video.safetensors"), "fake", "real", 9, -12, true);
  const clip c = {.path = lasting(clip_path, "two & <people>.mp4"),
                  .width = SCENE_WIDTH,
                  .height = SCENE_HEIGHT,
                  .frames = 20,
                  .rate = 4,
                  .time = time,
                  .draw = draw_people};
  clip_write(&c);
  assert_int_equal(infer_run("--model %s --quiet --report %s --explain %s --explain-faces 3 --json %s '%s'", model, lasting(out, "video"),
                             lasting(explain, "explain"), lasting(json, "video.json"), clip_path),
                   0);
  found p;
  read_page(&p, out);
  cJSON *root = infer_json(json);
  const cJSON *r = infer_get(root, "results")->child, *picture, *s;
  check_numbers(&p, root);
  assert_int_equal(cJSON_GetArraySize(infer_get(r, "people")), 2);
  assert_true(cJSON_GetArraySize(infer_get(r, "seconds")) > 0);
  assert_int_equal(p.images, 2 * 3);
  check_plot(&p, out, "timeline-0001");
  assert_null(strstr(p.text, "roc.svg"));
  cJSON_ArrayForEach(picture, infer_get(r, "pictures")) {
    const cJSON *d = infer_get(r, "detail")->child;
    while (d && (number(d, "frame") != number(picture, "frame") || number(d, "track") != number(picture, "track"))) d = d->next;
    assert_true(d && has_value(&p, number(picture, "score")));
    /* A person looks for it in the video: at the picture's own time. */
    assert_true(fabs(number(d, "shown_s") - time[(int)number(d, "frame")] / 600.) < 1e-3);
    snprintf(words, sizeof words, "Face at %.2f s, ", number(d, "shown_s"));
    assert_non_null(strstr(p.text, words));
  }
  cJSON_ArrayForEach(s, infer_get(r, "seconds")) {
    snprintf(words, sizeof words, "%.2f s%.2f s", number(s, "start_s"), number(s, "end_s"));
    assert_non_null(strstr(p.text, words));
  }
  cJSON_Delete(root);
  free_page(&p);
}

/* A model without a convolution has no heat maps: the page says so. Folders that cannot be, numbers that are none. */
static void refused(void **state) {
  char model[1024], face[1024], out[1024], file[1024];
  (void)state;
  infer_model(lasting(model, "plain.safetensors"), "fake", "real");
  write_face(lasting(face, "plain.png"), 20);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --report %s %s", model, lasting(out, "plain"), face), 0);
  found p;
  read_page(&p, out);
  assert_int_equal(p.images, 1);
  assert_non_null(strstr(p.text, "no convolution"));
  assert_null(strstr(p.text, "--force"));
  free_page(&p);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --aggregate median --force --report %s %s 2>/dev/null", model, out, face),
                   0);
  read_page(&p, out);
  assert_non_null(strstr(p.text, "Not as the model was trained: --aggregate median (the model's: mean)"));
  free_page(&p);
  tmp_write(lasting(file, "report.txt"), "x", 1);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --report %s/below %s 2>/dev/null", model, file, face), 1);
  assert_int_equal(infer_run("--model %s --faces-are-cut --quiet --report %s --report-details 0 %s 2>/dev/null", model, out, face), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(escaped),    cmocka_unit_test(formatted), cmocka_unit_test(base64),
                                     cmocka_unit_test(names),      cmocka_unit_test(pictures),  cmocka_unit_test(many),
                                     cmocka_unit_test(calibrated), cmocka_unit_test(video),     cmocka_unit_test(refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
