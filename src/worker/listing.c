#include "config.h"

#include "src/worker/listing.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "src/worker/environ.h"
#include "src/worker/harness/talk.h"
#include "src/worker/runner.h"

bool txg_listing_start(struct txg_listing *l, int64_t now)
{
    struct txg_collection *c = l->collection;
    for (; l->next < c->n_programs; l->next++) {
        const struct txg_item *item = &c->items[c->programs[l->next].item];
        const struct txg_suite *suite = &c->suites[item->suite];
        const struct txg_cases_ops *ops = item->harness->cases;
        struct txg_err err;
        struct txg_strv argv = {0};
        txg_collection_argv(c, item, &argv);
        if (ops->prepare)
            ops->prepare(&argv);
        bool talks = item->harness->persistent;
        for (const char *const *word = ops->list; *word && !talks; word++)
            txg_strv_push(&argv, *word);
        struct txg_child_command command = {.path = argv.items[0],
                                            .argv = argv.items,
                                            .cwd = *suite->cwd ? suite->cwd : NULL,
                                            .bare = txg_collection_is_bare(c, item, &argv),
                                            .talks = talks,
                                            .rings = item->harness->rings};
        l->late = l->large = l->ahead = l->speaks = false;
        l->limit = suite->command.n > 0 ? TXG_LISTING_SUITE_LIMIT : TXG_LISTING_LIMIT;
        l->kill_at = now + l->limit;
        struct txg_environ environment;
        int rc = txg_environ_make(&environment, l->env, item->harness, &err);
        if (rc == 0) {
            command.envp = environment.envp;
            rc = txg_child_start(l->child, &command, &err);
            txg_environ_release(&environment);
        }
        txg_strv_release(&argv);
        if (rc == 0 && talks && txg_talk_greet(l->child, suite, l->hello) == 0)
            txg_child_say(l->child, "list\n", 5);
        if (rc == 0)
            return true;
        txg_collection_no_listing(c, l->next, err.text);
    }
    return false;
}

void txg_listing_feed(void *listing, const void *data, size_t len)
{
    struct txg_listing *l = listing;
    l->large |= len > TXG_LISTING_MAX - txg_buf_len(&l->text);
    if (!l->large)
        txg_buf_append(&l->text, data, len);
}

static void take_ready(struct txg_listing *l, struct txg_span line, struct txg_buf *scratch)
{
    struct txg_span field;
    l->speaks = txg_talk_field(&line, scratch, &field) && txg_span_is(field, "1");
    l->ahead = txg_talk_field(&line, scratch, &field) && txg_span_is(field, "ahead");
}

/* What it said beside its cases. True: files that could not be collected were among it. */
static bool read_said(struct txg_listing *l)
{
    struct txg_span text = txg_span(txg_buf_data(&l->child->said), txg_buf_len(&l->child->said));
    struct txg_span line, field, nodeid;
    struct txg_buf scratch = {0}, more = {0};
    bool errors = false;
    while (txg_talk_line(&text, &line)) {
        txg_talk_field(&line, &scratch, &field);
        if (txg_span_is(field, "warning")) {
            txg_talk_field(&line, &scratch, &field);
            txg_reporting_warning(l->reporting, field);
        } else if (txg_span_is(field, "ready")) {
            take_ready(l, line, &scratch);
        } else if (txg_span_is(field, "uncollected")) {
            txg_talk_field(&line, &scratch, &nodeid);
            txg_talk_field(&line, &more, &field);
            txg_reporting_collect_error(l->reporting, nodeid, field);
            errors = true;
        }
    }
    txg_buf_release(&scratch);
    txg_buf_release(&more);
    return errors;
}

