#include "config.h"

#include "gateway/exited.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void describe_signal(const struct txg_msg_exited *e, const char *who, char *out, size_t size)
{
    snprintf(out, size, "%s was killed by signal %lld (%s)", who, (long long)e->signal,
             strsignal((int)e->signal));
}

void txg_exited_describe(const struct txg_msg_exited *e, const char *closed_for, char *out,
                         size_t size)
{
    switch (e->cause) {
    case TXG_EXIT_STATUS:
        snprintf(out, size, "worker ended with status %lld", (long long)e->status);
        break;
    case TXG_EXIT_SIGNAL:
        describe_signal(e, "worker", out, size);
        break;
    case TXG_EXIT_FROZEN:
        snprintf(out, size, "worker froze: %.*s", TXG_FMT(e->text));
        break;
    case TXG_EXIT_NOT_STARTED:
        snprintf(out, size, "start of the worker: %.*s", TXG_FMT(e->text));
        break;
    case TXG_EXIT_CLOSED:
        snprintf(out, size, "%s", closed_for ? closed_for : "worker was closed");
        break;
    case TXG_EXIT_PROTOCOL:
        snprintf(out, size, "worker broke the protocol: %.*s", TXG_FMT(e->text));
        break;
    }
}

void txg_exited_describe_keeper(const struct txg_msg_exited *e, char *out, size_t size)
{
    if (e->cause == TXG_EXIT_SIGNAL)
        describe_signal(e, "the keeper of files", out, size);
    else
        snprintf(out, size, "the keeper of files ended early: %.*s", TXG_FMT(e->text));
}

bool txg_exited_was_killed(const struct txg_msg_exited *e)
{
    return e->cause == TXG_EXIT_SIGNAL || e->cause == TXG_EXIT_FROZEN;
}
