#include "config.h"

#include "tests/sim/plan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPES 4 /* in a file, at most */

const char *sim_fault_name(enum sim_fault_kind kind)
{
    static const char *const names[] = {
        [SIM_CRASH] = "crash",
        [SIM_EXIT] = "exit",
        [SIM_FREEZE] = "freeze",
        [SIM_PAUSE] = "pause",
        [SIM_CUT] = "cut",
        [SIM_EOF] = "eof",
        [SIM_DEAF] = "deaf",
        [SIM_SLOW] = "slow",
        [SIM_STUCK] = "stuck",
        [SIM_LIE] = "lie",
        [SIM_BROKEN] = "internal error",
        [SIM_INTERRUPT] = "interrupt",
        [SIM_LEAVE] = "leave",
    };
    return names[kind];
}

static int64_t draw_duration(struct sim_rng *r)
{
    unsigned kind = (unsigned)sim_below(r, 20);
    if (kind < 12)
        return sim_between(r, 1 * SIM_MS, 20 * SIM_MS);
    if (kind < 18)
        return sim_between(r, 20 * SIM_MS, 300 * SIM_MS);
    return sim_between(r, 300 * SIM_MS, 20 * SIM_S);
}

static enum sim_fate draw_fate(struct sim_rng *r, unsigned poison)
{
    unsigned n = (unsigned)sim_below(r, 100);
    if (n < poison)
        return SIM_KILLS_WORKER;
    n = (unsigned)sim_below(r, 100);
    return n < 90 ? SIM_PASSES : n < 95 ? SIM_FAILS : n < 98 ? SIM_SKIPS : SIM_CRASHES;
}

static size_t unit_of(const struct sim_plan *p, const struct sim_test *t, size_t file, size_t scope,
                      size_t number)
{
    const char *group = p->suites[t->suite].group;
    switch (p->config.dist) {
    case TXG_DIST_LOADFILE:
        return file;
    case TXG_DIST_LOADSCOPE:
        return file * SCOPES + scope;
    case TXG_DIST_LOADGROUP:
        return group ? (size_t)(group[1] - '0') : SIM_UNITS + number;
    default:
        return SIM_UNITS + number;
    }
}

/* -k leaves out what stands in one scope of each file. */
static void draw_selection(struct sim_plan *p, struct sim_rng *r)
{
    struct txg_err err;
    char expression[16], mark[8];
    size_t scope = sim_below(r, SCOPES);
    if (!sim_chance(r, 6))
        return;
    snprintf(expression, sizeof expression, "not c%zu", scope);
    snprintf(mark, sizeof mark, ":c%zu:", scope);
    p->config.select = p->select = txg_select_new(expression, &err);
    for (size_t i = 0; i < p->n_tests; i++)
        p->tests[i].left_out = strstr(p->tests[i].nodeid, mark) != NULL;
}

static void draw_tests(struct sim_plan *p, struct sim_rng *r)
{
    p->n_tests = (size_t)(sim_chance(r, 4) ? sim_between(r, 0, 20) : sim_between(r, 60, 300));
    p->tests = txg_xcalloc(p->n_tests, sizeof *p->tests);
    unsigned poison = sim_chance(r, 20) ? 2 : 0;
    unsigned files = (unsigned)sim_between(r, 1, 20), scopes = (unsigned)sim_between(r, 1, SCOPES);
    bool grouped = sim_chance(r, 50); /* a file's tests stand together */
    for (size_t i = 0; i < p->n_tests; i++) {
        struct sim_test *t = &p->tests[i];
        size_t file = grouped ? i * files / p->n_tests : sim_below(r, files);
        t->suite = file % p->config.n_suites;
        t->duration = draw_duration(r);
        t->fate = draw_fate(r, poison);
        t->bad_tries = sim_chance(r, 50) ? UINT_MAX : (unsigned)sim_between(r, 1, 3);
        size_t scope = sim_below(r, scopes);
        t->unit = unit_of(p, t, file, scope, i);
        t->len = (size_t)snprintf(t->nodeid, sizeof t->nodeid, "f%zu::c%zu::t%zu", file, scope, i);
    }
}

/* Earlier runs know most tests, some or none, and not on every board; tests change, too. */
static void draw_times(struct sim_plan *p, struct sim_rng *r)
{
    static const unsigned shares[] = {0, 30, 95};
    unsigned known = shares[sim_below(r, 3)];
    p->times = txg_xcalloc(p->n_tests, sizeof *p->times);
    for (size_t i = 0; i < p->n_tests; i++) {
        const struct sim_test *t = &p->tests[i];
        if (!sim_chance(r, known))
            continue;
        p->times[p->config.n_times++] = (struct txg_session_time){
            .nodeid = txg_span(t->nodeid, t->len),
            .arch = sim_chance(r, 90) ? "" : "other",
            .label = sim_chance(r, 50) ? "" : "can",
            .us = sim_chance(r, 90) ? t->duration : draw_duration(r),
        };
    }
    p->config.times = p->times;
}

