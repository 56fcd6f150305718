/* export: a model in the formats of other tools, and theirs in ours. What was written is read back and compared before it gets its name. */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "tools/export/export.h"

#ifndef UM_VERSION
#define UM_VERSION "?"
#endif

static const char usage[] = "usage: export --model FILE --to FORMAT --out FILE [options]\n"
                            "\n"
                            "Writes a model in another tool's format, reads that file back, compares the two\n"
                            "on random inputs, and only then gives it its name. FILE is what train wrote, or\n"
                            "any format below that carries a whole model; so this converts both ways.\n"
                            "\n"
                            "  --to safetensors  our own model file, for infer\n"
                            "       keras-h5     Keras 2 and 3, keras.models.load_model(\"x.h5\")\n"
                            "       keras        Keras 3, .keras\n"
                            "       torch        safetensors with torchvision's names; docs/export.md has\n"
                            "                    the module that loads it\n"
                            "       onnx         ONNX, one input, one output: the probability of fake\n"
                            "       npz          numpy, an array a parameter\n"
                            "  --out FILE\n"
                            "  --layout nhwc|nchw       onnx: order of the input's axes (nhwc)\n"
                            "  --with-preprocessing     onnx: the input is pixels from 0 to 255\n"
                            "  --uint8                  onnx: as bytes; with the preprocessing inside\n"
                            "  --check DIR       compare on the pictures in DIR, too\n"
                            "  --tolerance T     how far two logits may be apart (1e-4)\n"
                            "\n"
                            "Where the model's file does not say it:\n"
                            "  --config FILE     the config whose graph and preprocessing the weights are for\n"
                            "  --classes A,B     names of the classes whose outputs are 0 and 1: fake,real\n"
                            "  --rescale F       factor on the pixels, as 1/255\n"
                            "  --caffe           pixels are BGR minus the ImageNet mean instead\n"
                            "  --quiet, --help, --version\n"
                            "\n"
                            "Exit status: 0 done, 1 failed (nothing was written), 2 wrong usage.\n";

static const struct {
  const char *name;
  um_exporter *write; /* NULL: our own */
} formats[] = {{"safetensors", NULL},      {"keras-h5", um_export_keras_h5}, {"keras", um_export_keras},
               {"torch", um_export_torch}, {"onnx", um_export_onnx},         {"npz", um_export_npz}};
enum { FORMATS = sizeof formats / sizeof *formats };

typedef struct options {
  const char *model, *out, *check, *config, *classes;
  int format;                /* -1: not given */
  double tolerance, rescale; /* rescale 0: not given */
  bool caffe, quiet;
  um_export_options export;
} options;

static int bad(const char *name, const char *expected, const char *got) {
  um_log(UM_LOG_ERROR, "%s: expected %s, got \"%s\"", name, expected, got);
  return 2;
}

static bool read_rescale(const char *text, double *out) {
  char *end;
  *out = strtod(text, &end);
  if (end == text) return false;
  if (*end == '/') {
    const char *below = end + 1;
    *out /= strtod(below, &end);
    if (end == below) return false;
  }
  return *end == 0 && *out > 0 && *out <= 1e6;
}

