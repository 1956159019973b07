#include "config.h"

#include "src/worker/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/str.h"

#define DEPTH_MAX 64 /* of folders that are tidied */

struct tidying {
    bool (*keep)(void *user, const char *path);
    void *user;
};

int txg_folder_parent(int root, const char *path, bool make, const char **name)
{
    int dir = fcntl(root, F_DUPFD_CLOEXEC, 3);
    while (dir >= 0 && strchr(path, '/')) {
        size_t len = strcspn(path, "/");
        TXG_AUTOFREE char *part = txg_xstrndup(path, len);
        if (make && mkdirat(dir, part, 0777) != 0 && errno != EEXIST) {
            int errnum = errno;
            close(dir);
            errno = errnum;
            return -1;
        }
        int below = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int errnum = errno;
        close(dir);
        errno = errnum;
        dir = below;
        path += len + 1;
    }
    *name = path;
    return dir;
}

int txg_folder_link(int root, const char *path, const char *target, const char *temp,
                    struct txg_err *err)
{
    char old[PATH_MAX];
    const char *name;
    int dir = txg_folder_parent(root, path, true, &name);
    if (dir < 0)
        return txg_err_sys(err, errno, "%s", path);
    ssize_t n = readlinkat(dir, name, old, sizeof old - 1);
    old[n > 0 ? n : 0] = '\0';
    int rc = 0;
    if (strcmp(old, target) != 0) {
        unlinkat(dir, temp, 0);
        if (symlinkat(target, dir, temp) != 0 || renameat(dir, temp, dir, name) != 0) {
            rc = txg_err_sys(err, errno, "%s", path);
            unlinkat(dir, temp, 0);
        }
    }
    close(dir);
    return rc;
}

/* Takes `fd`. */
static void tidy(const struct tidying *t, int fd, struct txg_buf *path, int depth)
{
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return;
    }
    size_t front = txg_buf_len(path);
    const struct dirent *e;
    while (depth < DEPTH_MAX && (e = readdir(d))) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        path->tail = path->head + front;
        txg_buf_puts(path, e->d_name);
        if (S_ISDIR(st.st_mode)) {
            int below =
                openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            txg_buf_putc(path, '/');
            if (below >= 0)
                tidy(t, below, path, depth + 1);
            unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR); /* only where it is empty */
        } else if (!t->keep(t->user, txg_buf_cstr(path))) {
            unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    closedir(d);
}

void txg_folder_tidy(int root, bool (*keep)(void *user, const char *path), void *user)
{
    struct tidying t = {keep, user};
    struct txg_buf path = {0};
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        tidy(&t, fd, &path, 0);
    txg_buf_release(&path);
}
