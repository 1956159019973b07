#include "config.h"

/* exec=WORDS: runs WORDS and the one word `sh` behind them; what they lead to is a shell. */
#include <string.h>

#include "gateway/process.h"

static struct txg_transport *create(const struct txg_transport_config *config)
{
    struct txg_strv argv = {0};
    const char *blank = " \t", *at = config->spec->target;
    while (*(at += strspn(at, blank))) {
        size_t len = strcspn(at, blank);
        txg_strv_push_n(&argv, at, len);
        at += len;
    }
    txg_strv_push(&argv, "sh");
    struct txg_transport *t = txg_process_create(&txg_exec_ops, config, &argv, NULL);
    txg_strv_release(&argv);
    return t;
}

const struct txg_transport_ops txg_exec_ops = {
    .name = "exec",
    .shell = true,
    .create = create,
    .start = txg_process_start,
    .write = txg_process_write,
    .stop = txg_process_stop,
    .kill = txg_process_kill,
    .free = txg_process_free,
};
