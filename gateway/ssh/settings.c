#include "config.h"

#include "gateway/ssh/settings.h"

#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "src/base/str.h"

#define IDENTITIES_MAX 64
#define BLANK          " \t\r\n"

enum kind {
    WORD,    /* one word */
    COMMAND, /* the rest of the line as it stands */
    FLAG,    /* yes or no */
    WORDS,   /* all words; set once */
    ADD,     /* one word; adds up */
    NOTHING, /* says nothing about how txgate is to log in */
};

#define AT(field) offsetof(struct txg_ssh_config, field)

static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
} options[] = {
    {"AddressFamily", WORD, AT(address_family)},
    {"BatchMode", FLAG, AT(batch)},
    {"BindAddress", WORD, AT(bind_address)},
    {"ChallengeResponseAuthentication", FLAG, AT(kbdint)},
    {"Ciphers", WORD, AT(ciphers)},
    {"Compression", FLAG, AT(compression)},
    {"ConnectTimeout", WORD, AT(connect_timeout)},
    {"GlobalKnownHostsFile", WORDS, AT(global_known_hosts)},
    {"HostKeyAlgorithms", WORD, AT(host_key_algorithms)},
    {"HostKeyAlias", WORD, AT(host_key_alias)},
    {"HostName", WORD, AT(host)},
    {"IdentitiesOnly", FLAG, AT(identities_only)},
    {"IdentityAgent", WORD, AT(agent)},
    {"IdentityFile", ADD, AT(identities)},
    {"KbdInteractiveAuthentication", FLAG, AT(kbdint)},
    {"KexAlgorithms", WORD, AT(kex)},
    {"MACs", WORD, AT(macs)},
    {"PasswordAuthentication", FLAG, AT(password)},
    {"Port", WORD, AT(port)},
    {"ProxyCommand", COMMAND, AT(proxy)},
    {"ProxyJump", WORD, AT(jump)},
    {"PubkeyAcceptedAlgorithms", WORD, AT(pubkey_algorithms)},
    {"PubkeyAcceptedKeyTypes", WORD, AT(pubkey_algorithms)},
    {"PubkeyAuthentication", FLAG, AT(pubkey)},
    {"RevokedHostKeys", WORDS, AT(revoked)},
    {"User", WORD, AT(user)},
    {"UserKnownHostsFile", WORDS, AT(known_hosts)},
    /* txgate has beats of its own, one connection for each host, no terminal there, and the
     * environment of the login shell. */
    {"CheckHostIP", NOTHING, 0},
    {"ControlMaster", NOTHING, 0},
    {"ControlPath", NOTHING, 0},
    {"ControlPersist", NOTHING, 0},
    {"EnableEscapeCommandline", NOTHING, 0},
    {"EscapeChar", NOTHING, 0},
    {"FingerprintHash", NOTHING, 0},
    {"ForwardX11", NOTHING, 0},
    {"ForwardX11Timeout", NOTHING, 0},
    {"ForwardX11Trusted", NOTHING, 0},
    {"GSSAPIAuthentication", NOTHING, 0},
    {"HashKnownHosts", NOTHING, 0},
    {"IPQoS", NOTHING, 0},
    {"LogLevel", NOTHING, 0},
    {"LogVerbose", NOTHING, 0},
    {"ObscureKeystrokeTiming", NOTHING, 0},
    {"RequestTTY", NOTHING, 0},
    {"SendEnv", NOTHING, 0},
    {"ServerAliveCountMax", NOTHING, 0},
    {"ServerAliveInterval", NOTHING, 0},
    {"SyslogFacility", NOTHING, 0},
    {"TCPKeepAlive", NOTHING, 0},
    {"VisualHostKey", NOTHING, 0},
    {"XAuthLocation", NOTHING, 0},
};

char *txg_ssh_config_word(const char **s)
{
    const char *p = *s + strspn(*s, BLANK);
    if (*p == '\0' || *p == '#')
        return NULL;
    if (*p == '"') {
        size_t n = strcspn(++p, "\"");
        *s = p + n + (p[n] == '"');
        return txg_xstrndup(p, n);
    }
    size_t n = strcspn(p, BLANK);
    *s = p + n;
    return txg_xstrndup(p, n);
}

