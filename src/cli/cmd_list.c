#include "config.h"

#include "src/cli/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/base/str.h"
#include "src/cli/configure.h"
#include "src/cli/options.h"
#include "src/cli/plan.h"
#include "src/cli/run.h"

/* Nothing but faults: what is listed goes to stdout once all is known. */
static void fault_event(struct txg_reporter *r, const struct txg_event *e)
{
    (void)r;
    const char *id = e->gateway ? e->gateway->id : "txgate";
    if (e->type == TXG_EVENT_COLLECT_ERROR)
        fprintf(stderr, "txgate list: %s: %.*s: %.*s\n", id, TXG_FMT(e->test.nodeid),
                TXG_FMT(e->message.text));
    else if (e->type == TXG_EVENT_GATEWAY_DOWN)
        fprintf(stderr, "txgate list: %s (%s): %.*s\n", id, e->gateway->spec,
                TXG_FMT(e->down.reason));
    else if (e->type == TXG_EVENT_QUARANTINE)
        fprintf(stderr, "txgate list: %s: %.*s\n", id, TXG_FMT(e->quarantine.text));
    else if (e->type == TXG_EVENT_WARNING || e->type == TXG_EVENT_INTERNAL_ERROR)
        fprintf(stderr, "txgate list: %s: %.*s\n", id, TXG_FMT(e->message.text));
}

struct listing {
    bool many; /* several different collections: name the gateway of each line */
    unsigned gateway;
    size_t lines;
};

static void see_gateway(void *user, unsigned gateway, struct txg_span nodeid)
{
    struct listing *l = user;
    (void)nodeid;
    l->many = l->many || (l->lines && l->gateway != gateway);
    l->gateway = gateway;
    l->lines++;
}

static void print_line(void *user, unsigned gateway, struct txg_span nodeid)
{
    const struct listing *l = user;
    if (l->many)
        printf("gw%u ", gateway);
    fwrite(nodeid.data, 1, nodeid.len, stdout);
    putchar('\n');
}

static void print_all(void *user, const struct txg_session *session)
{
    txg_session_list(session, see_gateway, user);
    txg_session_list(session, print_line, user);
}

static void print_help(void)
{
    puts("usage: txgate list [options] [FILES]\n"
         "\n"
         "Prints the nodeids that `txgate run` would run, as the gateways collect them.\n"
         "Where gateways collect different tests, each line starts with the gateway's name.\n"
         "\n"
         "options:");
    txg_options_print_help(TXG_FOR_LIST);
}

static int list_plan(const struct txg_plan *plan)
{
    static const struct txg_reporter_ops faults = {.name = "faults", .event = fault_event};
    struct txg_reporter reporter = {&faults};
    struct txg_reporter *reporters[] = {&reporter};
    struct listing listing = {0};
    int exit_code = txg_run(&(struct txg_run_config){.plan = plan,
                                                     .reporters = reporters,
                                                     .n_reporters = 1,
                                                     .collect_only = true,
                                                     .at_end = print_all,
                                                     .user = &listing});
    if (fflush(stdout) != 0) {
        fputs("txgate list: the list could not be written\n", stderr);
        return TXG_EXIT_INTERNAL;
    }
    return exit_code;
}

int txg_cmd_list(int argc, char **argv)
{
    struct txg_options o;
    struct txg_plan plan;
    struct txg_err err;
    int exit_code = TXG_EXIT_USAGE;
    if (txg_options_parse(argc, argv, TXG_FOR_LIST, &o, &err) != 0) {
        fprintf(stderr, "txgate list: %s\n", err.text);
    } else if (o.help) {
        print_help();
        exit_code = 0;
    } else if (txg_plan_make(&o, &plan, &err) != 0) {
        fprintf(stderr, "txgate list: %s\n", err.text);
    } else if (txg_configure_nodes(&plan, &err) != 0) {
        fprintf(stderr, "txgate list: %s\n", err.text);
        txg_plan_release(&plan);
    } else {
        exit_code = list_plan(&plan);
        txg_plan_release(&plan);
    }
    txg_options_release(&o);
    return exit_code;
}
