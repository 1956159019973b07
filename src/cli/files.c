#include "config.h"

#include "src/cli/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uv.h>

#include "gateway/builds.h"
#include "src/base/sha256.h"
#include "src/base/str.h"
#include "src/worker/collect.h"
#include "src/worker/elf.h"
#include "src/worker/paths.h"
#include "src/worker/preload.h"

#define DEPTH_MAX 64 /* of folders below one that is synced */

/* A file that was hashed once: hosts want the same ones. */
struct known {
    struct txg_manifest_file file; /* all strings owned */
    bool looked_into, is_cunit;
};

struct list { /* of one host and folder */
    struct txg_manifest manifest;
    struct txg_manifest_file *files; /* strings borrowed from the known ones */
    size_t cap;
    char *folder; /* owned */
    bool wants_preload;
    struct txg_manifest_file preload; /* strings owned */
};

struct txg_files {
    const struct txg_plan *plan;
    const char *base;
    char folder[17];      /* in front of the machine's name */
    struct known **known; /* sorted by source */
    size_t n_known, cap_known;
    struct list **lists;
    size_t n_lists, cap_lists;
    uv_thread_t reader; /* has all of this to itself while it runs */
    bool reads;
};

struct txg_files *txg_files_new(const struct txg_plan *plan)
{
    struct txg_files *f = txg_xcalloc(1, sizeof *f);
    char host[256] = "", digits[TXG_SHA256_HEX];
    struct txg_sha256 h;
    f->plan = plan;
    f->base = plan->config.root ? plan->config.root : plan->start;
    gethostname(host, sizeof host - 1);
    txg_sha256_init(&h);
    txg_sha256_feed(&h, host, strlen(host) + 1);
    txg_sha256_feed(&h, f->base, strlen(f->base));
    txg_sha256_end(&h, digits);
    memcpy(f->folder, digits, sizeof f->folder - 1);
    return f;
}

static void stop_reading(struct txg_files *f)
{
    if (f->reads)
        uv_thread_join(&f->reader);
    f->reads = false;
}

void txg_files_free(struct txg_files *f)
{
    if (!f)
        return;
    stop_reading(f);
    for (size_t i = 0; i < f->n_known; i++) {
        free((char *)f->known[i]->file.source);
        free((char *)f->known[i]->file.content);
        free(f->known[i]);
    }
    for (size_t i = 0; i < f->n_lists; i++) {
        free(f->lists[i]->files);
        free(f->lists[i]->folder);
        free((char *)f->lists[i]->preload.source);
        free((char *)f->lists[i]->preload.content);
        free(f->lists[i]);
    }
    free(f->known);
    free(f->lists);
    free(f);
}

