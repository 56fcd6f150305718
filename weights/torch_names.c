#include "weights/torch_names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a node's values are: a vector or a picture, a flattened picture, or a mixture. */
typedef struct origin {
  enum { PLAIN, FLAT, MIXED } kind;
  int64_t chw[3];
} origin;

static bool same_origin(const origin *a, const origin *b) {
  return a->kind == b->kind && (a->kind != FLAT || memcmp(a->chw, b->chw, sizeof a->chw) == 0);
}

static origin origin_of(const um_graph *g, int index, const origin *earlier) {
  const um_node *n = &g->node[index];
  origin o = {PLAIN, {0}};
  if (n->op == UM_OP_FLATTEN && g->node[n->input[0]].ndim == 3) {
    const int64_t *hwc = g->node[n->input[0]].dim;
    return (origin){FLAT, {hwc[2], hwc[0], hwc[1]}};
  }
  if (n->op == UM_OP_CONV2D || n->op == UM_OP_DENSE || n->op == UM_OP_GLOBAL_AVG_POOL || n->n_inputs == 0) return o;
  o = earlier[n->input[0]];
  for (int i = 1; i < n->n_inputs; i++)
    if (!same_origin(&o, &earlier[n->input[i]])) o.kind = MIXED;
  if (n->op == UM_OP_CONCAT && n->ndim == 1 && n->n_inputs > 1 && o.kind == FLAT) o.kind = MIXED;
  return o;
}

int um_torch_slots(um_torch_slot **out, int *count, bool *chain, const um_graph *g, um_error *err) {
  um_torch_slot *slot = calloc((size_t)g->count + 1, sizeof *slot);
  origin *from = calloc((size_t)g->count + 1, sizeof *from);
  const char *part = "features";
  int at = 0;
  *out = NULL;
  *count = 0;
  *chain = true;
  if (!slot || !from) {
    free(slot);
    free(from);
    return um_fail(err, UM_ENOMEM, "no memory for a list of %d layers", g->count);
  }
  for (int i = 1; i < g->count; i++) *chain = *chain && g->node[i].n_inputs == 1 && g->node[i].input[0] == i - 1;
  for (int i = 0; i < g->count; i++) {
    const um_node *n = &g->node[i];
    from[i] = origin_of(g, i, from);
    if ((n->op == UM_OP_FLATTEN || n->op == UM_OP_GLOBAL_AVG_POOL || n->op == UM_OP_DENSE) && part[0] == 'f') part = "classifier", at = 0;
    if (um_op_params(n->op) > 0) {
      um_torch_slot *s = &slot[(*count)++];
      const origin *in = &from[n->input[0]];
      s->node = i;
      if (*chain)
        snprintf(s->name, sizeof s->name, "%s.%d", part, at);
      else
        snprintf(s->name, sizeof s->name, "%s", n->name);
      const bool alpha = n->op == UM_OP_PRELU; /* a list, which a flattened picture would have in another order */
      s->layout = alpha ? UM_WEIGHT_OURS : n->op == UM_OP_CONV2D ? UM_WEIGHT_OIHW : in->kind == FLAT ? UM_WEIGHT_OI_CHW : UM_WEIGHT_OI;
      s->clear = n->op == UM_OP_CONV2D || (in->kind != MIXED && !(alpha && in->kind == FLAT));
      memcpy(s->chw, in->chw, sizeof s->chw);
    }
    if (n->op != UM_OP_INPUT && n->op != UM_OP_FLATTEN && n->op != UM_OP_GLOBAL_AVG_POOL) at += 1 + (n->activation == UM_ACT_RELU);
  }
  free(from);
  *out = slot;
  return UM_OK;
}

/* The name without what wrappers put before it (DataParallel, torch.compile, Lightning). */
static const char *bare(const char *name) {
  static const char *const wrap[] = {"module.", "_orig_mod.", "model."};
  for (size_t i = 0; i < sizeof wrap / sizeof *wrap; i++)
    if (strncmp(name, wrap[i], strlen(wrap[i])) == 0) {
      name += strlen(wrap[i]);
      i = (size_t)-1; /* once more from the first */
    }
  return name;
}

/* A name PART.NUMBER.weight or .bias; the number, or -1. */
static long number_in(const char *name, const char *part, bool *weight) {
  size_t n = strlen(part);
  if (strncmp(name, part, n) != 0 || name[n] != '.' || !isdigit((unsigned char)name[n + 1])) return -1;
  char *end;
  long number = strtol(name + n + 1, &end, 10);
  *weight = strcmp(end, ".weight") == 0;
  return (*weight || strcmp(end, ".bias") == 0) && number < 100000 ? number : -1;
}

/* The slot that an item belongs to by its name, or -1. */
static int slot_of(const um_torch_slot *slot, int slots, const char *name, bool *weight) {
  for (int k = 0; k < slots; k++) {
    size_t n = strlen(slot[k].name);
    if (strncmp(name, slot[k].name, n) != 0) continue;
    *weight = strcmp(name + n, ".weight") == 0;
    if (*weight || strcmp(name + n, ".bias") == 0) return k;
  }
  return -1;
}

