#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/extract/extract.h"

#define JOBS_MAX 64

static const char usage[] = "usage: extract [option]... VIDEO|IMAGE|FOLDER...\n"
                            "       extract [option]... --dataset KIND FOLDER...\n"
                            "Cuts the faces out of videos and pictures: OUT/{fake,real}/VIDEO_FRAME_FACE.png,\n"
                            "OUT/manifest.csv (a line a crop) and OUT/ledger.csv (a line an input and what\n"
                            "became of it). The same command again goes on where it was stopped; files that\n"
                            "have not changed are not opened again.\n"
                            "\n"
                            "What is fake and what is real\n"
                            "  --label fake|real   all inputs are this\n"
                            "  --labels FILE       metadata.json in DFDC's format; without either of the\n"
                            "                      two, folders named fake and real tell\n"
                            "  --dataset KIND      a public dataset as it comes: @kinds\n"
                            "                      or auto, which looks what lies there\n"
                            "  --compression LIST  of a dataset, only this: raw, c23, c40\n"
                            "  --method LIST       ... fakes made only by these: Deepfakes,Face2Face\n"
                            "  --part LIST         ... only these: train, val, test\n"
                            "  --root DIR          a CSV's paths may lie anywhere below this\n"
                            "  --sources           DeeperForensics' source videos too\n"
                            "\n"
                            "Which faces\n"
                            "  --detector NAME     @detectors\n"
                            "                      or auto (default): mtcnn where its weights are, else haar\n"
                            "  --faces main        only of the person who is longest in view\n"
                            "  --faces largest     of each frame, the largest\n"
                            "  --faces all         every one. Main is the default with mtcnn,\n"
                            "                      largest with haar and haar-strict\n"
                            "  --min-face PX       smaller ones are not looked for (0: the detector's own)\n"
                            "  --fps N|all         frames a second to look at (2), or every one\n"
                            "  --max-size PX       frames are scaled to fit PX x PX before (1000; 0: as\n"
                            "                      they are)\n"
                            "\n"
                            "How they are cut\n"
                            "  --crop SHAPE        square, tight (the box itself) or recipe (a square as the\n"
                            "                      first recipe cut it). Default: square with mtcnn,\n"
                            "                      recipe with haar and haar-strict\n"
                            "  --margin F          wider by this share (square: 0.3; else 0)\n"
                            "  --align             turn each face until its eyes are level\n"
                            "  --size PX           resize to PX x PX (0: as they are)\n"
                            "  --interpolation H   bilinear (default) or nearest\n"
                            "  --format png|jpeg   of the crops (png)\n"
                            "  --quality N         of jpeg, 1 to 100 (95)\n"
                            "\n"
                            "Where, and how much at once\n"
                            "  --out DIR           where to write (faces); an earlier run's crops there are\n"
                            "                      added to, if they were cut the same way\n"
                            "  --force             do these inputs again; where the crops in OUT were cut\n"
                            "                      another way, remove them all first\n"
                            "  --draw DIR          also write the frames, faces marked, as VIDEO_FRAME.jpg\n"
                            "  --no-contact-sheet  no OUT/contact_sheet.jpg\n"
                            "  --jobs N            videos at once (0: as many as there are processors)\n"
                            "  --quiet             no progress\n"
                            "  --help, --version\n"
                            "\n"
                            "Exit status: 0 done; 1 failed; 2 bad usage; 3 done, but some inputs were skipped\n"
                            "(named on stderr and in the ledger); 130 stopped by the user.\n";

typedef enum kind { FLAG, TEXT, WORD, WHOLE, NUMBER, FRAMES } kind;

typedef struct option {
  const char *name;
  kind kind;
  size_t at; /* in options */
  const char *const *word;
  double min, max; /* of a FLAG: min is what it sets */
} option;

