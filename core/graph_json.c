/* A graph as JSON: {"format": 1, "nodes": [{"name", "op", "inputs": [indices of earlier nodes], ...}]}; by op also "shape" (input),
 * "units", "kernel", "stride", "padding" (top, left, bottom, right), "activation", "rate" (dropout). Shapes are inferred again when it is read. */
#include "core/graph.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/graph_impl.h"

enum { FORMAT = 1 };

static bool has_window(um_op_kind op) { return op == UM_OP_CONV2D || op == UM_OP_MAX_POOL || op == UM_OP_AVG_POOL; }
static bool has_units(um_op_kind op) { return op == UM_OP_CONV2D || op == UM_OP_DENSE; }

static bool add_numbers(cJSON *object, const char *key, const int *value, int count) {
  cJSON *array = cJSON_CreateIntArray(value, count);
  if (array && cJSON_AddItemToObject(object, key, array)) return true;
  cJSON_Delete(array);
  return false;
}

static bool node_to_json(cJSON *nodes, const um_node *node) {
  const um_window *w = &node->window;
  const int padding[4] = {w->pad_before[0], w->pad_before[1], w->pad_after[0], w->pad_after[1]};
  cJSON *object = cJSON_CreateObject();
  if (!object || !cJSON_AddItemToArray(nodes, object)) {
    cJSON_Delete(object);
    return false;
  }
  bool ok = cJSON_AddStringToObject(object, "name", node->name) && cJSON_AddStringToObject(object, "op", um_op_kind_name(node->op)) &&
            add_numbers(object, "inputs", node->input, node->n_inputs);
  if (node->op == UM_OP_INPUT) {
    const int shape[3] = {(int)node->dim[0], (int)node->dim[1], (int)node->dim[2]};
    ok = ok && add_numbers(object, "shape", shape, 3);
  }
  if (has_units(node->op)) ok = ok && cJSON_AddNumberToObject(object, "units", (double)node->units);
  if (has_window(node->op))
    ok = ok && add_numbers(object, "kernel", w->kernel, 2) && add_numbers(object, "stride", w->stride, 2) &&
         add_numbers(object, "padding", padding, 4);
  if (node->op == UM_OP_DROPOUT) ok = ok && cJSON_AddNumberToObject(object, "rate", node->rate);
  if (node->activation == UM_ACT_RELU) ok = ok && cJSON_AddStringToObject(object, "activation", "relu");
  return ok;
}

int um_graph_to_json(const um_graph *g, char **text, um_error *err) {
  cJSON *root = cJSON_CreateObject(), *nodes = NULL;
  *text = NULL;
  bool ok = root && cJSON_AddNumberToObject(root, "format", FORMAT) && (nodes = cJSON_AddArrayToObject(root, "nodes"));
  for (int i = 0; ok && i < g->count; i++) ok = node_to_json(nodes, &g->node[i]);
  if (ok) *text = cJSON_PrintUnformatted(root);
  cJSON_Delete(root);
  return *text ? UM_OK : um_fail(err, UM_ENOMEM, "graph: no memory for its JSON");
}

/* The whole number of a JSON value; false where it is none, or outside int. */
static bool whole(const cJSON *item, int *out) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= -2147483648.0 && item->valuedouble <= 2147483647.0)) return false;
  if (item->valuedouble != floor(item->valuedouble)) return false;
  *out = (int)item->valuedouble;
  return true;
}

/* An array of `least` to `most` whole numbers under key; returns how many, or a negative um_code. */
static int read_numbers(const cJSON *object, const char *key, int *out, int least, int most, int index, um_error *err) {
  const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, key), *item;
  int n = 0;
  bool ok = cJSON_IsArray(array);
  if (ok) cJSON_ArrayForEach(item, array) {
      if (n == most || !whole(item, &out[n])) {
        ok = false;
        break;
      }
      n++;
    }
  if (!ok || n < least)
    return um_fail(err, UM_EFORMAT, "graph: nodes[%d]: %s: expected an array of %d to %d whole numbers", index, key, least, most);
  return n;
}

/* Every key of a node is one that its op has: a file from a later version is not read halfway. */
static int check_keys(const cJSON *object, um_op_kind op, int index, um_error *err) {
  const cJSON *item;
  cJSON_ArrayForEach(item, object) {
    const char *key = item->string;
    bool known = !strcmp(key, "name") || !strcmp(key, "op") || !strcmp(key, "inputs") || (!strcmp(key, "shape") && op == UM_OP_INPUT) ||
                 (!strcmp(key, "rate") && op == UM_OP_DROPOUT) || (!strcmp(key, "units") && has_units(op)) ||
                 (!strcmp(key, "activation") && (has_units(op) || op == UM_OP_ADD)) ||
                 ((!strcmp(key, "kernel") || !strcmp(key, "stride") || !strcmp(key, "padding")) && has_window(op));
    if (!known) return um_fail(err, UM_EFORMAT, "graph: nodes[%d]: unknown key \"%.64s\" for op \"%s\"", index, key, um_op_kind_name(op));
  }
  return UM_OK;
}

