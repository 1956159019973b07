#include "config.h"

#include "specs/via.h"

#include <stdio.h>
#include <string.h>

#include "specs/words.h"
#include "src/base/str.h"

struct search {
    const struct txg_gateway_list *list;
    const struct txg_config *config;
    const struct txg_spec *from; /* whose via= is looked for, for errors */
    struct txg_err *err;
};

static int fail(const struct search *s, const char *what)
{
    TXG_AUTOFREE char *shown = txg_word_show(s->from->text, strlen(s->from->text));
    return txg_err_set(s->err, TXG_E_USAGE, "--tx '%s': via=%s", shown, what);
}

/* A spec of its own for `id`, or NULL where no gateway has it. */
static struct txg_spec *find(const struct search *s, const char *id)
{
    for (size_t i = 0; i < s->list->n; i++) {
        char own[32];
        snprintf(own, sizeof own, "gw%zu", i);
        const char *device = s->list->items[i].device;
        if (strcmp(own, id) == 0 || (device && strcmp(device, id) == 0))
            return txg_spec_dup(s->list->items[i].spec);
    }
    for (size_t i = 0; i < s->config->n_gateways; i++) {
        const struct txg_fleet_gateway *entry = &s->config->gateways[i];
        int count;
        if (!entry->id || strcmp(entry->id, id) != 0)
            continue;
        struct txg_spec *spec = txg_spec_parse_counted("tx", entry->tx, &count, s->err);
        if (spec)
            spec->host_key = txg_xstrdup(entry->host_key);
        return spec;
    }
    return NULL;
}

static struct txg_spec *resolve(const struct search *s, const char *id, unsigned depth)
{
    struct txg_spec *spec = depth < TXG_VIA_MAX ? find(s, id) : NULL;
    TXG_AUTOFREE char *fault = NULL;
    if (depth >= TXG_VIA_MAX)
        fault = txg_xasprintf("%s: more than %d hosts in a row, or a circle", id, TXG_VIA_MAX);
    else if (!spec)
        fault = txg_xasprintf("%s: no gateway of this run or of the fleet has that id", id);
    else if (spec->kind != TXG_SPEC_SSH)
        fault = txg_xasprintf("%s: expected an ssh= gateway, that one is %s", id,
                              txg_spec_kind_name(spec->kind));
    if (fault) {
        fail(s, fault);
        txg_spec_free(spec);
        return NULL;
    }
    txg_spec_free(spec->through);
    spec->through = NULL;
    if (spec->via && !(spec->through = resolve(s, spec->via, depth + 1))) {
        txg_spec_free(spec);
        return NULL;
    }
    return spec;
}

int txg_via_resolve(struct txg_gateway_list *list, const struct txg_config *config,
                    struct txg_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        struct txg_spec *spec = list->items[i].spec;
        struct search s = {list, config, spec, err};
        if (!spec->via || spec->kind != TXG_SPEC_SSH)
            continue;
        struct txg_spec *through = resolve(&s, spec->via, 0);
        if (!through)
            return -1;
        spec->through = through;
    }
    return 0;
}
