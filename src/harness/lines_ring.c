#include "lines_ring.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE  65536u
#define PLACE 4096u /* of what is wiped in a forked child: a whole page at least */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* Linux 4.14 */
#endif

struct txg_lines_memory {
    _Alignas(64) _Atomic unsigned taken;
    _Alignas(64) _Atomic unsigned put;
    _Alignas(64) _Atomic unsigned sleeps;
    _Alignas(4096) char bytes[SIZE];
};

/* The preload library is linked with nothing, not even what a compiler calls where a machine has no
 * instruction for it: there is no ring on such a machine, and no exchange, which is a call on some.
 */
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_4
static void fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}
enum { FENCES = true };
#else
static void fence(void)
{
}
enum { FENCES = false };
#endif

/* Not the function: on some machines two libcs differ in how they take its last argument. */
static void *map(size_t size, int flags, int fd)
{
#ifdef SYS_mmap2
    const long number = SYS_mmap2;
#else
    const long number = SYS_mmap;
#endif
    long at =
        syscall(number, NULL, size, (long)(PROT_READ | PROT_WRITE), (long)flags, (long)fd, 0L);
    return at == -1 ? NULL : (void *)at;
}

bool txg_lines_ring_open(struct txg_lines_ring *r, int fd, int pipe)
{
    *r = (struct txg_lines_ring){.pipe = pipe};
    char *here = FENCES ? map(PLACE, MAP_PRIVATE | MAP_ANONYMOUS, -1) : NULL;
    if (!here)
        return false;
    r->here = here;
    if (madvise(here, PLACE, MADV_WIPEONFORK) == 0)
        r->memory = map(sizeof *r->memory, MAP_SHARED, fd);
    if (!r->memory) {
        txg_lines_ring_release(r);
        return false;
    }
    *here = 1;
    return true;
}

void txg_lines_ring_release(struct txg_lines_ring *r)
{
    if (r->memory)
        munmap(r->memory, sizeof *r->memory);
    if (r->here)
        munmap((void *)(size_t)r->here, PLACE);
    *r = (struct txg_lines_ring){0};
}

bool txg_lines_ring_is_ours(const struct txg_lines_ring *r)
{
    return r->memory && *(const volatile char *)r->here;
}

static unsigned room(const struct txg_lines_ring *r)
{
    return SIZE - (r->put - atomic_load_explicit(&r->memory->taken, memory_order_acquire));
}

/* As where a pipe is full, or has no reader any more. */
static void await_room(const struct txg_lines_ring *r, unsigned wanted)
{
    struct pollfd reader = {.fd = r->pipe};
    while (room(r) < wanted)
        if (poll(&reader, 1, 1) > 0)
            _exit(99);
}

bool txg_lines_ring_put(struct txg_lines_ring *r, const char *lines, size_t len)
{
    struct txg_lines_memory *m = r->memory;
    unsigned n = (unsigned)len, at = r->put % SIZE, first = n < SIZE - at ? n : SIZE - at;
    if (fcntl(r->pipe, F_GETFD) < 0) /* a test that closes it is to blame for that itself */
        _exit(99);
    await_room(r, n);
    memcpy(m->bytes + at, lines, first);
    memcpy(m->bytes, lines + first, n - first);
    r->put += n;
    atomic_store_explicit(&m->put, r->put, memory_order_release);
    fence();
    bool sleeps = atomic_load_explicit(&m->sleeps, memory_order_relaxed);
    if (sleeps)
        atomic_store_explicit(&m->sleeps, 0, memory_order_relaxed);
    return sleeps;
}

void txg_lines_ring_settle(const struct txg_lines_ring *r)
{
    await_room(r, SIZE);
}
