#include "config.h"

#include "src/session/expect.h"

#include <stdlib.h>
#include <string.h>

struct mean {
    int64_t sum;
    int64_t n;
};

static void add(struct mean *m, int64_t us)
{
    m->sum += us;
    m->n++;
}

static int64_t value(const struct mean *m)
{
    return m->n ? m->sum / m->n : -1;
}

static const char *label_of(const struct txg_session_config *config, size_t origin)
{
    const char *const *labels = config->gateways[origin].labels;
    return labels && labels[0] ? labels[0] : "";
}

static bool is_class(const struct txg_session_config *config, const char *const *archs,
                     size_t origin, const char *arch, const char *label)
{
    return strcmp(archs[origin] ? archs[origin] : "", arch) == 0 &&
           strcmp(label_of(config, origin), label) == 0;
}

struct txg_span txg_expect_file(struct txg_span nodeid)
{
    for (size_t at = 0; at + 2 <= nodeid.len; at++)
        if (memcmp(nodeid.data + at, "::", 2) == 0)
            return txg_span(nodeid.data, at);
    return nodeid;
}

struct file {
    struct txg_span name;
    struct mean mean;
};

struct files { /* hash table: never full */
    struct file *slots;
    size_t n_slots;
};

static struct mean *mean_of(struct files *f, struct txg_span name)
{
    for (size_t at = (size_t)txg_hash_key(name.data, name.len);; at++) {
        struct file *slot = &f->slots[at & (f->n_slots - 1)];
        if (!slot->name.data)
            slot->name = name;
        if (txg_span_equal(slot->name, name))
            return &slot->mean;
    }
}

static void name_classes(struct txg_expect *e, const struct txg_session_config *config,
                         const char *const *archs)
{
    e->classes = txg_xcalloc(config->n_gateways, sizeof *e->classes);
    e->firsts = txg_xcalloc(config->n_gateways, sizeof *e->firsts);
    for (size_t i = 0; i < config->n_gateways; i++) {
        size_t k = 0;
        while (k < i && !is_class(config, archs, k, archs[i] ? archs[i] : "", label_of(config, i)))
            k++;
        if (k == i)
            e->firsts[e->n_classes] = i;
        e->classes[i] = k < i ? e->classes[k] : e->n_classes++;
    }
}

static void take_times(struct txg_expect *e, const struct txg_session_config *config,
                       const struct txg_catalog *catalog, const char *const *archs,
                       struct mean *anywhere)
{
    for (size_t i = 0; i < config->n_times; i++) {
        const struct txg_session_time *t = &config->times[i];
        size_t number = txg_catalog_number(catalog, t->nodeid);
        if (number == SIZE_MAX)
            continue;
        /* what took no time still takes a place: a gateway would never have enough of such */
        int64_t us = t->us < 1 ? 1 : t->us < TXG_EXPECT_MAX ? t->us : TXG_EXPECT_MAX;
        add(&anywhere[number], us);
        for (size_t k = 0; k < e->n_classes; k++)
            if (is_class(config, archs, e->firsts[k], t->arch, t->label))
                e->us[k * e->n_tests + number] = us;
    }
}

void txg_expect_init(struct txg_expect *e, const struct txg_session_config *config,
                     const struct txg_catalog *catalog, const char *const *archs)
{
    struct mean all = {0};
    struct files files = {.n_slots = 64};
    *e = (struct txg_expect){.n_tests = catalog->n_tests};
    name_classes(e, config, archs);
    e->us = txg_xcalloc(e->n_classes * e->n_tests, sizeof *e->us);
    for (size_t i = 0; i < e->n_classes * e->n_tests; i++)
        e->us[i] = -1;
    while (files.n_slots < 2 * e->n_tests)
        files.n_slots *= 2;
    files.slots = txg_xcalloc(files.n_slots, sizeof *files.slots);
    struct mean *anywhere = txg_xcalloc(e->n_tests, sizeof *anywhere);
    take_times(e, config, catalog, archs, anywhere);
    for (size_t i = 0; i < e->n_tests; i++) {
        if (!anywhere[i].n)
            continue;
        add(mean_of(&files, txg_expect_file(txg_catalog_nodeid(catalog, i))), value(&anywhere[i]));
        add(&all, value(&anywhere[i]));
    }
    for (size_t i = 0; i < e->n_tests; i++) {
        int64_t guess = value(&anywhere[i]);
        if (guess < 0)
            guess = value(mean_of(&files, txg_expect_file(txg_catalog_nodeid(catalog, i))));
        if (guess < 0)
            guess = value(&all);
        for (size_t k = 0; k < e->n_classes; k++)
            if (e->us[k * e->n_tests + i] < 0)
                e->us[k * e->n_tests + i] = guess;
    }
    e->known = all.n > 0;
    free(anywhere);
    free(files.slots);
}

void txg_expect_release(struct txg_expect *e)
{
    free(e->us);
    free(e->classes);
    free(e->firsts);
    *e = (struct txg_expect){0};
}

int64_t txg_expect_get(const struct txg_expect *e, size_t origin, size_t number)
{
    return e->us[e->classes[origin] * e->n_tests + number];
}

int64_t txg_expect_longest(const struct txg_expect *e, size_t number)
{
    int64_t longest = -1;
    for (size_t k = 0; k < e->n_classes; k++)
        if (e->us[k * e->n_tests + number] > longest)
            longest = e->us[k * e->n_tests + number];
    return longest;
}
