#include "config.h"

#include "src/worker/dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"

void txg_dir_release(struct txg_dir *d)
{
    if (d->path)
        close(d->fd);
    free(d->path);
    *d = (struct txg_dir){0};
}

int txg_dir_at(struct txg_dir *d, const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = path;
    if (!slash)
        return AT_FDCWD;
    size_t len = (size_t)(slash + 1 - path);
    if (!d->path || d->len != len || memcmp(d->path, path, len) != 0) {
        txg_dir_release(d);
        char *directory = txg_xstrndup(path, len);
        int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
            free(directory);
            return AT_FDCWD;
        }
        *d = (struct txg_dir){directory, len, fd};
    }
    *name = slash + 1;
    return d->fd;
}
