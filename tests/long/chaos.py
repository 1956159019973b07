"""Thousands of short tests while every 200 ms a worker, an agent or a keeper of files is killed, those
that start or collect too: every test has one outcome, and whoever crashed or was lost ran on a
process that was killed.

TXG_TESTS (20,000 of 2 ms), TXG_SEED. They are cases of one program, so that a gateway that is started
again is there soon. The gateways are on four hosts as txgate sees it: the death of an agent takes two
of eight. The same run without kills tells how much it costs.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

SRCDIR, BUILDDIR = os.environ["TXG_SRCDIR"], os.environ["TXG_BUILDDIR"]
sys.path.insert(0, os.path.join(SRCDIR, "tests/lib"))

import events  # noqa: E402
import processes  # noqa: E402
import timed_cases  # noqa: E402

TXGATE = os.path.join(BUILDDIR, "txgate")
HOSTS = 4
EVERY = 0.2
LIMIT = 600
LOST_WITHIN = 3 * 10**6  # microseconds from the death of an agent until the tests are lost
FILES = 16  # more than without kills: a host that ends and the one that is started in its place
MEMORY = 4096  # KiB more than without kills, and 4 for each gateway that was started


class Scene:
    """Four hosts that are this machine's shells. chaos_ssh.py has another."""

    times = 2  # as long as without, at most
    per_host = 1  # gateways: exec= shares none
    files = FILES
    program = [TXGATE]
    options = [word for i in range(HOSTS) for word in ("--tx", "2*exec=env H%d=1" % i)]
    env = {}

    def __init__(self, folder):
        self.folder, self.cuts = folder, []

    def new_mark(self):
        return uuid.uuid4().hex

    def forget(self):
        """What an earlier run left takes memory, too."""
        for name in ("cache", ".txgate"):
            shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
        os.mkdir(os.path.join(self.folder, "cache"))

    def start(self, mark, stream, out):
        return subprocess.Popen(
            [*self.program, "run", "-q", "--tb=no", *self.options, "--max-worker-restart", "100000",
             "--require-gateways", "any", "--dist", "load", "--jsonl", stream, "program"],
            cwd=self.folder, env=dict(os.environ, TXGATE_DIR=os.path.join(self.folder, "cache"),
                                      **{processes.MARK: mark}, **self.env),
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def disturb(self, rng, now):
        """What else happens, every EVERY seconds."""

    def restore(self):
        """Nothing of that lasts."""

    def host_of(self, spec):
        return int(re.search(r"H(\d)=1", spec).group(1))

    def close(self):
        """After the last run."""


class Use:
    """Open files and memory of the controller, and processes of the run, over time."""

    def __init__(self, pid):
        self.pid, self.seen = pid, []

    def look(self, alive):
        try:
            with open("/proc/%d/statm" % self.pid) as f:
                pages = int(f.read().split()[1])
            self.seen.append((len(os.listdir("/proc/%d/fd" % self.pid)), pages * 4, alive))
        except (OSError, IndexError):
            pass

    def late(self):
        """The largest of each in the second half of the run."""
        return [max(values) for values in zip(*self.seen[len(self.seen) // 2:])]


class Kills:
    def __init__(self):
        self.count, self.workers, self.agents = 0, set(), []

    def kill(self, pid, now):
        environ = processes.read(pid, "environ")
        host = re.search(rb"\bH(\d)=1", environ)
        is_agent = b"worker-" not in processes.read(processes.parent(pid), "comm")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.count += 1
        if is_agent and host:
            self.agents.append((int(host.group(1)), now))
        else:
            self.workers.add(pid)


class Run:
    """One run; with rng, under kills."""

    def __init__(self, scene, rng):
        folder = scene.folder
        mark, stream = scene.new_mark(), os.path.join(folder, "events")
        scene.forget()
        begun = time.monotonic()
        with open(os.path.join(folder, "out"), "w") as out:
            child, self.kills = scene.start(mark, stream, out), Kills()
        self.use, due = Use(child.pid), begun + EVERY
        while child.poll() is None and time.monotonic() - begun < LIMIT:
            time.sleep(max(0, due - time.monotonic()))
            due += EVERY
            alive = processes.marked(mark)
            self.use.look(len(alive))
            victims = [p for p in alive if processes.name(p).startswith("worker-")]
            if rng and victims:
                self.kills.kill(rng.choice(victims), int((time.monotonic() - begun) * 1e6))
            if rng:
                scene.disturb(rng, time.monotonic() - begun)
        scene.restore()
        if child.poll() is None:
            child.kill()
        child.wait(timeout=30)
        self.seconds = time.monotonic() - begun
        self.left = processes.wait_for_none(mark, 5)
        processes.kill(self.left)
        self.code = child.returncode
        with open(os.path.join(folder, "out")) as f:
            self.out = f.read()
        with open(stream) as f:
            self.lines = f.read().splitlines()
        self.events = [json.loads(line) for line in self.lines]
        self.cuts, self.host_of = scene.cuts, scene.host_of

    def of(self, kind):
        return [e for e in self.events if e["event"] == kind]


def not_hit(run):
    """Those that crashed or were lost, and nothing was killed that ran them."""
    pids = {e["gateway"]: e["pid"] for e in run.of("gateway_ready")}
    hosts = {e["gateway"]: run.host_of(e["spec"]) for e in run.of("gateway_start")}
    for e in run.of("test_finish"):
        gateway = e.get("gateway")
        if e["outcome"] == "crashed" and pids.get(gateway) not in run.kills.workers:
            yield "%s crashed on %s, which nobody killed" % (e["nodeid"], gateway)
        if e["outcome"] == "lost" and not any(
                host == hosts[gateway] and at < e["t"] + 10**6 and e["t"] < at + LOST_WITHIN
                for host, at in [*run.kills.agents, *run.cuts]):
            yield "%s is lost on %s, whose agent nobody killed" % (e["nodeid"], gateway)


def judge(tests, calm, wild, times, per_host, files_more):
    wrong = events.check(wild.lines)[:10] + list(not_hit(wild))[:10]
    ends, kills = wild.of("test_finish"), wild.kills.count
    hit = [e for e in ends if e["outcome"] != "passed"]
    crashed = sum(e["outcome"] == "crashed" for e in ends)
    files, memory, alive = [late - before for late, before in zip(wild.use.late(), calm.use.late())]
    print("%d tests, %d kills, %d of agents, %d gateways started; %d tests hit, %d crashed; %.1f s, "
          "%.1f s without kills; the controller has %d files and %d KiB more than without kills, the "
          "run %d processes" % (len(ends), kills, len(wild.kills.agents),
                                len(wild.of("gateway_start")), len(hit), crashed, wild.seconds,
                                calm.seconds, files, memory, alive), flush=True)
    if len({e["nodeid"] for e in ends}) != tests or len(ends) != tests:
        wrong.append("%d outcomes of %d tests" % (len(ends), tests))
    if {e["outcome"] for e in hit} - {"crashed", "lost"}:
        wrong.append("outcomes %s" % {e["outcome"] for e in hit})
    if kills < wild.seconds / EVERY * 0.75:
        wrong.append("only %d kills in %.1f s" % (kills, wild.seconds))
    # with an agent, and with a cable, goes all that its host runs
    more = (per_host - 1) * len(wild.kills.agents) + per_host * len(wild.cuts)
    if crashed > len(wild.kills.workers) or len(hit) > kills + more:
        wrong.append("%d tests were hit by %d kills and %d cuts" % (len(hit), kills, len(wild.cuts)))
    if wild.seconds > times * calm.seconds:
        wrong.append("that is %.1f times as long" % (wild.seconds / calm.seconds))
    if wild.left or wild.code not in (0, 1, 6):
        wrong.append("exit code %d, left: %s, %s" % (wild.code, wild.left, wild.out[-2000:]))
    if files > files_more or memory > MEMORY + 4 * len(wild.of("gateway_start")) or alive > 2 * HOSTS:
        wrong.append("the controller grows, or processes stay")
    if calm.code != 0 or events.check(calm.lines):
        wrong.append("the calm run fails: %s" % calm.out[-2000:])
    return wrong


def main(scene=Scene):
    tests = int(os.environ.get("TXG_TESTS", "20000"))
    seed = int(os.environ.get("TXG_SEED") or random.SystemRandom().randrange(1 << 31))
    print("TXG_SEED=%d repeats the choice of victims" % seed)
    with tempfile.TemporaryDirectory(prefix="txgate-chaos-") as folder:
        timed_cases.build(folder, tests, 2)
        one = scene(folder)
        try:
            calm = Run(one, None)
            wrong = judge(tests, calm, Run(one, random.Random(seed)),
                          one.times, one.per_host, one.files)
        finally:
            one.close()
    for text in wrong:
        print(text)
    print("%d passed, %d failed" % (not wrong, bool(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
