/*
 * How well gateways are used, in the simulator: far workers, heavy-tailed sets of tests, and suites
 * whose times were recorded (tests/sim/recorded).
 *
 *     span [SETS]      1,000 sets; exit status 1 where a figure is not kept
 */
#include "config.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world.h"

struct figures {
    int64_t span; /* from the first start to the last end, as workers see it */
    double busy;  /* of that, per gateway */
};

static void make(struct sim_plan *p, enum txg_dist dist, size_t boards, int64_t latency,
                 const int64_t *durations, size_t n, bool known)
{
    *p = (struct sim_plan){.seed = 1, .n_boards = boards, .n_tests = n};
    p->config = (struct txg_session_config){.dist = dist,
                                            .gateways = p->gateways,
                                            .n_gateways = boards,
                                            .suites = p->suites,
                                            .n_suites = 1,
                                            .testrunuid = "span",
                                            .max_restarts = -1};
    p->suites[0].uses = p->uses[0];
    p->tests = txg_xcalloc(n, sizeof *p->tests);
    p->times = txg_xcalloc(n, sizeof *p->times);
    for (size_t i = 0; i < n; i++) {
        struct sim_test *t = &p->tests[i];
        t->duration = durations[i];
        t->bad_tries = UINT_MAX;
        t->unit = SIM_UNITS + i;
        t->len = (size_t)snprintf(t->nodeid, sizeof t->nodeid, "f%zu::c0::t%zu", i, i);
        p->times[i] = (struct txg_session_time){txg_span(t->nodeid, t->len), "", "", durations[i]};
    }
    p->config.times = p->times;
    p->config.n_times = known ? n : 0;
    for (size_t b = 0; b < boards; b++) {
        p->gateways[b] =
            (struct txg_session_gateway){.spec = "popen", .labels = p->boards[b].labels, .host = b};
        p->boards[b] = (struct sim_board){
            .host = (unsigned)b, .boot = SIM_MS, .latency = latency, .slowness = 4, .n_tests = n};
        p->boards[b].tests = txg_xcalloc(n, sizeof *p->boards[b].tests);
        for (size_t i = 0; i < n; i++)
            p->boards[b].tests[i] = i;
    }
}

static struct figures play(enum txg_dist dist, size_t boards, int64_t latency,
                           const int64_t *durations, size_t n, bool known)
{
    struct sim_plan plan;
    struct sim_result result;
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += durations[i];
    make(&plan, dist, boards, latency, durations, n, known);
    sim_run(&plan, false, &result);
    sim_plan_release(&plan);
    if (result.failed) {
        printf("%s: %s\n", txg_dist_name(dist), result.what);
        exit(1);
    }
    struct figures f = {.span = result.last_end - result.first_start};
    f.busy = (double)sum / (double)(boards * (size_t)f.span);
    return f;
}

/* 4 gateways, 4,000 tests of 10 ms. */
static bool are_far_workers_busy(void)
{
    static int64_t durations[4000];
    bool good = true;
    for (size_t i = 0; i < 4000; i++)
        durations[i] = 10 * SIM_MS;
    for (int64_t trip = 50; trip <= 200; trip += 150) {
        double known = play(TXG_DIST_DURATION, 4, trip * SIM_MS / 2, durations, 4000, true).busy;
        double unknown = play(TXG_DIST_DURATION, 4, trip * SIM_MS / 2, durations, 4000, false).busy;
        double load = play(TXG_DIST_LOAD, 4, trip * SIM_MS / 2, durations, 4000, true).busy;
        double steal = play(TXG_DIST_WORKSTEAL, 4, trip * SIM_MS / 2, durations, 4000, true).busy;
        printf(
            "tests of 10 ms over a round trip of %lld ms: workers are %.1f %% busy with duration, "
            "%.1f %% without times; load %.1f %%, worksteal %.1f %%\n",
            (long long)trip, 100 * known, 100 * unknown, 100 * load, 100 * steal);
        good = good && known >= 0.95 && unknown >= 0.95 && load >= 0.95 && steal >= 0.95;
    }
    return good;
}

/* A normal deviate: twelve uniform ones. */
static double normal(struct sim_rng *r)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(sim_next(r) >> 11) / 9007199254740992.0;
    return sum;
}

static int descending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* Longest first by hand, on machines that need no time between tests. */
static int64_t offline(const int64_t *durations, size_t n, size_t boards)
{
    int64_t *sorted = txg_xcalloc(n, sizeof *sorted), ends[SIM_BOARDS] = {0}, last = 0;
    memcpy(sorted, durations, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, descending);
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;
        for (size_t b = 1; b < boards; b++)
            first = ends[b] < ends[first] ? b : first;
        ends[first] += sorted[i];
        last = ends[first] > last ? ends[first] : last;
    }
    free(sorted);
    return last;
}

struct tally { /* sums and the worst, over max(sum/N, longest) */
    double duration, blind, load, steal, worst, lpt;
    size_t n, worse; /* than offline LPT by more than 2 % */
};

