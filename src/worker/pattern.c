#include "config.h"

#include "src/worker/pattern.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/str.h"
#include "src/worker/wildcard.h"

/* What stands between two slashes: text, value, text, value, ..., text. */
struct txg_pattern_part {
    char *raw;            /* owned: as the user wrote it */
    struct txg_strv glob; /* texts and values for fnmatch: values are at odd places, escaped */
    struct txg_buf plain; /* all, filled in */
    bool only_values;
    bool magic; /* a text has * ? or [ */
};

static const char *const known[] = {"arch", "id", "label", NULL};

static void part_release(struct txg_pattern_part *part)
{
    free(part->raw);
    txg_strv_release(&part->glob);
    txg_buf_release(&part->plain);
}

void txg_pattern_release(struct txg_pattern *p)
{
    for (size_t i = 0; i < p->n_parts; i++)
        part_release(&p->parts[i]);
    free(p->parts);
    free(p->literal);
    free(p->glob);
    *p = (struct txg_pattern){0};
}

static void escape(struct txg_buf *out, const char *s)
{
    for (; *s; s++) {
        if (strchr("*?[]\\", *s))
            txg_buf_putc(out, '\\');
        txg_buf_putc(out, *s);
    }
}

/* Length of the placeholder at s, braces included, or 0. */
static size_t placeholder(const char *s, const char *end)
{
    const char *at = s + 1;
    if (*s != '{')
        return 0;
    while (at < end && (isalnum((unsigned char)*at) || *at == '_'))
        at++;
    return at < end && *at == '}' && at > s + 1 ? (size_t)(at + 1 - s) : 0;
}

static int value_of(const char *word, size_t len, const struct txg_collect_names *names,
                    const char **out, struct txg_err *err)
{
    const char *values[] = {names->arch, names->id, names->label};
    char name[32];
    size_t i = 0;
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), word);
    while (known[i] && strcmp(known[i], name) != 0)
        i++;
    if (!known[i])
        return txg_err_set(err, TXG_E_USAGE,
                           "unknown placeholder {%s}: {arch}, {id} and {label} are known", name);
    const char *v = values[i] ? values[i] : "";
    if (*v == '\0')
        return txg_err_set(err, TXG_E_USAGE, "{%s} is used, but this gateway has no %s", name,
                           name);
    if (strchr(v, '/') || strcmp(v, ".") == 0 || strcmp(v, "..") == 0)
        return txg_err_set(err, TXG_E_USAGE, "{%s} is '%s' here, which can't be part of a path",
                           name, v);
    *out = v;
    return 0;
}

/* Takes one component apart. `names` is NULL for plain text: no placeholders, no pattern. */
static int part_init(struct txg_pattern_part *part, const char *s, const char *end,
                     const struct txg_collect_names *names, struct txg_err *err)
{
    *part = (struct txg_pattern_part){.raw = txg_xstrndup(s, (size_t)(end - s))};
    const char *text = s;
    size_t texts = 0;
    while (names && s < end) {
        size_t len = placeholder(s, end);
        if (len == 0) {
            s++;
            continue;
        }
        const char *value = NULL;
        struct txg_buf escaped = {0};
        if (value_of(s + 1, len - 2, names, &value, err) < 0)
            return -1;
        txg_strv_push_n(&part->glob, text, (size_t)(s - text));
        txg_buf_append(&part->plain, text, (size_t)(s - text));
        texts += (size_t)(s - text);
        escape(&escaped, value);
        txg_strv_take(&part->glob, txg_buf_take_cstr(&escaped));
        txg_buf_puts(&part->plain, value);
        s += len;
        text = s;
    }
    part->only_values = part->glob.n > 0 && texts == 0 && text == end;
    txg_strv_push_n(&part->glob, text, (size_t)(end - text));
    txg_buf_append(&part->plain, text, (size_t)(end - text));
    for (size_t i = 0; names && i < part->glob.n; i += 2)
        part->magic |= strpbrk(part->glob.items[i], "*?[") != NULL;
    return 0;
}

