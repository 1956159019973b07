#include "config.h"

#include "src/worker/ring.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE 65536u

/* Of Linux, as older headers have none of them. */
#define MEMFD_CLOEXEC 1u
#define MEMFD_SEALING 2u
#define ADD_SEALS     1033
#define SEAL_SEAL     1
#define SEAL_SHRINK   2
#define SEAL_GROW     4

/* Each word has a cache line of its own. */
struct txg_ring_memory {
    _Alignas(64) _Atomic uint32_t taken;
    _Alignas(64) _Atomic uint32_t put;
    _Alignas(64) _Atomic uint32_t sleeps;
    _Alignas(4096) char bytes[SIZE];
};

_Static_assert(sizeof(struct txg_ring_memory) == 4096 + SIZE, "docs/harness.md, section 6");

/* The system call: libcs have a function for it since 2018 only. */
int txg_ring_make(struct txg_ring *r)
{
    *r = (struct txg_ring){0};
    int fd = (int)syscall(SYS_memfd_create, "txgate", MEMFD_CLOEXEC | MEMFD_SEALING);
    if (fd < 0)
        return -1;
    void *memory = MAP_FAILED;
    /* who made it shorter would have us read what is not there */
    if (ftruncate(fd, sizeof *r->memory) == 0 &&
        fcntl(fd, ADD_SEALS, SEAL_SEAL | SEAL_SHRINK | SEAL_GROW) == 0)
        memory = mmap(NULL, sizeof *r->memory, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        close(fd);
        return -1;
    }
    r->memory = memory;
    return fd;
}

void txg_ring_release(struct txg_ring *r)
{
    if (r->memory)
        munmap(r->memory, sizeof *r->memory);
    *r = (struct txg_ring){0};
}

bool txg_ring_has(const struct txg_ring *r)
{
    return r->memory && atomic_load_explicit(&r->memory->put, memory_order_relaxed) != r->taken;
}

uint32_t txg_ring_mark(const struct txg_ring *r)
{
    return r->memory ? atomic_load_explicit(&r->memory->put, memory_order_acquire) : r->taken;
}

bool txg_ring_take(struct txg_ring *r, uint32_t mark, struct txg_buf *out)
{
    uint32_t n = mark - r->taken, at = r->taken % SIZE;
    uint32_t first = n < SIZE - at ? n : SIZE - at;
    if (n == 0)
        return true;
    if (n > SIZE)
        return false;
    txg_buf_append(out, r->memory->bytes + at, first);
    txg_buf_append(out, r->memory->bytes, n - first);
    r->taken = mark;
    atomic_store_explicit(&r->memory->taken, mark, memory_order_release);
    return true;
}

bool txg_ring_sleep(struct txg_ring *r)
{
    if (!r->memory)
        return true;
    atomic_store(&r->memory->sleeps, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!txg_ring_has(r))
        return true;
    atomic_store(&r->memory->sleeps, 0);
    return false;
}
