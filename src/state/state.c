#include "config.h"

#include "src/state/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/state/file.h"
#include "src/state/records.h"

#define HEADER "txgate-state 1"
#define DIGITS 18 /* of a number at most: it fits */

struct txg_state {
    char *dir;
    struct txg_records table;         /* what was read, and what was told over it */
    struct txg_state_version version; /* of the file that was read */
    bool changed;
    const char *arch, *label;     /* of the time that was told last */
    struct txg_state_time *times; /* made when they are asked for */
    struct txg_span *failed;
};

static bool is_plain(struct txg_span text)
{
    return text.len == 0 ||
           (!memchr(text.data, '\\', text.len) && !memchr(text.data, '\t', text.len) &&
            !memchr(text.data, '\n', text.len));
}

static void escape(struct txg_buf *out, struct txg_span text)
{
    if (is_plain(text)) {
        txg_buf_append(out, text.data, text.len);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!is_plain(txg_span(&c, 1)))
            txg_buf_putc(out, '\\');
        txg_buf_putc(out, c == '\t' ? 't' : c == '\n' ? 'n' : c);
    }
}

/* Itself where nothing is escaped, else in a buffer that is emptied. */
static struct txg_span unescape(struct txg_span field, struct txg_buf *out)
{
    if (field.len == 0 || !memchr(field.data, '\\', field.len))
        return field;
    txg_buf_clear(out);
    for (size_t i = 0; i < field.len; i++) {
        char c = field.data[i];
        if (c == '\\' && i + 1 < field.len) {
            c = field.data[++i];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c;
        }
        txg_buf_putc(out, c);
    }
    return txg_span(txg_buf_data(out), txg_buf_len(out));
}

/* What stands before the next tab, which is passed; false where there is none. */
static bool take_field(struct txg_span *line, struct txg_span *field)
{
    const char *tab = line->len ? memchr(line->data, '\t', line->len) : NULL;
    if (!tab)
        return false;
    *field = txg_span(line->data, (size_t)(tab - line->data));
    *line = txg_span(tab + 1, line->len - field->len - 1);
    return true;
}

static bool take_number(struct txg_span *line, int64_t *out)
{
    int64_t n = 0;
    size_t i = 0;
    for (; i < line->len && line->data[i] != '\t'; i++) {
        int digit = line->data[i] - '0';
        if (digit < 0 || digit > 9 || i == DIGITS)
            return false;
        n = 10 * n + digit;
    }
    if (i == 0 || i == line->len)
        return false;
    *line = txg_span(line->data + i + 1, line->len - i - 1);
    *out = n;
    return true;
}

/* One that is not negative, and a tab. */
static void put_number(struct txg_buf *out, int64_t n)
{
    char digits[24], *end = digits + sizeof digits, *at = end;
    *--at = '\t';
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    txg_buf_append(out, at, (size_t)(end - at));
}

/* What stands between the numbers and the nodeid of a time, and the words it is: mostly the same
 * in the next line. */
struct place {
    struct txg_span text;
    const char *arch, *label;
};

static bool take_place(struct txg_span *line, struct place *p, struct txg_records *t,
                       struct txg_buf *scratch)
{
    struct txg_span rest = *line, arch, label;
    size_t len = p->text.len;
    if (len == 0 || len > rest.len || memcmp(rest.data, p->text.data, len) != 0) {
        if (!take_field(&rest, &arch) || !take_field(&rest, &label))
            return false;
        p->arch = txg_records_word(t, unescape(arch, scratch));
        p->label = txg_records_word(t, unescape(label, scratch));
        p->text = txg_span(line->data, len = line->len - rest.len);
    }
    *line = txg_span(line->data + len, line->len - len);
    return true;
}

/* kind stamp us arch label nodeid, or kind stamp nodeid. The table has the line's text. */
static bool read_record(struct txg_span line, struct txg_records *t, struct place *place,
                        struct txg_buf *scratch)
{
    struct txg_record r = {0};
    if (line.len < 2 || line.data[1] != '\t')
        return false;
    r.kind = line.data[0] == TXG_RECORD_TIME ? TXG_RECORD_TIME : TXG_RECORD_FAILED;
    if (line.data[0] != (char)r.kind)
        return false;
    line = txg_span(line.data + 2, line.len - 2);
    if (!take_number(&line, &r.stamp))
        return false;
    if (r.kind == TXG_RECORD_TIME) {
        if (!take_number(&line, &r.us) || !take_place(&line, place, t, scratch))
            return false;
        r.arch = place->arch;
        r.label = place->label;
    }
    if (line.len && memchr(line.data, '\t', line.len))
        return false;
    struct txg_span nodeid = unescape(line, scratch);
    txg_records_borrow(&r, nodeid);
    if (nodeid.data != line.data)
        txg_records_keep(t, &r);
    txg_records_append(t, &r);
    return true;
}

