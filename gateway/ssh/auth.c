#include "config.h"

#include "gateway/ssh/auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/ssh/prompt.h"
#include "gateway/ssh/session.h"
#include "src/base/str.h"

#define ATTEMPTS    3 /* at a passphrase or a password */
#define SECRET_SIZE 1024

struct login {
    struct txg_ssh_try *t;
    ssh_session session;
    int fd;
    const struct txg_ssh_config *c;
    struct txg_buf story; /* what was tried: "agent: no key was taken; /root/.ssh/id_rsa: ..." */
    struct txg_err *err;
    bool ended; /* the link is gone: nothing more to try */
    bool wants_terminal;
};

__attribute__((format(printf, 2, 3))) static void tell(struct login *l, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (txg_buf_len(&l->story) < TXG_ERR_TEXT_MAX / 2)
        txg_buf_printf(&l->story, "%s%s", txg_buf_len(&l->story) ? "; " : "", text);
}

/* Carries one request of libssh to its end: SSH_AUTH_SUCCESS, _DENIED, _PARTIAL, _INFO, or
 * SSH_AUTH_ERROR with l->err set where nothing more can come of this session. */
#define FINISH(l, rc, call)                                                                        \
    do                                                                                             \
        rc = call;                                                                                 \
    while (rc == SSH_AUTH_AGAIN && go_on(l))

static bool is_over(struct login *l)
{
    if (l->ended || ssh_is_connected(l->session))
        return l->ended;
    const char *error = ssh_get_error(l->session);
    bool many = strstr(error, "Too many authentication failures") != NULL;
    l->ended = true;
    txg_err_set(l->err, TXG_E_PROTO, "%s%s%s%s", error, txg_buf_len(&l->story) ? "; tried: " : "",
                txg_buf_cstr(&l->story),
                many ? "; offer fewer keys: ssh=-i FILE -o IdentitiesOnly=yes HOST" : "");
    return true;
}

static bool go_on(struct login *l)
{
    if (is_over(l))
        return false;
    if (txg_ssh_session_wait(l->t, l->session, l->fd, l->err) == 0)
        return true;
    l->ended = true;
    return false;
}

