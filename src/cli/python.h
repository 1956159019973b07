/*
 * pytest as a harness on a gateway: its interpreter is started with a line that reads the rest, the
 * source in python/txgate/harness.py, from the descriptor that its commands come on. So the host
 * needs Python and pytest, and nothing of it stays there.
 */
#ifndef TXG_CLI_PYTHON_H
#define TXG_CLI_PYTHON_H

#include "specs/spec.h"
#include "src/base/str.h"

/* What is written to it first. */
extern const struct txg_span txg_python_source;

/* Appends the words that start it: python= of the spec as a shell takes it, else python3. */
void txg_python_command(const struct txg_spec *spec, struct txg_strv *out);

#endif
