/* The emulated device: streams, events, copies, and who runs next. See emu.h. */
#include "queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct CUstream_st legacy = {.blocking = true};
cudaStream_t um_emu_streams = &legacy;
static cudaError_t dead;
static _Thread_local cudaError_t last_error;
static uint64_t order;

/* ---- errors ---- */

void um_emu_lock(void) { pthread_mutex_lock(&lock); }

cudaError_t um_emu_return(cudaError_t e) {
  pthread_mutex_unlock(&lock);
  if (e != cudaSuccess && e != cudaErrorNotReady) last_error = e;
  return e;
}

cudaError_t um_emu_dead(void) { return dead; }

cudaError_t cudaGetLastError(void) {
  const cudaError_t e = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return e;
}

cudaError_t cudaPeekAtLastError(void) { return dead ? dead : last_error; }

/* ---- what is queued ---- */

cudaStream_t um_emu_stream(cudaStream_t stream) {
  if (!stream || stream == cudaStreamLegacy) return &legacy;
  for (cudaStream_t s = um_emu_streams; s; s = s->next)
    if (s == stream) return s;
  return NULL;
}

void um_emu_free_op(um_emu_op *op) {
  if (op->event) um_emu_event_unref(op->event);
  if (op->exec) um_emu_exec_unref(op->exec);
  free(op->done);
  free(op->owned);
  free(op);
}

static um_emu_op *own(const um_emu_op *op) {
  um_emu_op *o = (um_emu_op *)malloc(sizeof *o);
  if (!o) abort();
  *o = *op;
  if (o->event) o->event->references++;
  if (o->exec) o->exec->references++;
  return o;
}

/* Streams that wait for the legacy stream keep it from being used while they capture. */
static cudaError_t implicit(void) {
  for (cudaStream_t s = um_emu_streams; s; s = s->next)
    if (s->capture && s->blocking) {
      um_emu_invalidate(s->capture);
      return cudaErrorStreamCaptureImplicit;
    }
  return cudaSuccess;
}

cudaError_t um_emu_enqueue(cudaStream_t stream, const um_emu_op *op) {
  cudaError_t e = dead;
  if (!e && stream->capture)
    e = um_emu_add_node(stream, op); /* which copies what it owns */
  else if (!e && stream == &legacy)
    e = implicit();
  if (e || stream->capture) {
    if (e) free(op->owned);
    return e;
  }
  um_emu_op *o = own(op);
  o->next = NULL;
  o->order = ++order;
  if (stream->tail)
    stream->tail->next = o;
  else
    stream->head = o;
  stream->tail = o;
  return cudaSuccess;
}

cudaError_t um_emu_unsafe(void) {
  for (cudaStream_t s = um_emu_streams; s; s = s->next) {
    const um_emu_capture *c = s->capture;
    if (!c || c->mode == cudaStreamCaptureModeRelaxed) continue;
    if (c->mode == cudaStreamCaptureModeThreadLocal && !pthread_equal(c->thread, pthread_self())) continue;
    um_emu_invalidate(s->capture);
    return cudaErrorStreamCaptureUnsupported;
  }
  return cudaSuccess;
}

/* ---- running ---- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void drop_all(void) {
  for (cudaStream_t s = um_emu_streams; s; s = s->next)
    while (s->head) {
      um_emu_op *op = s->head;
      s->head = op->next;
      if (op->kind == UM_EMU_RECORD) op->event->done = op->version;
      um_emu_free_op(op);
    }
  for (cudaStream_t s = um_emu_streams; s; s = s->next) s->tail = NULL;
}

static bool reachable(const void *p, size_t bytes, const char *what) {
  char where[200];
  if (um_emu_find(p, bytes)) return true;
  um_emu_describe(where, sizeof where, p);
  fprintf(stderr, "cuda_host: a queued %s of %zu bytes at %p finds it gone: %s\n", what, bytes, p, where);
  dead = cudaErrorIllegalAddress;
  return false;
}

/* Everything but RECORD, WAIT and GRAPH. */
void um_emu_execute(um_emu_op *op) {
  um_emu_memory_open();
  if (op->kind == UM_EMU_LAUNCH) {
    const cudaError_t e = um_emu_run(&op->launch);
    if (e) dead = e;
    return;
  }
  /* what was device or page-locked memory when it was queued must still be there */
  const bool to = op->value & 0x100, from = op->value & 0x200;
  if (to && !reachable(op->dst, op->bytes, "write")) return;
  if (op->kind == UM_EMU_COPY && from && !reachable(op->src, op->bytes, "read")) return;
  um_emu_doing("a copy of the emulated runtime");
  if (op->kind == UM_EMU_COPY)
    memmove(op->dst, op->src, op->bytes);
  else
    memset(op->dst, op->value & 0xff, op->bytes);
  um_emu_doing(NULL);
}

