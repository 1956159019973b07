/*
 * Numbers that follow from a seed: splitmix64. The same seed gives the same schedule on every
 * machine.
 */
#ifndef TXG_TESTS_SIM_RNG_H
#define TXG_TESTS_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
    uint64_t state;
};

static inline uint64_t sim_next(struct sim_rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 .. n - 1; n > 0 */
static inline uint64_t sim_below(struct sim_rng *r, uint64_t n)
{
    return sim_next(r) % n;
}

/* low .. high, both included */
static inline int64_t sim_between(struct sim_rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)sim_below(r, (uint64_t)(high - low) + 1);
}

static inline bool sim_chance(struct sim_rng *r, unsigned percent)
{
    return sim_below(r, 100) < percent;
}

#endif
