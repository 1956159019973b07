#include "lines_ring.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE 65536u

struct txg_lines_memory {
    _Alignas(64) _Atomic unsigned taken;
    _Alignas(64) _Atomic unsigned put;
    _Alignas(64) _Atomic unsigned sleeps;
    _Alignas(4096) char bytes[SIZE];
};

/* Not the function: on some machines two libcs differ in how they take its last argument. */
struct txg_lines_memory *txg_lines_ring_map(int fd)
{
#ifdef SYS_mmap2
    const long number = SYS_mmap2;
#else
    const long number = SYS_mmap;
#endif
    long at = syscall(number, NULL, sizeof(struct txg_lines_memory), (long)(PROT_READ | PROT_WRITE),
                      (long)MAP_SHARED, (long)fd, 0L);
    return at == -1 ? NULL : (struct txg_lines_memory *)at;
}

void txg_lines_ring_unmap(struct txg_lines_ring *r)
{
    if (r->memory)
        munmap(r->memory, sizeof *r->memory);
    r->memory = NULL;
}

static unsigned room(const struct txg_lines_ring *r)
{
    return SIZE - (r->put - atomic_load_explicit(&r->memory->taken, memory_order_acquire));
}

/* As where a pipe is full: the worker that takes nothing any more takes us along when it ends. */
static void await_room(const struct txg_lines_ring *r, unsigned wanted)
{
    while (room(r) < wanted)
        poll(NULL, 0, 1);
}

bool txg_lines_ring_put(struct txg_lines_ring *r, const char *lines, size_t len)
{
    struct txg_lines_memory *m = r->memory;
    unsigned n = (unsigned)len, at = r->put % SIZE, first = n < SIZE - at ? n : SIZE - at;
    await_room(r, n);
    memcpy(m->bytes + at, lines, first);
    memcpy(m->bytes, lines + first, n - first);
    r->put += n;
    atomic_store_explicit(&m->put, r->put, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&m->sleeps, memory_order_relaxed) && atomic_exchange(&m->sleeps, 0);
}

void txg_lines_ring_settle(const struct txg_lines_ring *r)
{
    if (r->memory)
        await_room(r, SIZE);
}
