#include "config.h"

#include "src/cli/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/str.h"
#include "src/cli/options.h"
#include "src/cli/plan.h"
#include "src/cli/survey.h"

enum { ID, SPEC, ARCH, KERNEL, LATENCY, WORKER, FREE, CLOCK, LABELS, COLUMNS };

static const char *const titles[COLUMNS] = {"id",     "spec", "arch",  "kernel", "latency",
                                            "worker", "free", "clock", "labels"};

/* What to do about a host that failed in a step, where its own words don't say. */
static const struct {
    const char *step, *remedy;
    bool socket; /* of gateways over sockets, else of all others */
} remedies[] = {
    {"resolve", "check the name, or give the address", true},
    {"connect",
     "start it there: txgate-worker --listen ADDRESS:PORT --key-file FILE (without ADDRESS it is "
     "to "
     "be reached from that host alone)",
     true},
    {"handshake", "copy the key file from one side to the other; the worker's stderr has its view",
     true},
    {"resolve", "check the name, or give the address as HostName in ssh's configuration", false},
    {"connect", "check that the host is on, can be reached, and has an SSH server at that port",
     false},
    {"probe", "check that a login there gets a plain POSIX shell; try it by hand: ssh HOST sh",
     false},
    {"upload", "make room, or name a directory that may be written and run from in TXGATE_DIR",
     false},
    {"hello", "check worker= and arch=; the same version of txgate must stand on both sides",
     false},
};

static char *show_time(int64_t us)
{
    int64_t size = us < 0 ? -us : us;
    if (size < 10000)
        return txg_xasprintf("%.2f ms", (double)us / 1e3);
    if (size < 10000000)
        return txg_xasprintf("%.1f ms", (double)us / 1e3);
    return txg_xasprintf("%.0f s", (double)us / 1e6);
}

static char *show_clock(const struct txg_survey_host *h)
{
    int64_t off = h->clock < 0 ? -h->clock : h->clock;
    if (off <= h->latency / 2 + 1000) /* less than what can be told from here */
        return txg_xstrdup("=");
    TXG_AUTOFREE char *time = show_time(h->clock);
    return txg_xasprintf("%s%s", h->clock > 0 ? "+" : "", time);
}

static char *show_bytes(int64_t n)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)n;
    size_t i = 0;
    if (n == 0)
        return txg_xstrdup("?");
    for (; size >= 1000 && i + 1 < sizeof units / sizeof *units; i++)
        size /= 1000;
    return txg_xasprintf(i ? "%.1f %s" : "%.0f %s", size, units[i]);
}

static char *join(const struct txg_strv *words, const char *separator)
{
    struct txg_buf out = {0};
    for (size_t i = 0; i < words->n; i++)
        txg_buf_printf(&out, "%s%s", i ? separator : "", words->items[i]);
    return txg_buf_take_cstr(&out);
}

static void fill_row(const struct txg_gateway_def *def, size_t number,
                     const struct txg_survey_host *h, char **row)
{
    row[ID] = def->device ? txg_xstrdup(def->device) : txg_xasprintf("gw%zu", number);
    row[SPEC] = txg_xstrdup(def->spec->text);
    if (h->fault || !h->arch)
        return;
    row[ARCH] = txg_xstrdup(h->arch);
    row[KERNEL] = txg_xstrdup(h->kernel);
    row[LATENCY] = show_time(h->latency);
    row[WORKER] = txg_xstrdup(!h->remote                           ? "local"
                              : h->uploaded                        ? "uploaded"
                              : def->spec->kind == TXG_SPEC_SOCKET ? "listens"
                              : def->spec->worker                  ? "given"
                                                                   : "cached");
    row[FREE] = show_bytes(h->free);
    row[CLOCK] = show_clock(h);
    row[LABELS] = join(&def->labels, ",");
}

static void print_cell(const char *text, size_t width)
{
    printf("%s%*s", text, (int)(width - strlen(text)), "");
}

static void print_row(char *const *row, const size_t *widths)
{
    int last = COLUMNS - 1;
    while (last > 0 && (!row[last] || !row[last][0]))
        last--;
    for (int i = 0; i <= last; i++)
        print_cell(row[i] ? row[i] : "", i == last ? strlen(row[i]) : widths[i] + 2);
}

