/* JSON of another program as a value (src/base/value.h writes it). */
#ifndef TXG_CLI_JSON_READ_H
#define TXG_CLI_JSON_READ_H

#include "src/base/err.h"
#include "src/base/value.h"

/* `text` is one value of any type and nothing else, in UTF-8. A key that is there twice, a number
 * that is no int64_t or double, and more than TXG_VALUE_DEPTH_MAX levels are errors. Release with
 * txg_value_release; after failure there is nothing to release. */
int txg_json_read(const char *text, size_t len, struct txg_value *out, struct txg_err *err);

#endif
