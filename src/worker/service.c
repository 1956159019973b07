#include "config.h"

#include "src/worker/service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "src/base/str.h"
#include "src/worker/files.h"
#include "src/worker/tcp.h"
#include "src/worker/wait.h"

#define NAME_MAX_BYTES 64 /* docs/protocol.md section 8 */

static volatile sig_atomic_t ended;

static void on_end(int signum)
{
    (void)signum;
    ended = ended > 0 ? 2 : 1;
}

static int parse_id(const char *text, uint32_t *out)
{
    int64_t n;
    if (!txg_parse_int(text, 0, INT32_MAX, &n))
        return -1;
    *out = (uint32_t)n;
    return 0;
}

static int parse_user(struct txg_service_options *o, struct txg_err *err)
{
    TXG_AUTOFREE char *copy = txg_xstrdup(o->user);
    char *colon = strchr(copy, ':');
    if (colon)
        *colon = '\0';
    if (parse_id(copy, &o->uid) != 0 || parse_id(colon ? colon + 1 : copy, &o->gid) != 0)
        return txg_err_set(err, TXG_E_USAGE, "--user %s: expected numbers, UID or UID:GID",
                           o->user);
    o->has_user = true;
    return 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

size_t txg_service_name_prefix(const char *name)
{
    return strspn(name, LETTERS) ? strspn(name, LETTERS ".+-") : 0;
}

static int check_name(const char *name, struct txg_err *err)
{
    size_t len = txg_service_name_prefix(name);
    if (len > 0 && len <= NAME_MAX_BYTES && name[len] == '\0')
        return 0;
    return txg_err_set(err, TXG_E_USAGE,
                       "--name %s: expected letters, digits and any of _ . + - (first a letter, a "
                       "digit or _), at most %d of them",
                       name, NAME_MAX_BYTES);
}

static int check(const struct txg_service_options *o, struct txg_err *err)
{
    const char *what = o->listen ? "--listen" : "--connect";
    if (o->listen && o->connect)
        return txg_err_set(err, TXG_E_USAGE, "--listen and --connect: expected one of them");
#ifndef TXG_EXECNET
    if (o->insecure_execnet)
        return txg_err_set(err, TXG_E_USAGE,
                           "--insecure-execnet: this worker was built without execnet's protocol");
#endif
    if (o->insecure_execnet && (!o->listen || o->key_file || o->hand_over))
        return txg_err_set(err, TXG_E_USAGE,
                           "--insecure-execnet goes with --listen and --user alone: it has no key");
    if (!o->key_file && !o->insecure_execnet)
        return txg_err_set(err, TXG_E_USAGE,
                           "%s needs --key-file FILE: without a key anybody could run programs "
                           "here (make one with `txgate keygen FILE`)",
                           what);
    if (o->name && !o->connect)
        return txg_err_set(err, TXG_E_USAGE, "--name belongs to --connect");
    if (o->hand_over && !o->listen)
        return txg_err_set(err, TXG_E_USAGE, "--hand-over belongs to --listen");
    if (o->one_run && (!o->listen || o->hand_over))
        return txg_err_set(err, TXG_E_USAGE, "--key-file -: expected a file with %s",
                           o->listen ? "--hand-over" : what);
    return o->name ? check_name(o->name, err) : 0;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    if (a->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int check_address(const struct txg_service_options *o, struct txg_err *err)
{
    if (!o->insecure_execnet || is_loopback(&o->address))
        return 0;
    return txg_err_set(err, TXG_E_USAGE,
                       "--listen %s: --insecure-execnet serves loopback alone (127.0.0.1, [::1]), "
                       "as everybody who reaches it can run programs; --key-file is for the rest",
                       o->listen);
}

int txg_service_parse(struct txg_service_options *o, int argc, char **argv, struct txg_err *err)
{
    static const char *const names[] = {"--listen", "--connect",   "--key-file", "--user",
                                        "--name",   "--hand-over", NULL};
    const char **values[] = {&o->listen, &o->connect, &o->key_file,
                             &o->user,   &o->name,    &o->hand_over};
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        if (strcmp(argv[i], "--insecure-execnet") == 0) {
            o->insecure_execnet = true;
            i--;
            continue;
        }
        while (names[k] && strcmp(argv[i], names[k]) != 0)
            k++;
        if (!names[k])
            return txg_err_set(err, TXG_E_USAGE,
                               "unknown option '%s': with --listen and --connect there are "
                               "--key-file, --user, --name and --insecure-execnet",
                               argv[i]);
        if (i + 1 == argc || *values[k])
            return txg_err_set(err, TXG_E_USAGE, "%s: expected one value", argv[i]);
        *values[k] = argv[i + 1];
    }
    o->one_run = o->key_file && strcmp(o->key_file, "-") == 0;
    if (check(o, err) != 0)
        return -1;
    const char *address = o->listen ? o->listen : o->connect;
    if (txg_tcp_parse(address, &o->address, &o->address_len, err) != 0)
        return txg_err_wrap(err, o->listen ? "--listen" : "--connect");
    if (check_address(o, err) != 0)
        return -1;
    return o->user ? parse_user(o, err) : 0;
}

/* The port is bound and the key read by whom that takes; what strangers reach has no more rights
 * than their tests will. */
static int become_user(const struct txg_service_options *o, struct txg_err *err)
{
    if (!o->has_user)
        return 0;
    if (setgroups(0, NULL) != 0 || setgid(o->gid) != 0 || setuid(o->uid) != 0)
        return txg_err_sys(err, errno, "--user %s", o->user);
    if (o->uid != 0 && setuid(0) == 0)
        return txg_err_set(err, TXG_E_SYS, "--user %s: root's rights could not be given up",
                           o->user);
    return 0;
}

static int take_null(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ? -1 : 0;
    if (null > STDERR_FILENO)
        close(null);
    return rc;
}

int txg_service_begin(const struct txg_service_options *o, char **folder, struct txg_err *err)
{
    if (become_user(o, err) != 0)
        return -1;
    *folder = getcwd(NULL, 0);
    if (!*folder || take_null() != 0)
        return txg_err_sys(err, errno, "start");
    if (!o->one_run) /* whose worker has a place of its own */
        txg_files_keep_in(*folder);
    /* Whoever runs as the same user, tests among them, must not look into this memory. */
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    txg_wait_prepare();
    txg_service_watch();
    return 0;
}

void txg_service_watch(void)
{
    sigset_t blocked; /* let in by txg_wait only, as SIGCHLD is */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGTERM, on_end);
    signal(SIGINT, on_end);
}

bool txg_service_ended(void)
{
    return ended;
}

bool txg_service_hurried(void)
{
    return ended > 1;
}
