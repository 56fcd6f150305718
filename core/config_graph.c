/* From a config to the model's structure. */
#include <stdio.h>
#include <string.h>

#include "core/config_internal.h"

static const struct {
  const char *name;
  int smallest; /* height and width: below it a pool would have nothing left */
  int (*add)(um_graph *g, int64_t height, int64_t width, um_error *err);
} backbones[] = {{"vgg16", 32, um_graph_add_vgg16}, {"tiny", 16, um_graph_add_tiny}, {"dct", 16, um_graph_add_dct}};
enum { BACKBONES = sizeof backbones / sizeof *backbones };

/* One layer of the head behind node `last`; returns the new last node. */
static int add_layer(um_graph *g, int last, const um_head_layer *layer, um_error *err) {
  const char *name = layer->name[0] ? layer->name : NULL;
  switch (layer->kind) {
  case UM_HEAD_FLATTEN: return um_graph_add_simple(g, name, UM_OP_FLATTEN, &last, 1, UM_ACT_NONE, err);
  case UM_HEAD_GLOBAL_POOL: return um_graph_add_simple(g, name, UM_OP_GLOBAL_AVG_POOL, &last, 1, UM_ACT_NONE, err);
  case UM_HEAD_DROPOUT: return um_graph_add_dropout(g, name, last, layer->rate, err);
  case UM_HEAD_DENSE: break;
  }
  last = um_graph_add_dense(g, name, last, layer->units, layer->activation == UM_HEAD_RELU ? UM_ACT_RELU : UM_ACT_NONE, err);
  if (last < 0 || layer->activation != UM_HEAD_SIGMOID) return last;
  /* Keras has the sigmoid inside of the dense layer; here it is a node behind it, called after it. */
  char sigmoid[UM_NAME_MAX];
  snprintf(sigmoid, sizeof sigmoid, "%.50s_sigmoid", g->node[last].name);
  return um_graph_add_simple(g, sigmoid, UM_OP_SIGMOID, &last, 1, UM_ACT_NONE, err);
}

int um_config_graph(um_graph *g, int *backbone_last, const um_config *c, um_error *err) {
  um_head_layer layers[UM_HEAD_MAX];
  int count, last = -1, status = UM_OK, b = 0;
  const int *size = c->data.target_size;
  cJSON *head = NULL;

  memset(g, 0, sizeof *g);
  while (b < BACKBONES && strcmp(backbones[b].name, c->backbone) != 0) b++;
  if (b == BACKBONES) {
    status = um_fail(err, UM_ECONFIG, "model.backbone: \"%s\" is not known", c->backbone);
    goto done;
  }
  if (size[0] < backbones[b].smallest || size[1] < backbones[b].smallest) {
    status = um_fail(err, UM_ECONFIG, "data.target_size: [%d, %d] is too small for %s, expected at least [%d, %d]", size[0], size[1],
                     c->backbone, backbones[b].smallest, backbones[b].smallest);
    goto done;
  }
  head = cJSON_Parse(c->head);
  if (!head) {
    status = um_fail(err, UM_ECONFIG, "model.head: not JSON");
    goto done;
  }
  if ((status = um_head_read(layers, &count, head, "model.head", err))) goto done;
  last = status = backbones[b].add(g, size[0], size[1], err);
  if (backbone_last) *backbone_last = last;
  for (int i = 0; i < count && last >= 0; i++) {
    last = status = add_layer(g, last, &layers[i], err);
    if (last < 0) {
      um_fail_context(err, "model.head[%d]", i);
      status = UM_ECONFIG;
      if (err) err->code = status;
    }
  }
  status = status < 0 ? status : UM_OK;
done:
  cJSON_Delete(head);
  if (status) um_graph_free(g);
  return status;
}
