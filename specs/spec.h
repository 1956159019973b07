/*
 * One `--tx` string <-> struct. Pure. The grammar is execnet's: key=value//key=value, a bare key is
 * true, the first `=` splits, no `//` inside a value, duplicates refused. Where execnet has an
 * accident (empty key, bare `ssh`, `0*popen`, `--tx 23`) or keeps silent (an unknown key) this is
 * an error with its column. docs/config.md describes every key.
 */
#ifndef TXG_SPECS_SPEC_H
#define TXG_SPECS_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/strv.h"
#include "src/base/value.h"

#define TXG_GATEWAYS_MAX 4096  /* of one run */
#define TXG_SPEC_MAX     16384 /* bytes of one spec */

enum txg_spec_kind {
    TXG_SPEC_POPEN,
    TXG_SPEC_SSH,
    TXG_SPEC_VAGRANT_SSH,
    TXG_SPEC_SOCKET,
    TXG_SPEC_REVERSE, /* a worker that connects to us */
    TXG_SPEC_EXEC
};

/* All strings owned, well-formed UTF-8 without control characters; NULL where the key was not
 * given, never empty where it was (but an env: or input: value may be). */
struct txg_spec {
    char *text; /* as the user wrote it, without the `N*` */
    enum txg_spec_kind kind;
    char *target; /* value of ssh, vagrant_ssh, socket or exec; NULL for popen, reverse, and until
                   * txg_expand for socket with installvia= alone */
    char *id;
    char *python;
    char *chdir;
    bool has_nice;
    int nice;
    struct txg_strv env; /* NAME=value, from env:NAME=value */
    char *via;
    char *installvia;
    char *ssh_config;
    struct txg_spec *through; /* owned: whom via= or installvia= names, as txg_expand finds it */
    char *host_key;           /* the fleet's: the one key of an ssh host; no key of a spec's text */
    char *key_file;           /* of socket=: the spec's or the fleet's */
    bool dont_write_bytecode;
    char *execmodel;
    char *worker;
    char *arch;
    char *emulator;
    struct txg_strv labels; /* label=a,b */
    struct txg_value input; /* dictionary from input:NAME=value; values are strings */
};

/* NULL: err says "--tx '<text>': column N: what, what was expected"; columns count characters
 * from 1. Free with txg_spec_free. */
struct txg_spec *txg_spec_parse(const char *text, struct txg_err *err);

/* As txg_spec_parse, but with an optional `N*` in front, N from 1 to TXG_GATEWAYS_MAX; *count is 1
 * without it. Columns count from the start of `text`. `what` stands in errors for "--tx". A count
 * above 1 together with id= is an error. */
struct txg_spec *txg_spec_parse_counted(const char *what, const char *text, int *count,
                                        struct txg_err *err);

struct txg_spec *txg_spec_dup(const struct txg_spec *spec);
void txg_spec_free(struct txg_spec *spec);

/* "popen", "ssh", ...: the key that names the kind. */
const char *txg_spec_kind_name(enum txg_spec_kind kind);

/* Gateways share one host (one link, one agent) when these are equal; design.md "Programs". Those
 * of exec= and reverse never do. */
bool txg_spec_shares_host(const struct txg_spec *a, const struct txg_spec *b);

/* What runs there runs where txgate does, on the same files: popen, and what listens below one. */
bool txg_spec_is_local(const struct txg_spec *spec);

/* 0, or -1 with "--tx '<text>': ... gateways are not built yet": what parses but has no transport
 * so far, or not in this build; or with what a gateway over a socket lacks, its key. */
int txg_spec_check_supported(const struct txg_spec *spec, struct txg_err *err);

#endif
