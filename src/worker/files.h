/*
 * The keeper of a host's test files, docs/protocol.md section 7: takes the list, says what it
 * needs, writes it. A process of its own beside the workers, forked by the agent; it ends with
 * what failed, or when the files are there. In a folder of txgate's own it stays as long as the
 * link does, so that nobody else takes away what its tests need.
 */
#ifndef TXG_WORKER_FILES_H
#define TXG_WORKER_FILES_H

#include <stdbool.h>

#include "src/worker/worker.h"

#define TXG_FILES_MAX      (1u << 20)   /* in one list */
#define TXG_FILES_TEXT_MAX (256u << 20) /* bytes of their paths and contents */

/* `in_place`: the files belong below the working directory, where others' files may be too. False:
 * into a folder of txgate's own, where nothing else stays. Returns the exit status. */
int txg_files_main(const struct txg_worker_config *config, bool in_place);

/* The folder that such folders stand in: where this program is, unless txg_files_keep_in was called
 * in this process or one above it. Heap; NULL where there is no /proc to tell. */
char *txg_files_home(void);
void txg_files_keep_in(const char *folder);

#endif
