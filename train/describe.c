/* What the run will do, on stderr before it does it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "train/run.h"

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int count_different(char **name, int n) {
  int different = 0;
  qsort(name, (size_t)n, sizeof *name, by_text);
  for (int i = 0; i < n; i++) different += i == 0 || strcmp(name[i - 1], name[i]) != 0;
  return different;
}

/* Of footage and of videos; 0 videos where no picture's is known. */
static void count_sources(const um_dataset *d, int *groups, int *videos) {
  char **name = malloc(((size_t)d->count + 1) * sizeof *name);
  bool known = false;
  *groups = *videos = 0;
  if (!name) return;
  for (int i = 0; i < d->count; i++) name[i] = d->item[i].group;
  *groups = count_different(name, d->count);
  for (int i = 0; i < d->count; i++) name[i] = d->item[i].video ? d->item[i].video : d->item[i].path, known |= d->item[i].video != NULL;
  if (known) *videos = count_different(name, d->count);
  free(name);
}

static void describe_part(const char *what, const um_dataset *d, const char *where) {
  char all[32], one[32], two[32], footage[64] = "", filmed[64] = "", n[32];
  int groups, videos;
  count_sources(d, &groups, &videos);
  if (d->grouped > 0) snprintf(footage, sizeof footage, ", %s groups", count_text(groups, n));
  if (videos > 0) snprintf(filmed, sizeof filmed, " of %s videos", count_text(videos, n));
  um_log_progress(true, "%-11s %s pictures%s: %s %s, %s %s%s%s%s", what, count_text(d->count, all), filmed, d->class_name[0],
                  count_text(d->class_count[0], one), d->class_name[1], count_text(d->class_count[1], two), footage, where ? " from " : "",
                  where ? where : "");
}

static void describe_data(const run *r) {
  const um_data_config *c = &r->config.data;
  um_log_progress(true, "Data        %s", c->train_dir);
  describe_part("  training", &r->train, NULL);
  if (r->validation.count > 0)
    describe_part("  held out", &r->validation, c->validation_dir[0] ? c->validation_dir : NULL);
  else
    um_log_progress(true, "  held out  nothing: there will be no best.safetensors (data.validation_split)");
  if (r->test.count > 0) describe_part("  test", &r->test, c->test_dir[0] ? c->test_dir : NULL);
  if (r->validation.count > 0 && c->split_by == UM_SPLIT_PART)
    um_log_progress(true, "  split     the dataset's own (manifest.csv, column part)");
  else if (r->validation.count > 0 && !c->validation_dir[0])
    um_log_progress(true, "  split     %g by %s%s", c->validation_split,
                    c->split_by == UM_SPLIT_FILES ? "files, the first of each class, as Keras does"
                    : r->train.grouped > 0        ? "group (footage), drawn from the seed"
                                                  : "group: no manifest.csv, so each file is one",
                    "");
  um_log_progress(true, "  input     %dx%d, %s, %s", c->target_size[0], c->target_size[1],
                  c->interpolation == UM_NEAREST ? "nearest" : "bilinear",
                  c->preprocessing == UM_PREPROCESS_CAFFE ? "BGR minus the ImageNet mean" : "RGB");
}

static void describe_augmentation(const run *r) {
  static const char *const fills[] = {"nearest", "constant", "reflect", "wrap"};
  const um_augmentation_config *a = &r->config.augmentation;
  bool moves = a->rotation_range > 0 || a->width_shift_range > 0 || a->height_shift_range > 0 || a->shear_range > 0 ||
               a->zoom_range[0] != 1 || a->zoom_range[1] != 1;
  if (!moves && !a->horizontal_flip && !a->vertical_flip) {
    um_log_progress(true, "Augment     nothing");
    return;
  }
  um_log_progress(true, "Augment     rotation %g, shift %g wide %g high, shear %g, zoom %g to %g,", a->rotation_range, a->width_shift_range,
                  a->height_shift_range, a->shear_range, a->zoom_range[0], a->zoom_range[1]);
  um_log_progress(true, "            flips%s%s%s, fill %s, %s", a->horizontal_flip ? " left-right" : "", a->vertical_flip ? " up-down" : "",
                  a->horizontal_flip || a->vertical_flip ? "" : " none", fills[a->fill_mode],
                  a->semantics == UM_KERAS2 ? "keras2" : "keras3");
}

/* "NAME LOW to HIGH (SHARE of the pictures)", where there is any, behind what `line` holds. */
static void add_change(char *line, size_t size, const char *name, double probability, const double range[2], const char *unit) {
  size_t n = strlen(line);
  if (probability == 0) return;
  snprintf(line + n, size - n, "%s%s", *line ? ", " : "", name);
  n = strlen(line);
  if (range && range[0] == range[1]) snprintf(line + n, size - n, " %g%s", range[0], unit);
  if (range && range[0] < range[1]) snprintf(line + n, size - n, " %g to %g%s", range[0], range[1], unit);
  n = strlen(line);
  snprintf(line + n, size - n, " (%g%%)", 100 * probability);
}

