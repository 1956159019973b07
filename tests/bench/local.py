"""Programs as tests, on local gateways: what a test costs, the start, output, the device example."""

import os
import resource
import shutil
import subprocess

from measure import (BUILDDIR, PROGRAMS, ROUNDS, SRCDIR, TXGATE, goal, names_of, rounds, run, to_first_test,
                     txgate)


def spawn(where):
    """2,000 programs that do nothing, two at a time."""
    count = 2000
    folder = names_of("pass", count, where)
    names = sorted(os.listdir(folder))
    with open(os.path.join(where, "names"), "w") as f:
        f.write("\n".join(names))
    with open(os.path.join(where, "tests.mk"), "w") as f:
        f.write("T = %s\nall: $(T)\n$(T):\n\t@./$@\n.PHONY: all $(T)\n" % " ".join(names))
    logs = os.path.join(where, "logs")
    os.mkdir(logs)
    out = rounds("2,000 x true, 2 at a time", {
        "floor (posix_spawn and pipes)": lambda: run(
            [os.path.join(PROGRAMS, "floor"), "2", *(os.path.join(folder, n) for n in names)]),
        "txgate run --tx 2*popen": txgate("--tx", "2*popen", "--dist", "load", folder),
        "make -j2": lambda: run(["make", "-s", "-j2", "-f", os.path.join(where, "tests.mk")],
                                cwd=folder),
        "xargs -P2, one file for all output": lambda: run(
            "xargs -P2 -n1 ./pass <%s/names" % where, cwd=where),
        "xargs -P2 sh, a file for each": lambda: run(
            "xargs -P2 -n1 sh -c './$0 >%s/$0 2>&1' <%s/names" % (logs, where), cwd=folder),
    })
    goal("2,000 tests over the floor", out["txgate run --tx 2*popen"]["ratio"], 1.02)


def growth(where):
    """What one test costs in a run of 10,000, beside one of 2,000; the start is taken off."""
    one, few, many = (names_of("pass", n, where) for n in (1, 2001, 10001))
    floor = os.path.join(PROGRAMS, "floor")
    lists = {f: [os.path.join(f, n) for n in sorted(os.listdir(f))] for f in (one, few, many)}
    rows = {}
    for label, folder in (("1", one), ("2,001", few), ("10,001", many)):
        rows["floor, %s tests" % label] = lambda f=folder: run([floor, "2", *lists[f]])
        rows["txgate, %s tests" % label] = txgate("--tx", "2*popen", "--dist", "load", folder)
    out = rounds("growth: 1, 2,001 and 10,001 x true", rows, 3)
    for name in ("floor", "txgate"):
        wall = [out["%s, %s tests" % (name, n)]["wall"] for n in ("1", "2,001", "10,001")]
        small, large = (wall[1] - wall[0]) / 2000, (wall[2] - wall[0]) / 10000
        print("  %-8s per test: %.1f us at 2,000, %.1f us at 10,000 (%.3fx)" %
              (name, small * 1e6, large * 1e6, large / small))
        if name == "txgate":
            goal("per-test cost at 10,000 over that at 2,000", large / small, 1.02)


def first(where):
    """From the command to the first test, for 2, 32 and 1,000 local gateways."""
    stamps = os.path.join(where, "stamps")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    for count, limit in ((2, 0.010), (32, 0.050), (1000, 2.0)):
        folder = names_of("stamp", count, where)
        rows = {"txgate, %d gateways" % count: lambda: to_first_test(
            [TXGATE, "run", "-q", "--tx", "%d*popen" % count, "--dist", "load", folder], stamps)}
        if count <= 32 and has_xdist():
            rows["pytest -n %d" % count] = lambda: xdist_first(where, count, stamps)
        out = rounds("command to first test, %d gateways, ulimit -n 1024" % count, rows,
                     ROUNDS if count < 1000 else 3)
        goal("seconds to the first test on %d gateways" % count,
             out["txgate, %d gateways" % count]["wall"], limit)


def has_xdist():
    return subprocess.run([os.environ.get("PYTHON", "python3"), "-c", "import pytest, xdist"],
                          stderr=subprocess.DEVNULL).returncode == 0


def xdist_first(where, count, stamps):
    path = os.path.join(where, "test_stamp.py")
    with open(path, "w") as f:
        f.write("import os, struct, time, pytest\n"
                "@pytest.mark.parametrize('i', range(%d))\n"
                "def test_stamp(i):\n"
                "    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)\n"
                "    with open(os.environ['TXG_BENCH_STAMPS'], 'ab') as f:\n"
                "        f.write(struct.pack('=q', now))\n" % count)
    return to_first_test([os.environ.get("PYTHON", "python3"), "-m", "pytest", "-q", "-p",
                          "no:cacheprovider", "-n", str(count), path], stamps)


def output(where):
    """One test that prints 200 MB, beside the same bytes through two pipes into a file."""
    chatter = os.path.join(PROGRAMS, "chatter")
    out = rounds("200 MB from one test", {
        "prog | cat | cat > file": lambda: run("%s | cat | cat > %s/output" % (chatter, where)),
        "txgate run --tx popen": txgate("--tx", "popen", chatter),
    })
    goal("200 MB over two cats", out["txgate run --tx popen"]["ratio"], 1.3)


def devices(where):
    """The device example: what comes on top of its sleeping, 6 s and 2 s."""
    for name in ("test_network", "test_power", "test_uart"):
        shutil.copy(os.path.join(BUILDDIR, "examples/devices", name), where)
    shutil.copy(os.path.join(SRCDIR, "examples/devices/txgate.yaml"), where)
    tests = ["test_network", "test_power", "test_uart"]
    rows = {mode: txgate("--tx", "3*popen", "--dist", mode, "--tb=line", *tests, cwd=where,
                         status=1) for mode in ("each", "load")}
    out = rounds("device example, 3 gateways", rows)
    for mode, slept in (("each", 6.0), ("load", 2.0)):
        goal("device example, %s: seconds over %.0f s of sleep" % (mode, slept),
             out[mode]["wall"] - slept, 0.10)
