/* The command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "infer/infer.h"

static const char usage[] = "usage: infer --model FILE [options] INPUT...\n"
                            "       infer --compare A.json B.json [--json FILE|-] [--resamples N]\n"
                            "       infer --verify RESULT.json [--root DIR | INPUT...] [--model FILE]\n"
                            "\n"
                            "Gives every INPUT a score: the probability, from 0 to 1, that its faces are\n"
                            "FAKE. An INPUT is a video, a picture, or a folder of them (walked into the\n"
                            "depth). What the model file says is repeated here: frame rate, how faces are\n"
                            "found and cut, how a video's score comes from its faces', its calibration. The\n"
                            "verdict is fake, real or uncertain by the model's thresholds (fake above 0.5\n"
                            "where it has none), or none, with the reason: no face was found, or the file\n"
                            "cannot be read. Patches of background that show up in one frame are dropped and\n"
                            "counted.\n"
                            "\n"
                            "  --model FILE      what train wrote (best.safetensors, last.safetensors), or\n"
                            "                    what export did, in any of its formats\n"
                            "  --faces-are-cut   the inputs are pictures of faces already, as extract writes\n"
                            "                    them: nothing is detected, the whole picture is the face\n"
                            "\n"
                            "What comes out, beside the table:\n"
                            "  --json FILE|-     all results as one JSON object (- : to standard output),\n"
                            "                    with what it takes to repeat them\n"
                            "  --csv FILE        one line an input\n"
                            "  --report DIR      a page to read, print and hand on, DIR/index.html: verdicts,\n"
                            "                    faces with heat maps, timelines, settings; with --labels how\n"
                            "                    right they are. Its plots beside it as SVG and PNG files\n"
                            "  --report-details N\n"
                            "                    show at most so many inputs in all detail: the most\n"
                            "                    suspicious, of labelled ones the most mistaken (50)\n"
                            "  --annotate FILE   a copy of the video, FILE.mp4, with a box around each face\n"
                            "                    that counts, coloured by its verdict, its score and a bar;\n"
                            "                    frame rate, size and sound as they are. Of a picture\n"
                            "                    FILE.png. With several inputs, or a folder of them, a folder\n"
                            "                    for NAME.mp4 and NAME.png of each\n"
                            "  --explain DIR     pictures of the most suspicious faces of each input, with\n"
                            "                    the places that spoke for FAKE in colours (Grad-CAM), as PNG\n"
                            "                    files in DIR\n"
                            "  --explain-faces N how many an input (4)\n"
                            "  --quiet           no table, no progress\n"
                            "\n"
                            "How right and how steady it is:\n"
                            "  --labels WHICH    how right it is: a metadata.json as of the DFDC set, a CSV\n"
                            "                    with the columns path and label (extract's manifest.csv),\n"
                            "                    or the word folders (files below fake/ and real/)\n"
                            "  --by COLUMN       that in parts, too: by a column of the CSV, or of a\n"
                            "                    manifest.csv in or above a folder of inputs (method,\n"
                            "                    dataset, quality, part), or by folder. What has no value\n"
                            "                    there counts in every part\n"
                            "  --resamples N     for the 95 % intervals (2000); 0: none\n"
                            "  --ladder[=KINDS]  once more with the inputs changed, and how well that goes:\n"
                            "                    h264, jpeg, downscale, blur, noise, brightness, crop,\n"
                            "                    borders (several with commas; without KINDS all of them,\n"
                            "                    which is 29 times the work)\n"
                            "  --compare         is B.json (of infer --labels --json) better than A.json on\n"
                            "                    the videos that both have?\n"
                            "  --verify RESULT   does again what infer --json wrote there, with its settings,\n"
                            "                    and says whether it holds, bit for bit: scores, then labels,\n"
                            "                    metrics and the ladder (--ladder=KINDS: these rungs of it,\n"
                            "                    --ladder=none: none, which saves most of the time). What\n"
                            "                    --compare wrote is compared again. Of INPUTs, if they are\n"
                            "                    given: they are known by their contents. --model FILE if\n"
                            "                    the model has moved; another one is refused without --force.\n"
                            "                    Exit status 1: it does not hold, or was not to be checked\n"
                            "  --root DIR        with --verify: where to look for inputs that have moved\n"
                            "\n"
                            "How faces are found and cut is as the model was trained. What is asked for\n"
                            "otherwise is refused, or with --force taken all the same, and said:\n"
                            "  --fps N|all       frames a second to look at\n"
                            "  --max-size PX     frames are scaled to fit PX x PX before (0: as they are)\n"
                            "  --detector NAME   haar, haar-strict or mtcnn\n"
                            "  --min-face PX     smaller faces are not looked for (0: the detector's own)\n"
                            "  --faces WHICH     main: of the person who is longest in view; largest: of\n"
                            "                    each frame; all\n"
                            "  --crop SHAPE      recipe, square or tight\n"
                            "  --margin F        how much around the face\n"
                            "  --align yes|no    turn faces until the eyes are level\n"
                            "  --aggregate NAME  the score of a person from those of the frames: mean,\n"
                            "                    mean_logit, median, top_k or confident\n"
                            "  --top-k N         of how many of the highest top_k is the mean\n"
                            "  --people WHICH    with --faces all, of several people: the highest score, or\n"
                            "                    all faces together as if of one\n"
                            "  --force           take it all the same\n"
                            "\n"
                            "What it runs on:\n"
                            "  --device NAME     auto, cpu, ref or cuda[:N] (auto)\n"
                            "  --precision P     fp32, or on a GPU tf32 or bf16, which are faster (fp32)\n"
                            "  --threads N       compute threads (all that the process may use)\n"
                            "  --jobs N          inputs that are read at a time (as many as threads)\n"
                            "  --help, --version\n"
                            "\n"
                            "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but some inputs could not\n"
                            "be read (each named on standard error), 130 stopped.\n";

static int bad(const char *name, const char *expected, const char *got) {
  um_log(UM_LOG_ERROR, "%s: expected %s, got \"%s\"", name, expected, got);
  return 2;
}

static bool whole(const char *text, int low, int high, int *out) {
  char *end;
  long v = strtol(text, &end, 10);
  *out = (int)v;
  return end != text && !*end && v >= low && v <= high;
}

/* The number of a word; -1: none. */
static int which(const char *(*name)(int), const char *word) {
  for (int i = 0; name(i); i++)
    if (strcmp(name(i), word) == 0) return i;
  return -1;
}

