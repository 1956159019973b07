"""A million tests cost as much each as ten thousand do, and fit into memory: tests/sim/scale.

Instructions of the session core alone, by callgrind, on 8 gateways; memory of 1,000,000 tests on
1,000 gateways.
"""

import os
import re
import shutil
import subprocess
import sys

BUILDDIR = os.environ["TXG_BUILDDIR"]
SCALE = os.path.join(BUILDDIR, "tests/sim/scale")
FEW, MANY = 10000, 1000000
GROWTH = 1.3
MEMORY = 1 << 20  # KiB
LIMIT = 1200


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, timeout=LIMIT)
    if done.returncode:
        sys.exit("%s ends with %d\n%s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


def instructions(mode, tests):
    out = run("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
              "--toggle-collect=txg_session_event", SCALE, mode, "8", str(tests))
    return int(re.search(r"Collected : (\d+)", out).group(1)) / tests


def main():
    passed = failed = skipped = 0
    subprocess.run(["make", "-s", "-C", BUILDDIR, "tests/sim/scale"], check=True)
    out = run(SCALE, "load", "1000", str(MANY))
    good = int(re.search(r"(\d+) KiB", out).group(1)) < MEMORY
    print(out.strip() + ("" if good else ", over the limit of %d" % MEMORY), flush=True)
    passed, failed = passed + good, failed + (not good)
    for mode in ("load", "worksteal", "duration"):
        if not shutil.which("valgrind"):
            print("%s: skipped, valgrind is not installed" % mode)
            skipped += 1
            continue
        few, many = instructions(mode, FEW), instructions(mode, MANY)
        good = many <= GROWTH * few
        print("%s: %.0f instructions for each of %d tests, %.0f for each of %d: %.3f times%s" %
              (mode, few, FEW, many, MANY, many / few, "" if good else ", over the limit"),
              flush=True)
        passed, failed = passed + good, failed + (not good)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


sys.exit(main())
