/*
 * The folder that a host's files are kept in. Nothing below it is opened or made through a symbolic
 * link.
 */
#ifndef TXG_WORKER_FOLDER_H
#define TXG_WORKER_FOLDER_H

#include <stdbool.h>

#include "src/base/err.h"

/* The folder that `path`, relative to the folder `root`, stands in, made where it is missing; *name
 * is its last component. A new descriptor, or -1 with errno. */
int txg_folder_parent(int root, const char *path, bool make, const char **name);

/* Makes `path` a link to `target`; `temp` is a name that nothing else has. */
int txg_folder_link(int root, const char *path, const char *target, const char *temp,
                    struct txg_err *err);

/* Takes out what `keep` does not want, and folders that are empty then: a test that is gone must
 * not be found by a pattern. */
void txg_folder_tidy(int root, bool (*keep)(void *user, const char *path), void *user);

#endif
