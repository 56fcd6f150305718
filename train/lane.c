/* Batches on their way through the model: as many as it has slots are under way, each the loader's again once the device has it. */
#include "train/run.h"

/* The logits of the batch queued last, before the next one takes their place. */
static int read_logits(lane *l, um_error *err) {
  const int n = l->due;
  if (n == 0) return UM_OK;
  l->due = 0;
  int status = um_model_queued_logits(l->run->model, n, l->logits + l->read, err);
  if (!status) l->read += n;
  return status;
}

int lane_push(lane *l, um_batch *b, bool train, um_error *err) {
  const run *r = l->run;
  const int slot = l->next;
  const um_feed feed = {.pixels = b->pixels,
                        .sample = train ? b->sample : NULL, /* held-out pictures are scored as infer will */
                        .labels = b->label,
                        .weights = train ? b->weight : NULL, /* as Keras: validation counts each alike */
                        .n = b->n,
                        .how = &r->warp,
                        .learning_rate = run_rate(r, um_model_steps(r->model))};
  int status = UM_OK;
  if (b->n == 0) { /* all of its pictures were unreadable */
    um_loader_return(l->loader, b);
    return UM_OK;
  }
  if (l->held[slot]) status = lane_free(l, slot, err);
  l->held[slot] = b;
  if (!status) status = um_model_prefetch(r->model, slot, &feed, err);
  if (!status) status = read_logits(l, err);
  if (!status) status = um_model_queue(r->model, slot, train, err);
  if (!status && l->logits && !train) l->due = b->n;
  l->next = (slot + 1) % um_model_slots(r->model);
  return status;
}

int lane_free(lane *l, int slot, um_error *err) {
  if (!l->held[slot]) return UM_OK;
  const int status = um_model_fetched(l->run->model, slot, err);
  um_loader_return(l->loader, l->held[slot]);
  l->held[slot] = NULL;
  return status;
}

int lane_read(lane *l, um_report *report, um_error *err) {
  int status = read_logits(l, err);
  if (!status) status = um_model_report(l->run->model, report, err);
  if (!status) status = um_model_busy(l->run->model, &l->feed, &l->compute, err);
  for (int slot = 0; slot < um_model_slots(l->run->model); slot++) {
    const int freed = lane_free(l, slot, status ? NULL : err);
    if (!status) status = freed;
  }
  l->unread = 0;
  return status ? status : um_model_check(l->run->model, report, err);
}

bool lane_due(lane *l) { return ++l->unread >= (um_model_slots(l->run->model) > 1 ? LANE_STEPS : 1); }
