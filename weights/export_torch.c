/* A model for PyTorch: safetensors with torchvision's names and PyTorch's layouts (O I H W, out x in, the first dense layer's inputs as a
 * flattened C H W). docs/export.md has the module that loads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/model_data.h"
#include "weights/torch_names.h"

typedef struct named {
  char name[UM_NAME_MAX + 8];
  um_weight_item item; /* dimensions and layout in the file */
} named;

typedef struct writing {
  const um_model_data *d;
  const named *list;
} writing;

static int turn(void *arg, int i, void *data, um_error *err) {
  const writing *w = arg;
  (void)err;
  um_weight_turn_back(&w->list[i].item, data, w->d->tensor[i].data);
  return UM_OK;
}

/* Name, dimensions and layout in the file of one parameter. */
static int describe(named *out, const um_model_data *d, int index, const um_torch_slot *slot, int slots, um_error *err) {
  const char *name = d->name[index], *slash = strrchr(name, '/');
  const um_tensor *t = &d->tensor[index];
  um_weight_item *item = &out->item;
  const bool bias = slash && strcmp(slash, "/bias") == 0;
  int k = 0;
  while (k < slots && slash &&
         (strlen(d->graph.node[slot[k].node].name) != (size_t)(slash - name) ||
          memcmp(d->graph.node[slot[k].node].name, name, (size_t)(slash - name)) != 0))
    k++;
  if (!slash || k == slots) return um_fail(err, UM_EINTERNAL, "%s: a parameter of no layer", name);
  if (!slot[k].clear)
    return um_fail(err, UM_EUNSUPPORTED,
                   "%s: its inputs are flattened pictures and others together, which PyTorch would put in another order", name);
  snprintf(out->name, sizeof out->name, "%s.%s", slot[k].name, bias ? "bias" : "weight");
  item->ndim = t->ndim;
  memcpy(item->dim, t->dim, sizeof t->dim);
  if (bias || slot[k].layout == UM_WEIGHT_OURS) return UM_OK;
  item->layout = slot[k].layout;
  memcpy(item->chw, slot[k].chw, sizeof item->chw);
  if (item->layout == UM_WEIGHT_OIHW)
    item->dim[0] = t->dim[3], item->dim[1] = t->dim[2], item->dim[2] = t->dim[0], item->dim[3] = t->dim[1];
  else
    item->dim[0] = t->dim[1], item->dim[1] = t->dim[0];
  return UM_OK;
}

int um_export_torch(const um_model_data *d, const um_export_options *o, const char *path, um_error *err) {
  um_torch_slot *slot = NULL;
  named *list = calloc((size_t)d->count + 1, sizeof *list);
  um_st_entry *entry = calloc((size_t)d->count + 1, sizeof *entry);
  char **metadata = um_model_metadata(d, err);
  const char **all = NULL;
  int slots = 0, texts = 0, status = UM_OK;
  bool chain;
  (void)o;
  while (metadata && metadata[texts]) texts++;
  all = calloc((size_t)texts + 3, sizeof *all);
  if (!list || !entry || !all)
    status = um_fail(err, UM_ENOMEM, "%s: no memory for a list of %d tensors", path, d->count);
  else if (!metadata)
    status = UM_ENOMEM;
  if (!status) status = um_torch_slots(&slot, &slots, &chain, &d->graph, err);
  for (int i = 0; i < d->count && !status; i++) {
    status = describe(&list[i], d, i, slot, slots, err);
    if (status) break;
    const um_weight_item *item = &list[i].item;
    entry[i] = (um_st_entry){.name = list[i].name, .tensor = um_tensor_plain(UM_F32, item->ndim, item->dim)};
  }
  if (!status) {
    writing w = {d, list};
    all[0] = "format", all[1] = "pt"; /* what loaders of PyTorch's safetensors look for */
    for (int i = 0; i < texts; i++) all[2 + i] = metadata[i];
    status = um_st_write_from(path, entry, d->count, all, turn, &w, err);
  }
  free(slot);
  free(list);
  free(entry);
  free(metadata);
  free(all);
  return status;
}
