"""Cases of a program that stays, by the ten thousand, beside pytest-xdist; GoogleTest's."""

import os
import shutil
import subprocess

from measure import (PROGRAMS, ROUNDS, SRCDIR, TXGATE, goal, peak_memory, released, rounds, run,
                     txgate)


def on_the_wire(path, count):
    """write()s and bytes for each test, of all workers and their agent, as seen by the cases'
    program when it was done."""
    writes, size = {}, {}
    with open(path) as f:
        for line in f:
            who, pid, n, size_now = line.split()
            writes.setdefault(pid, int(n))  # what comes later counts in workers that have ended
            if who == "agent":
                size.setdefault(pid, int(size_now))
    return sum(writes.values()) / count, sum(size.values()) / count


def cases(where):
    """Trivial cases of a program that stays, the whole command, beside trivial Python tests."""
    pytest = released("pytest")
    program = shutil.copy(os.path.join(PROGRAMS, "cases"), where)
    report = ["--junitxml=" + os.path.join(where, "r.xml")]
    stream = ["--jsonl=" + os.path.join(where, "r.jsonl")]
    io = os.path.join(where, "io")
    with open(os.path.join(where, "test_trivial.py"), "w") as f:
        f.write("import os, pytest\n"
                "@pytest.mark.parametrize('i', range(int(os.environ['TXG_BENCH_CASES'])))\n"
                "def test_trivial(i):\n    pass\n")
    for count in (10000, 50000):
        env = {"TXG_BENCH_CASES": str(count)}
        ours = ["--tx", "2*popen", "--dist", "load", *report]
        out = rounds("%d trivial cases, 2 gateways, whole command" % count, {
            "txgate, JUnit": txgate(*ours, program, cwd=where, env=env),
            "txgate, JUnit and JSON lines": txgate(*ours, *stream, program, cwd=where, env=env),
        })
        if count == 50000:
            goal("MB of memory in any process at 50,000 cases", peak_memory(
                [TXGATE, "run", "-q", *ours, program], cwd=where, env=env), 40)
        if os.path.exists(io):
            os.unlink(io)
        txgate(*ours, program, cwd=where, env=dict(env, TXG_BENCH_IO=io))()
        writes, size = on_the_wire(io, count)
        goal("write()s of workers and agent for each of %d" % count, writes, 0.05)
        goal("bytes on the wire for each of %d, its name included" % count, size, 50)
        if not pytest:
            continue
        theirs = rounds("%d trivial Python tests" % count, {
            "pytest -n 2, JUnit": lambda: run(
                [pytest, "-q", "-p", "no:cacheprovider", "-n", "2", *report, "test_trivial.py"],
                cwd=where, env=env, limit=600)}, 1)["pytest -n 2, JUnit"]["wall"]
        for name, row in out.items():
            print("  %s: %.0f times the rate of pytest-xdist" % (name, theirs / row["wall"]))
        if count == 50000:
            goal("whole command over that of pytest-xdist (1/300)",
                 out["txgate, JUnit"]["wall"] / theirs, 1 / 300)


def million(where):
    """1,000,000 ids of two gateways: collected, agreed and run."""
    program = shutil.copy(os.path.join(PROGRAMS, "cases"), where)
    row = "txgate, 1,000,000 cases"
    out = rounds("1,000,000 ids on 2 gateways", {row: txgate(
        "--tx", "2*popen", "--dist", "load", program, cwd=where,
        env={"TXG_BENCH_CASES": "1000000"})}, 3)
    goal("seconds for 1,000,000 ids", out[row]["wall"], 2)


def gtest(where):
    """2,000 cases of GoogleTest that do nothing: the program alone, in batches by txgate, and a process
    for each by gtest-parallel, which is in no package of Debian's or PyPI's."""
    program = os.path.join(where, "trivial_test")
    if not shutil.which("g++"):
        print("\ngtest: no g++ here (Debian: g++, libgtest-dev)")
        return
    built = subprocess.run(["g++", "-O2", "-o", program, os.path.join(SRCDIR, "tests/bench/trivial.cc"),
                            "-lgtest", "-pthread"], capture_output=True, text=True, timeout=300)
    if built.returncode != 0:
        print("\ngtest: trivial.cc can't be built (Debian: libgtest-dev): %s" % built.stderr[-400:])
        return
    rows = {
        "the program alone": lambda: run([program], cwd=where),
        "txgate run": txgate(program, cwd=where),
        "txgate run --tx 2*popen": txgate("--tx", "2*popen", program, cwd=where),
    }
    peer = shutil.which("gtest-parallel")
    if peer:
        rows["gtest-parallel --workers=2"] = lambda: run([peer, "--workers=2", program], cwd=where)
    else:
        print("\nno gtest-parallel in PATH to compare with")
    for measure in rows.values():
        measure()  # txgate keeps times of earlier runs
    out = rounds("2,000 trivial cases of GoogleTest", rows, 2 * ROUNDS)
    goal("2,000 GoogleTest cases over the program alone", out["txgate run"]["ratio"], 3)
