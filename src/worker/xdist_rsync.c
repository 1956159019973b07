#include "config.h"

#include "src/worker/xdist_rsync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/strv.h"

#define DEPTH_MAX  64         /* of folders */
#define FILES_MAX  (1u << 20) /* that are wanted */
#define PATH_BYTES 4000

enum phase { START, STRUCTURE, FILES, LINKS };

struct folder {
    char *path;
    struct txg_strv names; /* of all that is in it */
    size_t next;
};

struct wanted {
    char *path;
    int64_t mode;
    double mtime;
};

struct txg_xdist_rsync {
    struct txg_buf *out;
    int32_t channel;
    enum phase phase;
    bool decline, remove_rest;
    char *root;
    struct folder stack[DEPTH_MAX];
    size_t depth;
    struct wanted *files;
    size_t n, cap, next;
};

struct txg_xdist_rsync *txg_xdist_rsync_new(int32_t channel, struct txg_buf *out)
{
    struct txg_xdist_rsync *r = txg_xcalloc(1, sizeof *r);
    r->channel = channel;
    r->out = out;
    return r;
}

static void pop(struct txg_xdist_rsync *r)
{
    struct folder *f = &r->stack[--r->depth];
    free(f->path);
    txg_strv_release(&f->names);
    *f = (struct folder){0};
}

void txg_xdist_rsync_free(struct txg_xdist_rsync *r)
{
    if (!r)
        return;
    while (r->depth > 0)
        pop(r);
    for (size_t i = 0; i < r->n; i++)
        free(r->files[i].path);
    free(r->files);
    free(r->root);
    free(r);
}

/* One step down, and nowhere else. */
static bool is_name(struct txg_span s)
{
    return s.len > 0 && !memchr(s.data, '/', s.len) && !memchr(s.data, '\0', s.len) &&
           !txg_span_is(s, ".") && !txg_span_is(s, "..");
}

/* `("name", value)`; the value stands in `put` already where it is not None. */
static size_t begin(struct txg_xdist_rsync *r, const char *name)
{
    size_t mark = txg_execnet_begin(r->out, TXG_EXECNET_DATA, r->channel);
    txg_execnet_put_str(r->out, name);
    return mark;
}

static void end(struct txg_xdist_rsync *r, size_t mark)
{
    txg_execnet_put_tuple(r->out, 2);
    txg_execnet_put_stop(r->out);
    txg_execnet_end(r->out, mark);
}

static void say(struct txg_xdist_rsync *r, const char *name)
{
    size_t mark = begin(r, name);
    txg_execnet_put_none(r->out);
    end(r, mark);
}

/* ("send", ([component, ...], no checksum)) for a path below the root */
static void ask(struct txg_xdist_rsync *r, const char *path)
{
    const char *rest = path + strlen(r->root);
    uint32_t n = 0;
    for (const char *c = rest; *c; c++)
        n += *c == '/';
    size_t mark = begin(r, "send");
    txg_execnet_put_list(r->out, n);
    for (uint32_t i = 0; i < n; i++) {
        rest++;
        size_t len = strcspn(rest, "/");
        txg_execnet_put_int(r->out, i);
        txg_execnet_put_text(r->out, txg_span(rest, len));
        txg_execnet_put_setitem(r->out);
        rest += len;
    }
    txg_execnet_put_none(r->out);
    txg_execnet_put_tuple(r->out, 2);
    end(r, mark);
}

static void remove_tree(const char *path, int depth)
{
    if (unlink(path) == 0 || depth == DEPTH_MAX)
        return;
    DIR *dir = opendir(path);
    if (dir) {
        for (struct dirent *e; (e = readdir(dir));) {
            if (!is_name(txg_span_cstr(e->d_name)))
                continue;
            TXG_AUTOFREE char *inner = txg_xasprintf("%s/%s", path, e->d_name);
            remove_tree(inner, depth + 1);
        }
        closedir(dir);
    }
    rmdir(path);
}

/* With rsync --delete's meaning: what the sender has not goes. */
static void remove_others(const struct folder *f)
{
    DIR *dir = opendir(f->path);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        bool known = !is_name(txg_span_cstr(e->d_name));
        for (size_t i = 0; i < f->names.n && !known; i++)
            known = strcmp(f->names.items[i], e->d_name) == 0;
        if (known)
            continue;
        TXG_AUTOFREE char *path = txg_xasprintf("%s/%s", f->path, e->d_name);
        remove_tree(path, 0);
    }
    closedir(dir);
}

