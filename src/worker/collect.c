#include "config.h"

#include "src/worker/collect.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/worker/dir.h"
#include "src/worker/find.h"
#include "src/worker/pattern.h"

/* Items by a string of theirs: open addressing, at most half full. */
struct index {
    struct slot {
        uint64_t hash;
        size_t item; /* number + 1; 0 is free */
    } * slots;
    size_t cap, n;
};

/* One collecting. */
struct run {
    struct txg_collection *c;
    struct index by_path, by_nodeid;
    size_t suite;
    struct txg_pattern root; /* of that suite */
    const char *pattern;     /* as sent */
    const char *only;        /* of that: behind `::`; NULL: all */
    struct txg_dir dir;
};

static void suite_release(struct txg_suite *s)
{
    free(s->harness);
    free(s->root);
    free(s->cwd);
    txg_strv_release(&s->args);
    txg_strv_release(&s->paths);
    txg_strv_release(&s->command);
    txg_strv_release(&s->list);
    txg_strv_release(&s->run);
    free(s->source);
}

void txg_collection_release(struct txg_collection *c)
{
    for (size_t i = 0; i < c->n_suites; i++)
        suite_release(&c->suites[i]);
    for (size_t i = 0; i < c->n_programs; i++) {
        txg_strv_release(&c->programs[i].only);
        txg_names_release(&c->programs[i].cases);
        txg_strv_release(&c->programs[i].paths);
    }
    txg_strv_release(&c->paths);
    txg_arena_release(&c->texts);
    free(c->programs);
    for (size_t i = 0; i < c->n_errors; i++) {
        free(c->errors[i].nodeid);
        free(c->errors[i].text);
    }
    free(c->suites);
    free(c->items);
    free(c->errors);
    *c = (struct txg_collection){0};
}

static int check_text(struct txg_span s, const char *what, struct txg_err *err)
{
    if (s.len > 0 && memchr(s.data, '\0', s.len))
        return txg_err_set(err, TXG_E_PROTO, "%s holds a NUL byte", what);
    return 0;
}

static int check_texts(const struct txg_span *texts, size_t n, struct txg_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (check_text(texts[i], "an argument", err) < 0)
            return -1;
    return 0;
}

static char *dup_span(struct txg_span s)
{
    return txg_xstrndup(s.data ? s.data : "", s.len);
}

static void take_texts(struct txg_strv *to, const struct txg_span *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        txg_strv_take(to, dup_span(texts[i]));
}

static int check_harness(struct txg_span name, struct txg_err *err)
{
    if (txg_span_is(name, "auto") || txg_harness_find(name))
        return 0;
    TXG_AUTOFREE char *word = dup_span(name);
    struct txg_buf known = {0};
    for (size_t i = 0; txg_harness_names[i]; i++)
        txg_buf_printf(&known, "%s%s", i ? ", " : "", txg_harness_names[i]);
    const char *near = txg_nearest(word, txg_harness_names);
    txg_err_set(err, TXG_E_USAGE, "unknown harness '%s': known are %s%s%s%s", word,
                txg_buf_cstr(&known), near ? "; did you mean " : "", near ? near : "",
                near ? "?" : "");
    txg_buf_release(&known);
    return -1;
}

int txg_collection_add_suite(struct txg_collection *c, const struct txg_msg_suite *msg,
                             struct txg_err *err)
{
    if (msg->suite < 0 || (uint64_t)msg->suite != c->n_suites)
        return txg_err_set(err, TXG_E_PROTO, "suite %lld came where number %zu is next",
                           (long long)msg->suite, c->n_suites);
    if (c->n_suites == TXG_COLLECT_SUITES_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "more than %u suites", TXG_COLLECT_SUITES_MAX);
    if (msg->timeout < 0 || msg->grace < 0)
        return txg_err_set(err, TXG_E_PROTO, "suite %zu: negative timeout or grace", c->n_suites);
    if (check_text(msg->harness, "harness", err) < 0 || check_text(msg->root, "root", err) < 0 ||
        check_text(msg->cwd, "cwd", err) < 0 || check_harness(msg->harness, err) < 0)
        return txg_err_wrap(err, "suite %zu", c->n_suites);
    if (check_texts(msg->args, msg->n_args, err) < 0 ||
        check_texts(msg->command, msg->n_command, err) < 0)
        return txg_err_wrap(err, "suite %zu", c->n_suites);
    if (txg_span_is(msg->harness, txg_harness_pytest.name) != (msg->n_command > 0))
        return txg_err_set(err, TXG_E_PROTO, "suite %zu: a command goes with the harness %s only",
                           c->n_suites, txg_harness_pytest.name);
    if (check_texts(msg->list, msg->n_list, err) < 0 || check_texts(msg->run, msg->n_run, err) < 0)
        return txg_err_wrap(err, "suite %zu", c->n_suites);
    bool pair = txg_span_is(msg->harness, txg_harness_pair.name);
    if (pair != (msg->n_list > 0) || pair != (msg->n_run > 0))
        return txg_err_set(err, TXG_E_PROTO, "suite %zu: list and run go with the harness %s only",
                           c->n_suites, txg_harness_pair.name);
    c->suites = txg_grow(c->suites, c->n_suites, &c->cap_suites, sizeof *c->suites);
    struct txg_suite *s = &c->suites[c->n_suites++];
    *s = (struct txg_suite){.harness = dup_span(msg->harness),
                            .root = dup_span(msg->root),
                            .cwd = dup_span(msg->cwd),
                            .timeout = msg->timeout,
                            .grace = msg->grace};
    take_texts(&s->args, msg->args, msg->n_args);
    take_texts(&s->command, msg->command, msg->n_command);
    take_texts(&s->list, msg->list, msg->n_list);
    take_texts(&s->run, msg->run, msg->n_run);
    s->n_source = msg->source.len;
    s->source = s->n_source ? dup_span(msg->source) : NULL;
    return 0;
}

