"""How fast txgate is, beside what it could be: `make bench`.

bench.py [SECTION...]: spawn, growth, first, output, devices, python, ssh. Rows of one section alternate (A
B A B ...) so that a slow moment of the machine hits all of them; shown are medians, CPU seconds of all
processes (user and system) beside wall seconds, and the ratio to the section's floor, which is the
median of the ratios within each round. Everything is also left in bench.json.
"""

import json
import os
import platform
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SRCDIR = os.environ["TXG_SRCDIR"]
sys.path.insert(0, os.path.join(SRCDIR, "tests/lib"))

import venvs  # noqa: E402

BUILDDIR = os.environ["TXG_BUILDDIR"]
TXGATE = os.path.join(BUILDDIR, "txgate")
PROGRAMS = os.path.join(BUILDDIR, "tests/bench")
ROUNDS = int(os.environ.get("TXG_BENCH_ROUNDS", "5"))
results = {}
sys.path.insert(0, os.path.join(SRCDIR, "tests/lib"))

import sshd  # noqa: E402
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


def controller_cpu(command, **kwargs):
    """CPU seconds of the command's own process, its children apart."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL, **kwargs)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with open("/proc/%d/stat" % child.pid) as f:
        ticks = f.read().rpartition(")")[2].split()[11:13]
    child.wait()
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def python(where):
    """10,000 trivial tests: Python's by two pytests side by side, by txgate run and by xdist; native
    ones under xdist, with txgate-worker in the place of its Python."""
    try:
        bin_folder = venvs.bin_folder("current", BUILDDIR)
    except venvs.Unavailable as e:
        print("\nno released pytest-xdist here: %s" % e)
        return
    pytest, count = str(bin_folder / "pytest"), 10000
    for half in "ab":
        with open(os.path.join(where, "test_%s.py" % half), "w") as f:
            f.write("import pytest\n@pytest.mark.parametrize('i', range(%d))\n"
                    "def test_it(i): pass\n" % (count // 2))
    names_of("pass", count, where)
    options = ["-q", "-p", "no:cacheprovider"]
    tests = ["test_a.py", "test_b.py"]
    ours = [TXGATE, "run", "-q", "--tx", "2*popen//python=%s" % (bin_folder / "python"), "--dist",
            "load", *tests]
    theirs = [pytest, *options, "-n", "2", *tests]
    native = [pytest, *options, "--tx", "2*popen//python=%s" % os.path.join(BUILDDIR, "txgate-worker"),
              "--dist", "load", "pass%d" % count]
    side_by_side = "%s %s test_a.py & %s %s test_b.py; wait" % (pytest, " ".join(options), pytest,
                                                              " ".join(options))
    out = rounds("10,000 trivial tests in two interpreters", {
        "two pytests side by side": lambda: run(side_by_side, cwd=where),
        "txgate run --tx 2*popen//python=": lambda: run(ours, cwd=where),
        "pytest -n 2": lambda: run(theirs, cwd=where),
        "pytest -n 2, native, txgate-worker": lambda: run(native, cwd=where),
    }, min(ROUNDS, 3))
    wall = {name: row["wall"] for name, row in out.items()}
    used = {name: controller_cpu(command, cwd=where) / count * 1e6
            for name, command in (("txgate run", ours), ("pytest -n 2", theirs),
                                  ("pytest -n 2, native", native))}
    for name, us in used.items():
        print("  %-44s %8.1f us of the controller's CPU for a test" % (name, us))
    results["controller cpu, us for a test"] = used
    goal("Python tests: txgate over xdist, wall", wall["txgate run --tx 2*popen//python="]
         / wall["pytest -n 2"], 1 / 1.8)
    goal("Python tests: txgate over two pytests side by side",
         out["txgate run --tx 2*popen//python="]["ratio"], 1.05)
    goal("us of txgate's CPU for a Python test", used["txgate run"], 10)


EXECNET = """
import execnet, sys
group = execnet.Group()
gateways = [group.makegateway(sys.argv[1]) for _ in range(int(sys.argv[2]))]
channels = [g.remote_exec('''
import struct, time
now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
with open(channel.receive(), "ab") as f:
    f.write(struct.pack("=q", now))
''') for g in gateways]
for c in channels:
    c.send(sys.argv[3])
