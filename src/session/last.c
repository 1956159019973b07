#include "config.h"

#include "src/session/core.h"

#include <stdlib.h>
#include <string.h>

/* --lf and --ff: what failed when it last ran. */

static int by_bytes(const void *a, const void *b)
{
    const struct txg_span *x = a, *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len ? memcmp(x->data, y->data, len) : 0;
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

void txg_session_take_failed(struct txg_session *s)
{
    size_t n = s->config.n_failed;
    if (n == 0 || !(s->config.failed_only || s->config.failed_first))
        return;
    s->failed = txg_xcalloc(n, sizeof *s->failed);
    memcpy(s->failed, s->config.failed, n * sizeof *s->failed);
    qsort(s->failed, n, sizeof *s->failed, by_bytes);
}

bool txg_session_has_failed(const struct txg_session *s, struct txg_span nodeid)
{
    return s->failed &&
           bsearch(&nodeid, s->failed, s->config.n_failed, sizeof *s->failed, by_bytes);
}

bool txg_session_comes_first(const struct txg_session *s, struct txg_span nodeid)
{
    return !s->config.failed_only && txg_session_has_failed(s, nodeid);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* pytest's words. */
static void take_note(struct txg_session *s, size_t found)
{
    char *note;
    if (!s->failed)
        note =
            txg_xasprintf("run-last-failure: no previously failed tests, not deselecting items.");
    else if (found == 0)
        note = txg_xasprintf("run-last-failure: %zu known failure%s not in selected tests",
                             s->config.n_failed, plural(s->config.n_failed));
    else
        note = txg_xasprintf("run-last-failure: rerun previous %zu failure%s%s", found,
                             plural(found), s->config.failed_only ? "" : " first");
    s->failed_note = txg_span_cstr(note);
}

void txg_session_choose_failed(struct txg_session *s,
                               void (*leave_out)(struct txg_session *s, size_t number))
{
    size_t found = 0;
    if (!s->config.failed_only && !s->config.failed_first)
        return;
    for (size_t i = 0; i < s->n_outcomes; i++)
        found +=
            !txg_session_is_settled(s, i) && txg_session_has_failed(s, txg_session_nodeid(s, i));
    take_note(s, found);
    for (size_t i = 0; i < s->n_outcomes && found && s->config.failed_only; i++)
        if (!txg_session_is_settled(s, i) && !txg_session_has_failed(s, txg_session_nodeid(s, i)))
            leave_out(s, i);
}
