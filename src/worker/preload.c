#include "config.h"

#include "src/worker/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int txg_preload_fd(void)
{
    static int fd = -2;
    char self[PATH_MAX + sizeof TXG_PRELOAD_NAME];
    if (fd != -2)
        return fd;
    ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        strcpy(slash + 1, TXG_PRELOAD_NAME);
    fd = slash ? open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0)
        fd = open(TXG_PRELOAD_SYNCED, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd;
}

const char *txg_preload_path(struct txg_err *err)
{
    static char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), txg_preload_fd());
    if (access(path, R_OK) == 0) /* ld.so would only warn */
        return path;
    txg_err_sys(err, errno, "%s can't be had as %s", TXG_PRELOAD_NAME, path);
    return NULL;
}