/* Lognormal, sigma 1.5, median 100 ms; 0.4 ms from a gateway and back. */
static void play_set(struct sim_rng *r, struct tally *t)
{
    size_t boards = sim_between(r, 2, SIM_BOARDS), n = boards * (size_t)sim_between(r, 50, 60);
    int64_t *durations = txg_xcalloc(n, sizeof *durations), sum = 0, longest = 0;
    for (size_t i = 0; i < n; i++) {
        durations[i] = (int64_t)(100000 * exp(1.5 * normal(r)));
        sum += durations[i];
        longest = durations[i] > longest ? durations[i] : longest;
    }
    double least = (double)sum / (double)boards;
    least = least > (double)longest ? least : (double)longest;
    double lpt = (double)offline(durations, n, boards) / least;
    double d = (double)play(TXG_DIST_DURATION, boards, 200, durations, n, true).span / least;
    t->load += (double)play(TXG_DIST_LOAD, boards, 200, durations, n, true).span / least;
    t->steal += (double)play(TXG_DIST_WORKSTEAL, boards, 200, durations, n, true).span / least;
    t->duration += d;
    t->blind += (double)play(TXG_DIST_DURATION, boards, 200, durations, n, false).span / least;
    t->lpt += lpt;
    t->worst = d > t->worst ? d : t->worst;
    t->worse += d > lpt * 1.02;
    t->n++;
    free(durations);
}

static int64_t *read_recorded(const char *name, size_t *n)
{
    const char *srcdir = getenv("TXG_SRCDIR");
    TXG_AUTOFREE char *path =
        txg_xasprintf("%s/tests/sim/recorded/%s.txt", srcdir ? srcdir : ".", name);
    FILE *f = fopen(path, "r");
    int64_t *durations = NULL, us;
    size_t cap = 0;
    char line[256];
    if (!f) {
        perror(path);
        exit(1);
    }
    for (*n = 0; fgets(line, sizeof line, f);) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '#' || !txg_parse_int(line, 1, INT64_MAX, &us))
            continue;
        durations = txg_grow(durations, *n, &cap, sizeof *durations);
        durations[(*n)++] = us;
    }
    fclose(f);
    return durations;
}

/* What the round trips of a run may cost that others, who deal all at once, do not pay. */
#define TRIPS 0.001

/* True: with times within 2 % of the least there can be, with few tests as near to it as offline
 * LPT; without times as near as the better of pytest-xdist's two. */
static bool play_recorded(const char *name, size_t boards)
{
    size_t n;
    int64_t *durations = read_recorded(name, &n), sum = 0, longest = 0;
    for (size_t i = 0; i < n; i++) {
        sum += durations[i];
        longest = durations[i] > longest ? durations[i] : longest;
    }
    double least = (double)sum / (double)boards;
    least = least > (double)longest ? least : (double)longest;
    double lpt = (double)offline(durations, n, boards) / least;
    double known = (double)play(TXG_DIST_DURATION, boards, 200, durations, n, true).span / least;
    double unknown = (double)play(TXG_DIST_DURATION, boards, 200, durations, n, false).span / least;
    double load = (double)play(TXG_DIST_LOAD, boards, 200, durations, n, true).span / least;
    double steal = (double)play(TXG_DIST_WORKSTEAL, boards, 200, durations, n, true).span / least;
    printf(
        "%s, %zu tests on %zu gateways: duration %.4f, offline LPT %.4f; without times %.4f, load "
        "%.4f, worksteal %.4f\n",
        name, n, boards, known, lpt, unknown, load, steal);
    free(durations);
    double better = load < steal ? load : steal;
    return known <= (n >= 50 * boards ? 1.02 : lpt + 0.0001) && unknown <= better + TRIPS;
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    struct sim_rng r = {7};
    int64_t sets = 1000;
    if (argc > 1 && !txg_parse_int(argv[1], 1, 1000000, &sets))
        return 2;
    bool good = are_far_workers_busy();
    for (int64_t i = 0; i < sets; i++)
        play_set(&r, &t);
    static const char *const recorded[] = {"dbus", "glib", "cases"};
    for (size_t i = 0; i < 3; i++)
        for (size_t boards = 2; boards <= SIM_BOARDS; boards *= 2)
            good = play_recorded(recorded[i], boards) && good;
    double n = (double)t.n;
    printf("%zu sets of lognormal tests (sigma 1.5), 50 to 60 for each gateway, span over "
           "max(sum/N, longest): duration %.4f (worst %.4f), offline LPT %.4f, without times %.4f, "
           "load %.4f, worksteal %.4f\n",
           t.n, t.duration / n, t.worst, t.lpt / n, t.blind / n, t.load / n, t.steal / n);
    good = good && t.duration / n <= 1.02 && t.worse == 0;
    good = good && t.blind <= t.load && t.blind <= t.steal;
    printf("%d passed, %d failed\n", good, !good);
    return good ? 0 : 1;
}