/* Some have failed before; one of these is gone since. */
static void draw_failed(struct sim_plan *p, struct sim_rng *r)
{
    p->config.failed_only = sim_chance(r, 4);
    p->config.failed_first = sim_chance(r, 8);
    p->failed = txg_xcalloc(p->n_tests + 1, sizeof *p->failed);
    p->failed[p->config.n_failed++] = TXG_SPAN("f0::gone");
    p->config.failed = p->failed;
    unsigned share = sim_chance(r, 80) ? 20 : 0;
    for (size_t i = 0; i < p->n_tests; i++) {
        struct sim_test *t = &p->tests[i];
        t->failed = sim_chance(r, share);
        if (t->failed)
            p->failed[p->config.n_failed++] = txg_span(t->nodeid, t->len);
    }
}

static void draw_labels(struct sim_plan *p, struct sim_rng *r)
{
    static const char *const names[SIM_BOARDS] = {"b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"};
    static const char *const labels[] = {"can", "imx6"};
    static const char *const groups[] = {NULL, "g0", "g1"};
    p->config.n_suites = sim_chance(r, 60) ? 1 : sim_between(r, 2, SIM_SUITES);
    static const char *const resources[] = {"meter", "bus"};
    bool needs = sim_chance(r, 25), locks = sim_chance(r, 15);
    p->together = !needs;
    p->alike = !needs && !locks;
    for (size_t i = 0; i < p->config.n_suites; i++) {
        if (needs && sim_chance(r, 50))
            p->needs[i][0] = labels[sim_below(r, 2)];
        p->suites[i] = (struct txg_session_suite){
            .name = i ? "other" : NULL,
            .needs = p->needs[i],
            .group = groups[sim_below(r, 3)],
            .uses = p->uses[i],
            .serial = locks && sim_chance(r, 20),
        };
        size_t n = 0;
        for (size_t k = 0; k < 2; k++)
            if (locks && sim_chance(r, 40))
                p->uses[i][n++] = resources[k];
    }
    for (size_t b = 0; b < p->n_boards; b++) {
        size_t n = 0;
        for (size_t i = 0; i < 2; i++)
            if (sim_chance(r, 70))
                p->boards[b].labels[n++] = labels[i];
        p->gateways[b] = (struct txg_session_gateway){
            .device = names[b], .spec = "popen", .labels = p->boards[b].labels};
    }
}

static void draw_boards(struct sim_plan *p, struct sim_rng *r)
{
    int64_t far = sim_chance(r, 30) ? 200 * SIM_MS : 2 * SIM_MS;
    for (size_t b = 0; b < p->n_boards; b++) {
        struct sim_board *board = &p->boards[b];
        board->host = sim_chance(r, 50) ? (unsigned)b : (unsigned)sim_below(r, p->n_boards);
        p->gateways[b].host = board->host;
        board->habit = sim_chance(r, 94) ? SIM_SOUND : (enum sim_habit)sim_between(r, 1, 4);
        board->boot = sim_between(r, 1, sim_chance(r, 10) ? 30 * SIM_S : 200 * SIM_MS);
        board->latency = sim_between(r, 0, far);
        board->jitter = sim_chance(r, 50) ? 0 : sim_between(r, 0, far);
        board->slowness = sim_chance(r, 70) ? 4 : sim_between(r, 1, 40);
    }
}

static void shuffle(size_t *items, size_t n, struct sim_rng *r)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = sim_below(r, i), kept = items[i - 1];
        items[i - 1] = items[k];
        items[k] = kept;
    }
}

/* Mostly all boards hold the same; sometimes in an order of their own, or only a part. */
static void draw_collections(struct sim_plan *p, struct sim_rng *r)
{
    unsigned kind = (unsigned)sim_below(r, 10);
    for (size_t b = 0; b < p->n_boards; b++) {
        struct sim_board *board = &p->boards[b];
        p->together = p->together && kind < 9;
        p->alike = p->alike && kind < 8;
        bool partial = kind == 9 && sim_chance(r, 60);
        board->tests = txg_xcalloc(p->n_tests, sizeof *board->tests);
        for (size_t i = 0; i < p->n_tests; i++)
            if (!partial || sim_chance(r, 70))
                board->tests[board->n_tests++] = i;
        if (kind >= 8 && sim_chance(r, 50))
            shuffle(board->tests, board->n_tests, r);
    }
    p->changes = sim_chance(r, 4);
    p->groups = sim_chance(r, 60);
}

