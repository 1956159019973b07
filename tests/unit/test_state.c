#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/state/state.h"
#include "tests/lib/suite.h"

static char dir[64];

static void make_dir(void)
{
    strcpy(dir, "/tmp/txgate-state-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
}

static char *path_of(const char *name)
{
    return txg_xasprintf("%s/%s", dir, name);
}

/* Nothing else may be there. */
static void remove_dir(void)
{
    static const char *const names[] = {".txgate/state", ".txgate/.gitignore"};
    for (size_t i = 0; i < 2; i++) {
        TXG_AUTOFREE char *path = path_of(names[i]);
        unlink(path);
    }
    TXG_AUTOFREE char *folder = path_of(".txgate");
    rmdir(folder);
    CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void write_state(const char *text, size_t len)
{
    TXG_AUTOFREE char *folder = path_of(".txgate");
    TXG_AUTOFREE char *path = path_of(".txgate/state");
    mkdir(folder, 0700);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT_EQUAL_FATAL(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static char *read_state(void)
{
    TXG_AUTOFREE char *path = path_of(".txgate/state");
    FILE *file = fopen(path, "r");
    char *text = txg_xcalloc(4096, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_TRUE(fread(text, 1, 4095, file) > 0);
    fclose(file);
    return text;
}

static struct txg_state *load(void)
{
    struct txg_err err;
    struct txg_state *s = txg_state_new(dir);
    CU_ASSERT_EQUAL(txg_state_read(s, &err), 0);
    return s;
}

/* It can't be: why. */
static const char *why_not(struct txg_state *s)
{
    static struct txg_err err;
    CU_ASSERT_EQUAL(txg_state_read(s, &err), -1);
    return err.text;
}

static const char *why_not_load(void)
{
    struct txg_state *s = txg_state_new(dir);
    const char *why = why_not(s);
    txg_state_free(s);
    return why;
}

static int save(struct txg_state *s, int64_t stamp)
{
    struct txg_err err = {0};
    int rc = txg_state_save(s, stamp, &err);
    txg_state_free(s);
    return rc;
}

/* "nodeid arch label us;" for each time, then "failed nodeid;". */
static const char *all_of(struct txg_state *s)
{
    static struct txg_buf out;
    size_t n;
    txg_buf_clear(&out);
    const struct txg_state_time *times = txg_state_times(s, &n);
    for (size_t i = 0; i < n; i++)
        txg_buf_printf(&out, "%.*s %s %s %lld;", TXG_FMT(times[i].nodeid), times[i].arch,
                       times[i].label, (long long)times[i].us);
    const struct txg_span *failed = txg_state_failed(s, &n);
    for (size_t i = 0; i < n; i++)
        txg_buf_printf(&out, "failed %.*s;", TXG_FMT(failed[i]));
    return txg_buf_cstr(&out);
}

static void what_is_told_is_there_next_time(void)
{
    make_dir();
    struct txg_state *s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "");
    txg_state_took(s, TXG_SPAN("t/a::x"), "x86_64", "can", 1500);
    txg_state_took(s, TXG_SPAN("t/a::x"), "armhf", NULL, 9000);
    txg_state_took(s, TXG_SPAN("odd \\ \t\n\xff"), "x86_64", "", 7);
    txg_state_ended(s, TXG_SPAN("odd \\ \t\n\xff"), true);
    CU_ASSERT_EQUAL(save(s, 100), 0);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "t/a::x x86_64 can 1500;t/a::x armhf  9000;"
                                      "odd \\ \t\n\xff x86_64  7;failed odd \\ \t\n\xff;");
    txg_state_free(s);
    remove_dir();
}

static void a_test_fails_until_it_does_not(void)
{
    make_dir();
    struct txg_state *s = load();
    txg_state_ended(s, TXG_SPAN("a"), true);
    txg_state_ended(s, TXG_SPAN("b"), true);
    txg_state_ended(s, TXG_SPAN("c"), true);
    save(s, 1);
    s = load();
    txg_state_ended(s, TXG_SPAN("a"), false);
    txg_state_ended(s, TXG_SPAN("b"), true); /* on one gateway, not on another */
    txg_state_ended(s, TXG_SPAN("b"), false);
    save(s, 2);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "failed b;failed c;");
    txg_state_free(s);
    remove_dir();
}

static void what_took_its_time_failed_or_not(void)
{
    make_dir();
    struct txg_state *s = load();
    txg_state_took(s, TXG_SPAN("a"), "x", "", 1);
    txg_state_ended(s, TXG_SPAN("a"), true);
    txg_state_ended(s, TXG_SPAN("aa"), true);
    save(s, 1);
    s = load();
    txg_state_took(s, TXG_SPAN("a"), "x", "", 2);
    txg_state_ended(s, TXG_SPAN("a"), false);
    txg_state_took(s, TXG_SPAN("b"), "x", "", 3);
    txg_state_ended(s, TXG_SPAN("b"), false);
    txg_state_took(s, TXG_SPAN("b"), "y", "", 4); /* on another gateway */
    txg_state_ended(s, TXG_SPAN("b"), true);
    save(s, 2);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  2;b x  3;b y  4;failed aa;failed b;");
    txg_state_free(s);
    remove_dir();
}

static void two_runs_lose_nothing(void)
{
    make_dir();
    struct txg_state *one = load(), *two = load();
    txg_state_took(one, TXG_SPAN("a"), "x", "", 1);
    txg_state_took(two, TXG_SPAN("b"), "x", "", 2);
    save(one, 1);
    save(two, 1);
    struct txg_state *s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  1;b x  2;");
    CU_ASSERT_EQUAL(save(s, 9), 0); /* nothing was told: nothing is written */
    TXG_AUTOFREE char *text = read_state();
    CU_ASSERT_STRING_EQUAL(text, "txgate-state 1\nt\t1\t1\tx\t\ta\nt\t1\t2\tx\t\tb\n");
    remove_dir();
}

/* Tells that `name` took 1 us and saves that. */
static void add(struct txg_state *s, const char *name, int64_t stamp)
{
    struct txg_err err;
    txg_state_took(s, txg_span_cstr(name), "x", "", 1);
    CU_ASSERT_EQUAL(txg_state_save(s, stamp, &err), 0);
}

static void what_was_read_is_not_read_again(void)
{
    make_dir();
    char path[128], text[] = "txgate-state 1\nt\t1\t1\tx\t\ta\n";
    struct stat st;
    struct txg_state *first = txg_state_new(dir);
    add(first, "a", 1);
    txg_state_free(first);
    struct txg_state *known = load(), *late = load();
    snprintf(path, sizeof path, "%s/.txgate/state", dir);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    int fd = open(path, O_WRONLY);
    text[sizeof text - 3] = 'b'; /* by who hides it */
    CU_ASSERT_EQUAL(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
    CU_ASSERT_EQUAL(futimens(fd, (struct timespec[]){st.st_mtim, st.st_mtim}), 0);
    close(fd);
    add(known, "c", 2);
    txg_state_free(known);
    struct txg_state *s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  1;c x  1;");
    txg_state_free(s);
    add(late, "d", 3); /* what it has read is not there any more */
    txg_state_free(late);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  1;c x  1;d x  1;");
    txg_state_free(s);
    remove_dir();
}

static void who_saves_meanwhile_is_heard(void)
{
    make_dir();
    struct txg_state *one = load(), *two = load();
    txg_state_took(one, TXG_SPAN("a"), "x", "", 1);
    txg_state_took(one, TXG_SPAN("b"), "x", "", 1);
    txg_state_ended(one, TXG_SPAN("b"), true);
    txg_state_ended(one, TXG_SPAN("c"), true);
    txg_state_ended(one, TXG_SPAN("d"), true);
    save(one, 1);
    txg_state_took(two, TXG_SPAN("b"), "x", "", 2); /* passed here */
    txg_state_ended(two, TXG_SPAN("c"), false);
    txg_state_took(two, TXG_SPAN("e"), "y", "", 3);
    save(two, 2);
    struct txg_state *s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  1;b x  2;e y  3;failed d;");
    txg_state_free(s);
    remove_dir();
}

/* As only somebody with an editor makes it: the later line counts. */
static void what_stands_there_twice(void)
{
    static const char text[] = "txgate-state 1\n"
                               "t\t1\t1\tx\t\ta\nt\t1\t2\tx\t\ta\n"
                               "f\t1\tb\nf\t1\tb\nf\t1\tc\nf\t1\tc\n";
    make_dir();
    write_state(text, sizeof text - 1);
    struct txg_state *s = load();
    txg_state_took(s, TXG_SPAN("z"), "x", "", 9); /* now they are looked for */
    txg_state_took(s, TXG_SPAN("c"), "x", "", 5);
    char name[8];
    for (int i = 0; i < 200; i++) { /* the hash table grows */
        int n = snprintf(name, sizeof name, "n%d", i);
        txg_state_ended(s, txg_span(name, (size_t)n), false);
    }
    save(s, 2);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  2;z x  9;c x  5;failed b;");
    txg_state_free(s);
    remove_dir();
}

/* What was told over the first of two stays when they are looked for later. */
static void what_is_told_of_them_counts(void)
{
    static const char times[] = "txgate-state 1\nt\t1\t1\tx\t\ta\nt\t1\t2\tx\t\ta\n";
    static const char failed[] = "txgate-state 1\nf\t1\ta\nf\t1\ta\nf\t1\tc\n";
    make_dir();
    write_state(times, sizeof times - 1);
    struct txg_state *s = load();
    txg_state_took(s, TXG_SPAN("a"), "x", "", 7);
    txg_state_took(s, TXG_SPAN("z"), "x", "", 9);
    save(s, 2);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  7;z x  9;");
    txg_state_free(s);
    write_state(failed, sizeof failed - 1);
    s = load();
    txg_state_ended(s, TXG_SPAN("a"), true); /* on one gateway */
    txg_state_took(s, TXG_SPAN("b"), "x", "", 1);
    txg_state_took(s, TXG_SPAN("a"), "x", "", 1); /* on another */
    save(s, 3);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "b x  1;a x  1;failed a;failed c;");
    txg_state_free(s);
    remove_dir();
}

static void expect_ignored(const char *text, size_t len, const char *why)
{
    write_state(text, len);
    struct txg_state *s = txg_state_new(dir);
    const char *said = why_not(s);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, why));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "are ignored"));
    CU_ASSERT_STRING_EQUAL(all_of(s), "");
    txg_state_took(s, TXG_SPAN("a"), "x", "", 1);
    CU_ASSERT_EQUAL(save(s, 5), 1);
    s = load();
    CU_ASSERT_STRING_EQUAL(all_of(s), "a x  1;");
    txg_state_free(s);
}

