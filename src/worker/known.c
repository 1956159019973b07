#include "config.h"

#include "src/worker/known.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define SLOTS 16384u /* 128 KiB, of which a run touches what it needs */
#define TRIES 8u     /* neighbours that are looked at */

/* A slot is one word, so that no process can see half of an entry: the upper bits of the path's
 * hash, below them the fact. Two paths whose 60 bits are equal do not occur. 0 is empty. */
static _Atomic uint64_t *slots;

static uint64_t hash(const char *path)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *path; path++)
        h = (h ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    /* what differs in the last letters only would stand side by side */
    return (h ^ h >> 32) * UINT64_C(0x9e3779b97f4a7c15);
}

void txg_known_share(void)
{
    void *p = mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    slots = p == MAP_FAILED ? NULL : p;
}

static _Atomic uint64_t *slot(uint64_t h, unsigned try)
{
    return &slots[((h >> 32) + try) % SLOTS];
}

int txg_known_get(const char *path)
{
    if (!slots)
        return -1;
    uint64_t h = hash(path);
    for (unsigned try = 0; try < TRIES; try++) {
        uint64_t word = atomic_load_explicit(slot(h, try), memory_order_relaxed);
        if (word == 0)
            return -1;
        if ((word ^ h) <= TXG_KNOWN_MAX)
            return (int)(word & TXG_KNOWN_MAX);
    }
    return -1;
}

/* Where all neighbours are taken, the file stays unknown: it is looked into again. */
void txg_known_put(const char *path, int fact)
{
    if (!slots)
        return;
    uint64_t h = hash(path), word = (h & ~(uint64_t)TXG_KNOWN_MAX) | (uint64_t)fact;
    for (unsigned try = 0; try < TRIES; try++) {
        uint64_t empty = 0;
        if (atomic_compare_exchange_strong(slot(h, try), &empty, word))
            return;
    }
}
