#include "config.h"

#include "src/cli/record.h"

#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "src/base/str.h"

struct record {
    struct txg_reporter base;
    const struct txg_plan *plan;
    struct txg_record_result *result;
    uv_thread_t saver; /* has state and result to itself while it runs */
    bool saves;
    char **archs; /* by the number of a gateway; owned, or NULL */
    size_t n_archs;
};

static void take_arch(struct record *r, const struct txg_event *e)
{
    size_t number = e->gateway->number;
    if (number >= r->n_archs) {
        r->archs = txg_xrealloc_array(r->archs, number + 1, sizeof *r->archs);
        while (r->n_archs <= number)
            r->archs[r->n_archs++] = NULL;
    }
    free(r->archs[number]);
    r->archs[number] = txg_xstrndup(e->ready.arch.data, e->ready.arch.len);
}

/* The plan's gateway that this one is, or stands for. */
static const struct txg_gateway_def *def_of(const struct record *r,
                                            const struct txg_gateway_info *gateway)
{
    return &r->plan->gateways.items[gateway->origin];
}

/* What was cut short says nothing of how long it takes. */
static bool took_its_time(const struct txg_event_result *result)
{
    return result->start >= 0 && result->outcome != TXG_CRASHED && result->outcome != TXG_LOST &&
           result->outcome != TXG_NOT_RUN && result->outcome != TXG_ERROR;
}

static void take_finish(struct record *r, const struct txg_event *e)
{
    enum txg_outcome outcome = e->result.outcome;
    if (!e->gateway || outcome == TXG_NOT_RUN)
        return;
    const struct txg_gateway_def *def = def_of(r, e->gateway);
    size_t number = e->gateway->number;
    bool failed = txg_outcome_is_failure(outcome) || outcome == TXG_LOST;
    bool took = took_its_time(&e->result);
    if (took)
        txg_state_took(r->plan->state, e->test.nodeid, number < r->n_archs ? r->archs[number] : "",
                       def->labels.n ? def->labels.items[0] : "", e->result.duration);
    if (failed || !took) /* that a test took its time says that it ended */
        txg_state_ended(r->plan->state, e->test.nodeid, failed);
}

static void save(void *user)
{
    struct record *r = user;
    r->result->rc = txg_state_save(r->plan->state, time(NULL), &r->result->err);
}

static void record_event(struct txg_reporter *reporter, const struct txg_event *e)
{
    struct record *r = (struct record *)reporter;
    if (e->type == TXG_EVENT_GATEWAY_READY)
        take_arch(r, e);
    else if (e->type == TXG_EVENT_TEST_FINISH)
        take_finish(r, e);
    else if (e->type == TXG_EVENT_RUN_FINISH)
        r->saves = uv_thread_create(&r->saver, save, r) == 0;
}

static void record_free(struct txg_reporter *reporter)
{
    struct record *r = (struct record *)reporter;
    if (r->saves)
        uv_thread_join(&r->saver);
    else
        save(r);
    for (size_t i = 0; i < r->n_archs; i++)
        free(r->archs[i]);
    free(r->archs);
    free(r);
}

struct txg_reporter *txg_record_new(const struct txg_plan *plan, struct txg_record_result *result)
{
    static const struct txg_reporter_ops ops = {
        .name = "record", .event = record_event, .free = record_free};
    struct record *r = txg_xcalloc(1, sizeof *r);
    r->base.ops = &ops;
    r->plan = plan;
    r->result = result;
    return &r->base;
}
