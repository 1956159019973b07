#include "config.h"

#include "specs/expand.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "specs/via.h"
#include "specs/words.h"
#include "src/base/str.h"

/* The list while it grows. `own[i]`: items[i] has a workerinput of its own. */
struct expansion {
    const struct txg_config *config;
    struct txg_gateway_list *list;
    size_t cap;
    bool *own;
    struct txg_err *err;
};

static void add_gateway(struct expansion *x, const struct txg_spec *spec,
                        const struct txg_fleet_gateway *entry)
{
    size_t old_cap = x->cap;
    x->list->items = txg_grow(x->list->items, x->list->n, &x->cap, sizeof *x->list->items);
    if (x->cap != old_cap)
        x->own = txg_xrealloc_array(x->own, x->cap, sizeof *x->own);
    struct txg_gateway_def *def = &x->list->items[x->list->n];
    *def = (struct txg_gateway_def){.spec = txg_spec_dup(spec)};
    def->device = txg_xstrdup(entry && entry->id ? entry->id : spec->id);
    def->input = txg_value_dict();
    x->own[x->list->n++] = entry && entry->has_input;
    if (entry)
        txg_words_merge(&def->labels, &entry->labels);
    txg_words_merge(&def->labels, &spec->labels);
    if (entry)
        def->spec->host_key = txg_xstrdup(entry->host_key);
    if (entry && entry->key_file)
        def->spec->key_file = txg_xstrdup(entry->key_file);
    if (entry && spec->kind == TXG_SPEC_REVERSE && !spec->id) /* the worker says it */
        def->spec->id = txg_xstrdup(entry->id);
    if (entry && entry->has_input) {
        txg_value_release(&def->input);
        txg_value_copy(&def->input, &entry->input);
    }
}

/* Adds what `[N*]spec` says; `entry` is the fleet's gateway that it comes from, or NULL. */
static int add_spec(struct expansion *x, const char *what, const char *text,
                    const struct txg_fleet_gateway *entry)
{
    int count;
    struct txg_spec *spec = txg_spec_parse_counted(what, text, &count, x->err);
    if (!spec)
        return entry ? txg_err_wrap(x->err, "%s", entry->where) : -1;
    bool fits = x->list->n + (size_t)count <= TXG_GATEWAYS_MAX;
    for (int i = 0; fits && i < count; i++)
        add_gateway(x, spec, entry);
    txg_spec_free(spec);
    if (fits)
        return 0;
    return txg_err_set(x->err, TXG_E_LIMIT,
                       "a run can have at most %d gateways: with %s there are"
                       " more",
                       TXG_GATEWAYS_MAX, entry ? entry->tx : text);
}

static int add_entry(struct expansion *x, const struct txg_fleet_gateway *entry)
{
    return add_spec(x, "tx", entry->tx, entry);
}

/* Every id and label of the fleet, each once. */
static struct txg_strv fleet_words(const struct txg_config *config)
{
    struct txg_strv words = {0};
    for (size_t i = 0; i < config->n_gateways; i++) {
        const char *id = config->gateways[i].id;
        if (id && !txg_words_has(&words, id))
            txg_strv_push(&words, id);
        txg_words_merge(&words, &config->gateways[i].labels);
    }
    return words;
}

static int fail_unknown(const struct expansion *x, const char *word)
{
    TXG_AUTOFREE char *shown = txg_word_show(word, strlen(word));
    if (x->config->n_gateways == 0)
        return txg_err_set(x->err, TXG_E_USAGE,
                           "--tx '@%s': there is no fleet to select from: no gateways in"
                           " txgate.yaml or fleet.yaml",
                           shown);
    struct txg_strv words = fleet_words(x->config);
    if (words.n == 0)
        return txg_err_set(x->err, TXG_E_USAGE,
                           "--tx '@%s': the fleet's gateways have neither ids nor labels", shown);
    const char *const *items = (const char *const *)words.items;
    TXG_AUTOFREE char *hint = txg_word_hint(word, items);
    TXG_AUTOFREE char *list = txg_word_list(items);
    txg_strv_release(&words);
    if (hint[0])
        return txg_err_set(x->err, TXG_E_USAGE, "--tx '@%s': no such id or label in the fleet%s",
                           shown, hint);
    return txg_err_set(x->err, TXG_E_USAGE,
                       "--tx '@%s': no such id or label in the fleet, which has %s", shown, list);
}

