/* The emulated device: capture of streams into graphs, and their replay. See emu.h. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

/* ---- sets of nodes ---- */

void um_emu_set_copy(um_emu_set *to, const um_emu_set *from) {
  to->n = 0;
  um_emu_set_join(to, from);
}

void um_emu_set_join(um_emu_set *to, const um_emu_set *from) {
  for (int i = 0; i < from->n; i++) {
    bool there = false;
    for (int j = 0; j < to->n; j++) there = there || to->at[j] == from->at[i];
    if (there) continue;
    int *grown = (int *)realloc(to->at, (size_t)(to->n + 1) * sizeof *grown);
    if (!grown) abort();
    to->at = grown;
    to->at[to->n++] = from->at[i];
  }
}

/* ---- captures ---- */

void um_emu_invalidate(um_emu_capture *c) { c->invalid = true; }

cudaError_t um_emu_add_node(cudaStream_t stream, const um_emu_op *op) {
  um_emu_capture *c = stream->capture;
  if (c->invalid) return cudaErrorStreamCaptureInvalidated;
  if (op->kind == UM_EMU_GRAPH) { /* a child graph: not needed by anyone */
    um_emu_invalidate(c);
    return cudaErrorStreamCaptureUnsupported;
  }
  struct CUgraph_st *g = c->graph;
  um_emu_node *grown = (um_emu_node *)realloc(g->nodes, (size_t)(g->n + 1) * sizeof *grown);
  if (!grown) abort();
  g->nodes = grown;
  um_emu_node *node = &g->nodes[g->n];
  memset(node, 0, sizeof *node);
  node->op = *op;
  um_emu_set_copy(&node->after, &stream->tails);
  stream->tails.n = 0;
  um_emu_set_join(&stream->tails, &(um_emu_set){&g->n, 1});
  g->n++;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
  static uint64_t captures;
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (um_emu_dead()) return um_emu_return(um_emu_dead());
  if (!s->next) return um_emu_return(cudaErrorStreamCaptureUnsupported); /* the legacy stream, the last of the list */
  if ((unsigned)mode > cudaStreamCaptureModeRelaxed) return um_emu_return(cudaErrorInvalidValue);
  if (s->capture) {
    um_emu_invalidate(s->capture);
    return um_emu_return(cudaErrorStreamCaptureUnsupported);
  }
  s->capture = (um_emu_capture *)calloc(1, sizeof *s->capture);
  struct CUgraph_st *g = (struct CUgraph_st *)calloc(1, sizeof *g);
  if (!s->capture || !g) abort();
  g->references = 1;
  s->capture->number = ++captures;
  s->capture->graph = g;
  s->capture->origin = s;
  s->capture->mode = mode;
  s->capture->thread = pthread_self();
  s->tails.n = 0;
  return um_emu_return(cudaSuccess);
}

/* Whether every node comes before what the origin's next node would come after. */
static bool joined(const um_emu_capture *c) {
  const struct CUgraph_st *g = c->graph;
  for (int i = 0; i < g->n; i++) {
    bool followed = false;
    for (int j = 0; j < g->n && !followed; j++)
      for (int k = 0; k < g->nodes[j].after.n; k++) followed = followed || g->nodes[j].after.at[k] == i;
    for (int k = 0; k < c->origin->tails.n; k++) followed = followed || c->origin->tails.at[k] == i;
    if (!followed) return false;
  }
  return true;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s || !graph) return um_emu_return(cudaErrorInvalidValue);
  *graph = NULL;
  um_emu_capture *c = s->capture;
  if (!c) return um_emu_return(cudaErrorInvalidValue);
  cudaError_t e = cudaSuccess;
  if (c->origin != s)
    e = cudaErrorStreamCaptureUnmatched;
  else if (c->mode != cudaStreamCaptureModeRelaxed && !pthread_equal(c->thread, pthread_self()))
    e = cudaErrorStreamCaptureWrongThread;
  if (e) {
    um_emu_invalidate(c);
    return um_emu_return(e);
  }
  if (c->invalid)
    e = cudaErrorStreamCaptureInvalidated;
  else if (!joined(c))
    e = cudaErrorStreamCaptureUnjoined;
  for (cudaStream_t o = um_emu_streams; o; o = o->next)
    if (o->capture == c) {
      o->capture = NULL;
      o->tails.n = 0;
    }
  if (e)
    um_emu_graph_unref(c->graph);
  else
    *graph = c->graph;
  free(c);
  return um_emu_return(e);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s || !status) return um_emu_return(cudaErrorInvalidValue);
  *status = !s->capture           ? cudaStreamCaptureStatusNone
            : s->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                  : cudaStreamCaptureStatusActive;
  return um_emu_return(cudaSuccess);
}

/* ---- graphs ---- */

void um_emu_graph_unref(struct CUgraph_st *g) {
  if (--g->references) return;
  for (int i = 0; i < g->n; i++) {
    free(g->nodes[i].op.owned);
    free(g->nodes[i].after.at);
  }
  free(g->nodes);
  free(g);
}

void um_emu_exec_unref(struct CUgraphExec_st *e) {
  if (--e->references) return;
  um_emu_graph_unref(e->graph);
  free(e);
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
  um_emu_lock();
  if (!graph || !count || nodes) return um_emu_return(cudaErrorInvalidValue);
  *count = (size_t)graph->n;
  return um_emu_return(cudaSuccess);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags) {
  um_emu_lock();
  if (!exec || !graph || flags) return um_emu_return(cudaErrorInvalidValue);
  if (um_emu_dead()) return um_emu_return(um_emu_dead());
  cudaGraphExec_t x = (cudaGraphExec_t)calloc(1, sizeof *x);
  if (!x) return um_emu_return(cudaErrorMemoryAllocation);
  x->graph = graph;
  graph->references++;
  x->references = 1;
  *exec = x;
  return um_emu_return(cudaSuccess);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
  um_emu_lock();
  return um_emu_return(exec && um_emu_stream(stream) ? um_emu_dead() : cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!exec || !s) return um_emu_return(cudaErrorInvalidValue);
  um_emu_op op = {.kind = UM_EMU_GRAPH, .exec = exec, .ticket = exec->issued, .left = exec->graph->n};
  const cudaError_t e = um_emu_enqueue(s, &op);
  if (e) return um_emu_return(e);
  exec->issued++;
  s->tail->done = (bool *)calloc((size_t)exec->graph->n + 1, sizeof(bool));
  if (!s->tail->done) abort();
  return um_emu_return(cudaSuccess);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  um_emu_lock();
  if (!exec) return um_emu_return(cudaErrorInvalidValue);
  um_emu_exec_unref(exec);
  return um_emu_return(um_emu_dead());
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  um_emu_lock();
  if (!graph) return um_emu_return(cudaErrorInvalidValue);
  um_emu_graph_unref(graph);
  return um_emu_return(um_emu_dead());
}

bool um_emu_graph_step(um_emu_op *op) {
  struct CUgraph_st *g = op->exec->graph;
  if (!op->left) return true;
  int chosen = -1;
  unsigned n = 0;
  for (int i = 0; i < g->n; i++) {
    bool ready = !op->done[i];
    for (int k = 0; ready && k < g->nodes[i].after.n; k++) ready = op->done[g->nodes[i].after.at[k]];
    if (ready && um_emu_random() % ++n == 0) chosen = i;
  }
  um_emu_execute(&g->nodes[chosen].op);
  op->done[chosen] = true;
  return --op->left == 0;
}