static int read_text(struct txg_span text, struct txg_records *t, struct txg_err *err)
{
    size_t number = 0;
    struct txg_buf scratch = {0};
    struct place place = {0};
    int rc = 0;
    while (text.len && rc == 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        number++;
        struct txg_span line = txg_span(text.data, newline ? (size_t)(newline - text.data) : 0);
        bool good = newline && line.len <= TXG_STATE_LINE && t->n <= TXG_STATE_RECORDS;
        good = good &&
               (number > 1 ? read_record(line, t, &place, &scratch) : txg_span_is(line, HEADER));
        if (good)
            text = txg_span(newline + 1, text.len - line.len - 1);
        else
            rc = txg_err_set(err, TXG_E_PROTO, "line %zu is none of txgate's", number);
    }
    txg_buf_release(&scratch);
    return rc;
}

/* What is there, or nothing and the reason. */
static int read_table(const char *dir, struct txg_records *t, struct txg_state_version *version,
                      struct txg_err *err)
{
    struct txg_buf file = {0};
    int rc = txg_state_file_read(dir, &file, version, err);
    size_t len = txg_buf_len(&file);
    char *text = txg_buf_take_cstr(&file);
    txg_arena_adopt(&t->texts, text);
    if (rc == 0 && read_text(txg_span(text, len), t, err) != 0) {
        txg_err_wrap(err, "%s/.txgate/state", dir);
        rc = -1;
    }
    if (rc < 0) {
        txg_err_wrap(err, "times and failures of earlier runs are ignored");
        txg_records_release(t);
        version->is_there = false;
    }
    return rc;
}

struct txg_state *txg_state_new(const char *dir)
{
    struct txg_state *s = txg_xcalloc(1, sizeof *s);
    s->dir = txg_xstrdup(dir);
    return s;
}

int txg_state_read(struct txg_state *s, struct txg_err *err)
{
    return read_table(s->dir, &s->table, &s->version, err) < 0 ? -1 : 0;
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
    txg_records_release(&s->table);
    free(s->dir);
    free(s);
}

