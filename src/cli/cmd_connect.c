#include "config.h"

#include "src/cli/command.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"
#include "src/cli/connect.h"
#include "src/worker/xdist_server.h"

#define EXIT_NO_GATEWAY 255   /* what execnet takes for a host that is not there, as of ssh */
#define DRAIN_LIMIT     10000 /* milliseconds */

static void print_help(void)
{
    puts("usage: txgate connect [options] ID | --tx SPEC\n"
         "\n"
         "Is that gateway on stdin and stdout, for pytest-xdist:\n"
         "\n"
         "    pytest --tx 'popen//python=txgate connect imx6-a' tests/native\n"
         "\n"
         "ID is a gateway of the fleet. Its workerinput is what the fleet says, with what\n"
         "pytest_configure_node sets over it. The tests are those that pytest's arguments\n"
         "name, else the suites of txgate.yaml.\n"
         "\n"
         "options:");
    txg_options_print_help(TXG_FOR_CONNECT);
}

/* execnet writes 60 KiB before it reads: without a reader it would report a broken pipe, not us. */
static void drain(void)
{
    char buffer[4096];
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    for (int bytes = 0; bytes < 1 << 22; bytes += (int)sizeof buffer) {
        if (poll(&fd, 1, DRAIN_LIMIT) <= 0)
            return;
        ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
        if (n <= 0 || buffer[n - 1] == '\n')
            return; /* the line that starts a Python is all that it sends unasked */
    }
}

static int complain(bool by_execnet, const char *text)
{
    fprintf(stderr, "txgate connect: %s\n", text);
    if (!by_execnet)
        return TXG_EXIT_USAGE;
    fflush(stderr);
    drain();
    return EXIT_NO_GATEWAY;
}

/* ID is the same as --tx @ID. */
static int choose(struct txg_options *o, struct txg_err *err)
{
    if (!o->print && o->files.n + o->tx.n != 1)
        return txg_err_set(err, TXG_E_USAGE,
                           "expected one gateway: an id of the fleet, or --tx SPEC");
    if (o->files.n) {
        TXG_AUTOFREE char *at = txg_xasprintf("@%s", o->files.items[0]);
        txg_strv_push(&o->tx, at);
    }
    txg_strv_release(&o->files);
    o->files = (struct txg_strv){0};
    txg_strv_push(&o->files, "."); /* pytest names the tests later */
    return 0;
}

static bool is_in_fleet(const struct txg_config *config, const char *id)
{
    for (size_t i = 0; id && i < config->n_gateways; i++)
        if (config->gateways[i].id && strcmp(config->gateways[i].id, id) == 0)
            return true;
    return false;
}

/* What to connect to, and the workerinput that goes with it, for python/txgate/plugin.py. */
static void print_gateways(const struct txg_plan *plan)
{
    for (size_t i = 0; i < plan->gateways.n; i++) {
        const struct txg_gateway_def *def = &plan->gateways.items[i];
        TXG_AUTOFREE char *tx = is_in_fleet(&plan->config, def->device)
                                    ? txg_xasprintf("@%s", def->device)
                                    : txg_xstrdup(def->spec->text);
        struct txg_value line = txg_value_dict(), input;
        struct txg_buf out = {0};
        txg_value_copy(&input, &def->input);
        txg_value_set(&line, "tx", txg_value_string(tx, strlen(tx)));
        txg_value_set(&line, "workerinput", input);
        txg_value_to_json(&line, &out);
        puts(txg_buf_cstr(&out));
        txg_buf_release(&out);
        txg_value_release(&line);
    }
}

static int check(const struct txg_plan *plan, struct txg_err *err)
{
    if (plan->gateways.n != 1)
        return txg_err_set(err, TXG_E_USAGE, "expected one gateway, %zu fit: give its id",
                           plan->gateways.n);
    return 0;
}

/* The arguments that execnet started us with are the interpreter's. */
static int connect_raw(const struct txg_plan *plan, char **words, int n, char *first)
{
    words[0] = first;
    return txg_connect_raw(plan, words, n);
}

int txg_cmd_connect(int argc, char **argv)
{
    int words = txg_xdist_start_words(argc, argv);
    struct txg_options o;
    struct txg_plan plan;
    struct txg_err err;
    int status;
    char *last = argv[argc - words];
    argv[argc - words] = NULL;
    if (txg_options_parse(argc - words, argv, TXG_FOR_CONNECT, &o, &err) != 0) {
        status = complain(words > 0, err.text);
    } else if (o.help) {
        print_help();
        status = 0;
    } else if (choose(&o, &err) != 0 || txg_plan_make(&o, &plan, &err) != 0) {
        status = complain(words > 0, err.text);
    } else {
        if (o.print) {
            print_gateways(&plan);
            status = fflush(stdout) == 0 ? 0 : TXG_EXIT_INTERNAL;
        } else if (check(&plan, &err) != 0)
            status = complain(words > 0, err.text);
        else if (isatty(STDIN_FILENO))
            status = complain(false, "stdin is a terminal: execnet starts this, see --help");
        else if (plan.gateways.items[0].spec->python)
            status = connect_raw(&plan, argv + argc - words, words, last);
        else
            status = txg_connect(&o, &plan);
        txg_plan_release(&plan);
    }
    txg_options_release(&o);
    return status;
}
