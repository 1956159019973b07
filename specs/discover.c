#include "config.h"

#include "specs/discover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/str.h"

#define CONFIG_NAME "txgate.yaml"
#define FLEET_NAME  "fleet.yaml"

/* lstat: a link that leads nowhere is a file that can't be read, not a missing one. */
static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* Looks in `cwd` and in every directory above it. */
static char *find_upward(const char *cwd)
{
    if (exists(CONFIG_NAME))
        return txg_xstrdup(CONFIG_NAME);
    for (size_t len = strlen(cwd); len > 0;) {
        while (len > 0 && cwd[len - 1] != '/')
            len--;
        if (len > 0)
            len--;
        char *path = txg_xasprintf("%.*s/" CONFIG_NAME, (int)len, cwd);
        if (exists(path))
            return path;
        free(path);
    }
    return NULL;
}

/* `name` in the directory of `path`. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return txg_xasprintf("%.*s%s", slash ? (int)(slash - path) + 1 : 0, path, name);
}

static char *find_fleet(const char *given, const char *config)
{
    const char *env = getenv("TXGATE_FLEET");
    if (given)
        return txg_xstrdup(given);
    if (env && env[0])
        return txg_xstrdup(env);
    char *path = config ? beside(config, FLEET_NAME) : NULL;
    if (path && exists(path))
        return path;
    free(path);
    return NULL;
}

int txg_places_find(const char *config_path, const char *fleet_path, struct txg_places *out,
                    struct txg_err *err)
{
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return txg_err_sys(err, errno, "the working directory");
    *out = (struct txg_places){0};
    out->config = config_path ? txg_xstrdup(config_path) : find_upward(cwd);
    out->fleet = find_fleet(fleet_path, out->config);
    TXG_AUTOFREE char *dir = out->config ? beside(out->config, ".") : NULL;
    out->root = dir ? realpath(dir, NULL) : NULL;
    /* A --config whose directory is not there fails when it is opened, with its name. */
    if (!out->root)
        out->root = txg_xstrdup(cwd);
    free(cwd);
    return 0;
}

void txg_places_release(struct txg_places *places)
{
    free(places->config);
    free(places->fleet);
    free(places->root);
    *places = (struct txg_places){0};
}
