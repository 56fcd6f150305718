/* doctor: what is here, what is missing, and what to do about it. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <dnnl.h>
#include <expat.h>
#include <hdf5.h>
#include <jpeglib.h>
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libswscale/swscale.h>
#include <png.h>

#include "core/config.h"
#include "core/file.h"
#include "core/log.h"
#include "faces/haar.h"
#include "weights/weights.h"

enum { COLUMNS = 80, INDENT = 18 };

/* What was found wrong: needed things end the program with 1, others cost something that is said. */
static int problems, notes;

static const char usage[] = "usage: doctor\n"
                            "Says what unmask finds on this machine: libraries, processor, codecs, face\n"
                            "cascades, configs, known weights, folders to write to; and for each problem the\n"
                            "remedy. Exit status 1 when something is missing that unmask needs.\n"
                            "\n"
                            "  --help     this text\n"
                            "  --version  the version\n";

/* Words at `column`, broken before column 80. The first line is already `at` wide. */
static void words(const char *text, int at) {
  while (*text) {
    size_t n = strcspn(text, " ");
    if (at > INDENT && at + 1 + (int)n > COLUMNS)
      printf("\n%*s", INDENT, ""), at = INDENT;
    else if (at > INDENT)
      putchar(' '), at++;
    printf("%.*s", (int)n, text);
    at += (int)n;
    text += n;
    text += strspn(text, " ");
  }
  putchar('\n');
}

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(const char *name, const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  int at = printf("  %-*s", INDENT - 2, name);
  if (at > INDENT) printf("\n%*s", INDENT, "");
  words(text, INDENT);
}

