"""How a command is measured, and beside what."""

import os
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SRCDIR = os.environ["TXG_SRCDIR"]
BUILDDIR = os.environ["TXG_BUILDDIR"]
TXGATE = os.path.join(BUILDDIR, "txgate")
PROGRAMS = os.path.join(BUILDDIR, "tests/bench")
ROUNDS = int(os.environ.get("TXG_BENCH_ROUNDS", "5"))
results = {}
sys.path.insert(0, os.path.join(SRCDIR, "tests/lib"))

import venvs  # noqa: E402


def run(command, cwd=None, env=None, status=0, limit=120):
    """Runs a command with its output thrown into a file; returns (wall, cpu) in seconds."""
    def too_long(*_):
        raise TimeoutError("%s: not over after %d s" % (command, limit))

    signal.signal(signal.SIGALRM, too_long)
    with tempfile.TemporaryFile() as out:
        signal.alarm(limit)
        begun = time.monotonic()
        child = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, shell=isinstance(command, str),
                                 env=dict(os.environ, **env or {}), start_new_session=True)
        try:
            _, code, used = os.wait4(child.pid, 0)
        except TimeoutError:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        wall = time.monotonic() - begun
        signal.alarm(0)
        child.returncode = os.waitstatus_to_exitcode(code)
        if child.returncode != status:
            out.seek(0)
            sys.stdout.write(out.read()[-4000:].decode(errors="replace"))
            sys.exit("%s: exit status %d, expected %d" % (command, child.returncode, status))
    return wall, used.ru_utime + used.ru_stime


def rounds(section, rows, count=ROUNDS):
    """Runs every row `count` times in turn and prints medians. `rows`: name -> function that
    returns (wall, cpu); the first is the floor."""
    print("\n%s" % section)
    times = {name: [] for name in rows}
    for _ in range(count):
        for name, measure in rows.items():
            times[name].append(measure())
    floor = times[next(iter(rows))]
    out = results[section] = {}
    for name, samples in times.items():
        row = out[name] = {
            "wall": statistics.median(s[0] for s in samples),
            "cpu": statistics.median(s[1] for s in samples),
            "ratio": statistics.median(s[0] / f[0] for s, f in zip(samples, floor)),
            "cpu_ratio": statistics.median(s[1] / f[1] if f[1] else 0
                                           for s, f in zip(samples, floor)),
            "samples": samples,
        }
        print("  %-44s %8.3f s wall %8.3f s cpu   %6.3fx wall %6.3fx cpu" %
              (name, row["wall"], row["cpu"], row["ratio"], row["cpu_ratio"]))
    sys.stdout.flush()
    return out


def goal(what, value, limit):
    results.setdefault("goals", {})[what] = {"value": value, "limit": limit}
    print("  goal: %s: %.4g, at most %g: %s" %
          (what, value, limit, "yes" if value <= limit else "NO"))


def names_of(program, count, where):
    """`count` distinct names of one program, in a folder of their own."""
    folder = os.path.join(where, "%s%d" % (program, count))
    os.mkdir(folder)
    source = os.path.join(where, program)
    if not os.path.exists(source):
        shutil.copy(os.path.join(PROGRAMS, program), source)
    for i in range(count):
        os.link(source, os.path.join(folder, "t%05d" % i))
    return folder


def txgate(*args, **kwargs):
    return lambda: run([TXGATE, "run", "-q", *args], **kwargs)


def to_first_test(command, stamps, **kwargs):
    """Seconds from the command's start to the first test's first instruction."""
    if os.path.exists(stamps):
        os.unlink(stamps)
    begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    _, cpu = run(command, **dict(kwargs, env=dict(kwargs.get("env", {}), TXG_BENCH_STAMPS=stamps)))
    with open(stamps, "rb") as f:
        data = f.read()
    first = min(struct.unpack("=%dq" % (len(data) // 8), data))
    return (first - begun) / 1e9, cpu


def controller_cpu(command, **kwargs):
    """CPU seconds of the command's own process, its children apart."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL, **kwargs)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with open("/proc/%d/stat" % child.pid) as f:
        ticks = f.read().rpartition(")")[2].split()[11:13]
    child.wait()
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def peak_memory(command, cwd=None, env=None):
    """MB of the largest of the command's processes."""
    child = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                             env=dict(os.environ, **env or {}))
    _, code, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(code)
    return used.ru_maxrss / 1e3


def released(program):
    """A program of the newest released pytest and pytest-xdist, or None and the reason on stdout."""
    try:
        return str(venvs.bin_folder("current", BUILDDIR) / program)
    except venvs.Unavailable as e:
        print("\nno released pytest-xdist to compare with: %s" % e)
        return None