/* 0, or the exit status that main returns; *done where there is nothing more to do. */
static int read_options(options *o, int argc, char **argv, bool *done) {
  static const struct option known[] = {{"model", 1, 0, 'm'},   {"to", 1, 0, 't'},
                                        {"out", 1, 0, 'o'},     {"layout", 1, 0, 'l'},
                                        {"uint8", 0, 0, 'u'},   {"with-preprocessing", 0, 0, 'p'},
                                        {"check", 1, 0, 'c'},   {"tolerance", 1, 0, 'T'},
                                        {"config", 1, 0, 'C'},  {"classes", 1, 0, 'k'},
                                        {"rescale", 1, 0, 'r'}, {"caffe", 0, 0, 'b'},
                                        {"quiet", 0, 0, 'q'},   {"help", 0, 0, 'h'},
                                        {"version", 0, 0, 'v'}, {0, 0, 0, 0}};
  int key;
  while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
    char *end;
    switch (key) {
    case 'm': o->model = optarg; break;
    case 'o': o->out = optarg; break;
    case 'c': o->check = optarg; break;
    case 'C': o->config = optarg; break;
    case 'k': o->classes = optarg; break;
    case 'b': o->caffe = true; break;
    case 'q': o->quiet = true; break;
    case 'u': o->export.bytes = o->export.with_preprocessing = true; break;
    case 'p': o->export.with_preprocessing = true; break;
    case 't':
      for (o->format = 0; o->format < FORMATS && strcmp(formats[o->format].name, optarg); o->format++) continue;
      if (o->format == FORMATS) return bad("--to", "safetensors, keras-h5, keras, torch, onnx or npz", optarg);
      break;
    case 'l':
      if (strcmp(optarg, "nhwc") && strcmp(optarg, "nchw")) return bad("--layout", "nhwc or nchw", optarg);
      o->export.channels_first = strcmp(optarg, "nchw") == 0;
      break;
    case 'T':
      o->tolerance = strtod(optarg, &end);
      if (end == optarg || *end || !(o->tolerance >= 0)) return bad("--tolerance", "a number from 0 on", optarg);
      break;
    case 'r':
      if (!read_rescale(optarg, &o->rescale)) return bad("--rescale", "a number above 0, or a quotient such as 1/255", optarg);
      break;
    case 'h': fputs(usage, stdout), *done = true; return 0;
    case 'v': puts("export (unmask) " UM_VERSION), *done = true; return 0;
    default: um_log(UM_LOG_ERROR, "see export --help"); return 2;
    }
  }
  const char *missing = !o->model ? "--model FILE" : o->format < 0 ? "--to FORMAT" : !o->out ? "--out FILE" : NULL;
  if (missing) um_log(UM_LOG_ERROR, "%s: not given; see export --help", missing);
  if (!missing && optind < argc) um_log(UM_LOG_ERROR, "%s: not an option of export; see export --help", argv[optind]);
  return missing || optind < argc ? 2 : 0;
}

/* What was given by flag, over what the file said; UM_ECONFIG where neither says it. */
static int complete(um_model_data *d, const options *o, const um_config *c, um_error *err) {
  um_preprocess *p = &d->preprocess;
  if (c) {
    p->interpolation = c->data.interpolation, p->rescale = c->data.rescale, p->preprocessing = c->data.preprocessing;
    p->faces = c->faces;
    um_face_settings_settle(&p->faces);
    d->said |= UM_SAYS_PREPROCESS;
  }
  if (o->rescale > 0) p->rescale = o->rescale, p->preprocessing = UM_PREPROCESS_NONE, d->said |= UM_SAYS_PREPROCESS;
  if (o->caffe) p->preprocessing = UM_PREPROCESS_CAFFE, d->said |= UM_SAYS_PREPROCESS;
  if (o->classes) {
    const char *comma = strchr(o->classes, ',');
    const size_t first = comma ? (size_t)(comma - o->classes) : 0, second = comma ? strlen(comma + 1) : 0;
    if (first < 1 || first > 63 || second < 1 || second > 63 || strchr(comma + 1, ','))
      return um_fail(err, UM_ECONFIG, "--classes: expected two names with a comma between them, such as fake,real, got \"%s\"", o->classes);
    snprintf(p->classes[0], sizeof p->classes[0], "%.*s", (int)first, o->classes);
    snprintf(p->classes[1], sizeof p->classes[1], "%s", comma + 1);
    d->said |= UM_SAYS_CLASSES;
  }
  if (!(d->said & UM_SAYS_CLASSES))
    return um_fail(err, UM_ECONFIG, "%s: does not say which class its output is the probability of; give --classes A,B: the output is P(B)",
                   o->model);
  if (!(d->said & UM_SAYS_PREPROCESS))
    return um_fail(err, UM_ECONFIG, "%s: does not say how pixels become its input; give --rescale 1/255, --caffe or --config FILE",
                   o->model);
  return UM_OK;
}

