"""Processes as /proc tells of them, found by a variable in their environment.

A run is started with MARK in its environment; txgate, its workers and the tests all inherit it, so
whatever carries it belongs to that run, whoever its parent is by now.
"""

import os
import signal
import time

MARK = "TXG_TEST_MARK"


def read(pid, name):
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as f:
            return f.read()
    except OSError:
        return b""


def marked(mark):
    """Live processes of a run, zombies aside: {pid: command line}."""
    wanted = ("%s=%s" % (MARK, mark)).encode()
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid != os.getpid() and wanted in read(pid, "environ").split(b"\0"):
            found[pid] = read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def name(pid):
    return read(pid, "comm").strip().decode(errors="replace")


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in %g s" % seconds
        time.sleep(0.02)


def wait_for_none(mark, seconds):
    """Those that are still there after `seconds`; empty as soon as there are none."""
    end = time.monotonic() + seconds
    while True:
        left = marked(mark)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def kill(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def peak_memory(pid):
    """VmHWM in bytes, 0 for a process that is gone."""
    for line in read(pid, "status").split(b"\n"):
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def parent(pid):
    """The parent's pid, 0 for a process that is gone."""
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def roles(mark, controller):
    """Who is who in a run on this machine: (agents, {worker: agent}). An agent is the
    controller's child, a worker an agent's."""
    txgates = [p for p in marked(mark) if name(p).startswith("txgate") and p != controller]
    agents = [p for p in txgates if parent(p) == controller]
    return agents, {p: parent(p) for p in txgates if parent(p) in agents}
