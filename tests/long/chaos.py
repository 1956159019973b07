"""Thousands of short tests while every 200 ms a worker or an agent is killed, those that start or
collect too: every test has one outcome, and no more crashed than were hit.

TXG_TESTS (5,000 of 2 ms), TXG_SEED. The gateways are on four hosts as txgate sees it, so that the
death of an agent takes two of eight. The same run without kills tells how much it costs.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.environ["TXG_SRCDIR"], "tests/lib"))

import events  # noqa: E402
import processes  # noqa: E402

TXGATE = os.path.join(os.environ["TXG_BUILDDIR"], "txgate")
HOSTS = 4
EVERY = 0.2
LIMIT = 600


def start(folder, mark, stream):
    tx = [word for i in range(HOSTS) for word in ("--tx", "2*exec=env H%d=1" % i)]
    return subprocess.Popen(
        [TXGATE, "run", "-q", "--tb=no", *tx, "--max-worker-restart", "100000",
         "--require-gateways", "any", "--dist", "load", "--jsonl", stream, "t"],
        cwd=folder, env=dict(os.environ, TXGATE_DIR=os.path.join(folder, "cache"),
                             **{processes.MARK: mark}),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        universal_newlines=True)


class Use:
    """Open files, memory and threads of the controller, over time."""

    def __init__(self, pid):
        self.pid, self.seen = pid, []

    def look(self):
        try:
            with open("/proc/%d/statm" % self.pid) as f:
                pages = int(f.read().split()[1])
            self.seen.append((len(os.listdir("/proc/%d/fd" % self.pid)), pages * 4))
        except (OSError, IndexError):
            pass

    def growth(self):
        """Between the second fifth and the last one: (files, KiB), the largest of each."""
        part = max(1, len(self.seen) // 5)
        early, late = self.seen[part:2 * part] or self.seen, self.seen[-part:]
        return tuple(max(x[i] for x in late) - max(x[i] for x in early) for i in (0, 1))


def play(folder, rng):
    """One run; with rng, under kills. Returns (seconds, kills, use, output, code, events)."""
    mark, stream = uuid.uuid4().hex, os.path.join(folder, "events")
    begun = time.monotonic()
    child, kills = start(folder, mark, stream), 0
    use = Use(child.pid)
    while child.poll() is None and time.monotonic() - begun < LIMIT:
        time.sleep(EVERY)
        use.look()
        victims = [p for p in processes.marked(mark)
                   if p != child.pid and processes.name(p).startswith("worker-")]
        if rng and victims:
            try:
                os.kill(rng.choice(victims), signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
    if child.poll() is None:
        child.kill()
    out = child.communicate(timeout=30)[0]
    left = processes.wait_for_none(mark, 5)
    processes.kill(left)
    with open(stream) as f:
        lines = f.read().splitlines()
    return time.monotonic() - begun, kills, use, out + (" left: %s" % left if left else ""), \
        child.returncode, lines, not left


def judge(tests, calm, wild):
    seconds, kills, use, out, code, lines, clean = wild
    wrong = events.check(lines)[:10]
    ends = [e for e in map(json.loads, lines) if e["event"] == "test_finish"]
    hit = [e for e in ends if e["outcome"] != "passed"]
    down = sum(e["event"] == "gateway_down" for e in map(json.loads, lines))
    files, memory = use.growth()
    print("%d tests, %d kills, %d gateways down, %d tests hit; %.1f s, %.1f s without kills; the "
          "controller grew by %d files and %d KiB" % (len(ends), kills, down, len(hit), seconds,
                                                      calm[0], files, memory), flush=True)
    if len({e["nodeid"] for e in ends}) != tests or len(ends) != tests:
        wrong.append("%d outcomes of %d tests" % (len(ends), tests))
    if {e["outcome"] for e in hit} - {"crashed", "lost"}:
        wrong.append("outcomes %s" % {e["outcome"] for e in hit})
    if kills < seconds / EVERY / 4:
        wrong.append("only %d kills in %.1f s" % (kills, seconds))
    if len(hit) > 2 * kills:
        wrong.append("%d tests were hit by %d kills" % (len(hit), kills))
    if not clean or code not in (0, 1, 6):
        wrong.append("exit code %d, %s" % (code, out[-2000:]))
    if files > 24 or memory > 16 * 1024:
        wrong.append("the controller grows")
    if calm[4] != 0 or events.check(calm[5]):
        wrong.append("the calm run fails: %s" % calm[3][-2000:])
    return wrong


def main():
    tests = int(os.environ.get("TXG_TESTS", "5000"))
    seed = int(os.environ.get("TXG_SEED") or random.SystemRandom().randrange(1 << 31))
    print("TXG_SEED=%d repeats the choice of victims" % seed)
    with tempfile.TemporaryDirectory(prefix="txgate-chaos-") as folder:
        os.mkdir(os.path.join(folder, "t"))
        os.mkdir(os.path.join(folder, "cache"))
        program = os.path.join(folder, "program")
        with open(program, "w") as f:
            f.write("#!/bin/sh\nsleep 0.002\n")
        os.chmod(program, 0o755)
        for i in range(tests):
            os.symlink(program, os.path.join(folder, "t", "t%05d" % i))
        calm = play(folder, None)
        wrong = judge(tests, calm, play(folder, random.Random(seed)))
    for text in wrong:
        print(text)
    print("%d passed, %d failed" % (not wrong, bool(wrong)))
    return 1 if wrong else 0


sys.exit(main())
