/* Every way in which a case of GLib's framework can end. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void passes(void)
{
    g_test_message("said by passes");
    fprintf(stderr, "no newline");
}

static void skips(void)
{
    g_test_skip("no hardware");
}

static void incomplete(void)
{
    g_test_incomplete("later");
}

static void fails(void)
{
    fprintf(stderr, "said by fails\n");
    g_test_fail();
}

static void asserts(void)
{
    g_assert_cmpint(1, ==, 2);
}

static void warns(void)
{
    g_warning("this is fatal");
}

static void exits(void)
{
    exit(0);
}

static void segfaults(void)
{
    *(volatile int *)8 = 1;
}

static void hangs(void)
{
    sleep(100);
}

static void traps(void)
{
    if (g_test_subprocess())
        abort();
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/good/passes", passes);
    g_test_add_func("/good/passes/below", skips); /* a case that is a suite too */
    g_test_add_func("/good/passes2", passes);
    g_test_add_func("/good/incomplete", incomplete);
    g_test_add_func("/good/traps", traps);
    g_test_add_func("/bad/fails", fails);
    g_test_add_func("/bad/asserts", asserts);
    g_test_add_func("/bad/warns", warns);
    g_test_add_func("/bad/exits", exits);
    g_test_add_func("/bad/segfaults", segfaults);
    g_test_add_func("/bad/hangs", hangs);
    char *random = g_strdup_printf("/random/seed:%d", g_test_rand_int());
    g_test_add_func(random, passes);
    g_free(random);
    g_test_add_func("/last", passes);
    return g_test_run();
}
