#include "config.h"

/* popen: the worker program itself, on this machine. */
#include "gateway/process.h"

static struct txg_transport *create(const struct txg_transport_config *config)
{
    struct txg_strv argv = {0};
    txg_strv_push(&argv, config->spec->worker ? config->spec->worker : config->worker);
    txg_strv_push(&argv, "--token");
    txg_strv_push(&argv, config->token);
    struct txg_transport *t = txg_process_create(&txg_popen_ops, config, &argv, "agent");
    txg_strv_release(&argv);
    return t;
}

const struct txg_transport_ops txg_popen_ops = {
    .name = "popen",
    .create = create,
    .start = txg_process_start,
    .write = txg_process_write,
    .stop = txg_process_stop,
    .kill = txg_process_kill,
    .free = txg_process_free,
};