static char *join(const struct txg_pattern *p, bool glob)
{
    struct txg_buf out = {0};
    for (size_t i = 0; i < p->n_parts; i++) {
        const struct txg_pattern_part *part = &p->parts[i];
        txg_buf_putc(&out, '/');
        for (size_t j = 0; glob && j < part->glob.n; j++) {
            /* of a component without a pattern, a '\' is a character of the name */
            if (j % 2 == 0 && !part->magic)
                escape(&out, part->glob.items[j]);
            else
                txg_buf_puts(&out, part->glob.items[j]);
        }
        if (!glob)
            txg_buf_append(&out, txg_buf_data(&part->plain), txg_buf_len(&part->plain));
    }
    if (p->n_parts == 0)
        txg_buf_putc(&out, '/');
    return txg_buf_take_cstr(&out);
}

/* The last component may go together with a ".." behind it. */
static bool last_is_real_directory(const struct txg_pattern *p)
{
    const struct txg_pattern_part *last = &p->parts[p->n_parts - 1];
    struct stat st;
    if (last->magic ||
        txg_span_is(txg_span(txg_buf_data(&last->plain), txg_buf_len(&last->plain)), ".."))
        return false;
    TXG_AUTOFREE char *path = join(p, false);
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Appends the components of `path`, tidied. */
static int append(struct txg_pattern *p, const char *path, const struct txg_collect_names *names,
                  struct txg_err *err)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        const char *end = path + len;
        bool up = len == 2 && memcmp(path, "..", 2) == 0;
        if (up && p->n_parts > 0 && last_is_real_directory(p)) {
            part_release(&p->parts[--p->n_parts]);
        } else if (len > 0 && !(len == 1 && *path == '.') && !(up && p->n_parts == 0)) {
            p->parts = txg_grow(p->parts, p->n_parts, &p->cap_parts, sizeof *p->parts);
            if (part_init(&p->parts[p->n_parts++], path, end, names, err) < 0)
                return -1;
        }
        path = end + (*end == '/');
    }
    return 0;
}

static void clear_parts(struct txg_pattern *p)
{
    while (p->n_parts > 0)
        part_release(&p->parts[--p->n_parts]);
}

void txg_pattern_init_root(struct txg_pattern *p, const char *path, const char *cwd)
{
    *p = (struct txg_pattern){.absolute = true};
    if (*path != '/')
        append(p, cwd, NULL, NULL);
    append(p, path, NULL, NULL);
    p->literal = join(p, false);
}

/* Nothing to fill in, to match or to tidy: by far the most patterns, when a shell made them. */
static bool is_plain(const char *raw)
{
    const char *at = raw + (*raw == '/');
    if (strpbrk(raw, "{*?["))
        return false;
    for (;;) {
        size_t len = strcspn(at, "/");
        if (len == 0 || (at[0] == '.' && (len == 1 || (len == 2 && at[1] == '.'))))
            return false;
        if (at[len] == '\0')
            return true;
        at += len + 1;
    }
}

/* Appends where a relative path starts, then `raw`. */
static int append_from_root(struct txg_pattern *p, const char *raw,
                            const struct txg_collect_names *names, struct txg_err *err)
{
    clear_parts(p);
    if (!p->absolute)
        append(p, p->root->literal, NULL, NULL);
    return append(p, raw, names, err);
}

int txg_pattern_init(struct txg_pattern *p, const char *raw, const struct txg_pattern *root,
                     const struct txg_collect_names *names, struct txg_err *err)
{
    *p = (struct txg_pattern){.absolute = *raw == '/', .root = root};
    if (is_plain(raw)) {
        const char *front = p->absolute ? "" : root->literal;
        const char *slash = p->absolute || root->n_parts == 0 ? "" : "/";
        p->literal = txg_xasprintf("%s%s%s", front, slash, raw);
        return 0;
    }
    if (append_from_root(p, raw, names, err) < 0) {
        append_from_root(p, raw, NULL, NULL);
        TXG_AUTOFREE char *as_it_stands = join(p, false);
        if (access(as_it_stands, F_OK) != 0)
            return -1;
    }
    for (size_t i = 0; i < p->n_parts; i++) {
        p->magic |= p->parts[i].magic;
        p->filled |= p->parts[i].glob.n > 1;
    }
    p->literal = join(p, false);
    if (p->magic)
        p->glob = join(p, true);
    return 0;
}

