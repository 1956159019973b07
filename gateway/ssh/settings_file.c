#include "config.h"

/* A file of ssh_config(5): its lines, and which of them are meant for the host. */
#include "gateway/ssh/settings.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "src/base/str.h"

#define DEPTH_MAX 16 /* of Includes, as in ssh */
#define BLANK     " \t\r\n"

extern char **environ;

struct reader {
    struct txg_ssh_config *config;
    const char *folder; /* of relative Includes */
    unsigned depth;
    bool active; /* the lines are meant for this host */
    struct txg_err *err;
};

static int read_file(struct reader *r, const char *path, bool required);

/* `*` and `?` as ssh_config(5) has them, without regard to case. */
static bool matches(const char *pattern, const char *s)
{
    for (; *pattern; pattern++, s++) {
        if (*pattern == '*') {
            while (*pattern == '*')
                pattern++;
            for (; *s; s++)
                if (matches(pattern, s))
                    return true;
            return *pattern == '\0';
        }
        if (*s == '\0' || (*pattern != '?' && strncasecmp(pattern, s, 1) != 0))
            return false;
    }
    return *s == '\0';
}

/* A list of patterns, each perhaps with a `!`: one that is negated and fits rules all out. */
static bool any_matches(const char *list, const char *separators, const char *s)
{
    bool found = false;
    while (*(list += strspn(list, separators))) {
        TXG_AUTOFREE char *pattern = txg_xstrndup(list, strcspn(list, separators));
        list += strlen(pattern);
        if (pattern[0] == '!' && matches(pattern + 1, s))
            return false;
        found = found || (pattern[0] != '!' && matches(pattern, s));
    }
    return found;
}

static bool succeeds(const struct txg_ssh_config *c, const char *command)
{
    TXG_AUTOFREE char *line = txg_ssh_config_expand(c, command, false);
    char sh[] = "sh", option[] = "-c";
    char *argv[] = {sh, option, line, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    int rc = posix_spawnp(&pid, "sh", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (rc == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return rc == 0 && status == 0;
}

/* One criterion of a Match line with its argument. What is not known fits no host, and is named. */
static bool criterion_fits(struct reader *r, const char *name, const char *arg, const char *source)
{
    struct txg_ssh_config *c = r->config;
    TXG_AUTOFREE char *local = txg_ssh_local_user();
    if (strcasecmp(name, "host") == 0)
        return any_matches(arg, ",", c->host ? c->host : c->alias);
    if (strcasecmp(name, "originalhost") == 0)
        return any_matches(arg, ",", c->alias);
    if (strcasecmp(name, "user") == 0)
        return any_matches(arg, ",", c->user ? c->user : local);
    if (strcasecmp(name, "localuser") == 0)
        return any_matches(arg, ",", local);
    if (strcasecmp(name, "exec") == 0) {
        struct txg_ssh_config view = *c;
        char port[] = "22";
        view.host = c->host ? c->host : c->alias;
        view.user = c->user ? c->user : local;
        view.port = c->port ? c->port : port;
        return succeeds(&view, arg);
    }
    txg_strv_take(&c->ignored, txg_xasprintf("Match %s (%s)", name, source));
    return false;
}

static int take_match(struct reader *r, const char *args, const char *source)
{
    bool fits = true;
    r->active = false;
    for (;;) {
        TXG_AUTOFREE char *word = txg_ssh_config_word(&args);
        if (!word)
            break;
        bool negated = word[0] == '!';
        const char *name = word + negated;
        if (strcasecmp(name, "all") == 0) {
            fits = fits && !negated;
            continue;
        }
        /* ssh reads its files again once the name is final; txgate reads them once. */
        if (strcasecmp(name, "final") == 0 || strcasecmp(name, "canonical") == 0) {
            txg_strv_take(&r->config->ignored, txg_xasprintf("Match %s (%s)", name, source));
            fits = false;
            continue;
        }
        TXG_AUTOFREE char *arg = txg_ssh_config_word(&args);
        if (!arg)
            return txg_err_set(r->err, TXG_E_USAGE, "%s: Match %s has no value", source, name);
        if (fits)
            fits = criterion_fits(r, name, arg, source) != negated;
    }
    r->active = fits;
    return 0;
}

static int take_include(struct reader *r, const char *args, const char *source)
{
    char *word;
    int rc = 0;
    if (r->depth + 1 >= DEPTH_MAX)
        return txg_err_set(r->err, TXG_E_LIMIT, "%s: Include: more than %d files deep", source,
                           DEPTH_MAX);
    while (rc == 0 && (word = txg_ssh_config_word(&args))) {
        TXG_AUTOFREE char *home = txg_ssh_home();
        char *path = word[0] == '~' && word[1] == '/' ? txg_xasprintf("%s%s", home, word + 1)
                     : word[0] == '/'                 ? txg_xstrdup(word)
                                                      : txg_xasprintf("%s/%s", r->folder, word);
        glob_t found;
        if (glob(path, 0, NULL, &found) == 0) {
            bool active = r->active;
            r->depth++;
            for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
                rc = read_file(r, found.gl_pathv[i], false);
                r->active = active;
            }
            r->depth--;
            globfree(&found);
        }
        free(path);
        free(word);
    }
    return rc;
}

static int take_line(struct reader *r, const char *line, const char *source)
{
    line += strspn(line, BLANK);
    if (*line == '\0' || *line == '#')
        return 0;
    size_t n = strcspn(line, BLANK "=");
    TXG_AUTOFREE char *keyword = txg_xstrndup(line, n);
    const char *args = line + n;
    args += strspn(args, BLANK);
    args += *args == '=';
    if (strcasecmp(keyword, "Host") == 0) {
        r->active = any_matches(args, BLANK "\"", r->config->alias);
        return 0;
    }
    if (strcasecmp(keyword, "Match") == 0)
        return take_match(r, args, source);
    if (!r->active)
        return 0;
    if (strcasecmp(keyword, "Include") == 0)
        return take_include(r, args, source);
    return txg_ssh_config_set(r->config, keyword, args, source, r->err);
}

static int read_lines(struct reader *r, FILE *f, const char *path)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int rc = 0;
    for (unsigned number = 1; rc == 0 && (n = getline(&line, &size, f)) >= 0; number++) {
        while (n > 0 && strchr(BLANK, line[n - 1]))
            line[--n] = '\0';
        TXG_AUTOFREE char *source = txg_xasprintf("%s:%u", path, number);
        rc = take_line(r, line, source);
    }
    free(line);
    return rc;
}

static int read_file(struct reader *r, const char *path, bool required)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f)
        return required ? txg_err_sys(r->err, errno, "%s", path) : 0;
    int rc = 0;
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode))
        rc = txg_err_sys(r->err, EISDIR, "%s", path);
    else if (S_ISREG(st.st_mode) && st.st_size > TXG_SSH_CONFIG_MAX)
        rc = txg_err_set(r->err, TXG_E_LIMIT, "%s: larger than %d bytes", path, TXG_SSH_CONFIG_MAX);
    else
        rc = read_lines(r, f, path);
    fclose(f);
    return rc;
}

int txg_ssh_config_file(struct txg_ssh_config *c, const char *path, const char *where,
                        bool required, struct txg_err *err)
{
    struct reader r = {.config = c, .folder = where, .active = true, .err = err};
    return read_file(&r, path, required);
}