static void print_fault(const char *fault, bool socket)
{
    size_t step = strcspn(fault, ":");
    printf("FAILED  %s\n", fault);
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (remedies[i].socket == socket && strlen(remedies[i].step) == step &&
            strncmp(remedies[i].step, fault, step) == 0)
            printf("    %s\n", remedies[i].remedy);
}

static void print_ignored(const struct txg_survey_host *h)
{
    if (h->ignored.n == 0)
        return;
    TXG_AUTOFREE char *list = join(&h->ignored, ", ");
    printf("    ssh options that are set and have no effect here: %s; where they are needed: "
           "exec=ssh -T %s\n",
           list, h->spec->target);
}

static int print_table(const struct txg_plan *plan, const struct txg_survey *s)
{
    size_t widths[COLUMNS], n = plan->gateways.n;
    char **cells = txg_xcalloc(n * COLUMNS, sizeof *cells);
    int failed = 0;
    for (int c = 0; c < COLUMNS; c++)
        widths[c] = strlen(titles[c]);
    for (size_t i = 0; i < n; i++) {
        char **row = cells + i * COLUMNS;
        fill_row(&plan->gateways.items[i], i, &s->hosts[s->host_of[i]], row);
        for (int c = 0; c < COLUMNS; c++)
            if (row[c] && strlen(row[c]) > widths[c])
                widths[c] = strlen(row[c]);
    }
    print_row((char **)titles, widths);
    putchar('\n');
    for (size_t i = 0; i < n; i++) {
        const struct txg_survey_host *h = &s->hosts[s->host_of[i]];
        char **row = cells + i * COLUMNS;
        if (h->fault || !h->arch) {
            failed++;
            print_cell(row[ID], widths[ID] + 2);
            print_cell(row[SPEC], widths[SPEC] + 2);
            print_fault(h->fault ? h->fault : "interrupted", h->spec->kind == TXG_SPEC_SOCKET);
        } else {
            print_row(row, widths);
            putchar('\n');
        }
        if (h->spec == plan->gateways.items[i].spec) /* once for each host */
            print_ignored(h);
        for (int c = 0; c < COLUMNS; c++)
            free(row[c]);
    }
    free(cells);
    return failed;
}

static void print_help(void)
{
    puts("usage: txgate hosts [options]\n"
         "\n"
         "Connects to every gateway at once, as a run would, and prints what is there: "
         "architecture,\n"
         "kernel, latency, whether the worker was there already, free space, how far its clock is\n"
         "ahead; or the step that failed and what to do.\n"
         "\n"
         "options:");
    txg_options_print_help(TXG_FOR_HOSTS);
    puts("\n"
         "exit status: 0 all are there, 2 interrupted, 4 usage, 6 a gateway is not there");
}

static int survey(const struct txg_plan *plan)
{
    struct txg_survey s;
    txg_survey_make(plan, &s);
    int failed = print_table(plan, &s);
    int code = s.interrupted ? TXG_EXIT_INTERRUPTED : failed ? TXG_EXIT_LOST : 0;
    txg_survey_release(&s);
    if (fflush(stdout) != 0) {
        fputs("txgate hosts: the table could not be written\n", stderr);
        return TXG_EXIT_INTERNAL;
    }
    return code;
}

int txg_cmd_hosts(int argc, char **argv)
{
    struct txg_options o;
    struct txg_plan plan;
    struct txg_err err;
    int exit_code = TXG_EXIT_USAGE;
    if (txg_options_parse(argc, argv, TXG_FOR_HOSTS, &o, &err) != 0) {
        fprintf(stderr, "txgate hosts: %s\n", err.text);
    } else if (o.help) {
        print_help();
        exit_code = 0;
    } else if (o.files.n) {
        fprintf(stderr, "txgate hosts: '%s': expected options only; --help lists them\n",
                o.files.items[0]);
    } else if (txg_plan_make_gateways(&o, &plan, &err) != 0) {
        fprintf(stderr, "txgate hosts: %s\n", err.text);
    } else {
        exit_code = survey(&plan);
        txg_plan_release(&plan);
    }
    txg_options_release(&o);
    return exit_code;
}