/* In a component without a pattern a '\\' is a character of the name. */
static bool matches(const struct txg_pattern_part *part, const char *text, const char *name)
{
    return part->magic ? txg_wildcard_match(text, name) : strcmp(text, name) == 0;
}

/* Appends `name` without what the values stand for in it: from the text at `i` on, finds where each
 * value must stand so that the rest still matches. */
static bool cut_values(const struct txg_pattern_part *part, size_t i, const char *name,
                       struct txg_buf *out)
{
    const char *text = part->glob.items[i];
    if (i + 1 == part->glob.n) {
        if (!matches(part, text, name))
            return false;
        txg_buf_puts(out, name);
        return true;
    }
    char value[NAME_MAX + 1];
    size_t len = 0;
    for (const char *s = part->glob.items[i + 1]; *s && len < NAME_MAX; s++) {
        s += *s == '\\';
        value[len++] = *s;
    }
    value[len] = '\0';
    for (const char *at = txg_strstr(name, value); at; at = txg_strstr(at + 1, value)) {
        TXG_AUTOFREE char *front = txg_xstrndup(name, (size_t)(at - name));
        size_t held = out->tail;
        if (!matches(part, text, front))
            continue;
        txg_buf_puts(out, front);
        if (cut_values(part, i + 2, at + len, out))
            return true;
        out->tail = held;
    }
    return false;
}

/* How many components from the front on are the same. */
static size_t common(const char *a, const char *b)
{
    size_t n = 0;
    for (; *a == '/' && *b == '/'; n++) {
        size_t len = strcspn(a + 1, "/");
        if (len == 0 || len != strcspn(b + 1, "/") || memcmp(a, b, len + 1) != 0)
            break;
        a += len + 1;
        b += len + 1;
    }
    return n;
}

/* Appends component `i` of a path, which is `len` bytes at `name`, as a nodeid shows it. */
static void show(const struct txg_pattern *p, size_t i, const char *name, size_t len,
                 struct txg_buf *out)
{
    const struct txg_pattern_part *part = i < p->n_parts ? &p->parts[i] : NULL;
    if (part && part->only_values)
        return;
    size_t held = txg_buf_len(out);
    if (held > 0 && txg_buf_data(out)[held - 1] != '/')
        txg_buf_putc(out, '/');
    if (part && part->glob.n > 1) {
        TXG_AUTOFREE char *whole = txg_xstrndup(name, len);
        if (cut_values(part, 0, whole, out))
            return;
    }
    txg_buf_append(out, name, len);
}

char *txg_pattern_nodeid(const struct txg_pattern *p, const char *path)
{
    size_t n_root = p->root->n_parts;
    size_t skip = common(path, p->root->literal);
    bool inside = skip == n_root;
    if (inside && !p->filled)
        return txg_xstrdup(path + (skip ? strlen(p->root->literal) : 0) + 1);
    struct txg_buf out = {0};
    if (!inside && p->absolute) {
        skip = 0;
        txg_buf_putc(&out, '/');
    }
    for (size_t up = skip; !p->absolute && up < n_root; up++)
        txg_buf_puts(&out, "../");
    for (size_t i = 0; *path == '/'; i++) {
        size_t len = strcspn(++path, "/");
        if (i >= skip)
            show(p, i, path, len, &out);
        path += len;
    }
    if (txg_buf_len(&out) == 0 && p->n_parts > 0)
        txg_buf_puts(&out, p->parts[p->n_parts - 1].raw);
    return txg_buf_take_cstr(&out);
}