/* A remedy below the line that it is about. */
static void remedy(bool needed, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void remedy(bool needed, const char *format, ...) {
  char text[2048];
  va_list args;
  va_start(args, format);
  int n = snprintf(text, sizeof text, "%s: ", needed ? "PROBLEM" : "note");
  vsnprintf(text + n, sizeof text - (size_t)n, format, args);
  va_end(args);
  printf("%*s", INDENT, "");
  words(text, INDENT);
  *(needed ? &problems : &notes) += 1;
}

static void title(const char *text) { printf("\n%s\n", text); }

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

static void library(const char *name, unsigned version) { line(name, "%u.%u.%u", version >> 16, version >> 8 & 255, version & 255); }

static void libraries(void) {
  unsigned major, minor, release;
  const dnnl_version_t *v = dnnl_version();
  XML_Expat_Version x = XML_ExpatVersionInfo();
  title("Libraries");
  line("oneDNN", "%d.%d.%d", v->major, v->minor, v->patch);
  if (v->major != DNNL_VERSION_MAJOR) remedy(true, "unmask was built against oneDNN %d; run make clean && make", DNNL_VERSION_MAJOR);
  line("FFmpeg", "%s", av_version_info());
  library("libavformat", avformat_version());
  library("libavcodec", avcodec_version());
  if (avcodec_version() >> 16 != LIBAVCODEC_VERSION_MAJOR)
    remedy(true, "unmask was built against libavcodec %d; run make clean && make", LIBAVCODEC_VERSION_MAJOR);
  library("libavfilter", avfilter_version());
  library("libswscale", swscale_version());
  line("libpng", "%s", png_get_libpng_ver(NULL));
#ifdef LIBJPEG_TURBO_VERSION
  line("libjpeg-turbo", "%s", STRING(LIBJPEG_TURBO_VERSION));
#else
  line("libjpeg", "%d", JPEG_LIB_VERSION);
#endif
  if (H5get_libversion(&major, &minor, &release) >= 0) line("HDF5", "%u.%u.%u", major, minor, release);
  line("cJSON", "%s", cJSON_Version());
  line("expat", "%d.%d.%d", x.major, x.minor, x.micro);
}

/* The value behind "key : " or "key: " in a file of such lines; false where there is none. */
static bool value_of(const char *path, const char *key, char *out, size_t size) {
  char text[8192];
  FILE *f = fopen(path, "r");
  size_t n = strlen(key);
  bool found = false;
  while (f && !found && fgets(text, sizeof text, f)) {
    const char *v = strchr(text, ':');
    if (strncmp(text, key, n) || !v || (!isspace((unsigned char)text[n]) && text[n] != ':')) continue;
    v += 1 + strspn(v + 1, " \t");
    snprintf(out, size, "%.*s", (int)strcspn(v, "\n"), v);
    found = true;
  }
  if (f) fclose(f);
  return found;
}

static bool has_word(const char *text, const char *word) {
  size_t n = strlen(word);
  for (const char *p = text; (p = strstr(p, word)); p += n)
    if ((p == text || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
  return false;
}

static void machine(void) {
  /* What oneDNN's fast paths ask for, by its name in /proc/cpuinfo. */
  static const struct {
    const char *flag, *name;
  } feature[] = {{"sse4_1", "SSE4.1"},    {"avx", "AVX"},          {"avx2", "AVX2"},    {"fma", "FMA"},    {"avx512f", "AVX-512"},
                 {"avx512_vnni", "VNNI"}, {"avx512_bf16", "BF16"}, {"amx_tile", "AMX"}, {"asimd", "NEON"}, {"sve", "SVE"}};
  char text[8192], list[256] = "", memory[64], free_memory[64];
  title("Machine");
  if (value_of("/proc/cpuinfo", "model name", text, sizeof text)) line("processor", "%s", text);
  cpu_set_t set;
  int cores = sched_getaffinity(0, sizeof set, &set) ? (int)sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);
  line("cores", "%d usable", cores);
  if (value_of("/proc/cpuinfo", "flags", text, sizeof text) || value_of("/proc/cpuinfo", "Features", text, sizeof text)) {
    for (size_t i = 0; i < sizeof feature / sizeof *feature; i++)
      if (has_word(text, feature[i].flag))
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "", feature[i].name);
    line("instructions", "%s", *list ? list : "none of those that oneDNN is fast with");
    if (!has_word(text, "avx2") && !has_word(text, "asimd"))
      remedy(false, "no AVX2: training will be slow; take another machine for long runs");
  }
  if (value_of("/proc/meminfo", "MemTotal", memory, sizeof memory) &&
      value_of("/proc/meminfo", "MemAvailable", free_memory, sizeof free_memory)) {
    double total = atof(memory) / 1048576, usable = atof(free_memory) / 1048576;
    line("memory", "%.1f GiB, %.1f GiB of it free", total, usable);
    if (usable < 2)
      remedy(false, "the recipe (VGG16 at 150 x 150, batch 10) needs about 2 GiB; close something or set data.batch_size lower");
  }
  um_backend *be;
  um_error err;
  if (um_backend_open(&be, "auto", 0, &err)) {
    line("device", "none");
    remedy(true, "%s", err.text);
    return;
  }
  be->ops->describe(be, text, sizeof text);
  line("device", "%s: %s", be->ops->name, text);
  be->ops->close(be);
}

static void codecs(void) {
  static const struct {
    enum AVCodecID id;
    const char *name, *use;
    bool needed;
  } codec[] = {{AV_CODEC_ID_H264, "H.264", "most videos, and all of DFDC and FaceForensics++", true},
               {AV_CODEC_ID_HEVC, "HEVC (H.265)", "phones", false},
               {AV_CODEC_ID_VP9, "VP9", "webm", false},
               {AV_CODEC_ID_AV1, "AV1", "newer web video", false},
               {AV_CODEC_ID_MPEG4, "MPEG-4 part 2", "older avi", false},
               {AV_CODEC_ID_MJPEG, "Motion JPEG", "cameras", false}};
  title("Codecs");
  for (size_t i = 0; i < sizeof codec / sizeof *codec; i++) {
    const AVCodec *c = avcodec_find_decoder(codec[i].id);
    line(codec[i].name, c ? "read (%s)" : "cannot be read", c ? c->name : "");
    if (!c)
      remedy(codec[i].needed, "videos of this kind (%s) will be skipped; install an FFmpeg (Debian: libavcodec59 or later) that reads it",
             codec[i].use);
  }
  const AVCodec *x264 = avcodec_find_encoder_by_name("libx264");
  line("H.264 writing", x264 ? "libx264" : "not there");
  if (!x264) remedy(false, "only make demo writes videos; its clips become MPEG-4 part 2");
}

static void cascades(void) {
  static const struct {
    const char *file;
    bool needed;
  } cascade[] = {{"haarcascade_frontalface_alt.xml", true}, {"haarcascade_frontalface_default.xml", true}};
  char path[4096];
  um_error err;
  title("Face cascades");
  for (size_t i = 0; i < sizeof cascade / sizeof *cascade; i++) {
    um_haar *h = NULL;
    int rc = um_haar_find(path, sizeof path, cascade[i].file, &err);
    if (!rc) rc = um_haar_load(&h, path, &err);
    um_haar_free(h);
    line(i ? "second" : "first", "%s", rc ? cascade[i].file : path);
    if (rc) remedy(cascade[i].needed, "%s", err.text);
  }
}

static void configs(void) {
  static const char *const name[] = {"vgg16_finetune.json", "demo.json"};
  char path[4096];
  um_error err;
  title("Configs");
  for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
    um_config c;
    int rc = um_config_find(path, sizeof path, name[i], &err);
    if (!rc) rc = um_config_load(&c, path, NULL, 0, &err);
    if (!rc) um_config_free(&c);
    line(i ? "demo" : "recipe", "%s", rc ? name[i] : path);
    if (rc) remedy(i == 0, "%s; run this from unmask's folder, or make install", err.text);
  }
}

