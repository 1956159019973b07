/*
 * The session core against simulated gateways, schedule after schedule.
 *
 *     sim [--first SEED] [--count N] [--dist MODE]     N schedules (10,000), a summary
 *     sim --seed N [--dist MODE] [--verbose]           one of them again
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/sim/world.h"

#define COUNT      10000
#define EVENTS_CAP 4096 /* the median is exact below */

struct tally {
    size_t by_events[EVENTS_CAP + 1]; /* how many schedules took so many */
    size_t faults[3];                 /* none, one, two or more */
    size_t count, failed;
};

struct options {
    uint64_t first, count;
    int dist;
    bool one, verbose;
};

static void play(const struct options *o, uint64_t seed, struct tally *tally)
{
    struct sim_plan plan;
    struct sim_result result;
    sim_plan_init(&plan, seed, o->dist);
    sim_run(&plan, o->verbose, &result);
    tally->by_events[result.events < EVENTS_CAP ? result.events : EVENTS_CAP]++;
    tally->faults[result.faults < 2 ? result.faults : 2]++;
    tally->count++;
    if (result.failed) {
        tally->failed++;
        printf("seed %llu, %s, event %zu: %s\n    again: tests/sim/sim --seed %llu%s%s --verbose\n",
               (unsigned long long)seed, txg_dist_name(plan.config.dist), result.events,
               result.what, (unsigned long long)seed, o->dist < 0 ? "" : " --dist ",
               o->dist < 0 ? "" : txg_dist_name(plan.config.dist));
    }
    sim_plan_release(&plan);
}

static size_t median(const struct tally *tally)
{
    size_t seen = 0, events = 0;
    while ((seen += tally->by_events[events]) * 2 < tally->count)
        events++;
    return events;
}

static int usage(void)
{
    fputs("usage: sim [--first SEED] [--count N] [--dist MODE] | --seed N [--dist MODE] "
          "[--verbose]\n",
          stderr);
    return 2;
}

static int parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        int64_t number = 0;
        if (strcmp(argv[i], "--verbose") == 0) {
            o->verbose = true;
            continue;
        }
        if (!value)
            return -1;
        if (strcmp(argv[i], "--dist") == 0) {
            o->dist = txg_dist_parse(value);
            if (o->dist < 0)
                return -1;
        } else if (!txg_parse_int(value, 0, INT64_MAX, &number)) {
            return -1;
        } else if (strcmp(argv[i], "--first") == 0) {
            o->first = (uint64_t)number;
        } else if (strcmp(argv[i], "--count") == 0) {
            o->count = (uint64_t)number;
        } else if (strcmp(argv[i], "--seed") == 0) {
            o->first = (uint64_t)number;
            o->count = 1;
            o->one = true;
        } else {
            return -1;
        }
        i++;
    }
    return o->count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    static struct tally tally;
    struct options o = {.first = 1, .count = COUNT, .dist = -1};
    if (parse(argc, argv, &o) != 0)
        return usage();
    for (uint64_t i = 0; i < o.count && tally.failed < 10; i++)
        play(&o, o.first + i, &tally);
    printf("%zu schedules, median %zu events, %.0f %% with two or more faults, %.0f %% with none\n",
           tally.count, median(&tally), 100.0 * (double)tally.faults[2] / (double)tally.count,
           100.0 * (double)tally.faults[0] / (double)tally.count);
    printf("%d passed, %zu failed\n", tally.failed ? 0 : 1, tally.failed);
    return tally.failed ? 1 : 0;
}