static int take_start(struct txg_xdist_rsync *r, const struct txg_execnet_value *v,
                      struct txg_err *err)
{
    bool pair =
        v->kind == TXG_EXECNET_TUPLE && v->many.n == 2 && v->many.items[0].kind == TXG_EXECNET_STR;
    if (!pair)
        return txg_err_set(err, TXG_E_PROTO, "rsync: (folder, options) expected");
    struct txg_span root = v->many.items[0].text;
    r->root = txg_xstrndup(root.data, root.len);
    if (!is_name(root))
        return txg_err_set(err, TXG_E_PROTO, "rsync: '%s' is no name of a folder here", r->root);
    const struct txg_execnet_value *wish = txg_execnet_get(&v->many.items[1], "delete");
    r->remove_rest = wish && wish->kind == TXG_EXECNET_BOOL && wish->boolean;
    r->decline = txg_span_is(root, "pytest") || txg_span_is(root, "_pytest");
    r->phase = STRUCTURE;
    return 0;
}

/* A folder: [mode, name, ...] */
static int take_folder(struct txg_xdist_rsync *r, const char *path,
                       const struct txg_execnet_value *v, struct txg_err *err)
{
    struct stat st;
    if (r->depth == DEPTH_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "rsync: %s: deeper than %d folders", path, DEPTH_MAX);
    struct folder *f = &r->stack[r->depth++];
    f->path = txg_xstrdup(path);
    for (uint32_t i = 1; i < v->many.n; i++) {
        struct txg_span name =
            v->many.items[i].kind == TXG_EXECNET_STR ? v->many.items[i].text : (struct txg_span){0};
        if (!is_name(name))
            return txg_err_set(err, TXG_E_PROTO, "rsync: %s: '%.*s' is no name of a file", path,
                               TXG_FMT(name));
        txg_strv_push_n(&f->names, name.data, name.len);
    }
    if (r->decline)
        return 0;
    if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        unlink(path);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return txg_err_sys(err, errno, "rsync: %s", path);
    if (v->many.n > 0 && v->many.items[0].kind == TXG_EXECNET_INT && v->many.items[0].integer)
        chmod(path, (mode_t)(v->many.items[0].integer & 07777) | 0700);
    return 0;
}

static bool is_same(const char *path, double mtime, int64_t size)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        remove_tree(path, 0);
        return false;
    }
    double diff = (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9 - mtime;
    return st.st_size == size && diff > -0.001 && diff < 0.001;
}

/* A file: (mode, mtime, size) */
static int take_file(struct txg_xdist_rsync *r, const char *path, const struct txg_execnet_value *v,
                     struct txg_err *err)
{
    const struct txg_execnet_value *items = v->many.items;
    if (v->many.n != 3 || items[2].kind != TXG_EXECNET_INT ||
        (items[1].kind != TXG_EXECNET_INT && items[1].kind != TXG_EXECNET_FLOAT))
        return txg_err_set(err, TXG_E_PROTO, "rsync: %s: (mode, mtime, size) expected", path);
    double mtime = items[1].kind == TXG_EXECNET_INT ? (double)items[1].integer : items[1].real;
    int64_t mode = items[0].kind == TXG_EXECNET_INT ? items[0].integer & 07777 : 0;
    if (r->decline)
        return 0;
    if (is_same(path, mtime, items[2].integer)) {
        if (mode)
            chmod(path, (mode_t)mode);
        return 0;
    }
    if (r->n == FILES_MAX)
        return txg_err_set(err, TXG_E_LIMIT, "rsync: more than %u files", FILES_MAX);
    r->files = txg_grow(r->files, r->n, &r->cap, sizeof *r->files);
    r->files[r->n++] = (struct wanted){txg_xstrdup(path), mode, mtime};
    ask(r, path);
    return 0;
}

static void next_phase(struct txg_xdist_rsync *r)
{
    if (r->phase == STRUCTURE) {
        say(r, "list_done");
        r->phase = FILES;
    }
    if (r->phase == FILES && r->next == r->n) {
        say(r, "links");
        r->phase = LINKS;
    }
}