/* Whether the head of its queue could run now; if not, *blocker is a stream that must go on first. */
static bool runnable(cudaStream_t s, cudaStream_t *blocker) {
  const um_emu_op *op = s->head;
  *blocker = NULL;
  if (!op) return false;
  if (s == &legacy) {
    for (cudaStream_t o = um_emu_streams; o; o = o->next)
      if (o != s && o->blocking && o->head && o->head->order < op->order) {
        *blocker = o;
        return false;
      }
  } else if (s->blocking && legacy.head && legacy.head->order < op->order) {
    *blocker = &legacy;
    return false;
  }
  if (op->kind == UM_EMU_WAIT && op->event->done < op->version) {
    for (cudaStream_t o = um_emu_streams; o; o = o->next)
      for (const um_emu_op *r = o->head; r; r = r->next)
        if (r->kind == UM_EMU_RECORD && r->event == op->event && r->version == op->version) *blocker = o;
    return false;
  }
  if (op->kind == UM_EMU_GRAPH && op->exec->finished != op->ticket) {
    for (cudaStream_t o = um_emu_streams; o; o = o->next)
      for (const um_emu_op *r = o->head; r; r = r->next)
        if (r->kind == UM_EMU_GRAPH && r->exec == op->exec && r->ticket == op->exec->finished) *blocker = o;
    return false;
  }
  return true;
}

static void step(cudaStream_t s) {
  um_emu_op *op = s->head;
  bool over = true;
  if (op->kind == UM_EMU_RECORD) {
    op->event->done = op->version;
    op->event->time = now();
  } else if (op->kind == UM_EMU_GRAPH) {
    over = um_emu_graph_step(op);
    if (over) op->exec->finished++;
  } else if (op->kind != UM_EMU_WAIT)
    um_emu_execute(op);
  if (dead) {
    drop_all();
    return;
  }
  if (!over) return;
  s->head = op->next;
  if (!s->head) s->tail = NULL;
  um_emu_free_op(op);
}

/* A random one of those that can run, but not `except` as long as there is another. */
static cudaStream_t any(cudaStream_t except) {
  cudaStream_t chosen = NULL, blocker;
  unsigned n = 0;
  for (cudaStream_t s = um_emu_streams; s; s = s->next)
    if (s != except && runnable(s, &blocker) && um_emu_random() % ++n == 0) chosen = s;
  if (!chosen && except && runnable(except, &blocker)) chosen = except;
  return chosen;
}

/* The stream that must go on for s to go on. */
static cudaStream_t needed(cudaStream_t s) {
  cudaStream_t blocker;
  for (int i = 0; s && i < 1000; i++, s = blocker)
    if (runnable(s, &blocker)) return s;
  return NULL;
}

/* Until s is empty (or the event's version is done, or, with s NULL and no event, all is done). Three ways, by the schedule: only what is
 * needed for it; all the others first; anything. They take turns. */
