#include "config.h"

#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/clock.h"
#include "src/base/key.h"
#include "src/base/str.h"
#include "tests/lib/suite.h"

static char folder[] = "/tmp/test_key.XXXXXX";

static void put(const char *text, size_t len, mode_t mode)
{
    unlink("key");
    int fd = open("key", O_WRONLY | O_CREAT | O_EXCL, 0600);
    CU_ASSERT_FATAL(fd >= 0 && write(fd, text, len) == (ssize_t)len);
    fchmod(fd, mode);
    close(fd);
}

#define GOOD "txgate-key-1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1dfeff\n"

static void is_refused(const char *expected)
{
    static const unsigned char zero[TXG_KEY_SIZE];
    unsigned char key[TXG_KEY_SIZE];
    struct txg_err err = {0};
    memset(key, 7, sizeof key);
    CU_ASSERT_EQUAL(txg_key_read("key", key, &err), -1);
    CU_ASSERT(memcmp(key, zero, sizeof key) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, expected));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "key file key"));
    CU_ASSERT_PTR_NULL(strstr(err.text, "0001"));
}

static void what_was_written_is_read(void)
{
    unsigned char a[TXG_KEY_SIZE], again[TXG_KEY_SIZE], b[TXG_KEY_SIZE];
    struct txg_err err = {0};
    struct stat st;
    mode_t old = umask(0777);
    CU_ASSERT_EQUAL(txg_key_create("a", &err), 0);
    umask(0);
    CU_ASSERT_EQUAL(txg_key_create("b", &err), 0);
    umask(old);
    CU_ASSERT(stat("a", &st) == 0 && (st.st_mode & 07777) == 0600);
    CU_ASSERT(stat("b", &st) == 0 && (st.st_mode & 07777) == 0600);
    CU_ASSERT_EQUAL(txg_key_read("a", a, &err), 0);
    CU_ASSERT_EQUAL(txg_key_read("a", again, &err), 0);
    CU_ASSERT_EQUAL(txg_key_read("b", b, &err), 0);
    CU_ASSERT(memcmp(a, again, sizeof a) == 0);
    CU_ASSERT(memcmp(a, b, sizeof a) != 0);
}

static void a_key_is_never_written_over(void)
{
    unsigned char key[TXG_KEY_SIZE];
    struct txg_err err = {0};
    put(GOOD, strlen(GOOD), 0600);
    CU_ASSERT_EQUAL(txg_key_create("key", &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is there already"));
    CU_ASSERT_EQUAL(txg_key_read("key", key, &err), 0);
    CU_ASSERT(key[0] == 0 && key[1] == 1 && key[30] == 0xfe && key[31] == 0xff);
    CU_ASSERT_EQUAL(symlink("elsewhere", "link"), 0);
    CU_ASSERT_EQUAL(txg_key_create("link", &err), -1);
    CU_ASSERT_EQUAL(access("elsewhere", F_OK), -1);
    CU_ASSERT_EQUAL(txg_key_create("no/such/folder/key", &err), -1);
    CU_ASSERT_STRING_EQUAL(err.text, "no/such/folder/key: No such file or directory");
}

/* A limit on the size of files stands for a full disk. */
static void what_is_not_whole_is_removed(void)
{
    struct rlimit old, small;
    struct txg_err err = {0};
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){40, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &small), 0);
    CU_ASSERT_EQUAL(txg_key_create("cut", &err), -1);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    CU_ASSERT_STRING_EQUAL(err.text, "cut: No space left on device");
    CU_ASSERT_EQUAL(access("cut", F_OK), -1);
}

static void others_must_not_read_it(void)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0610, 0601, 0602, 0620, 0644, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        put(GOOD, strlen(GOOD), modes[i]);
        is_refused("chmod 600 key");
    }
    static const mode_t good[] = {0600, 0400, 0700};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        unsigned char key[TXG_KEY_SIZE];
        put(GOOD, strlen(GOOD), good[i]);
        CU_ASSERT_EQUAL(txg_key_read("key", key, NULL), 0);
    }
    if (geteuid() != 0)
        return;
    put(GOOD, strlen(GOOD), 0600);
    CU_ASSERT_EQUAL(chown("key", 12345, 12345), 0);
    is_refused("belongs to uid 12345");
}

static void only_a_regular_file_is_one(void)
{
    unlink("key");
    is_refused("txgate keygen FILE");
    CU_ASSERT_EQUAL(mkfifo("key", 0600), 0);
    is_refused("expected a regular file"); /* and does not wait for a writer */
    unlink("key");
    CU_ASSERT_EQUAL(mkdir("key", 0700), 0);
    is_refused("expected a regular file");
    rmdir("key");
}

