/* The emulator's streams, events and graphs, shared by queue.c and graph.c. All of it under the lock. */
#ifndef UM_CUDA_HOST_QUEUE_H
#define UM_CUDA_HOST_QUEUE_H

#include "internal.h"

#include <pthread.h>

typedef enum um_emu_kind { UM_EMU_LAUNCH, UM_EMU_COPY, UM_EMU_SET, UM_EMU_RECORD, UM_EMU_WAIT, UM_EMU_GRAPH } um_emu_kind;

typedef struct um_emu_op {
  struct um_emu_op *next;
  um_emu_kind kind;
  uint64_t order;       /* of all that was ever queued */
  um_emu_launch launch; /* LAUNCH; its arguments are `owned` */
  void *owned;          /* freed with the op: arguments, or the staged bytes of a pageable source */
  void *dst;            /* COPY, SET */
  const void *src;
  size_t bytes;
  int value;
  cudaEvent_t event; /* RECORD, WAIT */
  uint64_t version;
  cudaGraphExec_t exec; /* GRAPH */
  uint64_t ticket;
  bool *done; /* by node */
  int left;
} um_emu_op;

/* A set of nodes of a graph, by index. */
typedef struct um_emu_set {
  int *at, n;
} um_emu_set;

typedef struct um_emu_node {
  um_emu_op op;
  um_emu_set after;
} um_emu_node;

struct CUgraph_st {
  um_emu_node *nodes;
  int n, references;
};

struct CUgraphExec_st {
  struct CUgraph_st *graph;
  uint64_t issued, finished;
  int references;
};

typedef struct um_emu_capture {
  uint64_t number; /* from 1, never the same twice */
  struct CUgraph_st *graph;
  cudaStream_t origin;
  enum cudaStreamCaptureMode mode;
  pthread_t thread;
  bool invalid;
} um_emu_capture;

struct CUstream_st {
  struct CUstream_st *next;
  um_emu_op *head, *tail;
  bool blocking; /* waits for the legacy stream, and it for this one */
  int priority;
  um_emu_capture *capture;
  um_emu_set tails; /* what the next node comes after */
};

struct CUevent_st {
  uint64_t recorded, done;
  double time; /* ms, of the last record that is done */
  bool timed;
  int references;
  uint64_t captured; /* the number of the capture in which it was recorded last, or 0 */
  um_emu_set tails;
};

extern cudaStream_t um_emu_streams; /* all, the legacy stream last */

void um_emu_lock(void);
/* Unlocks; a failure becomes this host thread's last error. */
cudaError_t um_emu_return(cudaError_t e);
/* The error that stays, after a kernel failed; cudaSuccess before. */
cudaError_t um_emu_dead(void);
/* NULL where it is none. */
cudaStream_t um_emu_stream(cudaStream_t stream);
/* Queues a copy of *op on it (or adds it to the graph that it captures), and takes op->owned over, even in failure. */
cudaError_t um_emu_enqueue(cudaStream_t stream, const um_emu_op *op);
/* Not while capturing (this thread, or any in global mode): then the capture becomes invalid. */
cudaError_t um_emu_unsafe(void);
void um_emu_execute(um_emu_op *op);
void um_emu_free_op(um_emu_op *op);
um_emu_capture *um_emu_event_capture(cudaEvent_t event); /* the capture that it belongs to, or NULL */
void um_emu_event_unref(cudaEvent_t event);

/* graph.c */
void um_emu_invalidate(um_emu_capture *c);
cudaError_t um_emu_add_node(cudaStream_t stream, const um_emu_op *op);
void um_emu_set_copy(um_emu_set *to, const um_emu_set *from);
void um_emu_set_join(um_emu_set *to, const um_emu_set *from);
bool um_emu_graph_ready(const um_emu_op *op);
bool um_emu_graph_step(um_emu_op *op); /* runs one node; true: that was the last */
void um_emu_graph_unref(struct CUgraph_st *g);
void um_emu_exec_unref(struct CUgraphExec_st *e);

#endif
