#include "config.h"

#include "src/cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "src/base/str.h"
#include "src/cli/configure.h"
#include "src/cli/options.h"
#include "src/cli/plan.h"
#include "src/cli/record.h"
#include "src/cli/run.h"
#include "src/cli/sink.h"

enum { TERMINAL, JUNIT, JSONL, RECORD, REPORTERS };

struct outputs {
    struct txg_reporter *reporters[REPORTERS];
    size_t n;
    struct txg_queue_sink *screen;
    struct txg_queue_sink *jsonl;
    int jsonl_fd; /* -1: none of our own */
    char *rerun;
};

static bool wants_color(const struct txg_options *o, bool tty)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (o->color != TXG_COLOR_AUTO)
        return o->color == TXG_COLOR_YES;
    return tty && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static int width_of(int fd)
{
    struct winsize size;
    int64_t columns;
    const char *env = getenv("COLUMNS");
    if (env && txg_parse_int(env, 20, 1000, &columns))
        return (int)columns;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

/* "txgate run" with the options of this run, for "to run just this test again". */
static char *rerun_command(const struct txg_options *o)
{
    struct txg_buf b = {0};
    txg_buf_puts(&b, "txgate run");
    for (size_t i = 0; i < o->flags.n; i++) {
        txg_buf_putc(&b, ' ');
        txg_quote_sh(&b, o->flags.items[i]);
    }
    return txg_buf_take_cstr(&b);
}

static void open_terminal(const struct txg_options *o, struct outputs *out)
{
    bool on_stdout = !(o->jsonl && strcmp(o->jsonl, "-") == 0);
    int fd = on_stdout ? STDOUT_FILENO : STDERR_FILENO;
    bool tty = isatty(fd);
    const char *term = getenv("TERM");
    out->rerun = rerun_command(o);
    out->screen = txg_queue_sink_new(fd);
    out->reporters[out->n++] = txg_terminal_new(
        txg_queue_sink_get(out->screen), &(struct txg_terminal_options){
                                             .verbosity = o->verbosity,
                                             .tb = o->tb,
                                             .durations = o->durations,
                                             .color = wants_color(o, tty),
                                             .live = tty && !(term && strcmp(term, "dumb") == 0),
                                             .width = width_of(fd),
                                             .command = out->rerun,
                                         });
}

static int open_files(const struct txg_options *o, struct outputs *out, struct txg_err *err)
{
    if (o->junitxml) {
        struct txg_reporter *junit = txg_junit_new(o->junitxml, err);
        if (!junit)
            return txg_err_wrap(err, "--junitxml");
        out->reporters[out->n++] = junit;
    }
    if (!o->jsonl)
        return 0;
    int fd = STDOUT_FILENO;
    if (strcmp(o->jsonl, "-") != 0) {
        fd = out->jsonl_fd = open(o->jsonl, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0)
            return txg_err_sys(err, errno, "--jsonl %s", o->jsonl);
    }
    out->jsonl = txg_queue_sink_new(fd);
    out->reporters[out->n++] = txg_jsonl_new(txg_queue_sink_get(out->jsonl));
    return 0;
}

static int complain(const char *command, const struct txg_err *err, int exit_code)
{
    fprintf(stderr, "txgate %s: %s\n", command, err->text);
    return exit_code;
}

/* Every file complete, every byte written: else a run that passed did not. */
static int close_outputs(struct outputs *out, int exit_code)
{
    struct txg_err err;
    if (out->screen)
        txg_queue_sink_wait(out->screen);
    if (out->jsonl)
        txg_queue_sink_wait(out->jsonl);
    for (size_t i = 0; i < out->n; i++) {
        struct txg_reporter *r = out->reporters[i];
        if (r->ops->finish && r->ops->finish(r, &err) != 0)
            exit_code = complain("run", &err, TXG_EXIT_INTERNAL);
        r->ops->free(r);
    }
    if (out->screen && txg_queue_sink_free(out->screen, &err) != 0) {
        if (err.code == TXG_E_LIMIT) /* progress was too much for who read it: the run is whole */
            complain("run", &err, exit_code);
        else if (err.errnum != EPIPE) { /* a closed pipe (| head) is the user's wish */
            txg_err_wrap(&err, "stdout");
            exit_code = complain("run", &err, TXG_EXIT_INTERNAL);
        }
    }
    if (out->jsonl && txg_queue_sink_free(out->jsonl, &err) != 0) {
        txg_err_wrap(&err, "--jsonl");
        exit_code = complain("run", &err, TXG_EXIT_INTERNAL);
    }
    if (out->jsonl_fd >= 0 && close(out->jsonl_fd) != 0) {
        txg_err_sys(&err, errno, "--jsonl");
        exit_code = complain("run", &err, TXG_EXIT_INTERNAL);
    }
    free(out->rerun);
    return exit_code;
}

/* What will be added to at the end, while the gateways start. */
static void read_state(void *user)
{
    struct txg_plan *plan = user;
    struct txg_err again; /* the save will meet it too, and say so */
    if (!plan->state_unread)
        return;
    txg_state_read(plan->state, &again);
    plan->state_unread = false;
}

static int run_plan(const struct txg_options *o, struct txg_plan *plan)
{
    struct txg_err err;
    struct outputs out = {.jsonl_fd = -1};
    if (open_files(o, &out, &err) != 0) {
        complain("run", &err, TXG_EXIT_USAGE);
        close_outputs(&out, 0);
        return TXG_EXIT_USAGE;
    }
    open_terminal(o, &out);
    struct txg_record_result kept;
    out.reporters[out.n++] = txg_record_new(plan, &kept);
    int exit_code = txg_run(&(struct txg_run_config){.plan = plan,
                                                     .reporters = out.reporters,
                                                     .n_reporters = out.n,
                                                     .measure = o->verbosity > 1,
                                                     .at_start = read_state,
                                                     .user = plan});
    exit_code = close_outputs(&out, exit_code);
    /* the next run goes without; this one was what it was */
    if (kept.rc < 0)
        txg_err_wrap(&kept.err, "times and failures are not kept");
    if (kept.rc < 0 || (kept.rc > 0 && plan->state_warning.code == 0))
        complain("run", &kept.err, 0);
    return exit_code;
}

static void print_help(void)
{
    puts("usage: txgate run [options] [FILES] [-- ARGUMENTS OF THE TEST PROGRAMS]\n"
         "\n"
         "Runs test programs on gateways, each with its own workerinput. FILES are programs,\n"
         "directories of executables or patterns; without them the suites of txgate.yaml run.\n"
         "\n"
         "options:");
    txg_options_print_help(TXG_FOR_RUN);
    puts("\n"
         "exit status: 0 passed, 1 failures, 2 interrupted or --maxfail, 3 internal error,\n"
         "4 usage, 5 nothing collected, 6 a gateway or a test was lost but nothing failed");
}

int txg_cmd_run(int argc, char **argv)
{
    struct txg_options o;
    struct txg_plan plan;
    struct txg_err err;
    int exit_code;
    if (txg_options_parse(argc, argv, TXG_FOR_RUN, &o, &err) != 0) {
        exit_code = complain("run", &err, TXG_EXIT_USAGE);
    } else if (o.help) {
        print_help();
        exit_code = 0;
    } else if (txg_plan_make(&o, &plan, &err) != 0) {
        exit_code = complain("run", &err, TXG_EXIT_USAGE);
    } else if (txg_configure_nodes(&plan, &err) != 0) {
        exit_code = complain("run", &err, TXG_EXIT_USAGE);
        txg_plan_release(&plan);
    } else {
        if (plan.state_warning.code)
            complain("run", &plan.state_warning, 0);
        exit_code = run_plan(&o, &plan);
        txg_plan_release(&plan);
    }
    txg_options_release(&o);
    return exit_code;
}
