/* What a verdict depends on beside model, settings and inputs: the program, its libraries, the machine, the face detector's files. */
#include "infer/infer.h"

#include <ctype.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <dnnl.h>
#include <jpeglib.h>
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libswscale/swscale.h>
#include <png.h>

#include "core/cpu/dnnl_compat.h"
#include "core/file.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

static void version(evidence *e, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void version(evidence *e, const char *name, const char *format, ...) {
  va_list args;
  if (e->libraries == LIBRARIES) return;
  library *l = &e->library[e->libraries++];
  l->name = name;
  va_start(args, format);
  vsnprintf(l->version, sizeof l->version, format, args);
  va_end(args);
}

static void three(evidence *e, const char *name, unsigned v) { version(e, name, "%u.%u.%u", v >> 16, v >> 8 & 255, v & 255); }

static void take_libraries(evidence *e) {
  const dnnl_version_t *v = dnnl_version();
  version(e, "FFmpeg", "%s", av_version_info());
  three(e, "libavformat", avformat_version());
  three(e, "libavcodec", avcodec_version());
  three(e, "libavfilter", avfilter_version());
  three(e, "libavutil", avutil_version());
  three(e, "libswscale", swscale_version());
  version(e, "oneDNN", "%d.%d.%d", v->major, v->minor, v->patch);
  version(e, "libpng", "%s", png_get_libpng_ver(NULL));
#ifdef LIBJPEG_TURBO_VERSION
  version(e, "libjpeg-turbo", "%s", STRING(LIBJPEG_TURBO_VERSION));
#else
  version(e, "libjpeg", "%d", JPEG_LIB_VERSION);
#endif
  version(e, "glibc", "%s", gnu_get_libc_version());
}

const char *evidence_version(const evidence *e, const char *name) {
  for (int i = 0; i < e->libraries; i++)
    if (!strcmp(e->library[i].name, name)) return e->library[i].version;
  return "";
}

/* The value behind "key : " in /proc/cpuinfo; "" where there is none. */
static void processor_says(char *out, size_t size, const char *key) {
  char text[8192];
  FILE *f = fopen("/proc/cpuinfo", "r");
  const size_t n = strlen(key);
  *out = 0;
  while (f && !*out && fgets(text, sizeof text, f)) {
    const char *v = strchr(text, ':');
    if (strncmp(text, key, n) || !v || (!isspace((unsigned char)text[n]) && text[n] != ':')) continue;
    v += 1 + strspn(v + 1, " \t");
    snprintf(out, size, "%.*s", (int)strcspn(v, "\n"), v);
  }
  if (f) fclose(f);
}

static bool has_word(const char *text, const char *word) {
  const size_t n = strlen(word);
  for (const char *p = text; (p = strstr(p, word)); p += n)
    if ((p == text || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
  return false;
}

static void take_machine(evidence *e, const scorer *s) {
  static const struct {
    const char *flag, *name;
  } feature[] = {{"sse4_1", "SSE4.1"},    {"avx", "AVX"},          {"avx2", "AVX2"},
                 {"fma", "FMA"},          {"avx512f", "AVX-512"},  {"avx512bw", "AVX-512BW"},
                 {"avx512_vnni", "VNNI"}, {"avx512_bf16", "BF16"}, {"amx_tile", "AMX"},
                 {"asimd", "NEON"},       {"sve", "SVE"}};
  char flags[8192];
  processor_says(e->processor, sizeof e->processor, "model name");
  processor_says(flags, sizeof flags, "flags");
  if (!*flags) processor_says(flags, sizeof flags, "Features");
  for (size_t i = 0, at = 0; i < sizeof feature / sizeof *feature; i++)
    if (has_word(flags, feature[i].flag))
      at += (size_t)snprintf(e->instructions + at, sizeof e->instructions - at, "%s%s", at ? ", " : "", feature[i].name);
  e->onednn_isa = um_dnnl_isa();
  snprintf(e->backend, sizeof e->backend, "%s", s->backend->ops->name);
  if (s->backend->ops->wait) s->backend->ops->describe(s->backend, e->device, sizeof e->device);
}

/* Of a file whose path is there. */
static int take_file(used_file *f, um_error *err) {
  const stamp st = stamp_of(f->path);
  f->bytes = st.bytes;
  return hash_file(f->sha256, f->path, &st, err);
}

static int take_detector(evidence *e, const scorer *s, um_error *err) {
  char path[UM_DETECTOR_FILES][4096];
  int rc = um_detector_files(path, &e->detector_files, s->preprocess.faces.detector, err);
  for (int i = 0; !rc && i < e->detector_files; i++) {
    memcpy(e->detector[i].path, path[i], sizeof path[i]);
    rc = take_file(&e->detector[i], err);
  }
  return rc;
}

int evidence_take(evidence *e, const scorer *s, const options *o, int batch, um_error *err) {
  const time_t now = time(NULL);
  struct tm utc;
  used_file self = {.path = "/proc/self/exe"};
  um_error ignored;
  *e = (evidence){.batch = batch, .threads = s->backend->threads, .jobs = o->jobs, .command = o->command, .words = o->words};
  if (gmtime_r(&now, &utc)) strftime(e->started, sizeof e->started, "%Y-%m-%dT%H:%M:%SZ", &utc);
#ifdef __clang__
  snprintf(e->compiler, sizeof e->compiler, "%s", __VERSION__);
#else
  snprintf(e->compiler, sizeof e->compiler, "gcc %s", __VERSION__);
#endif
  /* Where /proc is not there the build is known by its version alone. */
  if (take_file(&self, &ignored) == UM_OK) memcpy(e->program_sha256, self.sha256, sizeof self.sha256);
  take_libraries(e);
  take_machine(e, s);
  return o->faces_are_cut ? UM_OK : take_detector(e, s, err);
}
