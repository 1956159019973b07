#include "config.h"

#include "gateway/ssh/hostkey.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/str.h"

#define LINE_SIZE_MAX 16384
#define FILE_SIZE_MAX (16 * 1024 * 1024)
#define BLANK         " \t\r\n"

/* What the files say of one host. */
struct known {
    const struct txg_ssh_config *config;
    char *name;  /* "host" or "[host]:port": what stands in the files */
    ssh_key key; /* the host's, or NULL: only types are of interest */
    bool revoked, found, other;
    char *where; /* of the revoked or of another key: "file:line" */
    struct txg_strv types;
    bool has_authority;
};

static char *name_of(const struct txg_ssh_config *c)
{
    char *name;
    if (c->host_key_alias)
        return txg_xstrdup(c->host_key_alias);
    name = strcmp(c->port, "22") == 0 ? txg_xstrdup(c->host)
                                      : txg_xasprintf("[%s]:%s", c->host, c->port);
    for (char *p = name; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return name;
}

static void remember(struct known *k, const char *file, unsigned number)
{
    free(k->where);
    k->where = txg_xasprintf("%s:%u", file, number);
}

/* `line` begins with the names of hosts; `revoked`: it had that mark in front of them. */
static void take_entry(struct known *k, char *line, bool revoked, const char *file, unsigned number)
{
    struct ssh_knownhosts_entry *entry = NULL;
    for (char *tab = line; (tab = strchr(tab, '\t'));) /* libssh splits at spaces only */
        *tab = ' ';
    if (ssh_known_hosts_parse_line(k->name, line, &entry) != SSH_OK)
        return;
    bool same = k->key && ssh_key_cmp(entry->publickey, k->key, SSH_KEY_CMP_PUBLIC) == 0;
    if (revoked && same && !k->revoked) {
        k->revoked = true;
        remember(k, file, number);
    } else if (!revoked) {
        const char *type = ssh_key_type_to_char(ssh_key_type(entry->publickey));
        txg_strv_push(&k->types, type);
        k->found = k->found || same;
        if (!same && !k->other && !k->revoked) {
            k->other = true;
            remember(k, file, number);
        }
    }
    ssh_knownhosts_entry_free(entry);
}

static void take_line(struct known *k, char *line, const char *file, unsigned number)
{
    line += strspn(line, BLANK);
    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '\0' || *line == '#')
        return;
    bool revoked = false;
    if (*line == '@') {
        size_t n = strcspn(line, BLANK);
        revoked = n == 8 && strncmp(line, "@revoked", n) == 0;
        if (!revoked) {
            k->has_authority = true;
            return;
        }
        line += n + strspn(line + n, BLANK);
    }
    take_entry(k, line, revoked, file, number);
}

static int read_known(struct known *k, const char *file, struct txg_err *err)
{
    FILE *f = fopen(file, "re");
    struct stat st;
    char *line = NULL;
    size_t size = 0;
    if (!f)
        return errno == ENOENT || errno == ENOTDIR ? 0 : txg_err_sys(err, errno, "%s", file);
    if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > FILE_SIZE_MAX) {
        fclose(f);
        return txg_err_set(err, TXG_E_LIMIT, "%s: larger than %d bytes", file, FILE_SIZE_MAX);
    }
    for (unsigned number = 1; getline(&line, &size, f) >= 0; number++)
        if (strlen(line) < LINE_SIZE_MAX)
            take_line(k, line, file, number);
    free(line);
    fclose(f);
    return 0;
}

/* RevokedHostKeys: a list of public keys. (The other form, a KRL, can't be read here; a host whose
 * keys can't be checked against it is refused.) */