static void what_is_damaged_is_ignored(void)
{
    static const char *const texts[] = {
        "txgate-state 2\n",
        "txgate-state 1\nt\t1\t2\tx\t\n",
        "txgate-state 1\nt\t1\t-2\tx\t\ta\n",
        "txgate-state 1\nt\t1\t99999999999999999999\tx\t\ta\n",
        "txgate-state 1\nt\t1\t9999999999999999999\tx\t\ta\n",
        "txgate-state 1\nf\t1\ta\tb\n",
        "txgate-state 1\nf\t1\ta",
        "txgate-state 1\nq\t1\ta\n",
        "txgate-state 1\n\n",
        "\n",
        "x",
    };
    make_dir();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect_ignored(texts[i], strlen(texts[i]), "line ");
    expect_ignored("txgate-state 1\n\0\0", 17, "line 2 is none of txgate's");
    remove_dir();
}

/* Every beginning of a good file is taken or told of, and none of them does harm. */
static void every_truncation(void)
{
    static const char text[] = "txgate-state 1\nt\t1\t2\tx\tl\ta\\n\nf\t1\tb\\\\\n";
    make_dir();
    for (size_t len = 0; len < sizeof text; len++) {
        struct txg_err err;
        write_state(text, len);
        struct txg_state *s = txg_state_new(dir);
        CU_ASSERT_EQUAL(txg_state_read(s, &err) == 0,
                        len == 0 || (len < sizeof text && text[len - 1] == '\n'));
        txg_state_free(s);
    }
    remove_dir();
}