int txg_collection_add_files(struct txg_collection *c, const struct txg_msg_files *msg,
                             struct txg_err *err)
{
    if (msg->suite < 0 || (uint64_t)msg->suite >= c->n_suites)
        return txg_err_set(err, TXG_E_PROTO, "files for suite %lld, of which there is none",
                           (long long)msg->suite);
    struct txg_suite *s = &c->suites[msg->suite];
    if (msg->n_paths > TXG_COLLECT_PATTERNS_MAX - s->paths.n)
        return txg_err_set(err, TXG_E_LIMIT, "suite %lld: more than %u files and patterns",
                           (long long)msg->suite, TXG_COLLECT_PATTERNS_MAX);
    for (size_t i = 0; i < msg->n_paths; i++)
        if (check_text(msg->paths[i], "a path", err) < 0)
            return txg_err_wrap(err, "suite %lld", (long long)msg->suite);
    take_texts(&s->paths, msg->paths, msg->n_paths);
    return 0;
}

void txg_collection_error(struct txg_collection *c, const char *nodeid, const char *text)
{
    c->errors = txg_grow(c->errors, c->n_errors, &c->cap_errors, sizeof *c->errors);
    c->errors[c->n_errors++] =
        (struct txg_collect_error){.nodeid = txg_xstrdup(nodeid), .text = txg_xstrdup(text)};
}

