#include "config.h"

#include "specs/spec.h"

#include <stdlib.h>
#include <string.h>

#include "specs/words.h"
#include "src/base/str.h"

#define FIELD(name) offsetof(struct txg_spec, name)

#ifdef TXG_SOCKETS
static const bool has_sockets = true;
#else
static const bool has_sockets = false;
#endif

static const char *const kind_names[] = {
    [TXG_SPEC_POPEN] = "popen",   [TXG_SPEC_SSH] = "ssh",   [TXG_SPEC_VAGRANT_SSH] = "vagrant_ssh",
    [TXG_SPEC_SOCKET] = "socket", [TXG_SPEC_EXEC] = "exec", [TXG_SPEC_REVERSE] = "reverse",
};

/* The fields that are one owned string each. */
static const size_t texts[] = {
    FIELD(text), FIELD(target),     FIELD(id),         FIELD(python),    FIELD(chdir),
    FIELD(via),  FIELD(installvia), FIELD(ssh_config), FIELD(execmodel), FIELD(worker),
    FIELD(arch), FIELD(emulator),   FIELD(host_key),   FIELD(key_file)};

struct txg_spec *txg_spec_dup(const struct txg_spec *spec)
{
    struct txg_spec *dup = txg_xmalloc(sizeof *dup);
    *dup = *spec;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char **field = (char **)(void *)((char *)dup + texts[i]);
        *field = txg_xstrdup(*field);
    }
    if (spec->through)
        dup->through = txg_spec_dup(spec->through);
    dup->env = dup->labels = (struct txg_strv){0};
    txg_strv_copy(&dup->env, &spec->env);
    txg_strv_copy(&dup->labels, &spec->labels);
    txg_value_copy(&dup->input, &spec->input);
    return dup;
}

void txg_spec_free(struct txg_spec *spec)
{
    if (!spec)
        return;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(*(char **)(void *)((char *)spec + texts[i]));
    txg_spec_free(spec->through);
    txg_strv_release(&spec->env);
    txg_strv_release(&spec->labels);
    txg_value_release(&spec->input);
    free(spec);
}

const char *txg_spec_kind_name(enum txg_spec_kind kind)
{
    return kind_names[kind];
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool txg_spec_shares_host(const struct txg_spec *a, const struct txg_spec *b)
{
    return a->kind == b->kind && a->kind != TXG_SPEC_EXEC && a->kind != TXG_SPEC_REVERSE &&
           same(a->target, b->target) && same(a->ssh_config, b->ssh_config) &&
           same(a->worker, b->worker) && same(a->arch, b->arch) && same(a->emulator, b->emulator) &&
           same(a->via, b->via) && same(a->installvia, b->installvia) &&
           same(a->host_key, b->host_key) && same(a->key_file, b->key_file);
}

bool txg_spec_is_local(const struct txg_spec *spec)
{
    while (spec->installvia && spec->through)
        spec = spec->through;
    return spec->kind == TXG_SPEC_POPEN;
}

int txg_spec_check_supported(const struct txg_spec *spec, struct txg_err *err)
{
    bool shell = spec->kind == TXG_SPEC_EXEC || spec->kind == TXG_SPEC_SSH;
    bool socket = spec->kind == TXG_SPEC_SOCKET || spec->kind == TXG_SPEC_REVERSE;
    bool sealed = socket && has_sockets;
    bool local = spec->kind == TXG_SPEC_POPEN;
    const char *what = !local && !shell && !sealed   ? txg_spec_kind_name(spec->kind)
                       : spec->via && !spec->through ? "via="
                       : spec->emulator && !shell    ? "emulator="
                       : spec->arch && !shell        ? "arch="
                                                     : NULL;
    if (!what && (spec->kind != TXG_SPEC_SOCKET || spec->key_file || spec->installvia))
        return 0;
    TXG_AUTOFREE char *shown = txg_word_show(spec->text, strlen(spec->text));
    if (!what)
        return txg_err_set(err, TXG_E_USAGE,
                           "--tx '%s': a gateway over a socket needs the key that its worker has: "
                           "//key_file=FILE here, or key_file: in the fleet (`txgate keygen FILE` "
                           "makes one)",
                           shown);
    if (socket && !has_sockets)
        return txg_err_set(err, TXG_E_USAGE,
                           "--tx '%s': this txgate was built without libsodium, which socket "
                           "gateways need (./configure --enable-sockets)",
                           shown);
    return txg_err_set(err, TXG_E_USAGE, "--tx '%s': %s gateways are not built yet", shown, what);
}
