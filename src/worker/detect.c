#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "src/worker/elf.h"
#include "src/worker/harness.h"
#include "src/worker/known.h"
#include "src/worker/preload.h"

#define DESCRIPTION_MAX 4096 /* of a .test file; they have four lines */

/* The value of `key` in a key file; empty where it has none. */
static struct txg_span value_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (; text; text = strchr(text, '\n')) {
        text += *text == '\n';
        if (strncmp(text, key, n) != 0 || text[n] != '=')
            continue;
        struct txg_span v = {text + n + 1, strcspn(text + n + 1, "\r\n")};
        while (v.len > 0 && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t'))
            v.len--;
        return v;
    }
    return (struct txg_span){0};
}

/* The command line `exec` ends in the program `name`. */
static bool runs(struct txg_span exec, const char *name)
{
    size_t n = strlen(name);
    if (exec.len < n || memcmp(exec.data + exec.len - n, name, n) != 0)
        return false;
    return exec.len == n || strchr("/ \t", exec.data[exec.len - n - 1]);
}

static bool described_as_tap(struct txg_dir *dir, const char *path)
{
    const char *name;
    char beside[PATH_MAX], text[DESCRIPTION_MAX + 1];
    int at = txg_dir_at(dir, path, &name);
    int n = snprintf(beside, sizeof beside, "%s.test", name);
    /* nearly always there is none, and faccessat is the cheaper way to learn it */
    if (n < 0 || (size_t)n >= sizeof beside || faccessat(at, beside, R_OK, 0) != 0)
        return false;
    int fd = openat(at, beside, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, text, DESCRIPTION_MAX);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
    return txg_span_is(value_of(text, "Type"), "session") &&
           txg_span_is(value_of(text, "Output"), "TAP") && runs(value_of(text, "Exec"), name);
}

/* What its sections say. */
static enum txg_elf_framework linked_with(struct txg_dir *dir, const char *path)
{
    const char *name;
    int at = txg_dir_at(dir, path, &name);
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return TXG_ELF_NONE; /* it may be executed all the same */
    enum txg_elf_framework framework = txg_elf_framework(fd);
    if (framework == TXG_ELF_CUNIT_SINGLY ||
        (framework == TXG_ELF_CUNIT && !txg_elf_is_alike(fd, txg_preload_fd())))
        framework = TXG_ELF_NONE;
    close(fd);
    return framework;
}

const struct txg_harness_ops *txg_harness_detect(const char *path, struct txg_dir *dir)
{
    enum { DESCRIBED = TXG_ELF_TXGATE + 1 };
    static const struct txg_harness_ops *const harnesses[] = {
        [TXG_ELF_NONE] = &txg_harness_exec,   [TXG_ELF_GTEST] = &txg_harness_gtest,
        [TXG_ELF_GLIB] = &txg_harness_glib,   [TXG_ELF_CUNIT] = &txg_harness_cunit,
        [TXG_ELF_TXGATE] = &txg_harness_talk, [DESCRIBED] = &txg_harness_tap,
    };
    if (txg_has_suffix(path, ".t") || txg_has_suffix(path, ".bats"))
        return &txg_harness_tap;
    int found = txg_known_get(path);
    if (found < 0) {
        found = (int)linked_with(dir, path);
        if (found == TXG_ELF_NONE && described_as_tap(dir, path))
            found = DESCRIBED;
        txg_known_put(path, found);
    }
    return harnesses[found];
}

static int check_preload(int fd, enum txg_elf_framework found, const char *path,
                         struct txg_err *err)
{
    static const char remedy[] = "run it with harness exec, or link it with libtxgate-cunit "
                                 "(txgate/cunit.h)";
    const char *why = NULL;
    if (txg_preload_fd() < 0)
        why = "no " TXG_PRELOAD_NAME " is beside this txgate-worker, nor among its files";
    else if (!txg_elf_is(fd))
        return 0; /* a script that starts it */
    else if (!txg_elf_is_alike(fd, txg_preload_fd()))
        why = "it is for another machine";
    else if (found != TXG_ELF_CUNIT && found != TXG_ELF_CUNIT_SINGLY)
        why = "it is not linked with libcunit.so";
    return why ? txg_err_set(err, TXG_E_USAGE, "%s: %s: %s", path, why, remedy) : 0;
}

const struct txg_harness_ops *txg_harness_choose(const struct txg_harness_ops *named,
                                                 const char *path, struct txg_dir *dir,
                                                 struct txg_err *err)
{
    if (!named)
        return txg_harness_detect(path, dir);
    if (!named->preloads)
        return named;
    const char *name;
    int at = txg_dir_at(dir, path, &name);
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return named; /* the start of it says why */
    enum txg_elf_framework found = txg_elf_framework(fd);
    if (found == TXG_ELF_TXGATE)
        named = &txg_harness_talk;
    else if (check_preload(fd, found, path, err) != 0)
        named = NULL;
    close(fd);
    return named;
}
