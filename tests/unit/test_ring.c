#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/harness/lines.h"
#include "src/worker/ring.h"
#include "tests/lib/suite.h"

/* Both sides of docs/harness.md, section 6: the worker's ring, the library's lines. */

static struct txg_ring ring;
static struct txg_lines lines;
static int answers; /* the worker's end of the pipe */
static struct txg_buf said;

static void open_both(void)
{
    int pipes[2];
    char text[64];
    CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
    CU_ASSERT_EQUAL(fcntl(pipes[0], F_SETFL, O_NONBLOCK), 0);
    int fd = txg_ring_make(&ring);
    CU_ASSERT_FATAL(fd >= 0);
    snprintf(text, sizeof text, "%d,%d", pipes[0], pipes[1]);
    setenv("TXGATE_HARNESS", text, 1);
    snprintf(text, sizeof text, "%d", fd);
    setenv("TXGATE_RING", text, 1);
    lines = (struct txg_lines){0};
    CU_ASSERT(txg_lines_open(&lines));
    CU_ASSERT_PTR_NULL(getenv("TXGATE_RING"));
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), -1);
    answers = pipes[0];
    txg_buf_clear(&said);
}

static void close_both(void)
{
    close(lines.in);
    close(lines.out);
    txg_lines_release(&lines);
    txg_ring_release(&ring);
    txg_buf_release(&said);
}

static void tell(const char *text)
{
    txg_lines_tell(&lines, (const char *const[]){text, NULL});
}

static bool take(void)
{
    return txg_ring_take(&ring, txg_ring_mark(&ring), &said);
}

static void expect(const char *text)
{
    CU_ASSERT(take());
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&said), text);
    txg_buf_clear(&said);
}

/* What came by the pipe, at most 255 bytes of it. */
static void expect_by_pipe(const char *text)
{
    char got[256] = "";
    ssize_t n = read(answers, got, sizeof got - 1);
    CU_ASSERT_EQUAL(n < 0 ? 0 : n, (ssize_t)strlen(text));
    CU_ASSERT_STRING_EQUAL(got, text);
}

static void what_is_told_is_taken(void)
{
    open_both();
    CU_ASSERT(!txg_ring_has(&ring));
    expect("");
    tell("a\tb");
    tell("c");
    CU_ASSERT(txg_ring_has(&ring));
    uint32_t mark = txg_ring_mark(&ring);
    tell("d");
    CU_ASSERT(txg_ring_take(&ring, mark, &said));
    CU_ASSERT_STRING_EQUAL(txg_buf_cstr(&said), "a\\tb\nc\n");
    txg_buf_clear(&said);
    expect("d\n");
    expect_by_pipe("");
    close_both();
}

/* Round and round, in all positions of the seam. */
static void it_wraps_around(void)
{
    char line[300];
    open_both();
    memset(line, 'x', sizeof line);
    for (int i = 0; i < 3000; i++) {
        size_t len = (size_t)(i * 7) % (sizeof line - 1);
        line[len] = '\0';
        tell(line);
        CU_ASSERT(take());
        CU_ASSERT_EQUAL(txg_buf_len(&said), len + 1);
        CU_ASSERT(memcmp(txg_buf_data(&said), line, len) == 0);
        line[len] = 'x';
        txg_buf_clear(&said);
    }
    close_both();
}

static void who_sleeps_is_woken_once(void)
{
    open_both();
    CU_ASSERT(txg_ring_sleep(&ring));
    expect_by_pipe("");
    tell("a");
    tell("b");
    expect_by_pipe("\n");
    CU_ASSERT(!txg_ring_sleep(&ring)); /* there is something */
    expect("a\nb\n");
    tell("c");
    expect_by_pipe("");
    close_both();
}

/* The worker's side in a process of its own, as it is: what a forked harness says is another thing.
 * `run` returns whether all was well. */
static pid_t start_worker(bool (*run)(void))
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(run() ? 0 : 1);
    return pid;
}

static void expect_well(pid_t pid)
{
    int status;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
}

/* Takes lines until `wanted` came; the suite's alarm is the deadline. */
static bool takes(const char *wanted)
{
    bool good = true;
    while (good && txg_buf_len(&said) < strlen(wanted))
        good = take();
    good = good && strcmp(txg_buf_cstr(&said), wanted) == 0;
    txg_buf_clear(&said);
    return good;
}

static char long_text[5000];

static bool takes_a_long_line(void)
{
    char got[6000];
    struct pollfd pipe = {.fd = answers, .events = POLLIN};
    return poll(&pipe, 1, 20) == 0 && takes("first\n") && poll(&pipe, 1, -1) == 1 &&
           read(answers, got, sizeof got) == (ssize_t)sizeof long_text && takes("last\n");
}

/* A long line goes by the pipe, when all in front of it was taken. */
static void long_lines_keep_their_place(void)
{
    open_both();
    memset(long_text, 'y', sizeof long_text - 1);
    pid_t pid = start_worker(takes_a_long_line);
    tell("first");
    tell(long_text);
    tell("last");
    expect_well(pid);
    close_both();
}

enum { MANY = 20000 };

static bool takes_many(void)
{
    char line[32];
    int n = 0;
    while (n < MANY && take()) {
        const char *at = txg_buf_cstr(&said);
        for (size_t len; *at; at += len) {
            len = (size_t)snprintf(line, sizeof line, "line %d\n", n++);
            if (strncmp(at, line, len) != 0)
                return false;
        }
        txg_buf_clear(&said);
    }
    return n == MANY;
}

static void who_is_too_fast_waits(void)
{
    char line[32];
    open_both();
    pid_t pid = start_worker(takes_many);
    for (int i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "line %d", i);
        tell(line);
    }
    expect_well(pid);
    close_both();
}

static bool says_something(void)
{
    tell("from a child");
    return true;
}

/* A test that forks and comes back into the harness twice: the child is heard of, and harms
 * nothing.
 */
static void a_forked_child_has_no_part(void)
{
    open_both();
    tell("a");
    expect_well(start_worker(says_something));
    tell("b");
    expect("a\nb\n");
    expect_by_pipe("from a child\n");
    close_both();
}

/* Whatever the other side writes there: nothing is read beside the memory. */
static void lies(void)
{
    static const uint32_t puts[] = {65537, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof puts / sizeof *puts; i++) {
        open_both();
        _Atomic uint32_t *words = (_Atomic uint32_t *)(void *)ring.memory;
        atomic_store(words + 16, puts[i]);
        CU_ASSERT(!take());
        CU_ASSERT_EQUAL(txg_buf_len(&said), 0);
        close_both();
    }
}

static void without_one_the_pipe_does(void)
{
    open_both();
    txg_lines_ring_release(&lines.ring);
    tell("a");
    expect_by_pipe("a\n");
    txg_ring_release(&ring);
    CU_ASSERT(txg_ring_sleep(&ring) && !txg_ring_has(&ring));
    expect("");
    close_both();
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"what is told is taken", what_is_told_is_taken},
        {"it wraps around", it_wraps_around},
        {"who sleeps is woken once", who_sleeps_is_woken_once},
        {"long lines keep their place", long_lines_keep_their_place},
        {"who is too fast waits", who_is_too_fast_waits},
        {"a forked child has no part", a_forked_child_has_no_part},
        {"lies", lies},
        {"without one the pipe does", without_one_the_pipe_does},
        {0},
    };
    return txg_suite_main(argc, argv, "ring", tests);
}
