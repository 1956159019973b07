/* Every way in which a case of libtxgate-harness can end, and 1,000 cases with $MANY. */
#include <txgate/harness.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void passes(struct txg_case *c)
{
    printf("said by %s", txg_case_name(c)); /* without a newline, not flushed */
}

static void fails(struct txg_case *c)
{
    printf("out of fails\n");
    fprintf(stderr, "err of fails\n");
    TXG_CHECK(c, 1 == 2, "one is %d", 1);
}

static void skips(struct txg_case *c)
{
    txg_skip(c, "no\thardware\\");
}

static void same_process(struct txg_case *c)
{
    static pid_t first;
    const char *path = getenv("PIDS");
    FILE *f = path ? fopen(path, "a") : NULL;
    if (f) {
        fprintf(f, "%d\n", (int)getpid());
        fclose(f);
    }
    TXG_ASSERT(c, first == 0);
    first = getpid();
}

static void loud(struct txg_case *c)
{
    (void)c;
    for (int i = 0; i < 200000; i++)
        puts("a line of a loud case");
}

static void input(struct txg_case *c)
{
    const struct txg_input *in = txg_case_input(c);
    long long n = 0;
    double d = 0;
    bool b = false;
    TXG_CHECK(c, txg_input_string(in, "ipadr"), "no ipadr");
    TXG_ASSERT(c, strcmp(txg_input_string(in, "ipadr"), "10.0.0.1 \"\xc3\xa4\\") == 0);
    TXG_ASSERT(c, txg_input_int(in, "port", &n) && n == -22);
    TXG_ASSERT(c, txg_input_double(in, "volts", &d) && d == 3.25);
    TXG_ASSERT(c, txg_input_bool(in, "armed", &b) && b);
    TXG_ASSERT(c, !txg_input_int(in, "ipadr", &n) && !txg_input_string(in, "port"));
    TXG_ASSERT(c, !txg_input_string(in, "nothing"));
    const struct txg_input *pins = txg_input_get(in, "pins");
    TXG_ASSERT(c, strcmp(txg_input_text(txg_input_at(pins, 1)), "17") == 0);
    TXG_ASSERT(c, !txg_input_at(pins, 2));
    TXG_ASSERT(c, strcmp(txg_input_string(in, "workerid"), "gw0") == 0);
}

static void segfaults(struct txg_case *c)
{
    (void)c;
    fprintf(stderr, "err of segfaults\n");
    *(volatile int *)8 = 1;
}

static void exits(struct txg_case *c)
{
    (void)c;
    exit(0);
}

static void aborts(struct txg_case *c)
{
    (void)c;
    abort();
}

static void hangs(struct txg_case *c)
{
    (void)c;
    sleep(100);
}

static void kills_worker(void)
{
    usleep(50000);
    kill(getppid(), SIGKILL);
    sleep(100);
}

static void one_of_many(struct txg_case *c)
{
    const char *bad = getenv("BAD");
    if (!bad || strcmp(txg_case_name(c), "many/500") != 0)
        return;
    if (strcmp(bad, "segfault") == 0)
        segfaults(c);
    if (strcmp(bad, "abort") == 0)
        aborts(c);
    if (strcmp(bad, "exit") == 0)
        exits(c);
    if (strcmp(bad, "hang") == 0)
        hangs(c);
    if (strcmp(bad, "kill") == 0)
        kills_worker();
    TXG_FAIL(c, "%s", bad);
}

static void tear_down(void)
{
    const char *how = getenv("TEAR_DOWN");
    if (how && strcmp(how, "abort") == 0)
        abort();
    if (how && strcmp(how, "hang") == 0)
        sleep(100);
}

int main(int argc, char **argv)
{
    const char *many = getenv("MANY");
    static char names[1000000][16];
    txg_set_fixture(&(struct txg_fixture){.tear_down = tear_down});
    for (int i = 0; many && i < atoi(many); i++) {
        snprintf(names[i], sizeof names[i], "many/%d", i);
        txg_add(names[i], one_of_many);
    }
    if (many)
        return txg_main(argc, argv);
    txg_add("good/passes", passes);
    txg_add("good/skips", skips);
    txg_add("good/input", input);
    txg_add("good/loud", loud);
    txg_add("good/first", same_process);
    txg_add("bad/second", same_process);
    txg_add("bad/fails", fails);
    txg_add("bad/segfaults", segfaults);
    txg_add("bad/exits", exits);
    txg_add("bad/aborts", aborts);
    txg_add("bad/hangs", hangs);
    txg_add("odd\tname\\\n", passes);
    txg_add("last", passes);
    return txg_main(argc, argv);
}