static int node_from_json(um_graph *g, const cJSON *object, int index, um_error *err) {
  um_node node = {0};
  int kind = 0, number[4], status;
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(object, "name"), *op = cJSON_GetObjectItemCaseSensitive(object, "op");
  const cJSON *activation = cJSON_GetObjectItemCaseSensitive(object, "activation");
  if (!cJSON_IsObject(object) || !cJSON_IsString(name) || !cJSON_IsString(op))
    return um_fail(err, UM_EFORMAT, "graph: nodes[%d]: expected an object with the texts \"name\" and \"op\"", index);
  while (kind < UM_OP_KINDS && strcmp(op->valuestring, um_op_kind_name((um_op_kind)kind)) != 0) kind++;
  if (kind == UM_OP_KINDS)
    return um_fail(err, UM_EFORMAT, "graph: nodes[%d] (%.64s): unknown op \"%.64s\"", index, name->valuestring, op->valuestring);
  node.op = (um_op_kind)kind;
  if ((status = check_keys(object, node.op, index, err)) != UM_OK) return status;
  node.n_inputs = read_numbers(object, "inputs", node.input, node.op == UM_OP_INPUT ? 0 : 1, UM_MAX_INPUTS, index, err);
  if (node.n_inputs < 0) return node.n_inputs;
  if (node.op == UM_OP_INPUT) {
    if ((status = read_numbers(object, "shape", number, 3, 3, index, err)) < 0) return status;
    node.ndim = 3;
    for (int i = 0; i < 3; i++) node.dim[i] = number[i];
  }
  if (has_units(node.op)) {
    if (!whole(cJSON_GetObjectItemCaseSensitive(object, "units"), &number[0]))
      return um_fail(err, UM_EFORMAT, "graph: nodes[%d] (%.64s): units: expected a whole number", index, name->valuestring);
    node.units = number[0];
  }
  if (has_window(node.op)) {
    if ((status = read_numbers(object, "kernel", node.window.kernel, 2, 2, index, err)) < 0) return status;
    if ((status = read_numbers(object, "stride", node.window.stride, 2, 2, index, err)) < 0) return status;
    if ((status = read_numbers(object, "padding", number, 4, 4, index, err)) < 0) return status;
    for (int i = 0; i < 2; i++) node.window.pad_before[i] = number[i], node.window.pad_after[i] = number[2 + i];
  }
  if (node.op == UM_OP_DROPOUT) {
    const cJSON *rate = cJSON_GetObjectItemCaseSensitive(object, "rate");
    if (!cJSON_IsNumber(rate))
      return um_fail(err, UM_EFORMAT, "graph: nodes[%d] (%.64s): rate: expected a number", index, name->valuestring);
    node.rate = rate->valuedouble;
  }
  if (activation) {
    if (!cJSON_IsString(activation) || strcmp(activation->valuestring, "relu") != 0)
      return um_fail(err, UM_EFORMAT, "graph: nodes[%d] (%.64s): activation: expected \"relu\" or no such key", index, name->valuestring);
    node.activation = UM_ACT_RELU;
  }
  status = um_graph_append(g, name->valuestring, &node, err);
  if (status < 0 && status != UM_ENOMEM) {
    if (err) err->code = UM_EFORMAT; /* the text says what; it came from a file, not from a config */
    return UM_EFORMAT;
  }
  return status < 0 ? status : UM_OK;
}

int um_graph_from_json(um_graph *g, const char *text, um_error *err) {
  int format, status = UM_OK, index = 0;
  const char *end = NULL;
  cJSON *root = cJSON_ParseWithOpts(text, &end, true);
  const cJSON *nodes = cJSON_GetObjectItemCaseSensitive(root, "nodes"), *item;
  *g = (um_graph){0};
  if (!root) {
    status = um_fail(err, UM_EFORMAT, "graph: not JSON, from character %td on", end ? end - text : (ptrdiff_t)0);
  } else if (!whole(cJSON_GetObjectItemCaseSensitive(root, "format"), &format) || format != FORMAT) {
    status = um_fail(err, UM_EFORMAT, "graph: format: expected %d; a newer version of the program may read it", FORMAT);
  } else if (!cJSON_IsArray(nodes) || !nodes->child) {
    status = um_fail(err, UM_EFORMAT, "graph: nodes: expected an array of at least one node");
  } else {
    cJSON_ArrayForEach(item, nodes) {
      if ((status = node_from_json(g, item, index++, err)) != UM_OK) break;
    }
  }
  cJSON_Delete(root);
  if (status != UM_OK) um_graph_free(g);
  return status;
}