/* `@word`: the gateways of the fleet with that id or label, in the fleet's order. */
static int add_selection(struct expansion *x, const char *word)
{
    bool found = false;
    if (!txg_word_ok(word)) {
        TXG_AUTOFREE char *shown = txg_word_show(word, strlen(word));
        return txg_err_set(x->err, TXG_E_USAGE,
                           "--tx '@%s': column 2: expected just an id or a label of the fleet",
                           shown);
    }
    for (size_t i = 0; i < x->config->n_gateways; i++) {
        const struct txg_fleet_gateway *entry = &x->config->gateways[i];
        if (!(entry->id && strcmp(entry->id, word) == 0) && !txg_words_has(&entry->labels, word))
            continue;
        found = true;
        if (add_entry(x, entry) != 0)
            return -1;
    }
    return found ? 0 : fail_unknown(x, word);
}

static int add_tx(struct expansion *x, const char *text)
{
    size_t count = strspn(text, "0123456789+-_ ");
    if (text[0] == '@')
        return add_selection(x, text + 1);
    if (text[count] == '*' && text[count + 1] == '@') {
        TXG_AUTOFREE char *shown = txg_word_show(text, strlen(text));
        return txg_err_set(x->err, TXG_E_USAGE,
                           "--tx '%s': column 1: a selection can't be multiplied; its gateways"
                           " stand in the fleet, once each",
                           shown);
    }
    return add_spec(x, "--tx", text, NULL);
}

static int add_all(struct expansion *x, const struct txg_strv *tx, int n)
{
    if (n > 0) {
        TXG_AUTOFREE char *text = txg_xasprintf("%d*popen", n);
        return add_spec(x, "-n", text, NULL);
    }
    for (size_t i = 0; i < tx->n; i++)
        if (add_tx(x, tx->items[i]) != 0)
            return -1;
    for (size_t i = 0; tx->n == 0 && i < x->config->n_gateways; i++)
        if (add_entry(x, &x->config->gateways[i]) != 0)
            return -1;
    return x->list->n ? 0 : add_spec(x, "--tx", "popen", NULL);
}

static int compare_devices(const void *a, const void *b)
{
    const struct txg_gateway_def *const *x = a, *const *y = b;
    int order = strcmp((*x)->device, (*y)->device);
    return order ? order : (*x > *y) - (*x < *y);
}

static int fail_twice(const struct expansion *x, const struct txg_gateway_def *a,
                      const struct txg_gateway_def *b)
{
    TXG_AUTOFREE char *first = txg_word_show(a->spec->text, strlen(a->spec->text));
    TXG_AUTOFREE char *second = txg_word_show(b->spec->text, strlen(b->spec->text));
    return txg_err_set(x->err, TXG_E_USAGE,
                       "two gateways have the id '%s': gw%zu (%s) and gw%zu (%s)", a->device,
                       (size_t)(a - x->list->items), first, (size_t)(b - x->list->items), second);
}

