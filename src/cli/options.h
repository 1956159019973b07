/*
 * The command line of `txgate run`, `list` and `hosts`: one table of options, from which parsing,
 * --help and "did you mean" follow. Spelled as pytest and pytest-xdist spell them.
 */
#ifndef TXG_CLI_OPTIONS_H
#define TXG_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/err.h"
#include "src/base/strv.h"
#include "src/report/reporter.h"
#include "src/session/session.h"

enum txg_color { TXG_COLOR_AUTO, TXG_COLOR_YES, TXG_COLOR_NO };

/* What was given; zero, NULL or -1 (where it says so) for what was not. */
struct txg_options {
    int command; /* enum txg_command_set */
    bool print;
    bool help;
    struct txg_strv tx;
    const char *numprocesses; /* -n, as written */
    int dist;                 /* enum txg_dist, or -1 */
    long maxfail;             /* -1 */
    long max_worker_restart;  /* -2 not given; -1 no limit */
    bool keep_order;          /* --no-loadscope-reorder */
    long maxschedchunk;       /* 0 */
    bool strict_collection;
    const char *require_gateways; /* "all", "any" */
    const char *config;
    const char *fleet;
    const char *configure_node; /* or NULL */
    const char *harness;
    bool failed_only;    /* --lf */
    bool failed_first;   /* --ff */
    const char *keyword; /* -k, or NULL */
    const char *marks;   /* -m, or NULL */
    const char *testrunuid;
    bool live; /* -s */
    const char *junitxml;
    const char *jsonl;
    long retries;            /* 0 */
    bool retry_other;        /* --retry-on other */
    int64_t timeout;         /* microseconds, -1 */
    int64_t heartbeat;       /* microseconds, -1 */
    int64_t connect_timeout; /* microseconds, -1 */
    int64_t collect_timeout; /* microseconds, -1 */
    int64_t slow_timeout;    /* microseconds */
    int64_t run_timeout;     /* microseconds, 0 */
    bool accept_new_host_keys;
    bool no_cache;
    const char *listen, *key_file; /* for workers that connect to us, or NULL */
    long expect;                   /* of them; 0: not given */
    struct txg_strv rsyncdirs;
    int verbosity;
    enum txg_tb tb;
    long durations; /* -1 off */
    enum txg_color color;
    struct txg_strv files;
    struct txg_strv test_args; /* behind `--` */
    struct txg_strv words;     /* of TXGATE_ADDOPTS, which strings above point into */
    struct txg_strv flags;     /* options as they were given, without files: to rerun a test */
};

enum txg_command_set { TXG_FOR_RUN = 1, TXG_FOR_LIST = 2, TXG_FOR_HOSTS = 4, TXG_FOR_CONNECT = 8 };

/* argv[0] is the command's name. TXGATE_ADDOPTS (words split at white space) is read as if it stood
 * in front. Strings are borrowed from argv and the environment. */
int txg_options_parse(int argc, char **argv, enum txg_command_set command, struct txg_options *out,
                      struct txg_err *err);
void txg_options_release(struct txg_options *o);

/* Prints the options of a command, wrapped by hand in the table. */
void txg_options_print_help(enum txg_command_set command);

#endif