/* A close-on-exec connection to the agent; libssh's own would be inherited by local workers. */
static int connect_agent(const struct txg_ssh_config *c)
{
    const char *path = c->agent ? c->agent : "SSH_AUTH_SOCK";
    TXG_AUTOFREE char *expanded = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strcasecmp(path, "none") == 0)
        return -1;
    if (strcmp(path, "SSH_AUTH_SOCK") == 0 || path[0] == '$')
        path = getenv(path[0] == '$' ? path + 1 : path);
    else
        path = expanded = txg_ssh_config_expand(c, path, true);
    if (!path || !*path || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int try_agent(struct login *l)
{
    int rc, agent = l->c->identities_only == TXG_SSH_YES ? -1 : connect_agent(l->c);
    if (agent < 0 || ssh_set_agent_socket(l->session, agent) != SSH_OK) {
        tell(l, l->c->identities_only == TXG_SSH_YES ? "agent: not asked (IdentitiesOnly)"
                                                     : "agent: none");
        return SSH_AUTH_DENIED;
    }
    FINISH(l, rc, ssh_userauth_agent(l->session, NULL));
    if (rc != SSH_AUTH_SUCCESS)
        tell(l, "agent: none of its keys was taken");
    return rc;
}

struct question {
    struct login *login;
    const char *file;
    bool again, asked, unanswered;
};

static int on_passphrase(const char *prompt, char *buf, size_t len, int echo, int verify,
                         void *user)
{
    struct question *q = user;
    (void)prompt, (void)echo, (void)verify;
    q->asked = true;
    if (q->login->c->batch == TXG_SSH_YES ||
        txg_ssh_prompt_passphrase(q->login->t, q->file, q->again, buf, len) != 0) {
        q->unanswered = true;
        return -1;
    }
    return 0;
}

static ssh_key import_private(struct login *l, const char *file)
{
    struct question q = {.login = l, .file = file};
    ssh_key key = NULL;
    for (int i = 0; i < ATTEMPTS; i++) {
        q.again = i > 0;
        q.asked = false;
        if (ssh_pki_import_privkey_file(file, NULL, on_passphrase, &q, &key) == SSH_OK)
            return key;
        if (!q.asked || q.unanswered)
            break;
    }
    if (q.unanswered && !txg_ssh_prompt_can_ask())
        tell(l, "%s: needs a passphrase, and there is no terminal to ask at (ssh-add it)", file);
    else if (q.asked)
        tell(l, "%s: no passphrase that opens it", file);
    else
        tell(l, "%s: can't be read as a private key", file);
    return NULL;
}

static int try_key(struct login *l, const char *file)
{
    int rc;
    ssh_key public = NULL, private = NULL;
    TXG_AUTOFREE char *beside = txg_xasprintf("%s.pub", file);
    if (access(file, F_OK) != 0) {
        if (errno != ENOENT)
            tell(l, "%s: %s", file, strerror(errno));
        return SSH_AUTH_DENIED;
    }
    if (access(file, R_OK) != 0) {
        tell(l, "%s: %s", file, strerror(errno));
        return SSH_AUTH_DENIED;
    }
    if (access(beside, R_OK) != 0 || ssh_pki_import_pubkey_file(beside, &public) != SSH_OK) {
        private = import_private(l, file);
        if (!private || ssh_pki_export_privkey_to_pubkey(private, &public) != SSH_OK) {
            ssh_key_free(private);
            return SSH_AUTH_DENIED;
        }
    }
    FINISH(l, rc, ssh_userauth_try_publickey(l->session, NULL, public));
    if (rc == SSH_AUTH_SUCCESS && !private)
    private = import_private(l, file);
    else if (rc != SSH_AUTH_SUCCESS) tell(l, "%s: not taken", file);
    if (rc == SSH_AUTH_SUCCESS && private) {
        FINISH(l, rc, ssh_userauth_publickey(l->session, NULL, private));
        if (rc == SSH_AUTH_DENIED)
            tell(l, "%s: its signature was not taken", file);
    } else if (rc == SSH_AUTH_SUCCESS) {
        rc = SSH_AUTH_DENIED;
    }
    ssh_key_free(public);
    ssh_key_free(private);
    return rc;
}

static int try_keys(struct login *l)
{
    int rc = try_agent(l);
    for (size_t i = 0; rc == SSH_AUTH_DENIED && !is_over(l) && i < l->c->identities.n; i++)
        rc = try_key(l, l->c->identities.items[i]);
    return rc;
}

static int try_password(struct login *l)
{
    char secret[SECRET_SIZE];
    int rc = SSH_AUTH_DENIED;
    for (int i = 0; i < ATTEMPTS && rc == SSH_AUTH_DENIED && !is_over(l); i++) {
        TXG_AUTOFREE char *text = txg_xasprintf(
            "%sPassword of %s@%s: ", i ? "Permission denied. " : "", l->c->user, l->c->alias);
        if (txg_ssh_prompt(l->t, text, false, secret, sizeof secret) != 0)
            break;
        FINISH(l, rc, ssh_userauth_password(l->session, NULL, secret));
        explicit_bzero(secret, sizeof secret);
    }
    if (rc != SSH_AUTH_SUCCESS)
        tell(l, "password: not taken");
    return rc;
}

static int answer_prompts(struct login *l)
{
    char secret[SECRET_SIZE], echo;
    int n = ssh_userauth_kbdint_getnprompts(l->session);
    for (int i = 0; i < n && i < 16; i++) {
        const char *prompt = ssh_userauth_kbdint_getprompt(l->session, (unsigned)i, &echo);
        TXG_AUTOFREE char *text = txg_xasprintf("%s@%s: %s", l->c->user, l->c->alias, prompt);
        for (char *p = text; *p; p++) /* the host's words, on the user's terminal */
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                *p = ' ';
        if (txg_ssh_prompt(l->t, text, echo, secret, sizeof secret) != 0)
            return -1;
        ssh_userauth_kbdint_setanswer(l->session, (unsigned)i, secret);
        explicit_bzero(secret, sizeof secret);
    }
    return 0;
}

static int try_interactive(struct login *l)
{
    int rc = SSH_AUTH_DENIED;
    for (int i = 0; i < ATTEMPTS && rc == SSH_AUTH_DENIED && !is_over(l); i++) {
        FINISH(l, rc, ssh_userauth_kbdint(l->session, NULL, NULL));
        while (rc == SSH_AUTH_INFO) {
            if (answer_prompts(l) != 0)
                return SSH_AUTH_DENIED;
            FINISH(l, rc, ssh_userauth_kbdint(l->session, NULL, NULL));
        }
    }
    if (rc != SSH_AUTH_SUCCESS)
        tell(l, "keyboard-interactive: not taken");
    return rc;
}

/* What the host wants, one after the other; SSH_AUTH_PARTIAL means that it wants one more. */
static int try_methods(struct login *l, int methods)
{
    const struct txg_ssh_config *c = l->c;
    int rc = SSH_AUTH_DENIED;
    bool ask = c->batch != TXG_SSH_YES && txg_ssh_prompt_can_ask();
    l->wants_terminal =
        !ask && (methods & (SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_INTERACTIVE));
    if ((methods & SSH_AUTH_METHOD_PUBLICKEY) && c->pubkey != TXG_SSH_NO)
        rc = try_keys(l);
    if (rc == SSH_AUTH_DENIED && ask && !is_over(l) && c->password != TXG_SSH_NO &&
        (methods & SSH_AUTH_METHOD_PASSWORD))
        rc = try_password(l);
    if (rc == SSH_AUTH_DENIED && ask && !is_over(l) && c->kbdint != TXG_SSH_NO &&
        (methods & SSH_AUTH_METHOD_INTERACTIVE))
        rc = try_interactive(l);
    return rc;
}

static const char *name_methods(int methods, struct txg_buf *out)
{
    static const struct {
        int bit;
        const char *name;
    } all[] = {{SSH_AUTH_METHOD_PUBLICKEY, "publickey"},
               {SSH_AUTH_METHOD_PASSWORD, "password"},
               {SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive"},
               {SSH_AUTH_METHOD_HOSTBASED, "hostbased (not built: use exec=ssh)"},
               {SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi (not built: use exec=ssh)"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (methods & all[i].bit)
            txg_buf_printf(out, "%s%s", txg_buf_len(out) ? ", " : "", all[i].name);
    return txg_buf_len(out) ? txg_buf_cstr(out) : "nothing that is known";
}

static int refused(struct login *l, int methods)
{
    struct txg_buf names = {0};
    const char *story = txg_buf_len(&l->story) ? txg_buf_cstr(&l->story) : "no key file is there";
    txg_err_set(l->err, TXG_E_USAGE,
                "%s@%s was refused. Tried: %s. The host takes %s%s. A key is named with ssh=-i "
                "FILE or IdentityFile, and must stand in ~/.ssh/authorized_keys there",
                l->c->user, l->c->alias, story, name_methods(methods, &names),
                l->wants_terminal ? "; there is no terminal to ask for a password at" : "");
    txg_buf_release(&names);
    return -1;
}

int txg_ssh_auth(struct txg_ssh_try *t, ssh_session session, int fd, const struct txg_ssh_config *c,
                 struct txg_err *err)
{
    struct login l = {.t = t, .session = session, .fd = fd, .c = c, .err = err};
    int rc, methods = 0;
    txg_ssh_try_at(t, "authenticate", "logging in as %s", c->user);
    FINISH(&l, rc, ssh_userauth_none(session, NULL));
    for (int i = 0; i < ATTEMPTS && (rc == SSH_AUTH_DENIED || rc == SSH_AUTH_PARTIAL); i++) {
        methods = ssh_userauth_list(session, NULL);
        rc = is_over(&l) ? SSH_AUTH_ERROR : try_methods(&l, methods);
        if (rc != SSH_AUTH_PARTIAL)
            break;
    }
    if (rc != SSH_AUTH_SUCCESS && !is_over(&l)) {
        if (rc == SSH_AUTH_ERROR)
            txg_err_set(err, TXG_E_PROTO, "%s", ssh_get_error(session));
        else
            refused(&l, methods);
    }
    txg_buf_release(&l.story);
    return rc == SSH_AUTH_SUCCESS ? 0 : -1;
}