static int read_model(um_model_data *d, const options *o, um_error *err) {
  um_config config;
  um_graph graph = {0};
  char kind[96];
  int status;
  if (!o->config) {
    status = um_model_data_read(d, o->model, NULL, kind, err);
    if (!status) status = complete(d, o, NULL, err);
  } else {
    if ((status = um_config_load(&config, o->config, NULL, 0, err))) return status;
    status = um_config_graph(&graph, NULL, &config, err);
    if (!status) status = um_model_data_read(d, o->model, &graph, kind, err);
    if (!status) status = complete(d, o, &config, err);
    um_graph_free(&graph);
    um_config_free(&config);
  }
  if (!status && !o->quiet) um_log_progress(true, "read      %s: %s, %d parameters", o->model, kind, d->count);
  return status;
}

/* What came back need not carry its graph (npz of an older version, say): then it is read as the model that it is. */
static int read_back(um_model_data *back, const um_model_data *d, const char *path, char *kind, um_error *err) {
  int status = um_model_data_read(back, path, NULL, kind, err);
  return status == UM_EUNSUPPORTED ? um_model_data_read(back, path, &d->graph, kind, err) : status;
}

static int self_check(const um_model_data *d, const options *o, const char *path, um_error *err) {
  um_model_data back = {0};
  difference off;
  char kind[96];
  int status = read_back(&back, d, path, kind, err);
  if (!status) status = compare_models(&off, d, &back, err);
  if (status) {
    um_fail_context(err, "what was written cannot be read back");
    goto done;
  }
  if (!o->quiet)
    um_log_progress(true, "compared  %d random inputs: largest difference of two logits %.3g; %s (%s)", off.pictures, off.logit,
                    off.values ? "parameters were rounded" : "parameters equal bit for bit", kind);
  if (!(off.logit <= o->tolerance)) {
    status = um_fail(err, UM_ENUMERIC, "what was written scores otherwise: logits differ by %.3g, expected at most %.3g", off.logit,
                     o->tolerance);
    goto done;
  }
  if (!o->check) goto done;
  if ((status = compare_on_pictures(&off, d, &back, o->check, err))) goto done;
  if (!o->quiet) um_log_progress(true, "compared  %d pictures: largest difference of two logits %.3g", off.pictures, off.logit);
  if (!(off.logit <= o->tolerance))
    status = um_fail(err, UM_ENUMERIC, "what was written scores pictures otherwise: logits differ by %.3g, expected at most %.3g",
                     off.logit, o->tolerance);
done:
  um_model_data_free(&back);
  return status;
}

static int export(const options *o, um_error *err) {
  um_model_data d = {0};
  um_writer w = {0};
  int status = read_model(&d, o, err);
  if (!status) status = um_writer_open(&w, o->out, err);
  if (!status)
    status =
        formats[o->format].write ? formats[o->format].write(&d, &o->export, w.temporary, err) : um_model_data_save(&d, w.temporary, err);
  if (!status) status = self_check(&d, o, w.temporary, err);
  if (!status && formats[o->format].write && d.preprocess.calibration.method != UM_CALIBRATION_NONE)
    um_log(UM_LOG_WARN,
           "the output is the network's own: other tools do not apply the model's calibration, whose numbers are in the metadata");
  if (!status) status = um_writer_commit(&w, err);
  um_writer_abandon(&w);
  um_model_data_free(&d);
  if (!status && !o->quiet) um_log_progress(true, "written   %s", o->out);
  return status;
}

int main(int argc, char **argv) {
  options o = {.format = -1, .tolerance = 1e-4};
  um_error err = {0};
  bool done = false;
  um_log_open("export", UM_LOG_INFO);
  int rc = read_options(&o, argc, argv, &done);
  if (rc || done) return rc;
  if (o.quiet) um_log_open("export", UM_LOG_WARN);
  rc = export(&o, &err);
  if (rc) um_log(UM_LOG_ERROR, "%s", err.text);
  return um_exit_status(rc);
}
