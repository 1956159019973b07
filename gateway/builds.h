/*
 * The worker builds that can be taken to a host: `workers/<target>/txgate-worker` beside this
 * machine's own worker, targets as docs/workers.md names them. A host like this machine gets this
 * machine's worker where there is no such build.
 */
#ifndef TXG_GATEWAY_BUILDS_H
#define TXG_GATEWAY_BUILDS_H

#include "src/base/buf.h"
#include "src/base/err.h"
#include "src/base/sha256.h"

#define TXG_BUILD_MAX (16u << 20) /* bytes of one */

struct txg_build { /* zero-filled storage is none */
    struct txg_buf bytes;
    char hash[TXG_SHA256_HEX];
};

/* `machine` is what `uname -m` says there, or arch= of the spec; `own_worker` the path of this
 * machine's worker. -1: there is none, or it can't be read; err says where it was looked for. */
int txg_build_load(struct txg_build *b, const char *machine, const char *own_worker,
                   struct txg_err *err);

/* What stands as `name` beside the build that such a host gets; NULL: nothing that can be read. */
char *txg_build_beside(const char *machine, const char *own_worker, const char *name);
void txg_build_release(struct txg_build *b);

#endif
