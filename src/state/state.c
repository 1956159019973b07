#include "config.h"

#include "src/state/state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/state/file.h"

#define HEADER "txgate-state 1"
#define FIELDS 6 /* of a record at most: kind, stamp, microseconds, arch, label, nodeid */

enum kind { TIME = 't', FAILED = 'f', ENDED = 'e' /* did not fail: not in the file */ };

struct record {
    enum kind kind;
    bool fresh; /* told in this run */
    int64_t stamp, us;
    char *arch, *label; /* of TIME */
    char *nodeid;
    size_t len;
};

struct table {
    struct record *items;
    size_t n, cap;
    size_t *slots; /* hash table: record + 1, 0 is free */
    size_t n_slots;
};

struct txg_state {
    char *dir;
    struct table table;
    bool changed;
    struct txg_state_time *times; /* made when they are asked for */
    struct txg_span *failed;
};

static void release_record(struct record *r)
{
    free(r->arch);
    free(r->label);
    free(r->nodeid);
}

static void release(struct table *t)
{
    for (size_t i = 0; i < t->n; i++)
        release_record(&t->items[i]);
    free(t->items);
    free(t->slots);
    *t = (struct table){0};
}

/* A test fails or it does not: both have one place. */
static bool is_same(const struct record *a, const struct record *b)
{
    return (a->kind == TIME) == (b->kind == TIME) && a->len == b->len &&
           memcmp(a->nodeid, b->nodeid, a->len) == 0 &&
           (a->kind != TIME || (strcmp(a->arch, b->arch) == 0 && strcmp(a->label, b->label) == 0));
}

static size_t *slot_of(const struct table *t, const struct record *r)
{
    uint64_t hash = txg_hash(r->kind == TIME, r->nodeid, r->len);
    for (size_t at = (size_t)hash;; at++) {
        size_t *slot = &t->slots[at & (t->n_slots - 1)];
        if (*slot == 0 || is_same(&t->items[*slot - 1], r))
            return slot;
    }
}

static void make_room(struct table *t)
{
    if (t->n_slots > 2 * t->n)
        return;
    free(t->slots);
    t->n_slots = t->n_slots ? 2 * t->n_slots : 64;
    t->slots = txg_xcalloc(t->n_slots, sizeof *t->slots);
    for (size_t i = 0; i < t->n; i++)
        *slot_of(t, &t->items[i]) = i + 1;
}

/* Takes what the record owns. What failed in this run has failed. */
static void put(struct table *t, struct record *r)
{
    make_room(t);
    size_t *slot = slot_of(t, r);
    if (*slot == 0) {
        t->items = txg_grow(t->items, t->n, &t->cap, sizeof *t->items);
        t->items[t->n++] = *r;
        *slot = t->n;
        return;
    }
    struct record *old = &t->items[*slot - 1];
    bool worse = old->fresh && old->kind == FAILED && r->kind == ENDED;
    release_record(worse ? r : old);
    if (!worse)
        *old = *r;
}

static void escape(struct txg_buf *out, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        switch (data[i]) {
        case '\\':
            txg_buf_puts(out, "\\\\");
            break;
        case '\t':
            txg_buf_puts(out, "\\t");
            break;
        case '\n':
            txg_buf_puts(out, "\\n");
            break;
        default:
            txg_buf_putc(out, data[i]);
        }
}

static char *unescape(struct txg_span field, size_t *len)
{
    struct txg_buf out = {0};
    for (size_t i = 0; i < field.len; i++) {
        char c = field.data[i];
        if (c == '\\' && i + 1 < field.len) {
            c = field.data[++i];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c;
        }
        txg_buf_putc(&out, c);
    }
    *len = txg_buf_len(&out);
    return txg_buf_take_cstr(&out);
}

static bool read_number(struct txg_span field, int64_t *out)
{
    TXG_AUTOFREE char *text = txg_xstrndup(field.data, field.len);
    return field.len < 24 && txg_parse_int(text, 0, INT64_MAX, out);
}

/* kind stamp us arch label nodeid, or kind stamp nodeid */
static bool read_record(struct txg_span line, struct table *t)
{
    struct txg_span fields[FIELDS];
    size_t n = 0, at = 0, ignored;
    for (size_t i = 0; i <= line.len; i++) {
        if (i < line.len && line.data[i] != '\t')
            continue;
        if (n == FIELDS)
            return false;
        fields[n++] = txg_span(line.data + at, i - at);
        at = i + 1;
    }
    struct record r = {.kind = line.len && line.data[0] == TIME ? TIME : FAILED};
    bool time = r.kind == TIME;
    if (n != (time ? 6 : 3) || fields[0].len != 1 || fields[0].data[0] != (char)r.kind ||
        !read_number(fields[1], &r.stamp) || (time && !read_number(fields[2], &r.us)))
        return false;
    if (time) {
        r.arch = unescape(fields[3], &ignored);
        r.label = unescape(fields[4], &ignored);
    }
    r.nodeid = unescape(fields[n - 1], &r.len);
    put(t, &r);
    return true;
}

static int read_text(struct txg_span text, struct table *t, struct txg_err *err)
{
    size_t number = 0;
    while (text.len) {
        const char *newline = memchr(text.data, '\n', text.len);
        number++;
        struct txg_span line = txg_span(text.data, newline ? (size_t)(newline - text.data) : 0);
        bool good = newline && line.len <= TXG_STATE_LINE && t->n <= TXG_STATE_RECORDS;
        good = good && (number > 1 ? read_record(line, t) : txg_span_is(line, HEADER));
        if (!good)
            return txg_err_set(err, TXG_E_PROTO, "line %zu is none of txgate's", number);
        text = txg_span(newline + 1, text.len - line.len - 1);
    }
    return 0;
}