static bool rename_item(um_weight_item *item, const um_graph *g, const um_torch_slot *slot, bool weight) {
  char *name;
  if (!slot->clear || asprintf(&name, "%s/%s", g->node[slot->node].name, um_op_param_name(g->node[slot->node].op, !weight)) < 0)
    return false;
  free(item->name);
  item->name = name;
  if (weight) item->layout = slot->layout;
  memcpy(item->chw, slot->chw, sizeof item->chw);
  return true;
}

static bool is_part(const um_torch_slot *slot, const char *part) { return strncmp(slot->name, part, strlen(part)) == 0; }

/* True where the file's PART.N.weight are exactly the slots' of that part. */
static bool same_numbers(const um_weight_source *s, const um_torch_slot *slot, int slots, const char *part) {
  int wanted = 0, found = 0;
  for (int k = 0; k < slots; k++) wanted += is_part(&slot[k], part);
  for (int i = 0; i < s->count; i++) {
    bool weight;
    const char *name = bare(s->item[i].name);
    if (number_in(name, part, &weight) < 0 || !weight) continue;
    if (slot_of(slot, slots, name, &weight) < 0) return false;
    found++;
  }
  return wanted > 0 && found == wanted;
}

/* A head with other modules in between (Dropout, say) has the same layers at other numbers: taken in their order, where their number
 * and all shapes are the graph's. Gives the slots the file's numbers. */
static bool same_shapes(const um_weight_source *s, const um_graph *g, um_torch_slot *slot, int slots) {
  long last = -1;
  int first = 0;
  bool weight;
  while (first < slots && !is_part(&slot[first], "classifier")) first++;
  for (int k = first; k < slots; k++) {
    const um_weight_item *next = NULL;
    long number = 0;
    for (int i = 0; i < s->count; i++) {
      long n = number_in(bare(s->item[i].name), "classifier", &weight);
      if (n > last && weight && (!next || n < number)) next = &s->item[i], number = n;
    }
    const um_node *node = &g->node[slot[k].node], *in = &g->node[node->input[0]];
    if (!next || next->ndim != 2 || next->dim[0] != node->units || next->dim[1] != in->dim[0]) return false;
    last = number;
    snprintf(slot[k].name, sizeof slot[k].name, "classifier.%ld", number);
  }
  for (int i = 0; i < s->count; i++)
    if (number_in(bare(s->item[i].name), "classifier", &weight) > last) return false;
  return first < slots;
}

/* The scheme by what the names are alone; NULL where they are none that is known. */
static const char *look(const um_weight_source *s) {
  bool features = false, timm = false, weight;
  for (int i = 0; i < s->count; i++) {
    const char *name = bare(s->item[i].name);
    if (number_in(name, "features", &weight) >= 0 && weight && s->item[i].ndim == 4) features = true;
    if (strncmp(name, "pre_logits.", 11) == 0 || strncmp(name, "head.fc.", 8) == 0) timm = true;
  }
  return features ? timm ? "timm's names" : "torchvision's names" : NULL;
}

/* The heads that torchvision's and timm's ImageNet weights come with: 1,000 classes. */
static bool is_imagenet(const um_weight_source *s) {
  for (int i = 0; i < s->count; i++) {
    const char *name = bare(s->item[i].name);
    if ((strcmp(name, "classifier.6.weight") == 0 || strcmp(name, "head.fc.weight") == 0) && s->item[i].ndim == 2 &&
        s->item[i].dim[0] == 1000)
      return true;
  }
  return false;
}

bool um_torch_names(um_weight_source *s, const um_graph *g, const char **scheme) {
  um_torch_slot *slot = NULL;
  int slots = 0, renamed = 0;
  bool chain = false, features = false, head = false, weight;
  const char *by_look = look(s);
  *scheme = by_look;
  if (by_look && is_imagenet(s))
    snprintf(
        s->note, sizeof s->note,
        "ImageNet weights, trained on RGB from 0 to 1, minus 0.485, 0.456, 0.406, over 0.229, 0.224, 0.225; rescale 1/255 is near to it");
  if (!g || um_torch_slots(&slot, &slots, &chain, g, NULL)) return by_look != NULL;
  if (chain) {
    features = same_numbers(s, slot, slots, "features");
    if (by_look && !features)
      snprintf(s->note, sizeof s->note, "%s, but the layers of another network: its features.N are not those of this model", by_look);
    head = same_numbers(s, slot, slots, "classifier") || same_shapes(s, g, slot, slots);
  }
  for (int i = 0; i < s->count; i++) {
    um_weight_item *item = &s->item[i];
    int k = slot_of(slot, slots, bare(item->name), &weight);
    if (k < 0 || (chain && !(is_part(&slot[k], "features") ? features : head))) continue;
    renamed += rename_item(item, g, &slot[k], weight);
  }
  if (renamed > 0 && !*scheme) *scheme = "PyTorch's layouts";
  free(slot);
  return renamed > 0;
}