static void weights(void) {
  um_known_weights *row = NULL;
  int count = 0;
  char path[4096];
  um_error err;
  title("Known weights");
  if (um_weights_manifest(&row, &count, &err)) {
    line("manifest", "not there");
    remedy(false, "%s", err.text);
  }
  for (int i = 0; i < count; i++) {
    const bool backbone = strncmp(row[i].name, "imagenet/", 9) == 0;
    int rc = backbone ? um_weights_find(path, sizeof path, "imagenet", row[i].name + 9, &err)
                      : um_weights_find_known(path, sizeof path, row[i].name, &err);
    if (!rc)
      line(row[i].name, "%s, verified", path);
    else {
      line(row[i].name, "not usable (%.1f MB to fetch)", (double)row[i].size / 1e6);
      remedy(false, "%s", err.text);
    }
  }
  free(row);
}

static void folder(const char *name, const char *path, bool needed, const char *todo) {
  char file[4096];
  struct statvfs s;
  um_error err;
  int fd = um_path_join(file, sizeof file, path, "unmask-doctor-XXXXXX", &err) ? -1 : mkstemp(file);
  if (fd < 0) {
    line(name, "%s", path);
    remedy(needed, "nothing can be written there (%s); %s", strerror(errno), todo);
    return;
  }
  close(fd);
  unlink(file);
  double gib = statvfs(path, &s) ? 0 : (double)s.f_bavail * (double)s.f_frsize / (1 << 30);
  line(name, "%s, %.1f GiB free", path, gib);
  if (gib < 1) remedy(false, "little room; a run of the recipe writes about 0.3 GB, faces of videos more");
}

static void folders(void) {
  const char *tmp = getenv("TMPDIR");
  char here[4096];
  title("Folders");
  folder("temporary", tmp && *tmp ? tmp : "/tmp", true, "set TMPDIR to a folder that can be written");
  if (getcwd(here, sizeof here)) folder("here", here, false, "give --out a folder that can be written");
}

int main(int argc, char **argv) {
  static const struct option known[] = {{"help", 0, 0, 'h'}, {"version", 0, 0, 'v'}, {0, 0, 0, 0}};
  um_log_open("doctor", UM_LOG_WARN);
  for (int key; (key = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (key) {
    case 'h': fputs(usage, stdout); return 0;
    case 'v': puts("doctor (unmask) " UM_VERSION); return 0;
    default: fputs(usage, stderr); return 2;
    }
  if (optind < argc) {
    um_log(UM_LOG_ERROR, "unexpected argument \"%s\"; see --help", argv[optind]);
    return 2;
  }
  printf("unmask " UM_VERSION "\n");
  libraries();
  machine();
  codecs();
  cascades();
  configs();
  weights();
  folders();
  if (problems)
    printf("\n%d problem%s above: unmask cannot work until %s solved.\n", problems, problems == 1 ? "" : "s",
           problems == 1 ? "it is" : "they are");
  else
    printf("\nEverything that unmask needs is here%s.\n", notes ? "; the notes say what else could be" : "");
  return problems ? 1 : 0;
}
