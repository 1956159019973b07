/*
 * Which files of this machine a host should have: the test programs that its gateways are to run,
 * and the folders of `sync:` and --rsyncdir. Paths are relative to txgate.yaml's directory, or to
 * the one txgate was started in; what lies elsewhere stays here.
 */
#ifndef TXG_CLI_FILES_H
#define TXG_CLI_FILES_H

#include "gateway/sync.h"
#include "src/cli/plan.h"

struct txg_files;

struct txg_files *txg_files_new(const struct txg_plan *plan); /* the plan is borrowed */
void txg_files_free(struct txg_files *f);

/* Reads and hashes what is in the folders of `sync:` and --rsyncdir, which may be gigabytes: before
 * a loop runs that has hosts to keep alive. What is known then is not read again. */
void txg_files_hash_folders(struct txg_files *f);

/* Starts to read and hash the test programs, in a thread: while hosts are logged in to. Whoever
 * asks for a manifest waits for it. */
void txg_files_read_ahead(struct txg_files *f);

/* For the host and folder of the gateway in this place of the plan, whose machine is `arch`; NULL
 * where there is nothing to take. Lives as long as `f`. */
const struct txg_manifest *txg_files_manifest(struct txg_files *f, size_t origin, const char *arch);

#endif