for c in channels:
    c.waitclose(60)
group.terminate(5)
"""


def ssh(where):
    """From the command to the first test over one sshd, the worker and the tests being there; beside
    one login of OpenSSH's client, which must agree on the same key exchange, and execnet's gateways."""
    if not sshd.find("sshd") or not shutil.which("ssh"):
        print("\nssh: no sshd or no ssh here (Debian: openssh-server, openssh-client)")
        return
    folder = os.path.join(where, "server")
    os.mkdir(folder)
    client = sshd.Client(os.path.join(where, "home"))
    server = sshd.Sshd(folder, extra="KexAlgorithms curve25519-sha256\nMaxStartups 100\n")
    client.may_log_in(server)
    client.knows(server)
    words = "-F none -i %s/id_ed25519 -o UserKnownHostsFile=%s -p %d %s@127.0.0.1" % (
        client.ssh, client.known_hosts, server.port, sshd.USER)
    stamps = os.path.join(where, "stamps")
    server.start()
    try:
        rows = {"ssh host true": lambda: run(["ssh", *words.split(), "true"], env=client.env)}
        for count in (1, 16):
            tests = os.path.relpath(names_of("stamp", count, where), where)
            rows["txgate, %d on one sshd" % count] = lambda n=count, t=tests: to_first_test(
                [TXGATE, "run", "-q", "--tx", "%d*%s//env:TXG_BENCH_STAMPS=%s" % (n, server.spec, stamps),
                 "--dist", "load", t], stamps, cwd=where, env=client.env)
        try:
            python = str(venvs.bin_folder("current", BUILDDIR) / "python")
            for count in (1, 16):
                rows["execnet, %d on one sshd" % count] = lambda n=count: to_first_test(
                    [python, "-c", EXECNET, "ssh=%s//python=%s" % (words, sys.executable), str(n), stamps], stamps,
                    env=client.env)
        except venvs.Unavailable as e:
            print("\nno execnet: %s" % e)
        for measure in rows.values():
            measure()  # what is not there yet is taken there
        out = rounds("command to first test over SSH, warm", rows)
    finally:
        server.stop()
    for count, limit in ((1, 1.0), (16, 1.2)):
        goal("first test on %d gateways over SSH, of one `ssh host true`" % count,
             out["txgate, %d on one sshd" % count]["ratio"], limit)


def goal(what, value, limit):
    results.setdefault("goals", {})[what] = {"value": value, "limit": limit}
    print("  goal: %s: %.4g, at most %g: %s" %
          (what, value, limit, "yes" if value <= limit else "NO"))


def main(sections):
    known = {f.__name__: f for f in (spawn, growth, first, output, devices, python, ssh)}
    unknown = [s for s in sections if s not in known]
    if unknown:
        sys.exit("no section %s; there are %s" % (", ".join(unknown), ", ".join(known)))
    if not os.access(TXGATE, os.X_OK):
        sys.exit("%s is not built" % TXGATE)
    results["machine"] = {"cpus": os.cpu_count(), "kernel": platform.release(),
                          "arch": platform.machine(), "rounds": ROUNDS}
    print("%(cpus)d CPUs, Linux %(kernel)s %(arch)s, medians of %(rounds)d" % results["machine"])
    for name, section in known.items():
        if not sections or name in sections:
            with tempfile.TemporaryDirectory(prefix="txgate-bench-") as where:
                section(where)
    with open(os.path.join(BUILDDIR, "bench.json"), "w") as f:
        json.dump(results, f, indent=1)
    missed = [g for g, r in results.get("goals", {}).items() if r["value"] > r["limit"]]
    print("\n%d of %d goals reached%s" % (len(results["goals"]) - len(missed),
                                          len(results["goals"]),
                                          "; missed: " + ", ".join(missed) if missed else ""))


main(sys.argv[1:])