static void draw_config(struct sim_plan *p, struct sim_rng *r, int dist)
{
    size_t dists = 0;
    while (txg_dist_names[dists])
        dists++;
    enum txg_dist drawn = (enum txg_dist)sim_below(r, dists);
    p->config.dist = dist < 0 ? drawn : (enum txg_dist)dist;
    p->config.gateways = p->gateways;
    p->config.suites = p->suites;
    p->config.n_gateways = p->n_boards;
    p->config.testrunuid = "sim";
    p->config.maxfail = sim_chance(r, 12) ? sim_between(r, 1, 5) : 0;
    p->config.retries = sim_chance(r, 25) ? sim_between(r, 1, 3) : 0;
    p->config.retry_other =
        p->config.retries && p->config.dist != TXG_DIST_EACH && sim_chance(r, 50);
    p->config.max_restarts = sim_chance(r, 30) ? sim_between(r, 0, 4) : -1;
    p->config.maxschedchunk = sim_chance(r, 30) ? sim_between(r, 1, 20) : 0;
    p->config.collect_timeout = 60 * SIM_S;
    p->config.run_timeout = sim_chance(r, 6) ? sim_between(r, 1 * SIM_S, 100 * SIM_S) : 0;
    p->config.keep_order = sim_chance(r, 50);
    p->config.require_all = sim_chance(r, 5);
    p->config.collect_only = sim_chance(r, 1);
    p->config.strict_collection = sim_chance(r, 5);
}

/* About how long the run takes when nothing goes wrong. */
static int64_t estimate(const struct sim_plan *p)
{
    int64_t work = 0, speed = 0, boot = 0;
    for (size_t i = 0; i < p->n_tests; i++)
        work += p->tests[i].duration;
    for (size_t b = 0; b < p->n_boards; b++) {
        speed += 400 / p->boards[b].slowness;
        boot = p->boards[b].boot > boot ? p->boards[b].boot : boot;
    }
    return 2 * boot + work * 100 / speed + SIM_MS;
}

/* Some boards are not there at the beginning; of these some never come. */
static void draw_late(struct sim_plan *p, struct sim_rng *r)
{
    int64_t length = estimate(p);
    if (p->config.dist == TXG_DIST_EACH || !sim_chance(r, 12))
        return;
    for (size_t b = 1; b < p->n_boards; b++) {
        p->gateways[b].late = sim_chance(r, 40);
        p->boards[b].joins = sim_chance(r, 15) ? INT64_MAX : sim_between(r, 0, length);
    }
}

static void draw_faults(struct sim_plan *p, struct sim_rng *r)
{
    static const unsigned weights[] = {22, 6, 9, 9, 8, 10, 4, 6, 4, 7, 2, 8, 5};
    int64_t length = estimate(p), begin = p->boards[0].boot * 2;
    p->n_faults = sim_chance(r, 10) ? 0 : sim_between(r, 1, SIM_FAULTS);
    for (size_t i = 0; i < p->n_faults; i++) {
        unsigned n = (unsigned)sim_below(r, 100), kind = 0;
        while (n >= weights[kind])
            n -= weights[kind++];
        int64_t from = sim_chance(r, 85) ? begin : 0;
        p->faults[i] =
            (struct sim_fault){(enum sim_fault_kind)kind, sim_between(r, from, from + length),
                               (unsigned)sim_below(r, p->n_boards), (unsigned)sim_next(r) & 0xffff};
        if (i && sim_chance(r, 20)) /* close behind the one before: Ctrl-C twice, two deaths */
            p->faults[i].at = p->faults[i - 1].at + sim_between(r, 0, 300 * SIM_MS);
    }
}

void sim_plan_init(struct sim_plan *p, uint64_t seed, int dist)
{
    struct sim_rng r = {seed};
    *p = (struct sim_plan){.seed = seed};
    p->n_boards = sim_chance(&r, 80) ? sim_between(&r, 2, 5) : sim_between(&r, 1, SIM_BOARDS);
    draw_labels(p, &r);
    draw_config(p, &r, dist);
    draw_tests(p, &r);
    draw_selection(p, &r);
    draw_boards(p, &r);
    draw_times(p, &r);
    draw_failed(p, &r);
    draw_collections(p, &r);
    draw_faults(p, &r);
    draw_late(p, &r);
    p->config.slow_timeout = sim_chance(&r, 30) ? sim_between(&r, 100 * SIM_MS, 10 * SIM_S) : 0;
}

void sim_plan_release(struct sim_plan *p)
{
    for (size_t b = 0; b < p->n_boards; b++)
        free(p->boards[b].tests);
    txg_select_free(p->select);
    free(p->times);
    free(p->failed);
    free(p->tests);
}

size_t sim_plan_test_of(const struct sim_plan *p, struct txg_span nodeid)
{
    size_t number = 0, place = 1, at = nodeid.len;
    for (; at > 0 && nodeid.data[at - 1] >= '0' && nodeid.data[at - 1] <= '9'; place *= 10)
        number += (size_t)(nodeid.data[--at] - '0') * place;
    if (number >= p->n_tests || at == nodeid.len || p->tests[number].len != nodeid.len ||
        memcmp(p->tests[number].nodeid, nodeid.data, nodeid.len) != 0)
        return p->n_tests;
    return number;
}
