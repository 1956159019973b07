/*
 * One `--tx` string <-> struct. Pure. The grammar is execnet's: key=value//key=value, a bare key is
 * true, the first `=` splits, no `//` inside a value, duplicates refused. Where execnet has an
 * accident (empty key, bare `ssh`) this is an error with its column.
 */
#ifndef TXG_SPECS_SPEC_H
#define TXG_SPECS_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/strv.h"
#include "src/base/value.h"

enum txg_spec_kind {
    TXG_SPEC_POPEN,
    TXG_SPEC_SSH,
    TXG_SPEC_VAGRANT_SSH,
    TXG_SPEC_SOCKET,
    TXG_SPEC_EXEC
};

/* All strings owned; NULL where the key was not given. */
struct txg_spec {
    char *text; /* as the user wrote it, without the `N*` */
    enum txg_spec_kind kind;
    char *target; /* value of ssh, vagrant_ssh, socket or exec; NULL for popen */
    char *id;
    char *python;
    char *chdir;
    bool has_nice;
    int nice;
    struct txg_strv env; /* NAME=value, from env:NAME=value */
    char *via;
    char *installvia;
    char *ssh_config;
    bool dont_write_bytecode;
    char *execmodel;
    char *worker;
    char *arch;
    char *emulator;
    struct txg_strv labels;
    struct txg_value input; /* dictionary from input:NAME=value; values are strings */
};

/* NULL: err says "--tx '<text>': column N: what, what was expected". Free with txg_spec_free. */
struct txg_spec *txg_spec_parse(const char *text, struct txg_err *err);
struct txg_spec *txg_spec_dup(const struct txg_spec *spec);
void txg_spec_free(struct txg_spec *spec);

/* "popen", "ssh", ...: the key that names the kind. */
const char *txg_spec_kind_name(enum txg_spec_kind kind);

/* Gateways share one host (one link, one agent) when these are equal; design.md "Programs". */
bool txg_spec_shares_host(const struct txg_spec *a, const struct txg_spec *b);

/* 0, or -1 with "... gateways are not built yet": what parses but has no transport so far. */
int txg_spec_check_supported(const struct txg_spec *spec, struct txg_err *err);

#endif
