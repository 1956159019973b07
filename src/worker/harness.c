#include "config.h"

#include "src/worker/harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct txg_harness_ops *const table[] = {
    &txg_harness_exec,  &txg_harness_tap,  &txg_harness_gtest,  &txg_harness_glib,
    &txg_harness_cunit, &txg_harness_talk, &txg_harness_pytest, &txg_harness_pair,
};

const char *const txg_harness_names[] = {"auto",  "exec",   "tap",    "gtest", "glib",
                                         "cunit", "txgate", "pytest", NULL};

const struct txg_harness_ops *txg_harness_find(struct txg_span name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (txg_span_is(name, table[i]->name))
            return table[i];
    return NULL;
}

void txg_verdict_release(struct txg_verdict *v)
{
    for (size_t i = 0; i < v->n_points; i++) {
        free(v->points[i].name);
        free(v->points[i].text);
    }
    free(v->points);
    txg_buf_release(&v->reason);
    *v = (struct txg_verdict){0};
}

static char *dup_text(struct txg_span s, size_t max)
{
    size_t len = s.len < max ? s.len : max;
    char *text = txg_xstrndup(s.data ? s.data : "", len);
    for (char *nul = text; (nul = memchr(nul, '\0', len - (size_t)(nul - text)));)
        *nul = '?';
    return text;
}

static size_t room(const struct txg_verdict *v, enum txg_outcome outcome)
{
    size_t max = TXG_POINTS_WEIGHT_MAX;
    if (outcome == TXG_PASSED)
        max = max / 3 * 2;
    return v->weight < max ? max - v->weight : 0;
}

void txg_verdict_add_point(struct txg_verdict *v, enum txg_outcome outcome, struct txg_span name,
                           struct txg_span text)
{
    struct txg_harness_point point = {.name = dup_text(name, TXG_POINT_NAME_MAX),
                                      .outcome = outcome,
                                      .text = text.len ? dup_text(text, TXG_POINT_TEXT_MAX) : NULL};
    size_t weight = TXG_POINT_WEIGHT + strlen(point.name) + (point.text ? strlen(point.text) : 0);
    if (weight > room(v, outcome)) {
        free(point.name);
        free(point.text);
        v->left_out++;
        return;
    }
    v->points = txg_grow(v->points, v->n_points, &v->cap_points, sizeof *v->points);
    v->points[v->n_points++] = point;
    v->weight += weight;
}

void txg_verdict_add_text(struct txg_verdict *v, struct txg_span line)
{
    if (v->n_points == 0 || v->left_out > 0)
        return;
    struct txg_harness_point *point = &v->points[v->n_points - 1];
    size_t held = point->text ? strlen(point->text) : 0;
    if (line.len >= TXG_POINT_TEXT_MAX - held || line.len + 1 > room(v, point->outcome))
        return;
    TXG_AUTOFREE char *more = dup_text(line, line.len);
    TXG_AUTOFREE char *old = point->text;
    point->text = old ? txg_xasprintf("%s\n%s", old, more) : txg_xstrdup(more);
    v->weight += strlen(point->text) - held;
}

void txg_verdict_set(struct txg_verdict *v, enum txg_outcome outcome, const char *fmt, ...)
{
    char text[TXG_ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->outcome = outcome;
    txg_buf_clear(&v->reason);
    txg_buf_puts(&v->reason, text);
}

bool txg_verdict_unfinished(struct txg_verdict *v, const struct txg_ending *ending)
{
    if (ending->timed_out) {
        if (ending->timeout < 1000000)
            txg_verdict_set(v, TXG_TIMED_OUT, "no end after %.6g ms",
                            (double)ending->timeout / 1e3);
        else
            txg_verdict_set(v, TXG_TIMED_OUT, "no end after %.10g s",
                            (double)ending->timeout / 1e6);
        return true;
    }
    if (ending->signal) {
        const char *name = strsignal(ending->signal);
        txg_verdict_set(v, TXG_CRASHED, "signal %d (%s)", ending->signal, name ? name : "unknown");
        return true;
    }
    return false;
}
