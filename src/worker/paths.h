/*
 * Which paths may be written below a root: what both ends of a file's way ask.
 */
#ifndef TXG_WORKER_PATHS_H
#define TXG_WORKER_PATHS_H

#include <stdbool.h>

/* Is it a path that may be written below a root: relative, no empty component, no `.`, no `..`? */
bool txg_path_is_below(const char *path);

/* May a symbolic link at `path` point to `target`: relative, never above the root? */
bool txg_path_link_stays(const char *path, const char *target);

#endif