/* What is there, or nothing and the reason. */
static int read_table(const char *dir, struct table *t, struct txg_err *err)
{
    struct txg_buf text = {0};
    int rc = txg_state_file_read(dir, &text, err);
    if (rc == 0 && read_text(txg_span(txg_buf_data(&text), txg_buf_len(&text)), t, err) != 0) {
        txg_err_wrap(err, "%s/.txgate/state", dir);
        rc = -1;
    }
    if (rc < 0)
        release(t);
    txg_buf_release(&text);
    return rc;
}

struct txg_state *txg_state_new(const char *dir)
{
    struct txg_state *s = txg_xcalloc(1, sizeof *s);
    s->dir = txg_xstrdup(dir);
    return s;
}

struct txg_state *txg_state_load(const char *dir, struct txg_err *warning)
{
    struct txg_state *s = txg_state_new(dir);
    *warning = (struct txg_err){0};
    if (read_table(dir, &s->table, warning) < 0)
        txg_err_wrap(warning, "times and failures of earlier runs are ignored");
    return s;
}

static void forget_views(struct txg_state *s)
{
    free(s->times);
    free(s->failed);
    s->times = NULL;
    s->failed = NULL;
}

void txg_state_free(struct txg_state *s)
{
    if (!s)
        return;
    forget_views(s);
    release(&s->table);
    free(s->dir);
    free(s);
}

const struct txg_state_time *txg_state_times(struct txg_state *s, size_t *n)
{
    *n = 0;
    free(s->times);
    s->times = txg_xcalloc(s->table.n, sizeof *s->times);
    for (size_t i = 0; i < s->table.n; i++) {
        const struct record *r = &s->table.items[i];
        if (r->kind == TIME)
            s->times[(*n)++] =
                (struct txg_state_time){txg_span(r->nodeid, r->len), r->arch, r->label, r->us};
    }
    return s->times;
}

const struct txg_span *txg_state_failed(struct txg_state *s, size_t *n)
{
    *n = 0;
    free(s->failed);
    s->failed = txg_xcalloc(s->table.n, sizeof *s->failed);
    for (size_t i = 0; i < s->table.n; i++)
        if (s->table.items[i].kind == FAILED)
            s->failed[(*n)++] = txg_span(s->table.items[i].nodeid, s->table.items[i].len);
    return s->failed;
}

static void tell(struct txg_state *s, struct txg_span nodeid, struct record *r)
{
    if (nodeid.len > TXG_STATE_LINE / 4) {
        release_record(r);
        return;
    }
    forget_views(s);
    r->fresh = s->changed = true;
    r->nodeid = txg_xstrndup(nodeid.data, nodeid.len);
    r->len = strlen(r->nodeid);
    put(&s->table, r);
}

void txg_state_took(struct txg_state *s, struct txg_span nodeid, const char *arch,
                    const char *label, int64_t us)
{
    tell(s, nodeid,
         &(struct record){.kind = TIME,
                          .us = us,
                          .arch = txg_xstrdup(arch ? arch : ""),
                          .label = txg_xstrdup(label ? label : "")});
}

void txg_state_ended(struct txg_state *s, struct txg_span nodeid, bool failed)
{
    tell(s, nodeid, &(struct record){.kind = failed ? FAILED : ENDED});
}

static int newest_first(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    return x->stamp > y->stamp ? -1 : x->stamp < y->stamp;
}

static void write_table(struct table *t, struct txg_buf *out)
{
    size_t kept = 0;
    if (t->n > TXG_STATE_RECORDS) /* else they keep their order */
        qsort(t->items, t->n, sizeof *t->items, newest_first);
    txg_buf_puts(out, HEADER "\n");
    for (size_t i = 0; i < t->n && kept < TXG_STATE_RECORDS; i++) {
        const struct record *r = &t->items[i];
        if (r->kind == ENDED)
            continue;
        size_t before = txg_buf_len(out);
        txg_buf_printf(out, "%c\t%lld\t", (char)r->kind, (long long)r->stamp);
        if (r->kind == TIME) {
            txg_buf_printf(out, "%lld\t", (long long)r->us);
            escape(out, r->arch, strlen(r->arch));
            txg_buf_putc(out, '\t');
            escape(out, r->label, strlen(r->label));
            txg_buf_putc(out, '\t');
        }
        escape(out, r->nodeid, r->len);
        txg_buf_putc(out, '\n');
        if (txg_buf_len(out) > TXG_STATE_BYTES || txg_buf_len(out) - before > TXG_STATE_LINE) {
            out->tail -= txg_buf_len(out) - before;
            continue;
        }
        kept++;
    }
}

/* What this run told, over what another may have saved meanwhile. */
static void merge(const struct table *told, int64_t stamp, struct table *into)
{
    for (size_t i = 0; i < told->n; i++) {
        struct record r = told->items[i];
        if (!r.fresh)
            continue;
        r.stamp = stamp;
        r.arch = txg_xstrdup(r.arch);
        r.label = txg_xstrdup(r.label);
        r.nodeid = txg_xstrdup(r.nodeid);
        put(into, &r);
    }
}

int txg_state_save(struct txg_state *s, int64_t stamp, struct txg_err *err)
{
    struct txg_err ignored;
    struct table now = {0};
    struct txg_buf text = {0};
    if (!s->changed)
        return 0;
    int lock = txg_state_file_lock(s->dir, err);
    if (lock < 0)
        return -1;
    read_table(s->dir, &now, &ignored); /* what is damaged was told of at the start */
    merge(&s->table, stamp, &now);
    write_table(&now, &text);
    int rc = txg_state_file_replace(s->dir, &text, err);
    close(lock);
    release(&now);
    txg_buf_release(&text);
    return rc;
}
