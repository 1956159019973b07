/*
 * txgate.yaml and fleet.yaml: what they may say (docs/config.md) and where they are found. Errors
 * read "file:line:col: what; did you mean 'x'?".
 */
#ifndef TXG_SPECS_FLEET_H
#define TXG_SPECS_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "specs/spec.h"
#include "src/base/err.h"
#include "src/base/strv.h"
#include "src/base/value.h"

#define TXG_HEARTBEAT_MIN INT64_C(10000)      /* microseconds */
#define TXG_HEARTBEAT_MAX INT64_C(3600000000) /* microseconds */

struct txg_fleet_gateway {
    char *id; /* the entry's or id= of its tx, no other entry's and not of the form gwN; or NULL */
    char *tx; /* as written, may have `N*`; it has been parsed once and is good */
    struct txg_strv labels; /* the entry's, then label= of its tx; no word twice */
    bool has_input;
    struct txg_value input; /* dictionary; meaningful where has_input */
    char *host_key;         /* "SHA256:..." or "ssh-ed25519 AAAA...", of ssh= only; or NULL */
    char *key_file;         /* of socket= only, a path from the working directory; or NULL */
    char *where;            /* "fleet.yaml:3:5", for errors */
};

struct txg_suite_config {
    char *name;            /* or NULL */
    struct txg_strv files; /* patterns, at least one; {arch} {id} {label} not filled in */
    char *harness;         /* NULL: auto; "pair": list and run say how */
    struct txg_strv list, run;
    char *cwd; /* NULL: the gateway's */
    struct txg_strv args;
    struct txg_strv needs;
    struct txg_strv uses; /* resources that one test has at a time */
    bool serial;          /* its tests run alone */
    char *group;          /* or NULL */
    int64_t timeout;      /* microseconds; 0: none given */
    char *where;
};

struct txg_config {
    char *path; /* of the txgate.yaml that was read, as errors name it, or NULL */
    char *root; /* its directory, absolute; or the start directory: nodeids are relative to it */
    struct txg_fleet_gateway *gateways;
    size_t n_gateways;
    struct txg_value *devices; /* dictionaries, none empty */
    size_t n_devices;
    char *devices_where; /* "txgate.yaml:7:1", or NULL without `devices` */
    struct txg_suite_config *suites;
    size_t n_suites;
    char *dist;              /* NULL: not given; any word of the six plus duration */
    int64_t timeout;         /* 0: not given */
    int64_t heartbeat;       /* 0: not given; else from TXG_HEARTBEAT_MIN to _MAX */
    int64_t connect_timeout; /* 0: not given */
    char *configure_node;    /* program and arguments, not empty, or NULL */
    char *require_gateways;  /* "all", "any" or NULL */
    struct txg_strv sync;    /* folders for hosts that are reached through a shell */
    bool has_max_worker_restart;
    long max_worker_restart;
};

/* Reads `config_path` (NULL: txgate.yaml looked for from the working directory upward; none is no
 * error) and `fleet_path` (NULL: $TXGATE_FLEET, then fleet.yaml beside txgate.yaml; none is no
 * error). Free with txg_config_release; after failure there is nothing to release. */
int txg_config_load(const char *config_path, const char *fleet_path, struct txg_config *out,
                    struct txg_err *err);
void txg_config_release(struct txg_config *config);

/* 0, or -1 where `name` is no harness ("did you mean"). */
int txg_config_check_harness(const char *name, struct txg_err *err);

#endif