static int read_revoked(struct known *k, const char *file, struct txg_err *err)
{
    char *line = NULL;
    size_t size = 0;
    FILE *f = fopen(file, "re");
    if (!f)
        return txg_err_sys(err, errno, "RevokedHostKeys %s", file);
    for (unsigned number = 1; getline(&line, &size, f) >= 0; number++) {
        if (number == 1 && strncmp(line, "SSHKRL", 6) == 0) {
            txg_err_set(err, TXG_E_USAGE,
                        "RevokedHostKeys %s is a KRL, which can't be checked here: use exec='ssh "
                        "%s'",
                        file, k->config->alias);
            free(line);
            fclose(f);
            return -1;
        }
        char *key = line + strspn(line, BLANK);
        if (*key == '\0' || *key == '#')
            continue;
        TXG_AUTOFREE char *entry = txg_xasprintf("* %s", key);
        entry[strcspn(entry, "\r\n")] = '\0';
        take_entry(k, entry, true, file, number);
    }
    free(line);
    fclose(f);
    return 0;
}

static int read_all(struct known *k, struct txg_err *err)
{
    const struct txg_ssh_config *c = k->config;
    for (size_t i = 0; i < c->known_hosts.n; i++)
        if (read_known(k, c->known_hosts.items[i], err) != 0)
            return -1;
    for (size_t i = 0; i < c->global_known_hosts.n; i++)
        if (read_known(k, c->global_known_hosts.items[i], err) != 0)
            return -1;
    for (size_t i = 0; k->key && i < c->revoked.n; i++)
        if (read_revoked(k, c->revoked.items[i], err) != 0)
            return -1;
    return 0;
}

static void release(struct known *k)
{
    free(k->name);
    free(k->where);
    txg_strv_release(&k->types);
}

static char *fingerprint_of(ssh_key key)
{
    unsigned char *hash = NULL;
    size_t len = 0;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) != 0)
        return txg_xstrdup("SHA256:?");
    char *text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
    char *copy = txg_xstrdup(text ? text : "SHA256:?");
    ssh_clean_pubkey_hash(&hash);
    ssh_string_free_char(text);
    return copy;
}

static bool is_pinned(const char *pin, ssh_key key, const char *fingerprint)
{
    if (txg_has_prefix(pin, "SHA256:"))
        return strcmp(pin, fingerprint) == 0;
    TXG_AUTOFREE char *line = txg_xasprintf("* %s", pin);
    struct ssh_knownhosts_entry *entry = NULL;
    if (ssh_known_hosts_parse_line("host", line, &entry) != SSH_OK)
        return false;
    bool same = ssh_key_cmp(entry->publickey, key, SSH_KEY_CMP_PUBLIC) == 0;
    ssh_knownhosts_entry_free(entry);
    return same;
}

/* Several hosts may connect at once: each line is written whole, by one write of its own. */
static int accept_key(const struct known *k, struct txg_err *err)
{
    const char *file = k->config->known_hosts.n ? k->config->known_hosts.items[0] : NULL;
    char *base64 = NULL;
    if (!file)
        return txg_err_set(err, TXG_E_USAGE,
                           "--accept-new-host-keys: there is no UserKnownHostsFile to write to");
    if (ssh_pki_export_pubkey_base64(k->key, &base64) != SSH_OK)
        return txg_err_set(err, TXG_E_PROTO, "the host's key can't be written down");
    const char *slash = strrchr(file, '/');
    if (slash && slash != file) {
        TXG_AUTOFREE char *folder = txg_xstrndup(file, (size_t)(slash - file));
        mkdir(folder, 0700);
    }
    const char *type = ssh_key_type(k->key) == SSH_KEYTYPE_ECDSA_P256   ? "ecdsa-sha2-nistp256"
                       : ssh_key_type(k->key) == SSH_KEYTYPE_ECDSA_P384 ? "ecdsa-sha2-nistp384"
                       : ssh_key_type(k->key) == SSH_KEYTYPE_ECDSA_P521
                           ? "ecdsa-sha2-nistp521"
                           : ssh_key_type_to_char(ssh_key_type(k->key));
    TXG_AUTOFREE char *line = txg_xasprintf("%s %s %s\n", k->name, type, base64);
    ssh_string_free_char(base64);
    int fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return txg_err_sys(err, errno, "--accept-new-host-keys: %s", file);
    char last = '\n';
    off_t end = lseek(fd, 0, SEEK_END);
    bool complete = end <= 0 || (pread(fd, &last, 1, end - 1) == 1 && last == '\n');
    TXG_AUTOFREE char *whole = txg_xasprintf("%s%s", complete ? "" : "\n", line);
    size_t len = strlen(whole);
    int rc = write(fd, whole, len) == (ssize_t)len
                 ? 0
                 : txg_err_sys(err, errno, "--accept-new-host-keys: %s", file);
    close(fd);
    return rc;
}