static void another_text_is_refused(void)
{
    size_t len = strlen(GOOD);
    char text[128];
    put(GOOD "\n", len + 1, 0600);
    is_refused("expected one line");
    for (size_t n = 0; n < len; n++) {
        put(GOOD, n, 0600);
        is_refused("expected one line");
        memcpy(text, GOOD, len);
        text[n] = text[n] == 'G' ? 'H' : 'G';
        put(text, len, 0600);
        is_refused("expected one line");
    }
    char *large = txg_xcalloc(1, 1 << 20);
    put(large, 1 << 20, 0600);
    is_refused("expected one line");
    free(large);
}

/* A child that sends GOOD in pieces of `size` bytes, one every `pause` ms. Returns what to read. */
static int send_pieces(size_t size, int pause, pid_t *child)
{
    int fds[2];
    CU_ASSERT_FATAL(pipe(fds) == 0);
    *child = fork();
    CU_ASSERT_FATAL(*child >= 0);
    if (*child == 0) {
        close(fds[0]);
        signal(SIGPIPE, SIG_DFL);
        for (size_t at = 0; at < strlen(GOOD); at += size) {
            size_t left = strlen(GOOD) - at;
            if (write(fds[1], &GOOD[at], left < size ? left : size) < 0)
                break;
            poll(NULL, 0, pause);
        }
        _exit(0);
    }
    close(fds[1]);
    return fds[0];
}

static int receive(int fd, pid_t child, int timeout, unsigned char key[TXG_KEY_SIZE])
{
    struct txg_err err = {0};
    int rc = txg_key_receive(fd, timeout, key, &err);
    CU_ASSERT(rc == 0 || strstr(err.text, "expected a key"));
    close(fd);
    waitpid(child, NULL, 0);
    return rc;
}

static void a_key_comes_in_pieces(void)
{
    unsigned char key[TXG_KEY_SIZE];
    pid_t child;
    int fd = send_pieces(7, 2, &child);
    CU_ASSERT_EQUAL(receive(fd, child, 10000, key), 0);
    CU_ASSERT(key[1] == 1 && key[31] == 0xff);
}

static void all_of_it_has_one_deadline(void)
{
    static const unsigned char zero[TXG_KEY_SIZE];
    unsigned char key[TXG_KEY_SIZE];
    pid_t child;
    int64_t began = txg_now();
    int fd = send_pieces(1, 50, &child); /* 4 s */
    CU_ASSERT_EQUAL(receive(fd, child, 300, key), -1);
    CU_ASSERT(memcmp(key, zero, sizeof key) == 0);
    CU_ASSERT(txg_now() - began >= 300000 && txg_now() - began < 3000000);
}

static void on_alarm(int signum)
{
    (void)signum;
}

static void a_signal_does_not_end_the_wait(void)
{
    unsigned char key[TXG_KEY_SIZE];
    pid_t child;
    int fd = send_pieces(40, 200, &child);
    struct sigaction action = {.sa_handler = on_alarm}, old;
    const struct itimerval often = {{0, 20000}, {0, 20000}};
    struct itimerval before;
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &often, &before);
    int rc = txg_key_receive(fd, 10000, key, NULL);
    sigprocmask(SIG_BLOCK, &alarms, NULL);
    setitimer(ITIMER_REAL, &before, NULL);
    sigtimedwait(&alarms, NULL, &(struct timespec){0}); /* the last one may not have come yet */
    sigaction(SIGALRM, &old, NULL);
    sigprocmask(SIG_UNBLOCK, &alarms, NULL);
    CU_ASSERT_EQUAL(rc, 0);
    close(fd);
    waitpid(child, NULL, 0);
}

static void random_bytes(void)
{
    unsigned char a[300] = {0}, b[300] = {0};
    CU_ASSERT_EQUAL(txg_random(a, sizeof a, NULL), 0);
    CU_ASSERT_EQUAL(txg_random(b, sizeof b, NULL), 0);
    CU_ASSERT(memcmp(a, b, sizeof a) != 0);
    CU_ASSERT(memcmp(a + 268, b + 268, 32) != 0); /* to the last of them */
    txg_wipe(a, sizeof a);
    CU_ASSERT(a[0] == 0 && a[299] == 0);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"what was written is read", what_was_written_is_read},
        {"a key is never written over", a_key_is_never_written_over},
        {"what is not whole is removed", what_is_not_whole_is_removed},
        {"others must not read it", others_must_not_read_it},
        {"only a regular file is one", only_a_regular_file_is_one},
        {"another text is refused", another_text_is_refused},
        {"a key comes in pieces", a_key_comes_in_pieces},
        {"all of it has one deadline", all_of_it_has_one_deadline},
        {"a signal does not end the wait", a_signal_does_not_end_the_wait},
        {"random bytes", random_bytes},
        {0},
    };
    if (!mkdtemp(folder) || chdir(folder) != 0)
        return 1;
    int status = txg_suite_main(argc, argv, "key", tests);
    static const char *const files[] = {"a", "b", "key", "link"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    return chdir("/") == 0 && rmdir(folder) == 0 ? status : 1;
}