static int check_ids(const struct expansion *x)
{
    TXG_AUTOFREE const struct txg_gateway_def **named = txg_xcalloc(x->list->n, sizeof *named);
    size_t n = 0;
    for (size_t i = 0; i < x->list->n; i++) {
        const struct txg_gateway_def *def = &x->list->items[i];
        char own[32];
        snprintf(own, sizeof own, "gw%zu", i);
        if (!def->device)
            continue;
        if (txg_word_is_gw(def->device) && strcmp(def->device, own) != 0)
            return txg_err_set(x->err, TXG_E_USAGE,
                               "--tx '%s': id=%s is the number of another gateway; this one is %s",
                               def->spec->text, def->device, own);
        named[n++] = def;
    }
    qsort(named, n, sizeof *named, compare_devices);
    for (size_t i = 1; i < n; i++)
        if (strcmp(named[i - 1]->device, named[i]->device) == 0)
            return fail_twice(x, named[i - 1], named[i]);
    return 0;
}

static int deal_devices(const struct expansion *x)
{
    const struct txg_config *config = x->config;
    size_t need = 0, next = 0;
    for (size_t i = 0; i < x->list->n; i++)
        need += !x->own[i];
    if (config->n_devices > 0 && need > config->n_devices)
        return txg_err_set(x->err, TXG_E_USAGE,
                           "%s: %zu gateways need a device each, but 'devices' has %zu: add"
                           " devices, or start fewer gateways",
                           config->devices_where, need, config->n_devices);
    for (size_t i = 0; i < x->list->n; i++) {
        struct txg_gateway_def *def = &x->list->items[i];
        if (!x->own[i] && next < config->n_devices) {
            txg_value_release(&def->input);
            txg_value_copy(&def->input, &config->devices[next++]);
        }
        const struct txg_value *over = &def->spec->input;
        for (size_t j = 0; j < over->many.n; j++) {
            struct txg_value copy;
            txg_value_copy(&copy, &over->many.items[j]);
            txg_value_set(&def->input, over->many.keys[j], copy);
        }
    }
    return 0;
}

int txg_expand(const struct txg_strv *tx, int n, const struct txg_config *config,
               struct txg_gateway_list *out, struct txg_err *err)
{
    struct expansion x = {.config = config, .list = out, .err = err};
    *out = (struct txg_gateway_list){0};
    int rc = add_all(&x, tx, n);
    if (rc == 0)
        rc = check_ids(&x);
    if (rc == 0)
        rc = deal_devices(&x);
    if (rc == 0)
        rc = txg_via_resolve(out, config, err);
    free(x.own);
    if (rc != 0)
        txg_gateway_list_release(out);
    return rc;
}

void txg_gateway_list_release(struct txg_gateway_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        struct txg_gateway_def *def = &list->items[i];
        txg_spec_free(def->spec);
        free(def->device);
        txg_strv_release(&def->labels);
        txg_value_release(&def->input);
    }
    free(list->items);
    *list = (struct txg_gateway_list){0};
}

static int usable_cpus(void)
{
    cpu_set_t set;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    /* Fails on machines with more CPUs than a cpu_set_t holds. */
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    return n < 1 ? 1 : n > TXG_GATEWAYS_MAX ? TXG_GATEWAYS_MAX : (int)n;
}

int txg_parse_numprocesses(const char *word, int *n, struct txg_err *err)
{
    int64_t number;
    bool is_auto = strcmp(word, "auto") == 0 || strcmp(word, "logical") == 0;
    const char *env = is_auto ? getenv("PYTEST_XDIST_AUTO_NUM_WORKERS") : NULL;
    if (is_auto && (!env || !env[0])) {
        *n = usable_cpus();
        return 0;
    }
    if (txg_parse_int(env ? env : word, 0, TXG_GATEWAYS_MAX, &number)) {
        *n = (int)number;
        return 0;
    }
    const char *given = env ? env : word;
    TXG_AUTOFREE char *shown = txg_word_show(given, strlen(given));
    return txg_err_set(err, TXG_E_USAGE, "%s: expected a number from 0 to %d%s, not '%s'",
                       env ? "PYTEST_XDIST_AUTO_NUM_WORKERS" : "-n", TXG_GATEWAYS_MAX,
                       env ? "" : ", 'auto' or 'logical'", shown);
}