/* Options without a letter. */
enum { LADDER = 256, ANNOTATE, REPORT, REPORT_DETAILS, VERIFY, ROOT };

/* KINDS may stand in the next word, too, where that is no file. */
static int take_ladder(options *o, char **argv, const char *kinds) {
  const char *next = argv[optind];
  if (!kinds && next && *next != '-' && !um_is_file(next) && !um_is_folder(next)) kinds = next, optind++;
  o->no_ladder = kinds && !strcmp(kinds, "none");
  if (o->no_ladder) {
    o->ladder = 0;
    return 0;
  }
  if (!kinds) o->ladder = (1u << UM_DISTORTIONS) - 1;
  if (!kinds || ladder_words(&o->ladder, kinds)) return 0;
  return bad("--ladder", "h264, jpeg, downscale, blur, noise, brightness, crop or borders, with commas between, or a file", kinds);
}

static int take_options(options *o, int argc, char **argv, bool *done) {
  /* clang-format off */
  static const struct option known[] = {
    {"model", 1, 0, 'm'},
    {"json", 1, 0, 'j'},
    {"csv", 1, 0, 'c'},
    {"labels", 1, 0, 'l'},
    {"fps", 1, 0, 'f'},
    {"faces-are-cut", 0, 0, 'a'},
    {"device", 1, 0, 'd'},
    {"threads", 1, 0, 't'},
    {"precision", 1, 0, 'p'},
    {"detector", 1, 0, 'D'},
    {"margin", 1, 0, 'M'},
    {"force", 0, 0, 'F'},
    {"jobs", 1, 0, 'n'},
    {"quiet", 0, 0, 'q'},
    {"help", 0, 0, 'h'},
    {"version", 0, 0, 'v'},
    {"faces", 1, 0, 'w'},
    {"min-face", 1, 0, 's'},
    {"crop", 1, 0, 'C'},
    {"align", 1, 0, 'A'},
    {"max-size", 1, 0, 'x'},
    {"by", 1, 0, 'b'},
    {"resamples", 1, 0, 'r'},
    {"compare", 0, 0, 'o'},
    {"aggregate", 1, 0, 'g'},
    {"top-k", 1, 0, 'k'},
    {"people", 1, 0, 'P'},
    {"explain", 1, 0, 'e'},
    {"explain-faces", 1, 0, 'E'},
    {"ladder", 2, 0, LADDER},
    {"report", 1, 0, REPORT},
    {"report-details", 1, 0, REPORT_DETAILS},
    {"annotate", 1, 0, ANNOTATE},
    {"verify", 1, 0, VERIFY},
    {"root", 1, 0, ROOT},
    {0, 0, 0, 0},
  };
  /* clang-format on */
  int key;
  while ((key = getopt_long(argc, argv, "", known, NULL)) != -1) {
    char *end;
    switch (key) {
    case 'm': o->model = optarg; break;
    case 'j': o->json = optarg; break;
    case 'c': o->csv = optarg; break;
    case 'l': o->labels = optarg; break;
    case 'd': o->device = optarg; break;
    case 'F': o->force = true; break;
    case VERIFY: o->verify = optarg; break;
    case ROOT: o->root = optarg; break;
    case 'e': o->explain = optarg; break;
    case REPORT: o->report = optarg; break;
    case REPORT_DETAILS:
      if (!whole(optarg, 1, 1000, &o->report_details)) return bad("--report-details", "a whole number from 1 to 1000", optarg);
      break;
    case ANNOTATE: o->annotate = optarg; break;
    case 'E':
      if (!whole(optarg, 1, 64, &o->explain_faces)) return bad("--explain-faces", "a whole number from 1 to 64", optarg);
      break;
    case LADDER:
      if (take_ladder(o, argv, optarg)) return 2;
      break;
    case 'D':
      for (int i = 0; um_detector_name(i) && strcmp(um_detector_name(i), optarg);)
        if (!um_detector_name(++i)) return bad("--detector", "haar, haar-strict or mtcnn", optarg);
      o->detector = optarg;
      break;
    case 'M':
      o->margin = strtod(optarg, &end);
      if (end == optarg || *end || !(o->margin >= 0 && o->margin <= 4)) return bad("--margin", "a number from 0 to 4", optarg);
      break;
    case 'w':
      if ((o->faces = which(um_face_choice_name, optarg)) < 0) return bad("--faces", "largest, all or main", optarg);
      break;
    case 'C':
      if ((o->crop = which(um_crop_shape_name, optarg)) < 0) return bad("--crop", "recipe, square or tight", optarg);
      break;
    case 'A':
      o->align = strcmp(optarg, "yes") == 0;
      if (!o->align && strcmp(optarg, "no")) return bad("--align", "yes or no", optarg);
      break;
    case 's':
      if (!whole(optarg, 0, 10000, &o->min_face)) return bad("--min-face", "a whole number from 0 to 10000", optarg);
      break;
    case 'x':
      if (!whole(optarg, 0, 16384, &o->max_size)) return bad("--max-size", "a whole number from 0 to 16384", optarg);
      break;
    case 'b': o->by = optarg; break;
    case 'o': o->compare = true; break;
    case 'r':
      if (!whole(optarg, 0, 1000000, &o->resamples)) return bad("--resamples", "a whole number from 0 to 1000000", optarg);
      break;
    case 'g':
      if ((o->aggregate = which(um_frames_rule_name, optarg)) < 0)
        return bad("--aggregate", "mean, mean_logit, median, top_k or confident", optarg);
      break;
    case 'k':
      if (!whole(optarg, 1, 1000000, &o->top_k)) return bad("--top-k", "a whole number from 1 to 1000000", optarg);
      break;
    case 'P':
      o->people = strcmp(optarg, "together") == 0;
      if (!o->people && strcmp(optarg, "highest")) return bad("--people", "highest or together", optarg);
      break;
    case 'p':
      if (which(um_precision_name, optarg) < 0) return bad("--precision", "fp32, tf32 or bf16", optarg);
      o->precision = (um_precision)which(um_precision_name, optarg);
      break;
    case 'a': o->faces_are_cut = true; break;
    case 'q': o->quiet = true; break;
    case 'f':
      o->fps = strcmp(optarg, "all") ? strtod(optarg, &end) : 0;
      if (strcmp(optarg, "all") && (end == optarg || *end || !(o->fps >= .001 && o->fps <= 1000)))
        return bad("--fps", "a number from 0.001 to 1000, or all", optarg);
      break;
    case 't':
      if (!whole(optarg, 1, 1024, &o->threads)) return bad("--threads", "a whole number from 1 to 1024", optarg);
      break;
    case 'n':
      if (!whole(optarg, 1, 256, &o->jobs)) return bad("--jobs", "a whole number from 1 to 256", optarg);
      break;
    case 'h': fputs(usage, stdout), *done = true; return 0;
    case 'v': puts("infer (unmask) " UM_VERSION), *done = true; return 0;
    default: um_log(UM_LOG_ERROR, "see infer --help"); return 2;
    }
  }
  return 0;
}

