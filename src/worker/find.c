#include "config.h"

#include "src/worker/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/str.h"
#include "src/worker/collect.h"
#include "src/worker/wildcard.h"

void txg_find_release(struct txg_find *f)
{
    txg_strv_release(&f->paths);
    txg_strv_release(&f->faults);
    *f = (struct txg_find){0};
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct txg_find *f)
{
    if (f->paths.n > 1)
        qsort(f->paths.items, f->paths.n, sizeof *f->paths.items, by_bytes);
}

/* False once there are too many; the first time, that is noted. */
static bool room(struct txg_find *f)
{
    if (f->paths.n < TXG_COLLECT_FILES_MAX)
        return true;
    if (!f->full)
        txg_strv_take(&f->faults, txg_xasprintf("more than %u executables: the rest was left out; "
                                                "name something smaller",
                                                TXG_COLLECT_FILES_MAX));
    f->full = true;
    return false;
}

static bool is_shared_library(const char *name)
{
    return txg_has_suffix(name, ".so") || txg_strstr(name, ".so.");
}

/* What a directory entry is, symbolic links to files followed; 0 for what is not searched. */
static mode_t kind(int dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type == DT_REG)
        return S_IFREG;
    if (entry->d_type == DT_DIR)
        return S_IFDIR;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return 0;
    if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return S_IFDIR;
    if (fstatat(dir, entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
        return S_IFREG;
    return 0;
}

static void walk(struct txg_find *f, const char *path, int depth)
{
    DIR *d = opendir(path);
    if (!d) {
        txg_strv_take(&f->faults, txg_xasprintf("%s can't be searched: %s", path, strerror(errno)));
        return;
    }
    if (depth > TXG_COLLECT_DEPTH_MAX) {
        txg_strv_take(&f->faults, txg_xasprintf("%s lies more than %d directories deep: name it",
                                                path, TXG_COLLECT_DEPTH_MAX));
        closedir(d);
        return;
    }
    struct txg_buf below = {0}; /* the entry's path */
    txg_buf_puts(&below, path);
    if (!txg_has_suffix(path, "/"))
        txg_buf_putc(&below, '/');
    size_t front = txg_buf_len(&below);
    const struct dirent *entry;
    while ((entry = readdir(d)) && room(f)) {
        if (entry->d_name[0] == '.')
            continue;
        mode_t what = kind(dirfd(d), entry);
        below.tail = below.head + front;
        txg_buf_puts(&below, entry->d_name);
        if (what == S_IFDIR)
            walk(f, txg_buf_cstr(&below), depth + 1);
        else if (what == S_IFREG && !is_shared_library(entry->d_name) &&
                 (f->plain || faccessat(dirfd(d), entry->d_name, X_OK, 0) == 0))
            txg_strv_push_n(&f->paths, txg_buf_data(&below), txg_buf_len(&below));
        else if (what == S_IFREG)
            f->passed_over++;
    }
    txg_buf_release(&below);
    closedir(d);
}

void txg_find_in_directory(struct txg_find *f, const char *path)
{
    walk(f, path, 0);
    sort(f);
}

struct match { /* of one pattern, on its way down the directories */
    struct txg_find *find;
    struct txg_buf path; /* what of it is known */
};

static void take_match(struct txg_find *f, const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && (f->any || (S_ISREG(st.st_mode) && (f->plain || access(path, X_OK) == 0))))
        txg_strv_push(&f->paths, path);
    else
        f->passed_over++;
}

/* Appends a component without its escapes. */
static void append_plain(struct txg_buf *path, const char *part, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (part[i] == '\\' && i + 1 < len)
            i++;
        txg_buf_putc(path, part[i]);
    }
}

/* `rest` begins with the '/' in front of the next component, or is empty. */
static void match(struct match *m, const char *rest)
{
    size_t len = *rest ? strcspn(rest + 1, "/") : 0, front = txg_buf_len(&m->path);
    if (*rest == '\0') {
        if (access(txg_buf_cstr(&m->path), F_OK) == 0)
            take_match(m->find, txg_buf_cstr(&m->path));
        return;
    }
    if (!txg_wildcard_is_magic(rest + 1, len)) {
        txg_buf_putc(&m->path, '/');
        append_plain(&m->path, rest + 1, len);
        match(m, rest + 1 + len);
        m->path.tail = m->path.head + front;
        return;
    }
    DIR *d = opendir(front ? txg_buf_cstr(&m->path) : "/");
    if (!d)
        return; /* no such directory or not ours to read: no match, as in a shell */
    TXG_AUTOFREE char *part = txg_xstrndup(rest + 1, len);
    const struct dirent *entry;
    txg_buf_putc(&m->path, '/');
    while ((entry = readdir(d)) && room(m->find)) {
        bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (dots || txg_wildcard_hides(part, entry->d_name) ||
            !txg_wildcard_match(part, entry->d_name))
            continue;
        txg_buf_puts(&m->path, entry->d_name);
        match(m, rest + 1 + len);
        m->path.tail = m->path.head + front + 1;
    }
    m->path.tail = m->path.head + front;
    closedir(d);
}

void txg_find_matches(struct txg_find *f, const char *pattern)
{
    struct match m = {.find = f};
    match(&m, pattern);
    txg_buf_release(&m.path);
    sort(f);
}

int txg_find_check(const char *path, const struct stat *st, struct txg_err *err)
{
    if (!S_ISREG(st->st_mode))
        return txg_err_set(err, TXG_E_USAGE, "%s is neither a file nor a directory", path);
    if (access(path, X_OK) == 0)
        return 0;
    if (st->st_mode & 0111)
        return txg_err_sys(err, errno, "%s may not be executed here", path);
    return txg_err_set(err, TXG_E_USAGE,
                       "%s is not executable: chmod +x it, or name the program that runs it", path);
}
