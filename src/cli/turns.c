#include "config.h"

#include "src/cli/turns.h"

static void on_prepare(uv_prepare_t *prepare)
{
    struct txg_turns *t = prepare->data;
    uint64_t now = uv_hrtime(), idle = uv_metrics_idle_time(prepare->loop);
    uint64_t busy = now - t->last - (idle - t->idle);
    if (t->count++ && busy > t->longest)
        t->longest = busy;
    t->last = now;
    t->idle = idle;
}

void txg_turns_start(struct txg_turns *t, uv_loop_t *loop)
{
    *t = (struct txg_turns){.on = true};
    uv_loop_configure(loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(loop, &t->prepare);
    t->prepare.data = t;
    uv_prepare_start(&t->prepare, on_prepare);
    uv_unref((uv_handle_t *)&t->prepare);
}

void txg_turns_stop(struct txg_turns *t)
{
    if (t->on)
        uv_close((uv_handle_t *)&t->prepare, NULL);
    t->on = false;
}