/* The first option that --verify does not go with, as what it asks for stands in the result; or NULL. */
static const char *not_with_verify(const options *o) {
  if (o->compare) return "--compare";
  if (o->csv) return "--csv";
  if (o->labels) return "--labels";
  if (o->explain) return "--explain";
  if (o->report) return "--report";
  if (o->annotate) return "--annotate";
  if (o->faces_are_cut) return "--faces-are-cut";
  if (o->precision != UM_PRECISION_FP32) return "--precision";
  if (o->fps >= 0 || o->margin >= 0 || o->detector || o->faces >= 0 || o->min_face >= 0 || o->crop >= 0 || o->align >= 0 ||
      o->max_size >= 0)
    return "options for how faces are found and cut";
  return o->aggregate >= 0 || o->top_k > 0 || o->people >= 0 ? "options for how faces become a score" : NULL;
}

static int check_verify(const options *o, int argc) {
  const char *const other = not_with_verify(o);
  if (other)
    um_log(UM_LOG_ERROR, "--verify: not together with %s: all that is as the result says; see infer --help", other);
  else if (o->root && optind < argc)
    um_log(UM_LOG_ERROR, "--verify: expected --root DIR or INPUTs, got both; see infer --help");
  else
    return 0;
  return 2;
}

/* What goes together; what is missing. */
static int check_options(const options *o, int argc) {
  if (o->verify) return check_verify(o, argc);
  if (o->root) {
    um_log(UM_LOG_ERROR, "--root %s: goes with --verify; see infer --help", o->root);
    return 2;
  }
  if (o->compare) {
    if (argc - optind == 2) return 0;
    um_log(UM_LOG_ERROR, "--compare: expected two files that infer --labels --json wrote, got %d; see infer --help", argc - optind);
    return 2;
  }
  if (o->by && !o->labels) {
    um_log(UM_LOG_ERROR, "--by %s: parts are measured with --labels; see infer --help", o->by);
    return 2;
  }
  if (!o->model) {
    um_log(UM_LOG_ERROR, "--model: expected the file that train wrote (RUN/best.safetensors), got nothing; see infer --help");
    return 2;
  }
  if (o->annotate && o->faces_are_cut) {
    um_log(UM_LOG_ERROR, "--annotate %s: faces are marked where they were found; with --faces-are-cut nothing is looked for", o->annotate);
    return 2;
  }
  if (optind == argc) {
    um_log(UM_LOG_ERROR, "INPUT: expected videos, pictures or folders of them, got nothing; see infer --help");
    return 2;
  }
  return 0;
}

int options_read(options *o, int argc, char **argv, bool *done) {
  *o = (options){.fps = -1,
                 .margin = -1,
                 .faces = -1,
                 .min_face = -1,
                 .crop = -1,
                 .align = -1,
                 .max_size = -1,
                 .aggregate = -1,
                 .people = -1,
                 .resamples = UM_RESAMPLES,
                 .device = "auto",
                 .explain_faces = 4,
                 .report_details = 50};
  const int rc = take_options(o, argc, argv, done);
  return rc || *done ? rc : check_options(o, argc);
}