static int set_flag(enum txg_ssh_flag *flag, const char *keyword, const char *word,
                    const char *source, struct txg_err *err)
{
    bool yes = strcasecmp(word, "yes") == 0 || strcasecmp(word, "true") == 0;
    if (!yes && strcasecmp(word, "no") != 0 && strcasecmp(word, "false") != 0)
        return txg_err_set(err, TXG_E_USAGE, "%s: %s: expected yes or no, not '%s'", source,
                           keyword, word);
    if (*flag == TXG_SSH_UNSET)
        *flag = yes ? TXG_SSH_YES : TXG_SSH_NO;
    return 0;
}

static void set_words(struct txg_strv *list, char *first, const char *rest)
{
    if (list->n) {
        free(first);
        return;
    }
    for (char *word = first; word; word = txg_ssh_config_word(&rest))
        txg_strv_take(list, word);
}

static int set_known(struct txg_ssh_config *c, const struct option *o, const char *args,
                     const char *source, struct txg_err *err)
{
    void *field = (char *)c + o->offset;
    const char *rest = args;
    /* The first of these two rules the other out. */
    if ((o->offset == AT(proxy) && c->jump) || (o->offset == AT(jump) && c->proxy))
        return 0;
    char *word = txg_ssh_config_word(&rest);
    if (!word)
        return txg_err_set(err, TXG_E_USAGE, "%s: %s has no value", source, o->name);
    if (o->kind == WORDS) {
        set_words(field, word, rest);
        return 0;
    }
    if (o->kind == ADD && ((struct txg_strv *)field)->n < IDENTITIES_MAX)
        txg_strv_push(field, word);
    if (o->kind == WORD && !*(char **)field)
        *(char **)field = txg_xstrdup(word);
    if (o->kind == COMMAND && !*(char **)field)
        *(char **)field = txg_xstrdup(args + strspn(args, BLANK));
    int rc = o->kind == FLAG ? set_flag(field, o->name, word, source, err) : 0;
    free(word);
    return rc;
}

int txg_ssh_config_set(struct txg_ssh_config *c, const char *keyword, const char *args,
                       const char *source, struct txg_err *err)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcasecmp(keyword, options[i].name) == 0)
            return options[i].kind == NOTHING ? 0 : set_known(c, &options[i], args, source, err);
    /* Keys are always checked; what asks for less than that is not followed. */
    if (strcasecmp(keyword, "StrictHostKeyChecking") == 0 && strncasecmp(args, "yes", 3) == 0)
        return 0;
    txg_strv_take(&c->ignored, txg_xasprintf("%s (%s)", keyword, source));
    return 0;
}

char *txg_ssh_home(void)
{
    const char *home = getenv("HOME");
    if (home && *home == '/')
        return txg_xstrdup(home);
    struct passwd entry, *found = NULL;
    char buf[4096];
    if (getpwuid_r(getuid(), &entry, buf, sizeof buf, &found) == 0 && found)
        return txg_xstrdup(found->pw_dir);
    return txg_xstrdup("/");
}

char *txg_ssh_local_user(void)
{
    struct passwd entry, *found = NULL;
    char buf[4096];
    if (getpwuid_r(getuid(), &entry, buf, sizeof buf, &found) == 0 && found)
        return txg_xstrdup(found->pw_name);
    const char *user = getenv("USER");
    return txg_xstrdup(user && *user ? user : "root");
}

static void expand_token(struct txg_buf *out, const struct txg_ssh_config *c, char token)
{
    TXG_AUTOFREE char *home = txg_ssh_home();
    TXG_AUTOFREE char *user = txg_ssh_local_user();
    const char *value = token == '%'   ? "%"
                        : token == 'd' ? home
                        : token == 'h' ? c->host
                        : token == 'n' ? c->alias
                        : token == 'p' ? c->port
                        : token == 'r' ? c->user
                        : token == 'u' ? user
                                       : NULL;
    if (value)
        txg_buf_puts(out, value);
    else
        txg_buf_printf(out, "%%%c", token);
}

char *txg_ssh_config_expand(const struct txg_ssh_config *c, const char *text, bool path)
{
    struct txg_buf out = {0};
    if (path && text[0] == '~' && text[1] == '/') {
        TXG_AUTOFREE char *home = txg_ssh_home();
        txg_buf_puts(&out, home);
        text++;
    }
    for (; *text; text++) {
        if (text[0] == '%' && text[1])
            expand_token(&out, c, *++text);
        else
            txg_buf_putc(&out, *text);
    }
    return txg_buf_take_cstr(&out);
}