__attribute__((format(printf, 2, 3))) static void error(struct run *r, const char *fmt, ...)
{
    char text[TXG_ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    txg_collection_error(r->c, r->pattern, text);
}

static void index_grow(struct index *x)
{
    size_t cap = x->cap ? x->cap * 2 : 64;
    struct slot *slots = txg_xcalloc(cap, sizeof *slots);
    for (size_t i = 0; i < x->cap; i++) {
        if (!x->slots[i].item)
            continue;
        size_t at = x->slots[i].hash & (cap - 1);
        while (slots[at].item)
            at = (at + 1) & (cap - 1);
        slots[at] = x->slots[i];
    }
    free(x->slots);
    x->slots = slots;
    x->cap = cap;
}

/* The slot that holds `key`, or the free one where it belongs: then its hash is set, its item is
 * not. `nodeid` says which string of an item the index goes by. */
static struct slot *index_find(struct index *x, const struct txg_item *items, bool nodeid,
                               const char *key)
{
    if (2 * x->n >= x->cap)
        index_grow(x);
    uint64_t hash = txg_hash_key(key, strlen(key));
    for (size_t at = hash & (x->cap - 1);; at = (at + 1) & (x->cap - 1)) {
        struct slot *s = &x->slots[at];
        if (!s->item) {
            s->hash = hash;
            return s;
        }
        const struct txg_item *item = &items[s->item - 1];
        if (s->hash == hash && strcmp(nodeid ? item->nodeid : item->path, key) == 0)
            return s;
    }
}

static void want(struct run *r, struct txg_item *item)
{
    if (!item->harness->cases) {
        if (r->only)
            error(r, "%s is one test for the harness '%s': it has no case '%s'", item->path,
                  item->harness->name, r->only);
        return;
    }
    struct txg_program *program = &r->c->programs[item->program];
    if (r->only)
        txg_strv_push(&program->only, r->only);
    else
        program->whole = true;
}

static void add_program(struct txg_collection *c, size_t item)
{
    c->programs = txg_grow(c->programs, c->n_programs, &c->cap_programs, sizeof *c->programs);
    c->items[item].program = c->n_programs;
    c->programs[c->n_programs++] = (struct txg_program){.item = item};
}

static void add_item(struct run *r, const struct txg_pattern *p, const char *path)
{
    struct txg_collection *c = r->c;
    struct slot *by_path = index_find(&r->by_path, c->items, false, path);
    if (by_path->item) {
        want(r, &c->items[by_path->item - 1]);
        return;
    }
    TXG_AUTOFREE char *nodeid = txg_pattern_nodeid(p, path);
    struct slot *by_nodeid = index_find(&r->by_nodeid, c->items, true, nodeid);
    if (by_nodeid->item) {
        error(r,
              "%s and %s would both be called %s: let them differ outside of what {arch}, {id} and "
              "{label} stand for, or leave one out",
              c->items[by_nodeid->item - 1].path, path, nodeid);
        return;
    }
    const char *harness = c->suites[r->suite].harness;
    struct txg_err err;
    const struct txg_harness_ops *ops =
        txg_harness_choose(txg_harness_find(txg_span_cstr(harness)), path, &r->dir, &err);
    if (!ops) {
        error(r, "%s", err.text);
        return;
    }
    c->items = txg_grow(c->items, c->n_items, &c->cap_items, sizeof *c->items);
    txg_strv_push(&c->paths, path);
    c->items[c->n_items++] =
        (struct txg_item){.harness = ops,
                          .suite = r->suite,
                          .nodeid = txg_arena_copy(&c->texts, txg_span_cstr(nodeid)),
                          .path = c->paths.items[c->paths.n - 1]};
    by_path->item = by_nodeid->item = c->n_items;
    if (c->items[c->n_items - 1].harness->cases)
        add_program(c, c->n_items - 1);
    want(r, &c->items[c->n_items - 1]);
    r->by_path.n++;
    r->by_nodeid.n++;
}

/* Says why a directory or a pattern gave nothing, unless a fault already does. */
static void nothing_found(struct run *r, const struct txg_pattern *p, const struct txg_find *f,
                          bool directory)
{
    if (f->paths.n > 0 || f->faults.n > 0)
        return;
    if (f->passed_over > 0)
        error(r, "%s: none of %zu files can be executed: chmod +x the tests", p->literal,
              f->passed_over);
    else if (directory)
        error(r, "%s: no executable in this directory: are the tests built?", p->literal);
    else
        error(r, "nothing matches %s: are the tests built, and is this the right directory?",
              p->literal);
}

/* Need tests be no executables? Not where a pair names the program that runs them. */
static bool is_plain(const struct run *r)
{
    const struct txg_strv *list = &r->c->suites[r->suite].list;
    return list->n > 0 && strcmp(list->items[0], TXG_PAIR_FILE) != 0;
}

static void collect_many(struct run *r, const struct txg_pattern *p, bool directory)
{
    struct txg_find found = {.plain = is_plain(r)};
    if (directory)
        txg_find_in_directory(&found, p->literal);
    else
        txg_find_matches(&found, p->glob);
    for (size_t i = 0; i < found.paths.n; i++)
        add_item(r, p, found.paths.items[i]);
    for (size_t i = 0; i < found.faults.n; i++)
        error(r, "%s", found.faults.items[i]);
    nothing_found(r, p, &found, directory);
    txg_find_release(&found);
}

static void not_there(struct run *r, const char *path)
{
    error(r, "%s: %s%s", path, strerror(errno),
          errno == ENOENT ? ": is it built, and is this the right directory?" : "");
}

static void collect_raw(struct run *r, const char *raw, const struct txg_collect_names *names)
{
    struct txg_pattern p;
    struct txg_err err;
    struct stat st;
    const char *behind = r->only ? NULL : txg_strstr(raw, "::");
    if (txg_pattern_init(&p, raw, &r->root, names, &err) < 0) {
        error(r, "%s", err.text);
    } else if (stat(p.literal, &st) != 0) {
        if (behind && behind > raw && behind[2]) {
            TXG_AUTOFREE char *file = txg_xstrndup(raw, (size_t)(behind - raw));
            r->only = behind + 2;
            collect_raw(r, file, names);
            r->only = NULL;
        } else if (p.magic && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG))
            collect_many(r, &p, false);
        else
            not_there(r, p.literal);
    } else if (S_ISDIR(st.st_mode) && r->only) {
        error(r, "%s is a directory: a case is in a file", p.literal);
    } else if (S_ISDIR(st.st_mode)) {
        collect_many(r, &p, true);
    } else if (!(is_plain(r) && S_ISREG(st.st_mode)) && txg_find_check(p.literal, &st, &err) < 0) {
        error(r, "%s", err.text);
    } else {
        add_item(r, &p, p.literal);
    }
    txg_pattern_release(&p);
}

