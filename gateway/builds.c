#include "config.h"

#include "gateway/builds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "src/base/str.h"

#define READ_SIZE 65536

/* What several names of machines have in common: the build that runs there. */
static const char *target_of(const char *machine)
{
    static const struct {
        const char *machine, *target;
    } others[] = {
        {"amd64", "x86_64"}, {"arm64", "aarch64"}, {"armv7l", "armhf"},
        {"armv8l", "armhf"}, {"i586", "i386"},     {"i686", "i386"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(machine, others[i].machine) == 0)
            return others[i].target;
    return machine;
}

static int read_all(struct txg_build *b, const char *path, struct txg_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    struct stat st;
    if (fd < 0)
        return txg_err_sys(err, errno, "%s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > TXG_BUILD_MAX)
        rc = txg_err_set(err, TXG_E_USAGE, "%s is no worker: expected a file of at most %u MiB",
                         path, TXG_BUILD_MAX >> 20);
    while (rc == 0) {
        ssize_t n = read(fd, txg_buf_reserve(&b->bytes, READ_SIZE), READ_SIZE);
        if (n == 0)
            break;
        if (n > 0)
            txg_buf_commit(&b->bytes, (size_t)n);
        else if (errno != EINTR)
            rc = txg_err_sys(err, errno, "%s", path);
    }
    close(fd);
    return rc;
}

static bool is_a_name(const char *machine)
{
    return *machine && strspn(machine, "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(machine);
}

static char *path_of(const char *target, const char *own_worker, const char *name)
{
    const char *slash = strrchr(own_worker, '/');
    return txg_xasprintf("%.*s/workers/%s/%s", slash ? (int)(slash - own_worker) : 1,
                         slash ? own_worker : ".", target, name);
}

static bool is_like_here(const char *target)
{
    struct utsname own;
    return uname(&own) == 0 && strcmp(target_of(own.machine), target) == 0;
}

char *txg_build_beside(const char *machine, const char *own_worker, const char *name)
{
    const char *slash = strrchr(own_worker, '/');
    if (!is_a_name(machine))
        return NULL;
    char *path = path_of(target_of(machine), own_worker, name);
    if (access(path, R_OK) == 0)
        return path;
    free(path);
    if (!is_like_here(target_of(machine)))
        return NULL;
    path = txg_xasprintf("%.*s/%s", slash ? (int)(slash - own_worker) : 1, slash ? own_worker : ".",
                         name);
    if (access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

int txg_build_load(struct txg_build *b, const char *machine, const char *own_worker,
                   struct txg_err *err)
{
    const char *target = target_of(machine);
    *b = (struct txg_build){0};
    if (!is_a_name(machine))
        return txg_err_set(err, TXG_E_PROTO, "the host calls its machine '%.64s'", machine);
    TXG_AUTOFREE char *path = path_of(target, own_worker, "txgate-worker");
    if (access(path, R_OK) != 0 && !is_like_here(target))
        return txg_err_set(err, TXG_E_USAGE,
                           "there is no worker for %s: expected it at %s (`make workers` builds "
                           "some, docs/workers.md tells how to add one)",
                           target, path);
    if (read_all(b, access(path, R_OK) == 0 ? path : own_worker, err) != 0) {
        txg_build_release(b);
        return -1;
    }
    struct txg_sha256 h;
    txg_sha256_init(&h);
    txg_sha256_feed(&h, txg_buf_data(&b->bytes), txg_buf_len(&b->bytes));
    txg_sha256_end(&h, b->hash);
    return 0;
}

void txg_build_release(struct txg_build *b)
{
    txg_buf_release(&b->bytes);
    *b = (struct txg_build){0};
}
