#include "config.h"

#include "specs/via.h"

#include <stdio.h>
#include <string.h>

#include "specs/words.h"
#include "src/base/str.h"

struct search {
    const struct txg_gateway_list *list;
    const struct txg_config *config;
    const struct txg_spec *from; /* whose via= or installvia= is looked for, for errors */
    struct txg_err *err;
};

static int fail(const struct search *s, const char *what)
{
    TXG_AUTOFREE char *shown = txg_word_show(s->from->text, strlen(s->from->text));
    return txg_err_set(s->err, TXG_E_USAGE, "--tx '%s': %s=%s", shown,
                       s->from->installvia ? "installvia" : "via", what);
}

/* The id of the gateway that comes first, or NULL. */
static const char *way_of(const struct txg_spec *spec)
{
    return spec->kind == TXG_SPEC_SSH ? spec->via : spec->installvia;
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
        if (spec && entry->key_file)
            spec->key_file = txg_xstrdup(entry->key_file);
        return spec;
    }
    return NULL;
}

/* What keeps a gateway from being the way of `from`, heap; NULL: nothing does. */
static char *find_fault(const struct search *s, const char *id, const struct txg_spec *spec)
{
    const char *kind = txg_spec_kind_name(spec->kind);
    if (!s->from->installvia)
        return spec->kind == TXG_SPEC_SSH
                   ? NULL
                   : txg_xasprintf("%s: expected an ssh= gateway, that one is %s", id, kind);
    if (spec->kind == TXG_SPEC_REVERSE)
        return txg_xasprintf("%s: that one is reverse: only a gateway that txgate connects to can "
                             "be told to listen",
                             id);
    if (spec->emulator)
        return txg_xasprintf("%s: that one has an emulator=, below which no worker listens", id);
    return NULL;
}

/* Once its way is known. A bare `socket` is on this machine. */
static int complete(const struct search *s, struct txg_spec *spec)
{
    if (!spec->installvia || spec->target)
        return 0;
    spec->target = txg_xstrdup("127.0.0.1:0");
    if (txg_spec_is_local(spec))
        return 0;
    TXG_AUTOFREE char *fault = txg_xasprintf(
        "%s: that one is %s: expected socket=HOST:PORT in front, with an address that its host has "
        "(port 0: any that is free)",
        spec->installvia, txg_spec_kind_name(spec->through->kind));
    return fail(s, fault);
}

static struct txg_spec *resolve(const struct search *s, const char *id, unsigned depth)
{
    struct txg_spec *spec = depth < TXG_VIA_MAX ? find(s, id) : NULL;
    TXG_AUTOFREE char *fault = NULL;
    if (depth >= TXG_VIA_MAX)
        fault = txg_xasprintf("%s: more than %d hosts in a row, or a circle", id, TXG_VIA_MAX);
    else if (!spec)
        fault = txg_xasprintf("%s: no gateway of this run or of the fleet has that id", id);
    else
        fault = find_fault(s, id, spec);
    if (fault) {
        fail(s, fault);
        txg_spec_free(spec);
        return NULL;
    }
    txg_spec_free(spec->through);
    spec->through = NULL;
    struct search next = {s->list, s->config, spec, s->err};
    const char *way = way_of(spec);
    if ((way && !(spec->through = resolve(&next, way, depth + 1))) || complete(&next, spec) != 0) {
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
        const char *way = way_of(spec);
        struct txg_spec *through = way ? resolve(&s, way, 0) : NULL;
        if (way && !through)
            return -1;
        spec->through = through;
        if (complete(&s, spec) != 0)
            return -1;
    }
    return 0;
}
