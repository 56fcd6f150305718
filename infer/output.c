/* Results: the table and CSV. */
#include "infer/infer.h"

#include <math.h>
#include <stdio.h>

#include "core/file.h"
#include "data/csv.h"

const char *verdict(const input *in) { return um_verdict_name(in->verdict); }

const char *reason(char *text, size_t size, const input *in) {
  snprintf(text, size, "%s%s%s", in->reason, in->reason[0] && in->doubt[0] ? "; " : "", in->doubt);
  return text;
}

const char *label_name(label l) { return l == LABEL_FAKE ? "fake" : l == LABEL_REAL ? "real" : ""; }
const char *kind_name(um_media kind) { return kind == UM_MEDIA_IMAGE ? "image" : kind == UM_MEDIA_VIDEO ? "video" : NULL; }

void print_head(void) { printf("%-9s  %7s  %5s  %6s  %-5s  %s\n", "verdict", "score", "faces", "frames", "label", "file"); }

void print_row(const input *in) {
  char score[UM_SCORE_TEXT];
  printf("%-9s  %7s  %5d  %6lld  %-5s  %s\n", verdict(in), um_score_text(score, in->score, 4), in->faces, (long long)in->frames,
         label_name(in->label), in->path);
}

void print_dropped(const int dropped[UM_FATES]) {
  for (int i = UM_KEPT + 1; i < UM_FATES; i++)
    if (dropped[i]) printf("%d face%s not counted: %s\n", dropped[i], dropped[i] == 1 ? "" : "s", um_fate_text((um_fate)i));
}

int write_csv(const char *path, const inputs *in, um_error *err) {
  static const char *const columns[] = {"path", "kind", "label", "score", "verdict", "reason", "frames", "faces", "dropped"};
  um_writer w = {0};
  int rc = um_writer_open(&w, path, err);
  if (rc) return rc;
  um_csv_writer c = {.file = w.file};
  char text[1300];
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) um_csv_put(&c, columns[i]);
  um_csv_end_line(&c);
  for (int i = 0; i < in->count; i++) {
    const input *r = &in->at[i];
    um_csv_put(&c, r->path);
    um_csv_put(&c, kind_name(r->kind) ? kind_name(r->kind) : "");
    um_csv_put(&c, label_name(r->label));
    if (isnan(r->score))
      um_csv_put(&c, "");
    else
      um_csv_number(&c, r->score);
    um_csv_put(&c, verdict(r));
    um_csv_put(&c, reason(text, sizeof text, r));
    um_csv_printf(&c, "%lld", (long long)r->frames);
    um_csv_printf(&c, "%d", r->faces);
    um_csv_printf(&c, "%d", r->dropped[UM_ONE_FRAME] + r->dropped[UM_DOUBTFUL] + r->dropped[UM_NOT_MAIN]);
    um_csv_end_line(&c);
  }
  return um_writer_commit(&w, err);
}