static void expand_list(const struct txg_ssh_config *c, struct txg_strv *list,
                        const char *const *defaults)
{
    struct txg_strv expanded = {0};
    for (size_t i = 0; !list->n && defaults && defaults[i]; i++)
        txg_strv_take(&expanded, txg_ssh_config_expand(c, defaults[i], true));
    for (size_t i = 0; i < list->n; i++)
        if (strcasecmp(list->items[i], "none") != 0)
            txg_strv_take(&expanded, txg_ssh_config_expand(c, list->items[i], true));
    txg_strv_release(list);
    *list = expanded;
}

/* Defaults, and what stands in the values for others. */
static int complete(struct txg_ssh_config *c, struct txg_err *err)
{
    static const char *const identities[] = {"~/.ssh/id_rsa",        "~/.ssh/id_ecdsa",
                                             "~/.ssh/id_ecdsa_sk",   "~/.ssh/id_ed25519",
                                             "~/.ssh/id_ed25519_sk", NULL};
    static const char *const user_files[] = {"~/.ssh/known_hosts", "~/.ssh/known_hosts2", NULL};
    static const char *const system_files[] = {"/etc/ssh/ssh_known_hosts",
                                               "/etc/ssh/ssh_known_hosts2", NULL};
    int64_t n;
    if (!c->port)
        c->port = txg_xstrdup("22");
    if (!txg_parse_int(c->port, 1, 65535, &n))
        return txg_err_set(err, TXG_E_USAGE, "'%s' is not a port: a number from 1 to 65535",
                           c->port);
    if (c->connect_timeout && strcasecmp(c->connect_timeout, "none") != 0 &&
        !txg_parse_int(c->connect_timeout, 0, 86400, &n))
        return txg_err_set(err, TXG_E_USAGE, "ConnectTimeout: expected seconds, not '%s'",
                           c->connect_timeout);
    if (!c->user)
        c->user = txg_ssh_local_user();
    char *host = c->host ? c->host : txg_xstrdup(c->alias);
    c->host = txg_xstrdup(c->alias); /* what %h in HostName means */
    char *expanded = txg_ssh_config_expand(c, host, false);
    free(host);
    free(c->host);
    c->host = expanded;
    if (c->host[0] == '-' || c->host[0] == '\0')
        return txg_err_set(err, TXG_E_USAGE, "'%s' is not the name of a host", c->host);
    expand_list(c, &c->identities, identities);
    expand_list(c, &c->known_hosts, user_files);
    expand_list(c, &c->global_known_hosts, system_files);
    expand_list(c, &c->revoked, NULL);
    return 0;
}

int txg_ssh_config_read(const char *target, const char *ssh_config, struct txg_ssh_config *out,
                        struct txg_err *err)
{
    TXG_AUTOFREE char *home = txg_ssh_home();
    TXG_AUTOFREE char *folder = txg_xasprintf("%s/.ssh", home);
    *out = (struct txg_ssh_config){.file = txg_xstrdup(ssh_config)};
    int rc = txg_ssh_config_words(out, target, err);
    if (rc == 0 && out->file) {
        char *file = txg_ssh_config_expand(out, out->file, true);
        free(out->file);
        out->file = file;
        if (strcasecmp(file, "none") != 0)
            rc = txg_ssh_config_file(out, file, folder, true, err);
    } else if (rc == 0) {
        TXG_AUTOFREE char *own = txg_xasprintf("%s/config", folder);
        rc = txg_ssh_config_file(out, own, folder, false, err);
        if (rc == 0)
            rc = txg_ssh_config_file(out, "/etc/ssh/ssh_config", "/etc/ssh", false, err);
    }
    if (rc == 0)
        rc = complete(out, err);
    if (rc != 0)
        txg_ssh_config_release(out);
    return rc;
}

void txg_ssh_config_release(struct txg_ssh_config *c)
{
    char *owned[] = {c->alias,
                     c->file,
                     c->host,
                     c->user,
                     c->port,
                     c->agent,
                     c->jump,
                     c->proxy,
                     c->macs,
                     c->kex,
                     c->host_key_alias,
                     c->bind_address,
                     c->ciphers,
                     c->connect_timeout,
                     c->address_family,
                     c->host_key_algorithms,
                     c->pubkey_algorithms};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    txg_strv_release(&c->identities);
    txg_strv_release(&c->known_hosts);
    txg_strv_release(&c->global_known_hosts);
    txg_strv_release(&c->revoked);
    txg_strv_release(&c->ignored);
    *c = (struct txg_ssh_config){0};
}
