#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/wire/message.h"
#include "src/base/sha256.h"
#include "src/base/stdfds.h"
#include "src/worker/agent.h"
#include "src/worker/folder.h"
#ifdef TXG_SOCKETS
#include "src/worker/dial.h"
#include "src/worker/listen.h"
#endif
#if defined TXG_SOCKETS && defined TXG_EXECNET
#include "src/worker/listen_execnet.h"
#endif
#ifdef TXG_EXECNET
#include "src/worker/xdist.h"
#include "src/worker/xdist_server.h"
#endif

static void explain(FILE *out)
{
    fputs("usage: txgate-worker [--token WORD [--remove]]\n", out);
#ifdef TXG_SOCKETS
    fputs(TXG_LISTEN_USAGE TXG_DIAL_USAGE, out);
#endif
    fputs("\n"
          "Started by txgate on each host; speaks its protocol on standard input and output.\n"
          "To run tests, start `txgate run`, or give its path to pytest-xdist:\n"
          "    pytest --tx '3*popen//python=txgate-worker' --dist load tests/native\n",
          out);
#ifdef TXG_SOCKETS
    fputs(TXG_LISTEN_HELP TXG_DIAL_HELP, out);
#endif
}

/* The link must not be a test's stdin or stdout: it moves above 2, close-on-exec. */
static int move_away(int fd, int flags)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", flags | O_CLOEXEC);
    if (moved < 0 || null < 0 || dup2(null, fd) < 0)
        return -1;
    if (null != fd)
        close(null);
    return moved;
}

/* Whoever started us may have left descriptors open; none of them is for us or for a test. */
static void close_inherited(void)
{
#ifdef SYS_close_range /* Linux 5.9: at once, however many there may be */
    if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
        return;
#endif
    struct rlimit limit;
    int max = 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536)
        max = (int)limit.rlim_cur;
    for (int fd = 3; fd < max; fd++)
        close(fd);
}

/* For hosts without sha256sum: is what arrived what was sent? */
static int print_own_hash(void)
{
    char hash[TXG_SHA256_HEX];
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || txg_sha256_fd(fd, hash) != 0) {
        perror("txgate-worker: /proc/self/exe");
        return 1;
    }
    puts(hash);
    return 0;
}

static bool is_execnet(int argc, char **argv)
{
#ifdef TXG_EXECNET
    int words = txg_xdist_start_words(argc, argv);
    return words > 0 && words + 1 == argc;
#else
    (void)argc, (void)argv;
    return false;
#endif
}

static int serve(int in, int out, const char *token, bool execnet)
{
#ifdef TXG_EXECNET
    if (execnet)
        return txg_xdist_main(in, out);
#endif
    (void)execnet;
    return txg_agent_main(in, out, token);
}

static bool is_given(int argc, char **argv, const char *option)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], option) == 0)
            return true;
    return false;
}

static int serve_sockets(int argc, char **argv, bool listens)
{
#ifdef TXG_SOCKETS
    close_inherited();
#ifdef TXG_EXECNET
    if (is_given(argc, argv, "--insecure-execnet"))
        return txg_listen_execnet_main(argc, argv);
#endif
    return listens ? txg_listen_main(argc, argv) : txg_dial_main(argc, argv);
#else
    /* who sends the key there reads what stdout says */
    fprintf(is_given(argc, argv, "-") ? stdout : stderr,
            "txgate-worker: %s: this worker was built without libsodium (./configure "
            "--enable-sockets)\n",
            listens ? "--listen" : "--connect");
    return 2;
#endif
}

static bool keep_nothing(void *user, const char *path)
{
    (void)user, (void)path;
    return false;
}

/* The folder of this program, where it was made for this link alone: its name ends in the token. */
static void remove_folder(const char *token)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (!slash || strlen(token) < 16)
        return;
    *slash = '\0';
    int root = txg_has_suffix(self, token) ? open(self, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : -1;
    if (root < 0)
        return;
    txg_folder_tidy(root, keep_nothing, NULL);
    close(root);
    rmdir(self);
}

int main(int argc, char **argv)
{
    const char *token = "0";
    bool remove = argc == 4 && strcmp(argv[3], "--remove") == 0;
    bool execnet = is_execnet(argc, argv);
    txg_stdfds_open();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("txgate-worker %s (protocol %d)\n", PACKAGE_VERSION, TXG_PROTOCOL);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--hash") == 0)
        return print_own_hash();
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        explain(stdout);
        return 0;
    }
    bool listens = is_given(argc, argv, "--listen");
    if (!execnet && (listens || is_given(argc, argv, "--connect")))
        return serve_sockets(argc, argv, listens);
    if (!execnet && (argc == 3 || remove) && strcmp(argv[1], "--token") == 0) {
        token = argv[2];
    } else if (!execnet && argc != 1) {
        fprintf(stderr,
                "txgate-worker: %s: no such option, or what goes with it is missing; --help shows "
                "them\n",
                argv[1]);
        return 2;
    }
    if (isatty(0)) {
        explain(stderr);
        return 2;
    }
    close_inherited();
    int in = move_away(0, O_RDONLY), out = move_away(1, O_WRONLY);
    if (in < 0 || out < 0) {
        perror("txgate-worker");
        return 1;
    }
    int status = serve(in, out, token, execnet);
    if (remove)
        remove_folder(token);
    return status;
}