static int take_entry(struct txg_xdist_rsync *r, const struct txg_execnet_value *v,
                      struct txg_err *err)
{
    struct folder *top = r->depth ? &r->stack[r->depth - 1] : NULL;
    TXG_AUTOFREE char *path = top ? txg_xasprintf("%s/%s", top->path, top->names.items[top->next++])
                                  : txg_xstrdup(r->root);
    if (strlen(path) > PATH_BYTES)
        return txg_err_set(err, TXG_E_LIMIT, "rsync: a path of %zu bytes", strlen(path));
    int rc = 0;
    if (v->kind == TXG_EXECNET_LIST)
        rc = take_folder(r, path, v, err);
    else if (v->kind == TXG_EXECNET_TUPLE)
        rc = take_file(r, path, v, err);
    if (rc < 0)
        return -1;
    while (r->depth > 0 && r->stack[r->depth - 1].next == r->stack[r->depth - 1].names.n) {
        if (r->remove_rest && !r->decline)
            remove_others(&r->stack[r->depth - 1]);
        pop(r);
    }
    if (r->depth == 0)
        next_phase(r);
    return 0;
}

static int write_file(const struct wanted *w, struct txg_span data, struct txg_err *err)
{
    int fd = open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return txg_err_sys(err, errno, "rsync: %s", w->path);
    while (data.len > 0) {
        ssize_t n = write(fd, data.data, data.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            txg_err_sys(err, errno, "rsync: %s", w->path);
            close(fd);
            return -1;
        }
        data = txg_span(data.data + n, data.len - (size_t)n);
    }
    time_t seconds = (time_t)w->mtime;
    long nanoseconds = (long)((w->mtime - (double)seconds) * 1e9);
    struct timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    if (w->mode)
        fchmod(fd, (mode_t)w->mode);
    futimens(fd, times);
    if (close(fd) != 0)
        return txg_err_sys(err, errno, "rsync: %s", w->path);
    return 0;
}

static int take_bytes(struct txg_xdist_rsync *r, const struct txg_execnet_value *v,
                      struct txg_err *err)
{
    const struct wanted *w = &r->files[r->next++];
    if (v->kind != TXG_EXECNET_BYTES && v->kind != TXG_EXECNET_NONE)
        return txg_err_set(err, TXG_E_PROTO, "rsync: %s: its bytes expected", w->path);
    if (v->kind == TXG_EXECNET_BYTES && write_file(w, v->text, err) < 0)
        return -1;
    size_t mark = begin(r, "ack");
    const char *below = w->path + strlen(r->root);
    txg_execnet_put_text(r->out, txg_span_cstr(*below == '/' ? below + 1 : below));
    end(r, mark);
    next_phase(r);
    return 0;
}

/* ("link" or "linkbase", path, target): the latter's target is a path below the root. */
static int take_link(struct txg_xdist_rsync *r, const struct txg_execnet_value *v,
                     struct txg_err *err)
{
    if (v->kind == TXG_EXECNET_INT && v->integer == 42) {
        say(r, "done");
        return 1;
    }
    const struct txg_execnet_value *items = v->many.items;
    if (v->kind != TXG_EXECNET_TUPLE || v->many.n != 3 || items[0].kind != TXG_EXECNET_STR ||
        items[1].kind != TXG_EXECNET_STR || items[2].kind != TXG_EXECNET_STR)
        return txg_err_set(err, TXG_E_PROTO, "rsync: a link expected");
    if (r->decline)
        return 0;
    TXG_AUTOFREE char *path = txg_xasprintf("%s/%.*s", r->root, TXG_FMT(items[1].text));
    TXG_AUTOFREE char *target = txg_xstrndup(items[2].text.data, items[2].text.len);
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (!is_name(txg_span(at, strcspn(at, "/"))))
            return txg_err_set(err, TXG_E_PROTO, "rsync: a link at %s", path);
    }
    if (txg_span_is(items[0].text, "linkbase")) {
        TXG_AUTOFREE char *cwd = getcwd(NULL, 0);
        char *whole = txg_xasprintf("%s/%s/%s", cwd ? cwd : "", r->root, target);
        free(target);
        target = whole;
    }
    remove_tree(path, 0);
    if (symlink(target, path) != 0)
        return txg_err_sys(err, errno, "rsync: %s", path);
    return 0;
}

int txg_xdist_rsync_take(struct txg_xdist_rsync *r, const struct txg_execnet_value *v,
                         struct txg_err *err)
{
    switch (r->phase) {
    case START:
        return take_start(r, v, err);
    case STRUCTURE:
        return take_entry(r, v, err);
    case FILES:
        return take_bytes(r, v, err);
    case LINKS:
        break;
    }
    return take_link(r, v, err);
}