static const char *const labels[] = {"fake", "real", NULL}, *const choices[] = {"largest", "all", "main", NULL},
                         *const shapes[] = {"recipe", "square", "tight", NULL}, *const ways[] = {"nearest", "bilinear", NULL},
                         *const formats[] = {"png", "jpeg", NULL};

#define AT(member) offsetof(options, member)
static const option all[] = {
    {"--label", WORD, AT(label), labels, 0, 0},
    {"--labels", TEXT, AT(labels), NULL, 0, 0},
    {"--dataset", TEXT, AT(dataset), NULL, 0, 0},
    {"--compression", TEXT, AT(set.quality), NULL, 0, 0},
    {"--method", TEXT, AT(set.method), NULL, 0, 0},
    {"--part", TEXT, AT(set.part), NULL, 0, 0},
    {"--root", TEXT, AT(set.root), NULL, 0, 0},
    {"--sources", FLAG, AT(set.sources), NULL, 1, 0},
    {"--detector", TEXT, AT(detector), NULL, 0, 0},
    {"--faces", WORD, AT(choice), choices, 0, 0},
    {"--min-face", WHOLE, AT(face.settings.min_face), NULL, 0, 16384},
    {"--fps", FRAMES, AT(face.settings.fps), NULL, 0.001, 1000},
    {"--max-size", WHOLE, AT(face.settings.max_size), NULL, 0, 16384},
    {"--crop", WORD, AT(crop), shapes, 0, 0},
    {"--margin", NUMBER, AT(margin), NULL, -0.9, 4},
    {"--align", FLAG, AT(face.settings.align), NULL, 1, 0},
    {"--size", WHOLE, AT(face.settings.size), NULL, 0, 4096},
    {"--interpolation", WORD, AT(face.settings.resize), ways, 0, 0},
    {"--format", WORD, AT(format), formats, 0, 0},
    {"--quality", WHOLE, AT(quality), NULL, 1, 100},
    {"--out", TEXT, AT(out), NULL, 0, 0},
    {"--force", FLAG, AT(force), NULL, 1, 0},
    {"--draw", TEXT, AT(draw), NULL, 0, 0},
    {"--contact-sheet", FLAG, AT(sheet), NULL, 1, 0},
    {"--no-contact-sheet", FLAG, AT(sheet), NULL, 0, 0},
    {"--jobs", WHOLE, AT(jobs), NULL, 0, JOBS_MAX},
    {"--quiet", FLAG, AT(quiet), NULL, 1, 0},
};

/* The words are the values of an enum, which is an int or an unsigned one. */
_Static_assert(sizeof(um_interpolation) == sizeof(int), "a word is stored as an int");

static int set_word(int *out, const option *p, const char *v, um_error *err) {
  char list[256] = "";
  for (int i = 0; p->word[i]; i++) {
    if (strcmp(p->word[i], v) == 0) {
      *out = i;
      return UM_OK;
    }
    strcat(strcat(list, i == 0 ? "" : p->word[i + 1] ? ", " : " or "), p->word[i]);
  }
  return um_fail(err, UM_ECONFIG, "%s: expected %s, got \"%s\"", p->name, list, v);
}

static int set(options *o, const option *p, const char *v, um_error *err) {
  void *at = (char *)o + p->at;
  char *end;
  double x;
  switch (p->kind) {
  case FLAG: *(bool *)at = p->min != 0; return UM_OK;
  case TEXT: *(const char **)at = v; return UM_OK;
  case WORD: return set_word(at, p, v, err);
  case FRAMES:
    if (strcmp(v, "all") == 0) {
      *(double *)at = 0;
      return UM_OK;
    }
    break;
  default: break;
  }
  x = strtod(v, &end);
  if (end == v || *end || !isfinite(x) || x < p->min || x > p->max || (p->kind == WHOLE && x != floor(x)))
    return um_fail(err, UM_ECONFIG, "%s: expected a %snumber from %g to %g%s, got \"%s\"", p->name, p->kind == WHOLE ? "whole " : "",
                   p->min, p->max, p->kind == FRAMES ? ", or all" : "", v);
  if (p->kind == WHOLE)
    *(int *)at = (int)x;
  else
    *(double *)at = x;
  return UM_OK;
}