/* Of who stays nobody hears it again. */
static void tell_errors(struct txg_listing *l)
{
    struct txg_span text = txg_span(txg_buf_data(&l->child->said), txg_buf_len(&l->child->said));
    struct txg_span line, field;
    struct txg_buf scratch = {0};
    const char *nodeid = l->collection->items[l->collection->programs[l->next].item].nodeid;
    while (txg_talk_line(&text, &line)) {
        txg_talk_field(&line, &scratch, &field);
        if (!txg_span_is(field, "error"))
            continue;
        txg_talk_field(&line, &scratch, &field);
        txg_reporting_collect_error(l->reporting, txg_span_cstr(nodeid), field);
    }
    txg_buf_release(&scratch);
}

/* It may have imported all tests of a suite, or opened a device: the last one is not asked to do so
 * twice, if any of its cases is wanted. */
static bool is_to_stay(struct txg_listing *l)
{
    struct txg_collection *c = l->collection;
    struct txg_buf *said = &l->child->said;
    if (l->next + 1 < c->n_programs || l->late)
        return false;
    read_said(l);
    txg_collection_take_listing(c, l->next, txg_span(txg_buf_data(said), txg_buf_len(said)));
    bool stays = l->speaks && txg_collection_wants(c, l->next);
    if (stays)
        tell_errors(l);
    txg_buf_clear(said);
    l->next++;
    return stays;
}

void txg_listing_dismiss(struct txg_listing *l)
{
    l->stays = false;
    txg_child_hush(l->child);
}

void txg_listing_hear(struct txg_listing *l)
{
    static const char listed[] = "listed\n";
    struct txg_buf *said = &l->child->said;
    size_t n = sizeof listed - 1, len;
    txg_child_hear(l->child);
    if (l->next == l->collection->n_programs) { /* it has listed, and goes on about it */
        txg_buf_clear(said);
        return;
    }
    len = txg_buf_len(said);
    if (len < n || memcmp(txg_buf_data(said) + len - n, listed, n) != 0)
        return;
    l->stays = is_to_stay(l);
    if (!l->stays)
        txg_child_hush(l->child);
}

/* The first line of what it complained of. */
static void complain(struct txg_listing *l, const char *what)
{
    struct txg_buf *said = &l->child->captures[1].head;
    if (txg_buf_len(said) == 0)
        said = &l->child->captures[0].head;
    const char *text = txg_buf_cstr(said);
    TXG_AUTOFREE char *why =
        txg_xasprintf("%s%s%.*s", what, *text ? ": " : "", (int)strcspn(text, "\r\n"), text);
    txg_collection_no_listing(l->collection, l->next, why);
}

void txg_listing_take(struct txg_listing *l)
{
    char what[80];
    int status = l->child->status;
    bool errors = false;
    if (l->next == l->collection->n_programs) { /* it was read when it had listed */
        l->stays = false;
        txg_child_clear(l->child);
        return;
    }
    if (l->late)
        snprintf(what, sizeof what, "no end after %d s", (int)(l->limit / 1000000));
    else if (WIFSIGNALED(status))
        snprintf(what, sizeof what, "signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(what, sizeof what, "exit status %d", WEXITSTATUS(status));
    else if (l->large)
        snprintf(what, sizeof what, "more than %u bytes", TXG_LISTING_MAX);
    else
        what[0] = '\0';
    if (l->collection->items[l->collection->programs[l->next].item].harness->persistent) {
        txg_buf_release(&l->text); /* what it wrote to stdout is no listing */
        txg_buf_append(&l->text, txg_buf_data(&l->child->said), txg_buf_len(&l->child->said));
        errors = read_said(l);
    }
    if (what[0] && !errors)
        complain(l, what);
    else if (!what[0])
        txg_collection_take_listing(l->collection, l->next,
                                    txg_span(txg_buf_data(&l->text), txg_buf_len(&l->text)));
    txg_buf_release(&l->text);
    txg_child_clear(l->child);
    l->next++;
}

void txg_listing_check_time(struct txg_listing *l, int64_t now)
{
    if (now < l->kill_at)
        return;
    l->late = true;
    l->kill_at = now + 100000; /* again, should something have been born meanwhile */
    txg_child_signal(l->child, SIGKILL);
}
