#include "config.h"

#include "gateway/ssh/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "src/base/str.h"

#define JOIN_GRACE 2 /* seconds */

struct thread {
    pthread_t id;
    void (*fn)(void *arg);
    void *arg;
    bool paused, finished; /* guarded by `lock` */
    struct thread *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread *threads; /* that were not joined yet; guarded by `lock` */
static __thread struct thread *self;

/* Only a thread that is joined has let go of its thread-local state too, OpenSSL's among it. */
static void join_finished(void)
{
    for (struct thread **at = &threads; *at;) {
        struct thread *t = *at;
        if (!t->finished) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        pthread_join(t->id, NULL);
        free(t);
    }
}

static void *run(void *arg)
{
    self = arg;
    self->fn(self->arg);
    pthread_mutex_lock(&lock);
    self->finished = true;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int txg_ssh_thread_start(void (*fn)(void *arg), void *arg)
{
    sigset_t all, before;
    struct thread *t = txg_xcalloc(1, sizeof *t);
    *t = (struct thread){.fn = fn, .arg = arg};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&lock);
    join_finished();
    int rc = pthread_create(&t->id, NULL, run, t);
    if (rc == 0) {
        t->next = threads;
        threads = t;
    }
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        free(t);
    return rc;
}

static void set_paused(bool paused)
{
    pthread_mutex_lock(&lock);
    self->paused = paused;
    pthread_mutex_unlock(&lock);
}

void txg_ssh_thread_pause(void)
{
    set_paused(true);
}

void txg_ssh_thread_resume(void)
{
    set_paused(false);
}

void txg_ssh_threads_join(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_GRACE;
    pthread_mutex_lock(&lock);
    for (struct thread **at = &threads; *at;) {
        struct thread *t = *at;
        if (t->paused) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        pthread_mutex_unlock(&lock);
        if (pthread_timedjoin_np(t->id, NULL, &until) == 0)
            free(t);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
}