/* What `path` is below the base, or NULL. */
static const char *below_base(const struct txg_files *f, const char *path)
{
    size_t len = strcmp(f->base, "/") == 0 ? 0 : strlen(f->base);
    return strncmp(path, f->base, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

/* Where `source` stands among the known files, or would. */
static size_t place_of(const struct txg_files *f, const char *source, bool *found)
{
    size_t low = 0, high = f->n_known;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(f->known[middle]->file.source, source);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A link that stays below the base is taken as a link, any other as what it points to. NULL: it is
 * neither file nor link, or can't be read; a worker that wants it will say so. */
static char *content_of(const char *source, const char *path, struct stat *st)
{
    char target[PATH_MAX], hash[TXG_SHA256_HEX];
    if (lstat(source, st) != 0)
        return NULL;
    if (S_ISLNK(st->st_mode)) {
        ssize_t n = readlink(source, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        if (txg_path_link_stays(path, target))
            return txg_xstrdup(target);
    }
    int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok = fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && txg_sha256_fd(fd, hash) == 0;
    if (fd >= 0)
        close(fd);
    return ok ? txg_xstrdup(hash) : NULL;
}

static struct known *know(struct txg_files *f, const char *source)
{
    bool found;
    const char *path = below_base(f, source);
    size_t at = place_of(f, source, &found);
    if (found)
        return f->known[at];
    if (!path || !txg_path_is_below(path))
        return NULL;
    struct stat st;
    char *content = content_of(source, path, &st);
    if (!content)
        return NULL;
    struct known *k = txg_xcalloc(1, sizeof *k);
    k->file.source = txg_xstrdup(source);
    k->file.path = below_base(f, k->file.source);
    k->file.content = content;
    k->file.mode = st.st_mode;
    k->file.size = st.st_size;
    f->known = txg_grow(f->known, f->n_known, &f->cap_known, sizeof(struct known *));
    memmove(f->known + at + 1, f->known + at, (f->n_known++ - at) * sizeof(struct known *));
    f->known[at] = k;
    return k;
}

static void add_file(struct txg_files *f, struct list *list, const char *source)
{
    const struct known *k = know(f, source);
    if (!k)
        return;
    list->files = txg_grow(list->files, list->manifest.n, &list->cap, sizeof *list->files);
    list->files[list->manifest.n++] = k->file;
}

/* Everything below, hidden files too; what changes all the time in a work tree's .git is left out.
 */
static void add_tree(struct txg_files *f, struct list *list, const char *path, int depth)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && depth < DEPTH_MAX && (e = readdir(d))) {
        struct stat st;
        TXG_AUTOFREE char *below = txg_xasprintf("%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            strcmp(e->d_name, ".git") == 0 || lstat(below, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            add_tree(f, list, below, depth + 1);
        else
            add_file(f, list, below);
    }
    if (d)
        closedir(d);
}

/* What pytest reads above the files that it is given, to find its root and its conftests. */
static const char *const above[] = {"conftest.py", "__init__.py",    "pytest.ini",
                                    ".pytest.ini", "pyproject.toml", "tox.ini",
                                    "setup.cfg",   "setup.py",       NULL};

static bool is_python_refuse(const char *name)
{
    return name[0] == '.' || strcmp(name, "__pycache__") == 0 || txg_has_suffix(name, ".pyc") ||
           txg_has_suffix(name, ".pyo") || txg_has_suffix(name, "~");
}

/* A folder of Python tests, or (depth < 0) the modules that lie beside one. */
static void add_python_tree(struct txg_files *f, struct list *list, const char *path, int depth)
{
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && depth < DEPTH_MAX && (e = readdir(d))) {
        struct stat st;
        TXG_AUTOFREE char *below = txg_xasprintf("%s/%s", path, e->d_name);
        if (is_python_refuse(e->d_name) || lstat(below, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth >= 0)
            add_python_tree(f, list, below, depth + 1);
        else if (!S_ISDIR(st.st_mode) && (depth >= 0 || txg_has_suffix(below, ".py")))
            add_file(f, list, below);
    }
    if (d)
        closedir(d);
}

static void add_python(struct txg_files *f, struct list *list, const char *named)
{
    const char *cases = strstr(named, "::");
    TXG_AUTOFREE char *path = txg_xstrndup(named, cases ? (size_t)(cases - named) : strlen(named));
    struct stat st;
    char *slash;
    if (stat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode))
        add_python_tree(f, list, path, 0);
    else
        add_file(f, list, path);
    for (bool first = true; below_base(f, path) && (slash = strrchr(path, '/')); first = false) {
        *slash = '\0';
        if (first && !S_ISDIR(st.st_mode))
            add_python_tree(f, list, path, -1);
        for (size_t i = 0; above[i]; i++) {
            TXG_AUTOFREE char *file = txg_xasprintf("%s/%s", path, above[i]);
            add_file(f, list, file);
        }
    }
}

static void add_suite(struct txg_collection *c, const struct txg_plan_suite *from, size_t number,
                      bool python)
{
    struct txg_span word = TXG_SPAN("python"), list;
    struct txg_msg_suite suite = {.suite = (int64_t)number, .harness = TXG_SPAN("exec")};
    if (from->pytest) {
        suite.harness = TXG_SPAN("pytest");
        suite.command = &word;
        suite.n_command = 1;
    } else if (from->config && from->config->list.n > 0) {
        suite.harness = TXG_SPAN("pair");
        list = txg_span_cstr(from->config->list.items[0]);
        suite.list = suite.run = &list;
        suite.n_list = suite.n_run = 1;
    }
    suite.root = txg_span_cstr(from->root);
    txg_collection_add_suite(c, &suite, NULL);
    for (size_t i = 0; i < from->paths.n && txg_suite_is_on(from, python); i++) {
        struct txg_span path = txg_span_cstr(from->paths.items[i]);
        struct txg_msg_files files = {(int64_t)number, &path, 1};
        txg_collection_add_files(c, &files, NULL);
    }
}

/* As its worker will see it; which says what is wrong where something is. */
static bool wants_preload(struct txg_files *f, const struct txg_item *item)
{
    const struct txg_suite_config *config = f->plan->suites.items[item->suite].config;
    const char *harness = config && config->harness ? config->harness : f->plan->harness;
    if (strcmp(harness, "auto") != 0)
        return strcmp(harness, txg_harness_cunit.name) == 0;
    struct known *k = know(f, item->path);
    if (!k || k->looked_into)
        return k && k->is_cunit;
    int fd = open(item->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    k->looked_into = true;
    k->is_cunit = fd >= 0 && txg_elf_framework(fd) == TXG_ELF_CUNIT;
    if (fd >= 0)
        close(fd);
    return k->is_cunit;
}

/* What a worker has its CUnit programs load. Where there is none for such a host, it says so. */
static void add_preload(struct txg_files *f, struct list *list, const char *arch)
{
    struct stat st;
    char *source = txg_build_beside(arch, f->plan->worker, TXG_PRELOAD_NAME);
    char *content = source ? content_of(source, TXG_PRELOAD_SYNCED, &st) : NULL;
    list->preload.source = source;
    list->preload.content = content;
    if (!content || !S_ISREG(st.st_mode))
        return;
    list->preload.path = TXG_PRELOAD_SYNCED;
    list->preload.mode = st.st_mode;
    list->preload.size = st.st_size;
    list->files = txg_grow(list->files, list->manifest.n, &list->cap, sizeof *list->files);
    list->files[list->manifest.n++] = list->preload;
}

/* The test programs of one gateway, found here as its worker will find them there. */
static void add_tests(struct txg_files *f, struct list *list, size_t origin, const char *arch)
{
    const struct txg_gateway_def *def = &f->plan->gateways.items[origin];
    struct txg_collection c = {0};
    TXG_AUTOFREE char *number = txg_xasprintf("gw%zu", origin);
    struct txg_collect_names names = {arch, def->device ? def->device : number,
                                      def->labels.n ? def->labels.items[0] : NULL};
    for (size_t i = 0; i < f->plan->suites.n; i++)
        add_suite(&c, &f->plan->suites.items[i], i, def->spec->python != NULL);
    txg_collection_run(&c, &names, f->base);
    for (size_t i = 0; i < c.n_items; i++) {
        if (f->plan->suites.items[c.items[i].suite].pytest)
            continue;
        add_file(f, list, c.items[i].path);
        list->wants_preload |= wants_preload(f, &c.items[i]);
    }
    for (size_t i = 0; i < c.n_programs; i++)
        for (size_t k = 0; k < c.programs[i].paths.n; k++)
            add_python(f, list, c.programs[i].paths.items[k]);
    txg_collection_release(&c);
}

static void add_folders(struct txg_files *f, struct list *list)
{
    for (size_t i = 0; i < f->plan->config.sync.n; i++) {
        const char *name = f->plan->config.sync.items[i];
        TXG_AUTOFREE char *path =
            name[0] == '/' ? txg_xstrdup(name) : txg_xasprintf("%s/%s", f->base, name);
        char *real = realpath(path, NULL);
        if (real)
            add_tree(f, list, real, 0);
        free(real);
    }
    for (size_t i = 0; i < f->plan->rsyncdirs->n; i++) {
        char *real = realpath(f->plan->rsyncdirs->items[i], NULL);
        if (real)
            add_tree(f, list, real, 0);
        free(real);
    }
}

void txg_files_hash_folders(struct txg_files *f)
{
    struct list list = {0};
    add_folders(f, &list);
    free(list.files);
}

/* The machine that the host says it is may be another one: then this was for nothing. */
static void read_tests(void *files)
{
    struct txg_files *f = files;
    struct utsname here;
    struct list list = {0};
    const char *own = uname(&here) == 0 ? here.machine : "";
    for (size_t i = 0; i < f->plan->gateways.n; i++) {
        const struct txg_spec *spec = f->plan->gateways.items[i].spec;
        if (!txg_spec_is_local(spec))
            add_tests(f, &list, i, spec->arch ? spec->arch : own);
    }
    free(list.files);
}

void txg_files_read_ahead(struct txg_files *f)
{
    f->reads = uv_thread_create(&f->reader, read_tests, f) == 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct txg_manifest_file *)a)->path,
                  ((const struct txg_manifest_file *)b)->path);
}