static int judge(const struct txg_ssh_hostkey *h, const struct known *k, struct txg_err *err)
{
    const char *type = ssh_key_type_to_char(ssh_key_type(k->key));
    const struct txg_ssh_config *c = h->config;
    bool usual = strcmp(c->port, "22") == 0;
    TXG_AUTOFREE char *fingerprint = fingerprint_of(k->key);
    if (k->revoked)
        return txg_err_set(err, TXG_E_USAGE,
                           "%s has the key %s (%s), which is REVOKED (%s): do not connect; give "
                           "the host a new key",
                           k->name, fingerprint, type, k->where);
    if (h->pin && is_pinned(h->pin, k->key, fingerprint))
        return 0;
    if (h->pin)
        return txg_err_set(err, TXG_E_USAGE,
                           "%s has the key %s (%s), but host_key in the fleet is %s: someone else "
                           "may be answering; if the key is good, change host_key",
                           k->name, fingerprint, type, h->pin);
    if (k->found)
        return 0;
    if (k->other)
        return txg_err_set(err, TXG_E_USAGE,
                           "the key of %s has CHANGED: it is %s (%s) and not the one in %s: "
                           "someone else may be answering; if the change is good, remove the old "
                           "one with: ssh-keygen -R '%s'",
                           k->name, fingerprint, type, k->where, k->name);
    if (h->accept_new)
        return accept_key(k, err);
    return txg_err_set(err, TXG_E_USAGE,
                       "the key of %s is not known: %s (%s)%s. If that is the host's (there: "
                       "ssh-keygen -lf on its key file), accept it with --accept-new-host-keys or "
                       "with: ssh %s%s%s%s@%s; or pin it in the fleet: host_key: %s",
                       k->name, fingerprint, type,
                       k->has_authority ? "; @cert-authority lines do not count here" : "",
                       usual ? "" : "-p ", usual ? "" : c->port, usual ? "" : " ", c->user,
                       c->alias, fingerprint);
}

int txg_ssh_hostkey_check(const struct txg_ssh_hostkey *h, ssh_session session, struct txg_err *err)
{
    /* Two connections that meet the same new key write it once. */
    static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;
    struct known k = {.config = h->config, .name = name_of(h->config)};
    int rc = -1;
    if (ssh_get_server_publickey(session, &k.key) != SSH_OK) {
        txg_err_set(err, TXG_E_PROTO, "the host showed no key");
    } else {
        pthread_mutex_lock(&files);
        rc = read_all(&k, err);
        if (rc == 0)
            rc = judge(h, &k, err);
        pthread_mutex_unlock(&files);
    }
    ssh_key_free(k.key);
    release(&k);
    return rc;
}

char *txg_ssh_hostkey_algorithms(const struct txg_ssh_hostkey *h)
{
    static const struct {
        const char *type; /* as libssh names it */
        const char *algorithms;
    } all[] = {
        {"ssh-ed25519", "ssh-ed25519"},
        {"ecdsa", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521"},
        {"ssh-rsa", "rsa-sha2-512,rsa-sha2-256"},
    };
    enum { N = sizeof all / sizeof *all };
    struct known k = {.config = h->config, .name = name_of(h->config)};
    struct txg_buf list = {0};
    bool known[N] = {0};
    if (!h->pin)
        read_all(&k, NULL);
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < k.types.n; j++)
            known[i] = known[i] || txg_has_prefix(k.types.items[j], all[i].type);
        known[i] = known[i] || (h->pin && txg_has_prefix(h->pin, all[i].type));
    }
    for (int pass = 1; pass >= 0; pass--)
        for (size_t i = 0; i < N; i++)
            if (known[i] == (pass == 1))
                txg_buf_printf(&list, "%s%s", txg_buf_len(&list) ? "," : "", all[i].algorithms);
    release(&k);
    return txg_buf_take_cstr(&list);
}
