#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/worker/collect.h"

#define NAME_LEN_MAX 131071u /* bytes of a case's name: as much as Linux takes in one argument */
#define REPEATS_TOLD 10

static const char *nodeid_of(const struct txg_collection *c, size_t program)
{
    return c->items[c->programs[program].item].nodeid;
}

void txg_collection_no_listing(struct txg_collection *c, size_t program, const char *why)
{
    const struct txg_item *item = &c->items[c->programs[program].item];
    char text[TXG_ERR_TEXT_MAX];
    if (item->harness == &txg_harness_pair)
        snprintf(text, sizeof text, "its cases could not be listed with `%s ...`: %s",
                 c->suites[item->suite].list.items[0], why);
    else if (c->suites[item->suite].command.n > 0)
        snprintf(text, sizeof text, "%s could not list its tests: %s", item->harness->name, why);
    else
        snprintf(text, sizeof text,
                 "could not be listed with %s (harness %s; exec runs it as one test): %s",
                 item->harness->cases->list[0], item->harness->name, why);
    txg_collection_error(c, item->nodeid, text);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void too_many_repeats(struct txg_collection *c, size_t program, size_t more)
{
    TXG_AUTOFREE char *why = txg_xasprintf("and %zu further names stand there twice", more);
    txg_collection_no_listing(c, program, why);
}

/* A name that stands there twice could not be told apart: then none of them is believed. */
static void drop_repeats(struct txg_collection *c, size_t program)
{
    struct txg_names *cases = &c->programs[program].cases;
    size_t ascending = 1;
    while (ascending < cases->n && strcmp(cases->items[ascending - 1], cases->items[ascending]) < 0)
        ascending++;
    if (ascending == cases->n)
        return;
    char **sorted = txg_xcalloc(cases->n, sizeof *sorted);
    size_t repeats = 0;
    memcpy(sorted, cases->items, cases->n * sizeof *sorted);
    qsort(sorted, cases->n, sizeof *sorted, by_bytes);
    for (size_t i = 1; i < cases->n; i++) {
        if (strcmp(sorted[i - 1], sorted[i]) != 0 ||
            (i > 1 && strcmp(sorted[i - 2], sorted[i]) == 0))
            continue;
        TXG_AUTOFREE char *why = txg_xasprintf("two cases are called %s", sorted[i]);
        if (++repeats <= REPEATS_TOLD)
            txg_collection_no_listing(c, program, why);
    }
    if (repeats > REPEATS_TOLD)
        too_many_repeats(c, program, repeats - REPEATS_TOLD);
    if (repeats > 0)
        txg_names_release(cases);
    free(sorted);
}

static int check_lengths(const struct txg_names *cases, struct txg_err *err)
{
    for (size_t i = 0; i < cases->n; i++)
        if (strlen(cases->items[i]) > NAME_LEN_MAX)
            return txg_err_set(err, TXG_E_LIMIT,
                               "a case's name of %zu bytes, at most %u can be: %.60s...",
                               strlen(cases->items[i]), NAME_LEN_MAX, cases->items[i]);
    return 0;
}

void txg_collection_take_listing(struct txg_collection *c, size_t program, struct txg_span text)
{
    struct txg_program *p = &c->programs[program];
    struct txg_err err;
    if (c->items[p->item].harness->cases->read_list(text, &p->cases, &err) != 0 ||
        check_lengths(&p->cases, &err) != 0) {
        txg_names_release(&p->cases);
        txg_collection_no_listing(c, program, err.text);
    } else if (p->cases.n > 1) {
        drop_repeats(c, program);
    }
}

/* `wanted` is the name of a case, or of what it is a part of: Suite of Suite.Case, /a of /a/b. */
static bool is_below(const char *name, const char *wanted)
{
    size_t n = strlen(wanted);
    return strncmp(name, wanted, n) == 0 &&
           (name[n] == '\0' || name[n] == '.' || name[n] == '/' || wanted[n - 1] == '/');
}

static bool is_wanted(const struct txg_program *p, const char *name)
{
    for (size_t i = 0; i < p->only.n; i++)
        if (is_below(name, p->only.items[i]))
            return true;
    return p->whole;
}

bool txg_collection_wants(const struct txg_collection *c, size_t program)
{
    const struct txg_program *p = &c->programs[program];
    for (size_t i = 0; i < p->cases.n; i++)
        if (is_wanted(p, p->cases.items[i]))
            return true;
    return false;
}

static void check_wanted(struct txg_collection *c, size_t program)
{
    const struct txg_program *p = &c->programs[program];
    for (size_t i = 0; i < p->only.n && p->cases.n > 0; i++) {
        bool found = false;
        for (size_t k = 0; k < p->cases.n && !found; k++)
            found = is_below(p->cases.items[k], p->only.items[i]);
        if (found)
            continue;
        TXG_AUTOFREE char *text = txg_xasprintf(
            "it has no case '%s': `txgate list` shows its %zu cases", p->only.items[i], p->cases.n);
        txg_collection_error(c, nodeid_of(c, program), text);
    }
}

struct items {
    struct txg_item *items;
    size_t n, cap;
};

static void push(struct items *to, struct txg_item item)
{
    to->items = txg_grow(to->items, to->n, &to->cap, sizeof *to->items);
    to->items[to->n++] = item;
}

/* program::case */
static char *case_nodeid(struct txg_arena *texts, const char *program, size_t len, const char *name)
{
    size_t n = strlen(name);
    char *nodeid = txg_arena_take(texts, len + n + 3);
    memcpy(nodeid, program, len);
    memcpy(nodeid + len, "::", 2);
    memcpy(nodeid + len + 2, name, n + 1);
    return nodeid;
}

static void expand(struct txg_collection *c, struct txg_item *item, const struct txg_strv *env,
                   struct items *to)
{
    const struct txg_program *p = &c->programs[item->program];
    const struct txg_cases_ops *ops = item->harness->cases;
    size_t len = strlen(item->nodeid);
    check_wanted(c, item->program);
    for (size_t i = 0; i < p->cases.n; i++) {
        struct txg_item one = *item;
        one.name = p->cases.items[i];
        if (!is_wanted(p, one.name))
            continue;
        one.nodeid = c->suites[item->suite].command.n > 0
                         ? one.name
                         : case_nodeid(&c->texts, item->nodeid, len, one.name);
        one.disabled =
            ops->is_disabled && ops->is_disabled(one.name, &c->suites[item->suite].args, env);
        push(to, one);
    }
}

void txg_collection_finish(struct txg_collection *c, const struct txg_strv *env)
{
    struct items all = {0};
    for (size_t i = 0; i < c->n_items && c->n_programs > 0; i++) {
        if (c->items[i].harness->cases)
            expand(c, &c->items[i], env, &all);
        else
            push(&all, c->items[i]);
    }
    if (c->n_programs > 0) {
        free(c->items);
        c->items = all.items;
        c->n_items = all.n;
        c->cap_items = all.cap;
    }
    c->digest = TXG_HASH_START;
    for (size_t i = 0; i < c->n_items; i++) {
        struct txg_msg_record record = {.suite = (int64_t)c->items[i].suite,
                                        .nodeid = txg_span_cstr(c->items[i].nodeid)};
        c->digest = txg_collection_digest(c->digest, &record);
    }
}
