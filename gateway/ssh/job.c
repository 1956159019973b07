#include "config.h"

#include "gateway/ssh/job.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/ssh/threads.h"
#include "src/base/str.h"

struct txg_ssh_job {
    pthread_mutex_t lock; /* of all but `try`, `login` and `config` */
    unsigned users;       /* thread and loop; whoever is last frees it */
    bool done, abandoned;
    struct txg_ssh_try try;
    struct txg_ssh_login *login;
    struct txg_ssh_job_config config;
    struct txg_ssh_outcome outcome;
};

static void release(struct txg_ssh_job *job)
{
    pthread_mutex_lock(&job->lock);
    bool last = --job->users == 0;
    pthread_mutex_unlock(&job->lock);
    if (!last)
        return;
    txg_ssh_link_close(&job->outcome.link);
    txg_strv_release(&job->outcome.ignored);
    txg_ssh_try_release(&job->try);
    pthread_mutex_destroy(&job->lock);
    txg_ssh_login_free(job->login);
    free(job);
}

static void run(void *arg)
{
    struct txg_ssh_job *job = arg;
    struct txg_ssh_outcome *out = &job->outcome;
    char doing[sizeof job->try.doing];
    int rc = txg_ssh_login(&job->try, job->login, job->config.command, &out->link, &out->ignored,
                           &out->err);
    if (rc != 0)
        out->step = txg_ssh_try_where(&job->try, doing, sizeof doing);
    pthread_mutex_lock(&job->lock);
    job->done = true;
    if (!job->abandoned)
        job->config.wake(job->config.user);
    pthread_mutex_unlock(&job->lock);
    release(job);
}

struct txg_ssh_job *txg_ssh_job_start(const struct txg_ssh_job_config *config, struct txg_err *err)
{
    struct txg_ssh_job *job = txg_xcalloc(1, sizeof *job);
    if (txg_ssh_try_init(&job->try, config->timeout, err) != 0) {
        free(job);
        return NULL;
    }
    pthread_mutex_init(&job->lock, NULL);
    job->config = *config;
    job->login = txg_ssh_login_new(config->spec, config->accept_new);
    job->users = 2;
    int rc = txg_ssh_thread_start(run, job);
    if (rc != 0) {
        txg_err_sys(err, rc, "a thread");
        job->users = 1;
        release(job);
        return NULL;
    }
    return job;
}

bool txg_ssh_job_take(struct txg_ssh_job *job, struct txg_ssh_outcome *out)
{
    pthread_mutex_lock(&job->lock);
    bool done = job->done;
    if (done) {
        *out = job->outcome;
        job->outcome = (struct txg_ssh_outcome){0};
    }
    pthread_mutex_unlock(&job->lock);
    return done;
}

const char *txg_ssh_job_where(struct txg_ssh_job *job, char *doing, size_t size)
{
    return txg_ssh_try_where(&job->try, doing, size);
}

void txg_ssh_job_leave(struct txg_ssh_job *job)
{
    if (!job)
        return;
    pthread_mutex_lock(&job->lock);
    job->abandoned = true;
    pthread_mutex_unlock(&job->lock);
    txg_ssh_try_cancel(&job->try);
    release(job);
}