static void what_is_no_plain_file(void)
{
    make_dir();
    TXG_AUTOFREE char *folder = path_of(".txgate");
    TXG_AUTOFREE char *path = path_of(".txgate/state");
    CU_ASSERT_EQUAL(mkdir(folder, 0700), 0);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(why_not_load(), "is no plain file"));
    unlink(path);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
    why_not_load();
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_EQUAL(ftruncate(fd, TXG_STATE_BYTES + 1), 0);
    close(fd);
    CU_ASSERT_PTR_NOT_NULL(strstr(why_not_load(), "is larger than 64 MiB"));
    remove_dir();
}

static void a_lock_is_waited_for(void)
{
    struct txg_err err = {0};
    make_dir();
    struct txg_state *s = load();
    txg_state_took(s, TXG_SPAN("a"), "x", "", 1);
    TXG_AUTOFREE char *folder = path_of(".txgate");
    mkdir(folder, 0700);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(folder, O_RDONLY);
        flock(fd, LOCK_EX);
        usleep(300000);
        _exit(0);
    }
    usleep(100000);
    CU_ASSERT_EQUAL(txg_state_save(s, 1, &err), 0);
    waitpid(pid, NULL, 0);
    int fd = open(folder, O_RDONLY);
    CU_ASSERT_EQUAL(flock(fd, LOCK_EX), 0);
    CU_ASSERT_EQUAL(txg_state_save(s, 1, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another txgate holds its lock"));
    close(fd);
    txg_state_free(s);
    remove_dir();
}

static void a_link_is_not_followed(void)
{
    struct txg_err err = {0};
    make_dir();
    TXG_AUTOFREE char *folder = path_of(".txgate");
    CU_ASSERT_EQUAL(symlink("/tmp", folder), 0);
    struct txg_state *s = txg_state_new(dir);
    txg_state_took(s, TXG_SPAN("a"), "x", "", 1);
    CU_ASSERT_EQUAL(txg_state_save(s, 1, &err), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/.txgate: is a link or a file"));
    txg_state_free(s);
    unlink(folder);
    remove_dir();
}

static void the_newest_are_kept(void)
{
    make_dir();
    struct txg_state *s = load();
    char name[32];
    txg_state_took(s, TXG_SPAN("old"), "", "", 1);
    save(s, 1);
    s = load();
    for (int i = 0; i < TXG_STATE_RECORDS; i++) {
        int n = snprintf(name, sizeof name, "n%d", i);
        txg_state_took(s, txg_span(name, (size_t)n), "", "", 1);
    }
    txg_state_ended(s, txg_span(name, strlen(name)), true);
    CU_ASSERT_EQUAL(save(s, 2), 0);
    s = load();
    size_t n;
    txg_state_failed(s, &n);
    CU_ASSERT_EQUAL(n, 1);
    const struct txg_state_time *times = txg_state_times(s, &n);
    CU_ASSERT_EQUAL(n, TXG_STATE_RECORDS - 1);
    for (size_t i = 0; i < n; i++)
        if (txg_span_is(times[i].nodeid, "old"))
            CU_FAIL("the oldest is still there");
    txg_state_free(s);
    remove_dir();
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"what is told is there next time", what_is_told_is_there_next_time},
        {"a test fails until it does not", a_test_fails_until_it_does_not},
        {"what took its time failed or not", what_took_its_time_failed_or_not},
        {"two runs lose nothing", two_runs_lose_nothing},
        {"what was read is not read again", what_was_read_is_not_read_again},
        {"who saves meanwhile is heard", who_saves_meanwhile_is_heard},
        {"what stands there twice", what_stands_there_twice},
        {"what is told of them counts", what_is_told_of_them_counts},
        {"what is damaged is ignored", what_is_damaged_is_ignored},
        {"every truncation", every_truncation},
        {"what is no plain file", what_is_no_plain_file},
        {"a lock is waited for", a_lock_is_waited_for},
        {"a link is not followed", a_link_is_not_followed},
        {"the newest are kept", the_newest_are_kept},
        {0},
    };
    return txg_suite_main(argc, argv, "state", tests);
}