static cudaError_t run_until(cudaStream_t s, cudaEvent_t event, uint64_t version) {
  static uint64_t waits, steps;
  const unsigned how = (unsigned)((um_emu_seed() + waits + waits / 3) % 3);
  waits++;
  um_emu_catch_faults();
  while (!dead) {
    if (event ? event->done >= version : s && !s->head) break;
    cudaStream_t goal = s;
    if (event)
      for (cudaStream_t o = um_emu_streams; o; o = o->next)
        for (const um_emu_op *r = o->head; r; r = r->next)
          if (r->kind == UM_EMU_RECORD && r->event == event && r->version == version) goal = o;
    /* the random series goes on inside of kernels: begin it anew for the choice */
    um_emu_random_begin(++steps, ~(uint64_t)1);
    cudaStream_t next = goal && how == 0 ? needed(goal) : goal && how == 1 ? any(goal) : any(NULL);
    if (!next) break;
    step(next);
  }
  um_emu_memory_close();
  return dead;
}

/* ---- streams ---- */

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags) { return cudaStreamCreateWithPriority(stream, flags, 0); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned int flags, int priority) {
  um_emu_lock();
  if (!stream || flags > cudaStreamNonBlocking) return um_emu_return(cudaErrorInvalidValue);
  if (dead) return um_emu_return(dead);
  cudaStream_t s = (cudaStream_t)calloc(1, sizeof *s);
  if (!s) return um_emu_return(cudaErrorMemoryAllocation);
  s->blocking = !(flags & cudaStreamNonBlocking);
  s->priority = priority;
  s->next = um_emu_streams;
  um_emu_streams = s;
  *stream = s;
  return um_emu_return(cudaSuccess);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s || s == &legacy) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (s->capture) {
    um_emu_invalidate(s->capture);
    return um_emu_return(cudaErrorStreamCaptureUnsupported);
  }
  const cudaError_t e = run_until(s, NULL, 0); /* CUDA lets its work end by itself */
  for (cudaStream_t *link = &um_emu_streams; *link; link = &(*link)->next)
    if (*link == s) {
      *link = s->next;
      break;
    }
  free(s->tails.at);
  free(s);
  return um_emu_return(e);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (s->capture) {
    um_emu_invalidate(s->capture);
    return um_emu_return(cudaErrorStreamCaptureUnsupported);
  }
  cudaError_t e = um_emu_unsafe();
  if (!e && s == &legacy) e = implicit();
  if (!e) e = run_until(s, NULL, 0);
  return um_emu_return(e);
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (s->capture) {
    um_emu_invalidate(s->capture);
    return um_emu_return(cudaErrorStreamCaptureUnsupported);
  }
  cudaStream_t next = s->head ? needed(s) : NULL;
  const bool ready = !s->head;
  if (next) step(next); /* so that who asks again and again comes to an end */
  um_emu_memory_close();
  return um_emu_return(dead ? dead : ready ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaDeviceSynchronize(void) {
  um_emu_lock();
  for (cudaStream_t s = um_emu_streams; s; s = s->next)
    if (s->capture) {
      um_emu_invalidate(s->capture);
      return um_emu_return(cudaErrorStreamCaptureUnsupported);
    }
  return um_emu_return(run_until(NULL, NULL, 0));
}

cudaError_t cudaDeviceReset(void) {
  um_emu_lock();
  const cudaError_t e = run_until(NULL, NULL, 0);
  if (!e) um_emu_release_all();
  return um_emu_return(e);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s || !event) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (flags) return um_emu_return(cudaErrorNotSupported);
  um_emu_capture *c = um_emu_event_capture(event);
  if (c) {
    if (s->capture && s->capture != c) {
      um_emu_invalidate(s->capture);
      um_emu_invalidate(c);
      return um_emu_return(cudaErrorStreamCaptureMerge);
    }
    if (s == &legacy) {
      um_emu_invalidate(c);
      return um_emu_return(cudaErrorStreamCaptureImplicit);
    }
    if (c->invalid) return um_emu_return(cudaErrorStreamCaptureInvalidated);
    s->capture = c; /* joins it, if it has not yet */
    um_emu_set_join(&s->tails, &event->tails);
    return um_emu_return(cudaSuccess);
  }
  if (s->capture) {
    um_emu_invalidate(s->capture);
    return um_emu_return(cudaErrorStreamCaptureIsolation);
  }
  if (!event->recorded) return um_emu_return(dead);
  const um_emu_op op = {.kind = UM_EMU_WAIT, .event = event, .version = event->recorded};
  return um_emu_return(um_emu_enqueue(s, &op));
}