static void describe_changes(const run *r) {
  const um_augmentation_config *a = &r->config.augmentation;
  char line[512] = "";
  add_change(line, sizeof line, "colour", a->color_probability, NULL, "");
  add_change(line, sizeof line, "blur", a->blur_probability, a->blur_sigma, " px");
  add_change(line, sizeof line, "downscale", a->downscale_probability, a->downscale_factor, "");
  add_change(line, sizeof line, "noise", a->noise_probability, a->noise_sigma, "");
  add_change(line, sizeof line, "JPEG", a->jpeg_probability, a->jpeg_quality, "");
  add_change(line, sizeof line, "cut-out", a->cutout_probability, a->cutout_size, "");
  if (*line) um_log_progress(true, "Degrade     %s", line);
  if (r->train.blends == 0) return;
  int known = 0;
  for (int i = 0; i < r->train.count; i++) known += r->train.item[i].blend && r->train.item[i].has_points;
  um_log_progress(true, "Self-blend  %d of the fakes are made of real pictures, anew each epoch; %d with the face's points%s",
                  r->train.blends, known, known < r->train.blends ? ", the others as faces that fill their pictures" : "");
}

static int64_t parameters_of(const um_graph *g, int i) {
  const um_node *n = &g->node[i];
  if (n->op != UM_OP_CONV2D && n->op != UM_OP_DENSE) return 0;
  const um_node *in = &g->node[n->input[0]];
  int64_t inputs = in->dim[in->ndim - 1];
  if (n->op == UM_OP_CONV2D) inputs *= (int64_t)n->window.kernel[0] * n->window.kernel[1];
  return (inputs + 1) * n->units;
}

/* The first node that trains (see um_model_options). */
static int first_trainable(const run *r) {
  const char *t = run_phase(r)->trainable;
  if (strcmp(t, "all") == 0) return 0;
  if (strcmp(t, "head") != 0) return um_graph_find(&r->graph, t);
  int i = 0;
  while (i < r->graph.count && r->graph.node[i].op != UM_OP_DENSE) i++;
  return i;
}

static void describe_model(const run *r) {
  const um_graph *g = &r->graph;
  int64_t total = 0, training = 0;
  int first = first_trainable(r);
  char count[32], part[32];
  um_log_progress(true, "Model       %s and its head, %s", r->config.backbone,
                  r->resumed           ? "as the checkpoint left it"
                  : r->weights[0] == 0 ? "random weights (drawn from the seed)"
                                       : "weights from:");
  if (!r->resumed && r->weights[0]) um_log_progress(true, "            %s", r->weights);
  um_log_progress(true, "  %-22s %-18s %16s", "layer", "output", "parameters");
  for (int i = 0; i < g->count; i++) {
    const um_node *n = &g->node[i];
    char shape[64] = "";
    size_t at = 0;
    for (int d = 0; d < n->ndim && at < sizeof shape; d++)
      at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%" PRId64, d ? "x" : "", n->dim[d]);
    int64_t p = parameters_of(g, i);
    total += p;
    if (i >= first) training += p;
    if (p == 0)
      um_log_progress(true, "  %-22s %s", n->name, shape);
    else
      um_log_progress(true, "  %-22s %-18s %16s%s", n->name, shape, count_text(p, count), i < first ? "  frozen" : "");
  }
  um_log_progress(true, "  %-22s %-18s %16s", "all", "", count_text(total, count));
  um_log_progress(true, "  %-22s %-18s %16s", "to be trained", "", count_text(training, part));
}

static void describe_machine(const run *r) {
  static const char *const precisions[] = {"fp32", "tf32", "bf16"}, *const engines[] = {"auto", "native", "cudnn"};
  const um_model_memory *m = &r->memory;
  char text[256] = "";
  const um_ops *ops = r->backend->ops;
  ops->describe(r->backend, text, sizeof text);
  um_log_progress(true, "Device      %s", text);
  if (r->config.precision != UM_PRECISION_FP32 || r->backend->ops->replay)
    um_log_progress(true, "            %s, engine %s", precisions[r->config.precision], engines[r->config.engine]);
  if (r->memory_free)
    um_log_progress(true, "Memory      needs %.0f MB, %.0f MB are free", (double)m->total / 1e6, (double)r->memory_free / 1e6);
  else
    um_log_progress(true, "Memory      needs %.0f MB", (double)m->total / 1e6);
  um_log_progress(true, "            parameters %.0f%s, gradients %.0f, optimizer %.0f,", (double)(m->parameters + m->copies) / 1e6,
                  m->copies ? " (with copies in bf16)" : "", (double)m->gradients / 1e6, (double)m->optimizer / 1e6);
  um_log_progress(true, "            activations %.0f (scratch of the steps %.0f of it), input %.0f", (double)m->activations / 1e6,
                  (double)m->scratch / 1e6, (double)m->input / 1e6);
}

