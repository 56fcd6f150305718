#include "core/file.h"
#include "core/log.h"
#include "tools/extract/extract.h"

/* Seconds of video that are through and that there are, of the inputs to be done. A video that was not opened yet is taken to be as
 * long for its size as those that were. */
static void work_of(const inputs *in, double *through, double *all) {
  double bytes = 0, known = 0, unknown = 0;
  *through = 0;
  for (int i = 0; i < in->todo; i++) {
    const input *p = &in->item[in->order[i]];
    const double share = p->done ? 1 : p->share;
    if (p->duration > 0)
      known += p->duration, bytes += (double)p->size, *through += p->duration * share;
    else if (!p->done)
      unknown += (double)p->size;
  }
  *all = known + (bytes > 0 ? unknown * known / bytes : 0);
}

void show_progress(job *j) {
  const double now = um_seconds(), spent = now - j->started;
  double through, all;
  int done = 0;
  char left[32] = "";
  if (j->o->quiet || now - j->shown < 0.2) return;
  j->shown = now;
  const bool milestone = !um_log_terminal(NULL);
  if (milestone && now - j->noted < 30) return; /* a line in a log */
  j->noted = now;
  work_of(j->in, &through, &all);
  for (int i = 0; i < j->in->todo; i++) done += j->in->item[j->in->order[i]].done;
  const double share = all > 0 ? through / all : 0;
  if (share > 0.001) {
    const int s = (int)(spent / share * (1 - share) + 0.5);
    snprintf(left, sizeof left, "  left %d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  }
  um_log_progress(milestone, "%d/%d inputs  %2.0f%%  %lld frames  %.1f/s  %lld faces%s", done, j->in->todo, 100 * share,
                  (long long)atomic_load(&j->frames), (double)atomic_load(&j->frames) / (spent > 0 ? spent : 1),
                  (long long)atomic_load(&j->faces), left);
}
