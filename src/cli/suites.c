#include "config.h"

#include "src/cli/suites.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/str.h"

static struct txg_plan_suite *add_suite(struct txg_suites *s, const struct txg_options *o,
                                        const struct txg_config *config,
                                        const struct txg_suite_config *from, const char *root)
{
    s->items = txg_grow(s->items, s->n, &s->cap, sizeof *s->items);
    struct txg_plan_suite *suite = &s->items[s->n++];
    *suite = (struct txg_plan_suite){.config = from, .root = root};
    if (from && from->cwd)
        suite->cwd =
            from->cwd[0] == '/' ? txg_xstrdup(from->cwd) : txg_xasprintf("%s/%s", root, from->cwd);
    suite->timeout = from && from->timeout ? from->timeout : config->timeout;
    if (o->timeout >= 0)
        suite->timeout = o->timeout;
    return suite;
}

/* "build/{arch}/tests" as a glob: every {word} may be anything inside its component. */
static char *pattern_to_glob(const char *root, const char *pattern)
{
    struct txg_buf b = {0};
    if (pattern[0] != '/')
        txg_buf_printf(&b, "%s/", root);
    while (txg_has_prefix(pattern, "./"))
        pattern += 2;
    while (*pattern) {
        const char *end = *pattern == '{' ? strchr(pattern, '}') : NULL;
        txg_buf_putc(&b, end ? '*' : *pattern);
        pattern = end ? end + 1 : pattern + 1;
    }
    return txg_buf_take_cstr(&b);
}

static bool suite_matches(const struct txg_suite_config *suite, const char *root, const char *path)
{
    TXG_AUTOFREE char *file = NULL;
    const char *behind = strstr(path, "::");
    if (behind && access(path, F_OK) != 0) /* a case: its program is what a suite names */
        path = file = txg_xstrndup(path, (size_t)(behind - path));
    for (size_t i = 0; i < suite->files.n; i++) {
        TXG_AUTOFREE char *glob = pattern_to_glob(root, suite->files.items[i]);
        size_t n = strlen(glob);
        if (fnmatch(glob, path, FNM_PATHNAME) == 0)
            return true;
        if (n && strncmp(glob, path, n) == 0 && (path[n] == '/' || glob[n - 1] == '/'))
            return true; /* a file below a directory that the suite names */
    }
    return false;
}

static int select_file(const char *file, const struct txg_options *o,
                       const struct txg_config *config, const char *start, struct txg_suites *out,
                       struct txg_err *err)
{
    if (*file == '\0')
        return txg_err_set(err, TXG_E_USAGE,
                           "'' is no file: name test programs, a directory or a pattern");
    const char *bare = file;
    while (txg_has_prefix(bare, "./"))
        bare += 2;
    TXG_AUTOFREE char *path =
        file[0] == '/' ? txg_xstrdup(file) : txg_xasprintf("%s/%s", start, bare);
    const struct txg_suite_config *from = NULL;
    for (size_t i = 0; i < config->n_suites && !from; i++)
        if (!o->harness && suite_matches(&config->suites[i], config->root, path))
            from = &config->suites[i];
    struct txg_plan_suite *suite = NULL;
    for (size_t i = 0; i < out->n && !suite; i++)
        if (out->items[i].config == from)
            suite = &out->items[i];
    if (!suite)
        suite = add_suite(out, o, config, from, from ? config->root : start);
    txg_strv_push(&suite->paths, from ? path : file);
    return 0;
}

int txg_suites_select(const struct txg_options *o, const struct txg_config *config,
                      const char *start, struct txg_suites *out, struct txg_err *err)
{
    *out = (struct txg_suites){0};
    for (size_t i = 0; i < o->files.n; i++)
        if (select_file(o->files.items[i], o, config, start, out, err) != 0)
            return -1;
    if (o->files.n)
        return 0;
    for (size_t i = 0; i < config->n_suites; i++)
        txg_strv_copy(&add_suite(out, o, config, &config->suites[i], config->root)->paths,
                      &config->suites[i].files);
    if (out->n == 0)
        return txg_err_set(err, TXG_E_USAGE,
                           "nothing to run: name test programs or a directory of them, or write "
                           "`suites:` into %s",
                           config->path ? config->path : "a txgate.yaml");
    return 0;
}

static void add_twin(struct txg_suites *s, size_t number)
{
    s->items = txg_grow(s->items, s->n, &s->cap, sizeof *s->items);
    struct txg_plan_suite *twin = &s->items[s->n++], *first = &s->items[number];
    *twin = *first;
    twin->cwd = txg_xstrdup(first->cwd);
    twin->paths = (struct txg_strv){0};
    txg_strv_copy(&twin->paths, &first->paths);
    first->on = TXG_SUITE_ON_NATIVE;
    twin->on = TXG_SUITE_ON_PYTHON;
    twin->pytest = true;
}

void txg_suites_fit(struct txg_suites *s, const char *harness, bool python, bool native)
{
    for (size_t i = 0, n = s->n; i < n; i++) {
        const struct txg_suite_config *from = s->items[i].config;
        const char *own = from && from->harness ? from->harness : harness;
        bool is_auto = strcmp(own, "auto") == 0;
        if (strcmp(own, "pytest") == 0 || (is_auto && python && !native))
            s->items[i].pytest = true;
        else if (is_auto && python)
            add_twin(s, i);
    }
}

bool txg_suite_is_on(const struct txg_plan_suite *suite, bool python)
{
    return suite->on == TXG_SUITE_ON_ALL || (suite->on == TXG_SUITE_ON_PYTHON) == python;
}

void txg_suites_release(struct txg_suites *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].cwd);
        txg_strv_release(&s->items[i].paths);
    }
    free(s->items);
    *s = (struct txg_suites){0};
}