/* ---- events ---- */

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags) {
  um_emu_lock();
  if (!event || flags & ~(unsigned)(cudaEventBlockingSync | cudaEventDisableTiming)) return um_emu_return(cudaErrorInvalidValue);
  if (dead) return um_emu_return(dead);
  cudaEvent_t e = (cudaEvent_t)calloc(1, sizeof *e);
  if (!e) return um_emu_return(cudaErrorMemoryAllocation);
  e->timed = !(flags & cudaEventDisableTiming);
  e->references = 1;
  *event = e;
  return um_emu_return(cudaSuccess);
}

void um_emu_event_unref(cudaEvent_t event) {
  if (--event->references) return;
  free(event->tails.at);
  free(event);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  um_emu_lock();
  if (!event) return um_emu_return(cudaErrorInvalidResourceHandle);
  um_emu_event_unref(event);
  return um_emu_return(dead);
}

um_emu_capture *um_emu_event_capture(cudaEvent_t event) {
  for (cudaStream_t s = um_emu_streams; event->captured && s; s = s->next)
    if (s->capture && s->capture->number == event->captured) return s->capture;
  return NULL;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  um_emu_lock();
  cudaStream_t s = um_emu_stream(stream);
  if (!s || !event) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (s->capture) {
    if (s->capture->invalid) return um_emu_return(cudaErrorStreamCaptureInvalidated);
    event->captured = s->capture->number;
    um_emu_set_copy(&event->tails, &s->tails);
    return um_emu_return(cudaSuccess);
  }
  event->captured = 0;
  event->recorded++;
  const um_emu_op op = {.kind = UM_EMU_RECORD, .event = event, .version = event->recorded};
  const cudaError_t e = um_emu_enqueue(s, &op);
  if (e) event->recorded--;
  return um_emu_return(e);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  um_emu_lock();
  if (!event) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (um_emu_event_capture(event)) {
    um_emu_invalidate(um_emu_event_capture(event));
    return um_emu_return(cudaErrorCapturedEvent);
  }
  const cudaError_t e = um_emu_unsafe();
  return um_emu_return(e ? e : run_until(NULL, event, event->recorded));
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  um_emu_lock();
  if (!event) return um_emu_return(cudaErrorInvalidResourceHandle);
  if (um_emu_event_capture(event)) {
    um_emu_invalidate(um_emu_event_capture(event));
    return um_emu_return(cudaErrorCapturedEvent);
  }
  const cudaError_t e = um_emu_unsafe();
  if (e) return um_emu_return(e);
  const bool ready = event->done >= event->recorded;
  cudaStream_t next = ready ? NULL : any(NULL);
  if (next) step(next); /* so that who asks again and again comes to an end */
  um_emu_memory_close();
  return um_emu_return(dead ? dead : ready ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
  um_emu_lock();
  if (!ms || !start || !end || !start->timed || !end->timed || !start->recorded || !end->recorded)
    return um_emu_return(cudaErrorInvalidResourceHandle);
  if (um_emu_event_capture(start) || um_emu_event_capture(end)) return um_emu_return(cudaErrorCapturedEvent);
  if (start->done < start->recorded || end->done < end->recorded) return um_emu_return(cudaErrorNotReady);
  *ms = (float)(end->time - start->time);
  return um_emu_return(dead);
}

/* ---- copies ---- */

typedef enum place { PAGEABLE, PAGE_LOCKED, DEVICE, NOWHERE } place;

/* NOWHERE: begins in memory that is known here, but does not fit. */
static place place_of(const void *p, size_t bytes) {
  const um_emu_allocation *a = um_emu_find(p, 0);
  if (!a) return PAGEABLE;
  if (!um_emu_find(p, bytes)) return NOWHERE;
  return a->device ? DEVICE : PAGE_LOCKED;
}

static bool fits(place p, bool device) { return device ? p == DEVICE : p == PAGEABLE || p == PAGE_LOCKED; }

/* A pageable source is read now, where the kind is not host to host. */
static cudaError_t copy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream, bool blocks) {
  cudaStream_t s = um_emu_stream(stream);
  if (!s) return cudaErrorInvalidResourceHandle;
  if (dead) return dead;
  if ((unsigned)kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (!count) return cudaSuccess;
  if (!dst || !src) return cudaErrorInvalidValue;
  const place to = place_of(dst, count), from = place_of(src, count);
  if (to == NOWHERE || from == NOWHERE) return cudaErrorInvalidValue;
  if (kind != cudaMemcpyDefault) {
    const bool device_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool device_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    if (!fits(to, device_to) || !fits(from, device_from)) return cudaErrorInvalidValue;
  }
  cudaError_t e = cudaSuccess;
  if (blocks) {
    if ((e = um_emu_unsafe()) || (e = implicit()) || (e = run_until(s, NULL, 0))) return e;
  }
  um_emu_op op = {.kind = UM_EMU_COPY, .dst = dst, .src = src, .bytes = count};
  op.value = (to != PAGEABLE ? 0x100 : 0) | (from != PAGEABLE ? 0x200 : 0);
  if (from == PAGEABLE && to == DEVICE && !s->capture) {
    op.owned = malloc(count);
    if (!op.owned) return cudaErrorMemoryAllocation;
    memcpy(op.owned, src, count);
    op.src = op.owned;
  }
  if ((e = um_emu_enqueue(s, &op))) return e;
  /* to pageable memory even an asynchronous copy is over when it returns; a blocking one is not where it goes to the device from
   * pageable memory or stays on the device */
  const bool over = to == PAGEABLE || (blocks && !(from == PAGEABLE && to == DEVICE) && !(from == DEVICE && to == DEVICE));
  return over && !s->capture ? run_until(s, NULL, 0) : cudaSuccess;
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind) {
  um_emu_lock();
  return um_emu_return(copy(dst, src, count, kind, NULL, true));
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream) {
  um_emu_lock();
  return um_emu_return(copy(dst, src, count, kind, stream, false));
}

static cudaError_t set(void *dst, int value, size_t count, cudaStream_t stream) {
  cudaStream_t s = um_emu_stream(stream);
  if (!s) return cudaErrorInvalidResourceHandle;
  if (dead) return dead;
  if (!count) return cudaSuccess;
  const place to = place_of(dst, count);
  if (to != DEVICE && to != PAGE_LOCKED) return cudaErrorInvalidValue;
  const um_emu_op op = {.kind = UM_EMU_SET, .dst = dst, .bytes = count, .value = (value & 0xff) | 0x100};
  return um_emu_enqueue(s, &op);
}

cudaError_t cudaMemset(void *dst, int value, size_t count) {
  um_emu_lock();
  cudaError_t e = um_emu_unsafe();
  if (!e) e = set(dst, value, count, NULL);
  return um_emu_return(e);
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t count, cudaStream_t stream) {
  um_emu_lock();
  return um_emu_return(set(dst, value, count, stream));
}

/* ---- memory that waits for what is queued ---- */

cudaError_t cudaFree(void *p) {
  um_emu_lock();
  cudaError_t e = um_emu_unsafe();
  if (e || !p) return um_emu_return(e);
  e = run_until(NULL, NULL, 0);
  if (!um_emu_release(p, true) && !e) e = cudaErrorInvalidValue;
  return um_emu_return(e);
}

cudaError_t cudaFreeHost(void *p) {
  um_emu_lock();
  cudaError_t e = um_emu_unsafe();
  if (e || !p) return um_emu_return(e);
  e = run_until(NULL, NULL, 0);
  if (!um_emu_release(p, false) && !e) e = cudaErrorInvalidValue;
  return um_emu_return(e);
}
