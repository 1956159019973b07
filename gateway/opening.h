/* What the agent of a host is asked when a gateway opens: its `open` message, from its spec. */
#ifndef TXG_GATEWAY_OPENING_H
#define TXG_GATEWAY_OPENING_H

#include "gateway/wire/message.h"
#include "specs/spec.h"
#include "src/base/str.h"

/* For txg_msg_release(); its strings are borrowed from `spec`, `argv` and `root`. `argv` is empty
 * for a worker. `root` is where its files were brought, or NULL: it is the directory where the spec
 * has no chdir. */
void txg_opening_make(struct txg_msg *out, uint32_t channel, const struct txg_spec *spec,
                      const struct txg_strv *argv, const char *root);

#endif
