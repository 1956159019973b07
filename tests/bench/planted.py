"""What a case that ends badly costs the 999 others of its program."""

import os
import shutil
import subprocess
import tempfile

import harness_sources

from measure import ROUNDS, SRCDIR, goal, rounds, txgate

CASES = os.path.join(SRCDIR, "tests/integration/cases")
TIMEOUT = 1  # seconds; a case that hangs costs them before anything else
ENDS = ("segfault", "abort", "exit", "hang")
COMPILERS = {
    "GoogleTest": ["g++", "-O2", os.path.join(CASES, "thousand.cc"), "-lgtest", "-lgtest_main",
                   "-pthread"],
    "CUnit, one line": [os.environ.get("CC") or "cc", "-O2", "-DONE_LINE",
                        os.path.join(CASES, "cunit.c"), *harness_sources.cunit(SRCDIR), "-lcunit"],
    "CUnit, unchanged": [os.environ.get("CC") or "cc", "-O2", os.path.join(CASES, "cunit.c"),
                         "-lcunit"],
    "libtxgate-harness": [os.environ.get("CC") or "cc", "-O2", os.path.join(CASES, "harness.c"),
                          *harness_sources.harness(SRCDIR)],
}


def planted(where):
    """1,000 cases, of which the one in the middle crashes, aborts, exits or hangs, beside the same
    1,000 undisturbed."""
    for framework, words in COMPILERS.items():
        program = os.path.join(where, "%s_test" % framework.replace(", ", "_"))
        if not shutil.which(words[0]):
            print("\n%s: no %s here" % (framework, words[0]))
            continue
        built = subprocess.run([*words, "-o", program], capture_output=True, text=True, timeout=300)
        if built.returncode != 0:
            print("\n%s: its program can't be built (Debian: libgtest-dev, libcunit1-dev): %s" %
                  (framework, built.stderr[-400:]))
            continue

        def run_with(bad):
            folder = tempfile.mkdtemp(dir=where)  # what one row leaves in .txgate is not for another
            env = {"MANY": "1000", **({"BAD": bad} if bad else {})}
            measure = txgate("--tb=no", "--timeout=%d" % TIMEOUT, program, cwd=folder, env=env,
                             status=1 if bad else 0)
            if bad != "hang":
                return measure

            def without_the_wait():
                wall, cpu = measure()
                return wall - TIMEOUT, cpu
            return without_the_wait

        rows = {"undisturbed": run_with(None), **{bad: run_with(bad) for bad in ENDS}}
        for measure in rows.values():
            measure()  # txgate keeps times of earlier runs
        out = rounds("1,000 cases, %s; of a case that hangs without its %d s" % (framework, TIMEOUT),
                     rows, 2 * ROUNDS)
        goal("%s: one bad case of 1,000 over the undisturbed batch" % framework,
             max(out[bad]["ratio"] for bad in ENDS), 1.5)
