"""A program of many cases that all take the same time, with libtxgate-harness."""

import os
import subprocess

import harness_sources

PROGRAM = """
#include <stdio.h>
#include <time.h>
#include <txgate/harness.h>

static void takes_its_time(struct txg_case *c)
{
    (void)c;
    nanosleep(&(struct timespec){0, MILLISECONDS * 1000000L}, NULL);
}

int main(int argc, char **argv)
{
    static char names[TESTS][16];
    for (int i = 0; i < TESTS; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        txg_add(names[i], takes_its_time);
    }
    return txg_main(argc, argv);
}
"""


def build(folder, tests, milliseconds):
    """Makes the program `program` in `folder`, of `tests` cases."""
    with open(os.path.join(folder, "program.c"), "w") as f:
        f.write(PROGRAM)
    subprocess.run([*(os.environ.get("CC") or "cc").split(), "-DTESTS=%d" % tests,
                    "-DMILLISECONDS=%d" % milliseconds, "-o", "program", "program.c",
                    *harness_sources.harness(os.environ["TXG_SRCDIR"])],
                   cwd=folder, check=True, timeout=300)