static void sort_and_unite(struct list *list)
{
    size_t n = 0;
    if (list->manifest.n > 1)
        qsort(list->files, list->manifest.n, sizeof *list->files, by_path);
    for (size_t i = 0; i < list->manifest.n; i++)
        if (n == 0 || strcmp(list->files[n - 1].path, list->files[i].path) != 0)
            list->files[n++] = list->files[i];
    list->manifest.n = n;
    list->manifest.files = list->files;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* One for each kind of machine: one account may be reached as several of them (emulator=). */
static char *folder_for(const struct txg_files *f, const char *arch)
{
    struct txg_buf name = {0};
    txg_buf_puts(&name, f->folder);
    for (size_t i = 0; arch[i] && i < 32; i++)
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789", arch[i]))
            txg_buf_putc(&name, arch[i]);
    return txg_buf_take_cstr(&name);
}

const struct txg_manifest *txg_files_manifest(struct txg_files *f, size_t origin, const char *arch)
{
    const struct txg_gateway_list *all = &f->plan->gateways;
    const struct txg_spec *spec = all->items[origin].spec;
    struct list *list = txg_xcalloc(1, sizeof *list);
    stop_reading(f);
    list->folder = folder_for(f, arch);
    list->manifest.folder = list->folder;
    for (size_t i = 0; i < all->n; i++) {
        const struct txg_spec *other = all->items[i].spec;
        if (i == origin || (txg_spec_shares_host(spec, other) && same(spec->chdir, other->chdir)))
            add_tests(f, list, i, arch);
    }
    add_folders(f, list);
    if (list->wants_preload)
        add_preload(f, list, arch);
    sort_and_unite(list);
    f->lists = txg_grow(f->lists, f->n_lists, &f->cap_lists, sizeof *f->lists);
    f->lists[f->n_lists++] = list;
    return list->manifest.n ? &list->manifest : NULL;
}
