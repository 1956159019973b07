#include "config.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/worker/known.h"
#include "tests/lib/suite.h"

static void nothing_before_it_is_shared(void)
{
    txg_known_put("/a", 1);
    CU_ASSERT_EQUAL(txg_known_get("/a"), -1);
}

/* One worker looks, another one knows. */
static void shared_by_processes(void)
{
    txg_known_share();
    CU_ASSERT_EQUAL(txg_known_get("/b"), -1);
    pid_t pid = fork();
    if (pid == 0) {
        txg_known_put("/b", 0);
        txg_known_put("/c", TXG_KNOWN_MAX);
        _exit(0);
    }
    int status = -1;
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    CU_ASSERT_EQUAL(txg_known_get("/b"), 0);
    CU_ASSERT_EQUAL(txg_known_get("/c"), TXG_KNOWN_MAX);
    CU_ASSERT_EQUAL(txg_known_get("/d"), -1);
}

static void name(char *path, size_t size, int i)
{
    snprintf(path, size, "/build/tests/suite_%04d_test", i);
}

/* Names as test programs have them, more of them than there is room for: nearly all of the first
 * thousands are kept, none is taken for another. */
static void full(void)
{
    enum { PUT = 40000, FITS = 4000 };
    char path[64];
    txg_known_share();
    for (int i = 0; i < PUT; i++) {
        name(path, sizeof path, i);
        txg_known_put(path, i % 16);
    }
    int kept = 0;
    for (int i = 0; i < PUT; i++) {
        name(path, sizeof path, i);
        int fact = txg_known_get(path);
        CU_ASSERT(fact == -1 || fact == i % 16);
        kept += i < FITS && fact >= 0;
    }
    CU_ASSERT(kept >= FITS * 99 / 100);
}

int main(int argc, char **argv)
{
    static const struct txg_test tests[] = {
        {"nothing before it is shared", nothing_before_it_is_shared},
        {"shared by processes", shared_by_processes},
        {"full", full},
        {0},
    };
    return txg_suite_main(argc, argv, "known", tests);
}
