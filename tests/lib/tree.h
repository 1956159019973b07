/*
 * A directory of its own for a unit test, with files in it: made under $TMPDIR or /tmp, taken down
 * with all that is below.
 */
#ifndef TXG_TESTS_TREE_H
#define TXG_TESTS_TREE_H

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <CUnit/CUnit.h>

struct tree {
    char path[PATH_MAX]; /* absolute, no symbolic links in it */
};

static inline void tree_init(struct tree *t)
{
    char name[PATH_MAX];
    const char *tmp = getenv("TMPDIR");
    snprintf(name, sizeof name, "%s/txg-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(name) || !realpath(name, t->path)) {
        perror(name);
        abort();
    }
}

/* Makes a file with its directories; a name that ends in '/' is a directory. */
static inline void tree_add(const struct tree *t, const char *name, mode_t mode, const char *text)
{
    char path[PATH_MAX * 2];
    snprintf(path, sizeof path, "%s/%s", t->path, name);
    for (char *slash = path + strlen(t->path) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        CU_ASSERT_FATAL(mkdir(path, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    if (path[strlen(path) - 1] == '/')
        return;
    FILE *f = fopen(path, "w");
    CU_ASSERT_FATAL(f != NULL);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void tree_release(struct tree *t)
{
    nftw(t->path, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
