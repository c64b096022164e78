/* The thread team: one region per operation, items taken one by one from a queue, so that a slow core delays no other. */
#ifdef __linux__
#define _GNU_SOURCE
#include <sched.h>
#endif
#include <pthread.h>
#include <stdatomic.h>

#include "CShims.h"

typedef struct {
    _Atomic size_t next;
    size_t count;
    void (*body)(void *, size_t, unsigned);
    void *context;
} work_queue;

static void work(work_queue *queue, unsigned thread) {
    for (size_t i; (i = atomic_fetch_add_explicit(&queue->next, 1, memory_order_relaxed)) < queue->count;) {
        queue->body(queue->context, i, thread);
    }
}

static void *wait_for_gate(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

unsigned q3_startable_threads(unsigned threads) {
    pthread_t started[Q3_MAX_THREADS];
    unsigned count = 1; /* the caller */
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&gate); /* all live at once, as the team's will */
    while (count < threads && count < Q3_MAX_THREADS && pthread_create(started + count, NULL, wait_for_gate, &gate) == 0) count++;
    pthread_mutex_unlock(&gate);
    for (unsigned i = 1; i < count; i++) pthread_join(started[i], NULL);
    return count;
}

#if defined(Q3_OPENMP)

/* libomp exports these two interfaces (gcc's and its own); neither <omp.h> nor -fopenmp is needed to call them. */
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern void kmp_set_blocktime(int milliseconds);

static void enter(void *queue) { work(queue, (unsigned)omp_get_thread_num()); }

/* Threads beyond the processors that the caller may run on only wait for a turn, and every operation waits for them. */
static unsigned threads_that_can_run(unsigned threads) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && (unsigned)CPU_COUNT(&set) < threads) return (unsigned)CPU_COUNT(&set);
#endif
    return threads;
}

void q3_parallel(unsigned threads, size_t count, void (*body)(void *context, size_t item, unsigned thread), void *context) {
    work_queue queue = {0, count, body, context};
    if (count > 1) threads = threads_that_can_run(threads);
    if (threads < 2 || count < 2) {
        work(&queue, 0);
        return;
    }
    /* Between two operations threads spin for a moment; after the last they sleep. */
    static _Thread_local bool set;
    if (!set) {
        kmp_set_blocktime(1);
        set = true;
    }
    GOMP_parallel(enter, &queue, threads, 0);
}

#elif defined(__APPLE__)

#include <dispatch/dispatch.h>

static void enter(void *queue, size_t thread) { work(queue, (unsigned)thread); }

void q3_parallel(unsigned threads, size_t count, void (*body)(void *context, size_t item, unsigned thread), void *context) {
    work_queue queue = {0, count, body, context};
    dispatch_apply_f(threads, DISPATCH_APPLY_AUTO, &queue, enter);
}

#else

void q3_parallel(unsigned threads, size_t count, void (*body)(void *context, size_t item, unsigned thread), void *context) {
    (void)threads;
    work_queue queue = {0, count, body, context};
    work(&queue, 0);
}

#endif