static void collect_pattern(struct run *r, const struct txg_collect_names *names)
{
    if (*r->pattern == '\0')
        error(r, "an empty path: name a file, a directory or a pattern");
    else
        collect_raw(r, r->pattern, names);
}

void txg_collection_argv(const struct txg_collection *c, const struct txg_item *item,
                         struct txg_strv *argv)
{
    const struct txg_suite *suite = &c->suites[item->suite];
    if (suite->command.n > 0)
        txg_strv_copy(argv, &suite->command);
    else if (suite->list.n > 0)
        txg_pair_fill(item->name ? &suite->run : &suite->list, item->path, item->name, argv);
    else
        txg_strv_push(argv, item->path);
    txg_strv_copy(argv, &suite->args);
    if (suite->command.n > 0)
        txg_strv_copy(argv, &c->programs[item->program].paths);
}

bool txg_collection_is_bare(const struct txg_collection *c, const struct txg_item *item,
                            const struct txg_strv *argv)
{
    return c->suites[item->suite].command.n > 0 || strcmp(argv->items[0], item->path) != 0;
}

/* One of the files of a suite with a command, or of what is to be one. */
static void add_path(struct run *r, const struct txg_collect_names *names, struct txg_strv *paths)
{
    const char *behind = txg_strstr(r->pattern, "::");
    TXG_AUTOFREE char *file =
        txg_xstrndup(r->pattern, behind ? (size_t)(behind - r->pattern) : strlen(r->pattern));
    struct txg_pattern p;
    struct txg_find found = {.any = true};
    struct txg_err err;
    if (*file == '\0') {
        error(r, "an empty path: name a file, a directory or a pattern");
        return;
    }
    if (txg_pattern_init(&p, file, &r->root, names, &err) < 0) {
        error(r, "%s", err.text);
    } else if (access(p.literal, F_OK) == 0) {
        txg_strv_take(paths, txg_xasprintf("%s%s", p.literal, behind ? behind : ""));
    } else if (p.magic && !behind) {
        txg_find_matches(&found, p.glob);
        txg_strv_copy(paths, &found.paths);
        nothing_found(r, &p, &found, false);
    } else {
        not_there(r, p.literal);
    }
    txg_find_release(&found);
    txg_pattern_release(&p);
}

/* All files of the suite are one program's affair. */
static void collect_command(struct run *r, const struct txg_collect_names *names)
{
    struct txg_collection *c = r->c;
    const struct txg_suite *suite = &c->suites[r->suite];
    struct txg_strv paths = {0};
    struct txg_buf nodeid = {0};
    for (size_t i = 0; i < suite->paths.n; i++) {
        r->pattern = suite->paths.items[i];
        txg_buf_printf(&nodeid, "%s%s", i ? " " : "", r->pattern);
        add_path(r, names, &paths);
    }
    if (paths.n == 0) {
        txg_strv_release(&paths);
        txg_buf_release(&nodeid);
        return;
    }
    struct txg_span all = txg_span(txg_buf_data(&nodeid), txg_buf_len(&nodeid));
    c->items = txg_grow(c->items, c->n_items, &c->cap_items, sizeof *c->items);
    txg_strv_push(&c->paths, suite->command.items[0]);
    c->items[c->n_items++] =
        (struct txg_item){.harness = txg_harness_find(txg_span_cstr(suite->harness)),
                          .suite = r->suite,
                          .nodeid = txg_arena_copy(&c->texts, all),
                          .path = c->paths.items[c->paths.n - 1]};
    txg_buf_release(&nodeid);
    add_program(c, c->n_items - 1);
    c->programs[c->n_programs - 1].whole = true;
    c->programs[c->n_programs - 1].paths = paths;
}

void txg_collection_run(struct txg_collection *c, const struct txg_collect_names *names,
                        const char *cwd)
{
    struct run r = {.c = c};
    for (r.suite = 0; r.suite < c->n_suites; r.suite++) {
        const struct txg_suite *suite = &c->suites[r.suite];
        txg_pattern_init_root(&r.root, suite->root, cwd);
        if (suite->command.n > 0)
            collect_command(&r, names);
        for (size_t i = 0; i < suite->paths.n && suite->command.n == 0; i++) {
            r.pattern = suite->paths.items[i];
            collect_pattern(&r, names);
        }
        txg_pattern_release(&r.root);
    }
    txg_dir_release(&r.dir);
    free(r.by_path.slots);
    free(r.by_nodeid.slots);
}