const struct txg_state_time *txg_state_times(struct txg_state *s, size_t *n)
{
    *n = 0;
    free(s->times);
    s->times = txg_xcalloc(s->table.n, sizeof *s->times);
    for (size_t i = 0; i < s->table.n; i++) {
        const struct txg_record *r = &s->table.items[i];
        if (r->kind == TXG_RECORD_TIME)
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
        if (s->table.items[i].kind == TXG_RECORD_FAILED)
            s->failed[(*n)++] = txg_span(s->table.items[i].nodeid, s->table.items[i].len);
    return s->failed;
}

static bool is_kept(struct txg_span nodeid)
{
    return nodeid.len <= TXG_STATE_LINE / 4;
}

static void tell(struct txg_state *s, struct txg_record *r)
{
    forget_views(s);
    r->fresh = s->changed = true;
    txg_records_put(&s->table, r);
}

static const char *word(struct txg_state *s, const char **last, const char *text)
{
    if (!*last || strcmp(*last, text) != 0)
        *last = txg_records_word(&s->table, txg_span_cstr(text));
    return *last;
}

void txg_state_took(struct txg_state *s, struct txg_span nodeid, const char *arch,
                    const char *label, int64_t us)
{
    struct txg_record r = {.kind = TXG_RECORD_TIME, .us = us > 0 ? us : 0};
    if (!is_kept(nodeid))
        return;
    r.arch = word(s, &s->arch, arch ? arch : "");
    r.label = word(s, &s->label, label ? label : "");
    txg_records_borrow(&r, nodeid);
    txg_records_absolve(&s->table, &r);
    tell(s, &r);
}

/* What took its time has ended: that says enough of most tests. */
void txg_state_ended(struct txg_state *s, struct txg_span nodeid, bool failed)
{
    struct txg_record r = {.kind = failed ? TXG_RECORD_FAILED : TXG_RECORD_ENDED};
    txg_records_borrow(&r, nodeid);
    if (is_kept(nodeid) && (failed || !txg_records_told(&s->table, &r)))
        tell(s, &r);
}

/* Of equals those that failed are not left out. */
static int newest_first(const void *a, const void *b)
{
    const struct txg_record *x = a, *y = b;
    if (x->stamp != y->stamp)
        return x->stamp > y->stamp ? -1 : 1;
    return (y->kind == TXG_RECORD_FAILED) - (x->kind == TXG_RECORD_FAILED);
}

/* What most records of a file have in common, as it is written. */
struct common {
    int64_t stamp;
    const char *arch, *label;
    struct txg_buf stamp_text, place_text;
};

static void put_stamp(struct common *c, int64_t stamp)
{
    txg_buf_clear(&c->stamp_text);
    txg_buf_printf(&c->stamp_text, "%" PRId64 "\t", stamp);
    c->stamp = stamp;
}

static void put_place(struct common *c, const char *arch, const char *label)
{
    txg_buf_clear(&c->place_text);
    escape(&c->place_text, txg_span_cstr(arch));
    txg_buf_putc(&c->place_text, '\t');
    escape(&c->place_text, txg_span_cstr(label));
    txg_buf_putc(&c->place_text, '\t');
    c->arch = arch;
    c->label = label;
}

static void write_record(const struct txg_record *r, struct common *c, struct txg_buf *out)
{
    const char kind[] = {(char)r->kind, '\t'};
    if (r->stamp != c->stamp)
        put_stamp(c, r->stamp);
    txg_buf_append(out, kind, sizeof kind);
    txg_buf_append(out, txg_buf_data(&c->stamp_text), txg_buf_len(&c->stamp_text));
    if (r->kind == TXG_RECORD_TIME) {
        if (r->arch != c->arch || r->label != c->label)
            put_place(c, r->arch, r->label);
        put_number(out, r->us);
        txg_buf_append(out, txg_buf_data(&c->place_text), txg_buf_len(&c->place_text));
    }
    escape(out, txg_span(r->nodeid, r->len));
    txg_buf_putc(out, '\n');
}

/* Else they keep their order. */
static void choose_newest(struct txg_records *t)
{
    size_t in_order = 1;
    if (t->n <= TXG_STATE_RECORDS)
        return;
    while (in_order < t->n && newest_first(&t->items[in_order - 1], &t->items[in_order]) <= 0)
        in_order++;
    if (in_order < t->n)
        qsort(t->items, t->n, sizeof *t->items, newest_first);
}

static void write_table(struct txg_records *t, int64_t stamp, struct txg_buf *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->items[i].fresh)
            t->items[i].stamp = stamp;
    choose_newest(t);
    struct common c = {.stamp = -1};
    txg_buf_puts(out, HEADER "\n");
    for (size_t i = 0; i < t->n && kept < TXG_STATE_RECORDS; i++) {
        const struct txg_record *r = &t->items[i];
        if (r->kind == TXG_RECORD_ENDED)
            continue;
        size_t before = txg_buf_len(out);
        write_record(r, &c, out);
        if (txg_buf_len(out) > TXG_STATE_BYTES || txg_buf_len(out) - before > TXG_STATE_LINE) {
            out->tail -= txg_buf_len(out) - before;
            continue;
        }
        kept++;
    }
    txg_buf_release(&c.stamp_text);
    txg_buf_release(&c.place_text);
}

/* What this run told, over what another has saved meanwhile. */
static void merge(struct txg_records *told, struct txg_records *into)
{
    for (size_t i = 0; i < into->n; i++)
        if (into->items[i].kind == TXG_RECORD_FAILED &&
            txg_records_told(told, &into->items[i]) == TXG_TOLD_TIME)
            into->items[i].kind = TXG_RECORD_ENDED;
    for (size_t i = 0; i < told->n; i++)
        if (told->items[i].fresh)
            txg_records_put(into, &told->items[i]);
}

int txg_state_save(struct txg_state *s, int64_t stamp, struct txg_err *err)
{
    struct txg_records other = {0}, *now = &s->table;
    struct txg_state_version version;
    struct txg_buf text = {0};
    bool damaged = false;
    if (!s->changed)
        return 0;
    int lock = txg_state_file_lock(s->dir, err);
    if (lock < 0)
        return -1;
    if (!txg_state_file_is(s->dir, &s->version)) {
        damaged = read_table(s->dir, &other, &version, err) < 0;
        merge(&s->table, &other);
        now = &other;
    }
    write_table(now, stamp, &text);
    int rc = txg_state_file_replace(s->dir, &text, err);
    close(lock);
    txg_records_release(&other);
    txg_buf_release(&text);
    return rc == 0 ? damaged : rc;
}