static bool is(const char *argument, const char *name) {
  size_t n = strlen(name);
  return strncmp(argument, name, n) == 0 && (argument[n] == 0 || argument[n] == '=');
}

/* Options that say nothing together, or nothing without another. */
static int check(const options *o, um_error *err) {
  const struct {
    const char *name;
    bool given;
  } only[] = {{"--compression", o->set.quality},
              {"--method", o->set.method},
              {"--part", o->set.part},
              {"--root", o->set.root},
              {"--sources", o->set.sources}};
  if ((o->labels != NULL) + (o->label >= 0) + (o->dataset != NULL) > 1)
    return um_fail(err, UM_ECONFIG, "--label, --labels and --dataset: expected one of them, as each says what is fake");
  for (size_t i = 0; i < sizeof only / sizeof *only && !o->dataset; i++)
    if (only[i].given) return um_fail(err, UM_ECONFIG, "%s: is about datasets; expected --dataset KIND beside it", only[i].name);
  return UM_OK;
}

static const char *kind_name(int i) { return um_set_kind[i]; }

/* Names after the text so far, which has reached `column`, in lines that begin below it. */
static int print_names(const char *(*name)(int), int column, bool comma) {
  enum { FROM = 22, WIDTH = 80 };
  for (int i = 0; name(i); i++) {
    const bool more = name(i + 1) || comma;
    const int n = (int)strlen(name(i)) + more;
    if (column + n + (i > 0) > WIDTH) {
      if (printf("\n%*s", FROM, "") < 0) return -1;
      column = FROM;
    } else if (i > 0) {
      column += printf(" ");
    }
    column += n;
    if (printf("%s%s", name(i), more ? "," : "") < 0) return -1;
  }
  return 0;
}

int options_usage(void) {
  static const struct {
    const char *mark;
    const char *(*name)(int);
    bool comma;
  } lists[] = {{"@kinds", kind_name, true}, {"@detectors", um_detector_name, true}};
  const char *from = usage;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    const char *at = strstr(from, lists[i].mark), *line = at;
    while (line > usage && line[-1] != '\n') line--;
    if (fwrite(from, 1, (size_t)(at - from), stdout) != (size_t)(at - from) ||
        print_names(lists[i].name, (int)(at - line), lists[i].comma) < 0)
      return 1;
    from = at + strlen(lists[i].mark);
  }
  return fputs(from, stdout) < 0;
}

int options_parse(options *o, int argc, char **argv, um_error *err) {
  int count = 0, r;
  bool only_inputs = false;
  for (int i = 1; i < argc; i++) {
    char *a = argv[i];
    const option *p = NULL;
    if (only_inputs || a[0] != '-' || a[1] == 0) {
      argv[count++] = a;
      continue;
    }
    if (strcmp(a, "--") == 0) {
      only_inputs = true;
      continue;
    }
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
      if (is(a, all[k].name)) p = &all[k];
    if (!p) return um_fail(err, UM_ECONFIG, "%s: no such option; extract --help lists them", a);
    const char *v = strchr(a, '=') ? strchr(a, '=') + 1 : NULL;
    if (p->kind == FLAG && v) return um_fail(err, UM_ECONFIG, "%s: expected no value, got \"%s\"", p->name, v);
    if (p->kind != FLAG && !v && i + 1 < argc) v = argv[++i];
    if (p->kind != FLAG && (!v || !*v)) return um_fail(err, UM_ECONFIG, "%s: expected a value after it", p->name);
    if ((r = set(o, p, v, err)) < 0) return r;
  }
  if ((r = check(o, err)) < 0) return r;
  if (count == 0) return um_fail(err, UM_ECONFIG, "no input: expected videos, pictures or folders of them; extract --help tells more");
  return count;
}
