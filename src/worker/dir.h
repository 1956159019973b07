/*
 * The directory of the file that was looked at last, kept open: files are looked at in order, and
 * a name in an open directory is found several times faster than a whole path.
 */
#ifndef TXG_WORKER_DIR_H
#define TXG_WORKER_DIR_H

#include <stddef.h>

struct txg_dir { /* zero-filled storage holds none */
    char *path;  /* owned; NULL: none */
    size_t len;
    int fd;
};

void txg_dir_release(struct txg_dir *d);

/* For openat(2) and its like: a directory, and in *name the rest of `path`. Where the directory
 * can't be opened: AT_FDCWD and the whole path. */
int txg_dir_at(struct txg_dir *d, const char *path, const char **name);

#endif