static void describe_schedule(const um_schedule *s) {
  char text[128] = "", warmup[64] = "", length[64] = "to the end";
  if (s->warmup_steps > 0) snprintf(warmup, sizeof warmup, "warm-up of %d steps from %g of it", s->warmup_steps, s->warmup_from);
  if (s->warmup_epochs > 0)
    snprintf(warmup, sizeof warmup, "warm-up of %g epoch%s from %g of it", s->warmup_epochs, s->warmup_epochs == 1 ? "" : "s",
             s->warmup_from);
  if (s->decay_steps > 0) snprintf(length, sizeof length, "over %d steps", s->decay_steps);
  if (s->decay_epochs > 0) snprintf(length, sizeof length, "over %g epochs", s->decay_epochs);
  switch (s->kind) {
  case UM_SCHEDULE_CONSTANT: break;
  case UM_SCHEDULE_COSINE: snprintf(text, sizeof text, "cosine down to %g of it, %s", s->alpha, length); break;
  case UM_SCHEDULE_EXPONENTIAL:
    if (s->decay_steps == 0 && s->decay_epochs == 0) snprintf(length, sizeof length, "every epoch");
    snprintf(text, sizeof text, "times %g %s%s", s->decay_rate, length, s->staircase ? ", at once" : "");
    break;
  case UM_SCHEDULE_STEP:
    if (s->boundaries.count > 0)
      snprintf(text, sizeof text, "%g until step %.0f, in %d steps down to %g", s->values.value[0], s->boundaries.value[0],
               s->boundaries.count, s->values.value[s->values.count - 1]);
    else
      snprintf(text, sizeof text, "times %g every %d epochs", s->factor, s->every_epochs);
    break;
  case UM_SCHEDULE_PLATEAU:
    snprintf(text, sizeof text, "times %g after %d epochs of no better %s", s->factor, s->patience, um_monitor_name(s->monitor));
    break;
  }
  if (warmup[0]) um_log_progress(true, "            %s%s", warmup, text[0] ? "," : "");
  if (text[0]) um_log_progress(true, "            %s", text);
}

static void describe_course(const run *r) {
  static const char *const optimizers[] = {"rmsprop", "sgd", "adam"};
  const um_config *c = &r->config;
  const um_early_stopping *e = &c->early_stopping;
  char steps[32], rate[48];
  snprintf(rate, sizeof rate, ", learning rate %g", c->phase[0].learning_rate);
  um_log_progress(true, "Training    %d epoch%s of %s steps of %d pictures, %s%s", run_epochs(r), run_epochs(r) == 1 ? "" : "s",
                  count_text(run_batches(r), steps), c->data.batch_size, optimizers[c->optimizer.kind], c->phases_given ? "" : rate);
  if (c->optimizer.weight_decay > 0) um_log_progress(true, "            weight decay %g", c->optimizer.weight_decay);
  if (e->on)
    um_log_progress(true, "            ends%s where %s is no better for %d epoch%s", c->phases > 1 ? " a phase" : "",
                    um_monitor_name(e->monitor), e->patience, e->patience == 1 ? "" : "s");
  if (c->data.sampling == UM_SAMPLING_BALANCED)
    um_log_progress(true, "            both classes equally often, %s again",
                    r->train.class_name[r->train.class_count[0] > r->train.class_count[1]]);
  if (c->class_weight.mode != UM_CLASS_WEIGHT_NONE)
    um_log_progress(true, "            in the loss %s counts %.4g, %s %.4g", r->train.class_name[0], (double)r->class_weight[0],
                    r->train.class_name[1], (double)r->class_weight[1]);
  for (int i = 0; i < c->phases; i++) {
    const um_phase *p = &c->phase[i];
    if (c->phases_given)
      um_log_progress(true, "  phase %-3d %d epoch%s, trains %s, learning rate %g", i + 1, p->epochs, p->epochs == 1 ? "" : "s",
                      p->trainable, p->learning_rate);
    describe_schedule(&p->schedule);
  }
}

void run_describe_phase(const run *r) {
  const um_graph *g = &r->graph;
  int64_t training = 0;
  char part[32];
  for (int i = first_trainable(r); i < g->count; i++) training += parameters_of(g, i);
  um_log_progress(true, "Phase %d/%d   trains %s: %s parameters, learning rate %g", r->at.phase + 1, r->config.phases,
                  run_phase(r)->trainable, count_text(training, part), run_phase(r)->learning_rate);
}

void run_describe(const run *r) {
  bool named = strcmp(r->train.class_name[0], "fake") == 0 || strcmp(r->train.class_name[1], "fake") == 0;

  describe_data(r);
  if (!named)
    um_log(UM_LOG_WARN, "no class is called fake: infer will not know which of %s and %s its scores are for", r->train.class_name[0],
           r->train.class_name[1]);
  describe_augmentation(r);
  describe_changes(r);
  describe_model(r);
  describe_machine(r);
  describe_course(r);
  um_log_progress(true, "Output      %s", r->out);
}
