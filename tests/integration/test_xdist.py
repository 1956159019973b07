"""txgate-worker under released, unmodified pytest, pytest-xdist and execnet.

    pytest --tx '3*popen//python=txgate-worker' --dist each tests/native
"""

import os
import re
import shutil
import signal
import subprocess
import time
import uuid
import xml.etree.ElementTree as ElementTree

import pytest

import harness_sources
import processes
import venvs

ADDRESSES = ["192.168.1.2", "192.168.1.3", "192.168.1.4"]
MODES = ["each", "load", "loadscope", "loadfile", "loadgroup", "worksteal"]
CONFTEST = """
import json
devices = %r
def pytest_configure_node(node):
    node.workerinput["ipadr"] = devices[int(node.gateway.id[2:]) %% 3]
    node.workerinput["nested"] = {"a": [1, 2.5, None, True, ("t",)], "text": "\\u00e4"}
""" % (ADDRESSES,)


class Pytest:
    """Starts pytest of one virtual environment in a test's own folder."""

    def __init__(self, name, builddir, cwd):
        self.mark, self.cwd = uuid.uuid4().hex, cwd
        self.bin = venvs.bin_folder(name, builddir)
        self.worker = builddir / "txgate-worker"

    def start(self, *args, tx="2*popen", **env):
        spec = tx.replace("popen", "popen//python=%s" % self.worker).replace("POPEN", "popen")
        full = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TXGATE_"))}
        full.update({processes.MARK: self.mark, "EXAMPLE_SECONDS": "0.1", "COLUMNS": "200"}, **env)
        return subprocess.Popen(
            [self.bin / "pytest", "-p", "no:cacheprovider", "--tx", spec, *map(str, args)],
            cwd=self.cwd, env=full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, universal_newlines=True)

    def end(self, child, timeout=60):
        try:
            text = child.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            child.kill()
            pytest.fail("pytest was not done after %d s:\n%s" % (timeout, child.communicate()[0]))
        return child.returncode, text

    def __call__(self, *args, timeout=60, **kwargs):
        return self.end(self.start(*args, **kwargs), timeout)


def make(name, builddir, tmp_path):
    if not (builddir / "txgate-worker").exists():
        pytest.skip("txgate-worker is not built in %s" % builddir)
    help_text = subprocess.run([builddir / "txgate-worker", "--help"], stdout=subprocess.PIPE)
    if b"pytest-xdist" not in help_text.stdout:
        pytest.skip("txgate-worker is built without execnet's protocol")
    try:
        return Pytest(name, builddir, tmp_path)
    except venvs.Unavailable as e:
        pytest.skip("no released pytest-xdist here: %s" % e)


def finish(runner):
    left = processes.wait_for_none(runner.mark, 5)
    processes.kill(left)
    assert not left, "processes were left behind: %s" % left


@pytest.fixture(params=sorted(venvs.VERSIONS))
def anyxdist(request, builddir, tmp_path):
    """pytest with each of the versions of pytest-xdist."""
    runner = make(request.param, builddir, tmp_path)
    runner.version = request.param
    yield runner
    finish(runner)


@pytest.fixture
def xdist(builddir, tmp_path):
    """pytest with the current pytest-xdist."""
    runner = make("current", builddir, tmp_path)
    yield runner
    finish(runner)


@pytest.fixture
def native(tmp_path, builddir):
    """Copies compiled programs into tests/native of the test's folder."""
    def copy(*names):
        folder = tmp_path / "tests/native"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            place = "examples/devices" if name.startswith("test_") else \
                "tests/integration/programs"
            shutil.copy(str(builddir / place / name), str(folder / name))
        return "tests/native"
    return copy


@pytest.fixture
def example(native, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return native("test_network", "test_power", "test_uart")


def counts(text):
    last = [line for line in text.splitlines() if re.search(r"\d (passed|failed|skipped|error)", line)][-1]
    return {word.rstrip("s"): int(n) for n, word in
            re.findall(r"(\d+) (passed|failed|skipped|xfailed|xpassed|errors?)", last)}


def test_device_example_each(anyxdist, example):
    code, text = anyxdist("--dist", "each", "--tb=line", example, tx="3*popen")
    assert code == 1 and counts(text) == {"failed": 9}, text
    for address in ADDRESSES:
        assert len(re.findall(r"native/test_\w+:0: exit status 1: device %s: " %
                              re.escape(address), text)) == 3, text


def test_device_example_load(anyxdist, example):
    code, text = anyxdist("--dist", "load", "--tb=line", example, tx="3*popen")
    assert code == 1 and counts(text) == {"failed": 3}, text
    for address in ADDRESSES:
        assert len(re.findall(r":0: exit status 1: device %s: " % re.escape(address), text)) == 1


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_runs_every_test(anyxdist, native, mode):
    if mode == "worksteal" and anyxdist.version == "old":
        pytest.skip("pytest-xdist 3.1 has no worksteal")
    folder = native("passes", "fails", "skips", "hard_error", "segfault", "tap_passes.t",
                    "tap_bails_out.t", "aborts")
    code, text = anyxdist("--dist", mode, folder)
    times = 2 if mode == "each" else 1
    assert code == 1, text
    assert counts(text) == {"passed": 2 * times, "failed": 3 * times, "skipped": times,
                            "error": 2 * times}, text


def test_reports_as_a_reader_sees_them(anyxdist, native):
    folder = native("fails", "passes", "skips", "segfault", "tap_passes.t", "leaves_grandchild",
                    "test_uart")
    code, text = anyxdist("--dist", "load", "-v", "-rA", "--durations=2", folder)
    assert code == 1, text
    for line in (r"\[gw[01]\] \[ *\d+%\] FAILED tests/native/fails",
                 r"exit status 3: expected 1, got 2",
                 r"-+ Captured stdout call -+\nexpected 1, got 2",
                 r"_ passes _+\n\[gw[01]\] .*\n-+ Captured stdout call -+\nall is well",
                 r"crashed: signal 11 \(Segmentation fault\): before the fall",
                 r"\nSKIPPED \[1\] tests/native/skips: exit status 77",
                 r"\nPASSED tests/native/tap_passes\.t",
                 r"_ \./tests/native/tap_passes\.t _",
                 r"\nFAILED tests/native/fails - exit status 3: expected 1, got 2",
                 r"2 left behind by the test and killed",
                 r"0\.1\ds call +tests/native/test_uart"):
        assert re.search(line, text), (line, text)


def test_junit(anyxdist, native, tmp_path):
    folder = native("fails", "passes", "skips", "hard_error", "odd_bytes")
    anyxdist("--dist", "load", "--junitxml=out.xml", "-o", "junit_logging=all", folder)
    cases = {c.get("name"): c for c in
             ElementTree.parse(str(tmp_path / "out.xml")).iter("testcase")}
    assert sorted(cases) == ["tests.native." + n for n in
                             ("fails", "hard_error", "odd_bytes", "passes", "skips")]
    assert cases["tests.native.fails"].find("failure").get("message") == \
        "exit status 3: expected 1, got 2"
    assert cases["tests.native.skips"].find("skipped") is not None
    assert cases["tests.native.hard_error"].find("error") is not None
    assert "all is well" in cases["tests.native.passes"].find("system-out").text


def test_the_place_of_a_failed_assertion(xdist, script, native, tmp_path):
    native("passes")
    script("tests/native/asserts", "echo 'prog: src/power.c:42: main: Assertion failed' >&2\nexit 1\n")
    code, text = xdist("--dist", "load", "--tb=line", "tests/native")
    assert code == 1 and "src/power.c:42: exit status 1" in text, text
    code, text = xdist("--dist", "load", "tests/native")
    assert "\nsrc/power.c:42\n" in text, text


@pytest.mark.parametrize("option", [["-x"], ["--maxfail", "1"], ["--exitfirst"]])
def test_stops_after_failures(xdist, script, option):
    os.mkdir(str(xdist.cwd / "t"))
    for i in range(40):
        script("t/t%02d" % i, "echo >>log.$$; sleep 0.02; exit 1\n")
    code, text = xdist("--dist", "load", *option, "t")
    assert code == 2 and "stopping after 1 failures" in text, text
    assert len([n for n in os.listdir(str(xdist.cwd)) if n.startswith("log.")]) <= 4, text


def test_cases_of_a_program_that_stays(anyxdist, srcdir, builddir, tmp_path):
    """Short cases come from the worker by the hundred, and each has all its reports here."""
    (tmp_path / "native").mkdir()
    subprocess.run([os.environ.get("CC") or "cc", "-o", str(tmp_path / "native/cases"),
                    str(srcdir / "tests/bench/cases.c"), *harness_sources.harness(srcdir)],
                   check=True, timeout=120)
    code, text = anyxdist("--dist", "load", "-v", "native/cases", TXG_BENCH_CASES="600")
    assert code == 0 and counts(text) == {"passed": 600}, text
    passed = re.findall(r"PASSED native/cases::(case\d+)", text)
    assert sorted(passed) == ["case%07d" % i for i in range(600)], text


def test_a_worker_that_dies_is_replaced(anyxdist, native, script):
    folder = native("passes", "kills_parent")
    for i in range(6):
        script("tests/native/t%d" % i, "sleep 0.05\n")
    code, text = anyxdist("--dist", "load", folder)
    assert code == 1 and counts(text) == {"failed": 1, "passed": 7}, text
    assert re.search(r"node down: the worker process was ended by signal 9 \(Killed\) while it "
                     r"ran tests/native/kills_parent", text), text
    assert "crashed while running 'tests/native/kills_parent'" in text, text


def test_a_killed_gateway_is_replaced(xdist, script):
    os.mkdir(str(xdist.cwd / "t"))
    for i in range(4):
        script("t/t%d" % i, "echo $PPID >p.$$; mv p.$$ ran.$$; sleep 1\n")
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored behind a shell's `&`
    child = xdist.start("--dist", "load", "t")
    signal.signal(signal.SIGINT, ours)
    end = time.monotonic() + 20
    ran = []
    while len(ran) < 2 and time.monotonic() < end:
        ran = [n for n in os.listdir(str(xdist.cwd)) if n.startswith("ran.")]
        time.sleep(0.01)
    worker = int((xdist.cwd / ran[0]).read_text())
    with open("/proc/%d/stat" % worker) as f:
        gateway = int(f.read().rsplit(")", 1)[1].split()[1])
    os.kill(gateway, signal.SIGKILL)
    code, text = xdist.end(child)
    assert code == 1 and counts(text) == {"failed": 1, "passed": 3}, text
    assert "Not properly terminated" in text, text


def test_worksteal_takes_tests_back(xdist, script):
    os.mkdir(str(xdist.cwd / "t"))
    for i in range(24):
        script("t/t%02d" % i, "echo $PPID >>log\nsleep %s\n" % ("0.3" if i < 12 else "0"))
    code, text = xdist("--dist", "worksteal", "-v", "t")
    assert code == 0 and counts(text) == {"passed": 24}, text
    # Without stealing gw0 would run its own half, all of it slow.
    assert len(re.findall(r"\[gw0\] \[ *\d+%\] PASSED", text)) < 11, text


def test_each_test_is_told_its_workerinput(xdist, script, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    os.mkdir(str(tmp_path / "t"))
    script("t/show", "env | grep -E '^(TXGATE_INPUT|PYTEST_XDIST)' | sort\n")
    code, text = xdist("--dist", "each", "-rP", "--testrunuid", "the-run", "t", tx="2*popen")
    assert code == 0, text
    for i in range(2):
        assert ("PYTEST_XDIST_TESTRUNUID=the-run\nPYTEST_XDIST_WORKER=gw%d\n"
                "PYTEST_XDIST_WORKER_COUNT=2\nTXGATE_INPUT_IPADR=%s\nTXGATE_INPUT_NESTED="
                '{"a": [1, 2.5, null, true, ["t"]], "text": "\u00e4"}\n'
                % (i, ADDRESSES[i])) in text, text


def test_workerinput_that_no_native_test_can_be_given(xdist, native, tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_configure_node(node):\n    node.workerinput['z'] = {'deep': 1j}\n")
    code, text = xdist("--dist", "load", native("passes"))
    assert code != 0 and "workerinput: z: deep: a native test can be given" in text, text


def test_spec_settings(xdist, script, tmp_path):
    os.mkdir(str(tmp_path / "t"))
    script("t/show", 'echo "$COLOUR $(nice) $PWD"\n')
    code, text = xdist("--dist", "load", "-rP", "t", tx="popen//env:COLOUR=green//nice=5")
    assert code == 0 and "green 5 %s" % tmp_path in text, text


@pytest.mark.parametrize("args, want", [
    (["tests/native", "-k", "passes or fails"], {"passed": 2, "failed": 1}),
    (["tests/native", "-kPASSES"], {"passed": 2}),
    (["tests/native", "-k", "not (passes or fails) and skips"], {"skipped": 1}),
    (["tests/native", "-m", "not slow", "--deselect", "tests/native/fails"],
     {"passed": 2, "skipped": 1}),
    (["tests/native/passes", "./tests/native/skips"], {"passed": 1, "skipped": 1}),
])
def test_selection(xdist, native, args, want):
    native("passes", "tap_passes.t", "fails", "skips")
    code, text = xdist("--dist", "load", *args)
    assert counts(text) == want, text


@pytest.mark.parametrize("args, what", [
    (["nowhere"], r"ERROR collecting nowhere _+\n\S*/nowhere: No such file or directory"),
    ([], r"ERROR collecting \. _+\nNo tests are named"),
    (["tests/native", "-k", "a and ("],
     r"ERROR collecting \. _+\n-k a and \(: at column 8: expected a word"),
])
def test_what_cannot_be_collected(anyxdist, native, args, what):
    native("passes")
    code, text = anyxdist("--dist", "load", *args)
    assert code == 1 and re.search(what, text), text


def test_python_files_in_a_folder_are_not_run(xdist, native, script):
    native("passes")
    script("tests/native/helper.py", "exit 1\n")
    code, text = xdist("--dist", "load", "tests/native")
    assert code == 0 and counts(text) == {"passed": 1}, text


def test_interrupt_ends_all(xdist, script, tmp_path):
    os.mkdir(str(tmp_path / "t"))
    script("t/waits", "touch begun; sleep 60\n")
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored behind a shell's `&`
    child = xdist.start("--dist", "load", "t")
    signal.signal(signal.SIGINT, ours)
    end = time.monotonic() + 20
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.01)
    begun = time.monotonic()
    os.killpg(child.pid, signal.SIGINT)
    try:
        child.wait(4)
    except subprocess.TimeoutExpired:  # Python loses a Ctrl-C that falls into a callback
        os.killpg(child.pid, signal.SIGINT)
    code, text = xdist.end(child)
    assert code == 2 and time.monotonic() - begun < 12, text


def python(runner, text, **kwargs):
    return subprocess.run([runner.bin / "python", "-c", text % {"worker": runner.worker}],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=runner.cwd,
                          timeout=60, universal_newlines=True,
                          env=dict(os.environ, **{processes.MARK: runner.mark}), **kwargs).stdout


def test_code_that_is_no_worker_is_refused(anyxdist):
    out = python(anyxdist, """
import execnet
gw = execnet.makegateway("popen//python=%(worker)s")
print(gw._rinfo().executable)
try:
    gw.remote_exec("channel.send(1)").receive()
except execnet.RemoteError as e:
    print("refused:", e)
try:
    execnet.makegateway("popen//python=%(worker)s//chdir=/proc/nowhere")
except Exception as e:
    print("chdir:", e)
print(gw.remote_status().numexecuting)
execnet.default_group.terminate(5)
""")
    assert str(anyxdist.worker) in out, out
    assert "is no Python: it can't execute channel.send(1)" in out, out
    assert re.search("chdir: .*chdir /proc/nowhere: No such file", out), out
    assert "\n0\n" in out, out


@pytest.mark.parametrize("first", [b"hello\n", b"'import os'\n", b"\0\0\0\0\n"])
def test_what_is_not_execnet_is_told_so(xdist, first):
    done = subprocess.run(
        [xdist.worker, "-u", "-c", "import sys;exec(eval(sys.stdin.readline()))"], input=first,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1 and done.stdout == b"", done
    assert b"the first line is not the one that execnet" in done.stderr, done


@pytest.mark.parametrize("frame, why", [
    (b"\x09\0\0\0\1\0\0\0\0", b"a frame of type 9"),
    (b"\x03\0\0\0\1\x7f\xff\xff\xff", b"a frame of 2147483647 bytes"),
    (b"\x03\0\0\0\1\0\0\0\1?", b"0x3f is no opcode"),
    (b"\x03\0\0\0\1\0\0\0\2LQ", None),  # well-formed: refused on its channel only
])
def test_hostile_frames_end_it_with_a_reason(xdist, frame, why):
    done = subprocess.run(
        [xdist.worker, "-u", "-c", "import sys;exec(eval(sys.stdin.readline()))"],
        input=b"'serve(io)'\n" + frame, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 0 and done.stdout[:1] == b"1", done
    if why:
        assert why in done.stderr, done
    else:
        assert done.stdout[1:2] == b"\x06" and b"can't execute" in done.stdout, done


DIFFERENTIAL = """
import random, struct, subprocess, sys
from execnet.gateway_base import dumps_internal, loads_internal

rng = random.Random(%(seed)d)

def text():
    return "".join(chr(rng.choice([rng.randrange(32, 127), rng.randrange(0x80, 0xd800),
                                   rng.randrange(0xe000, 0x110000)]))
                   for _ in range(rng.randrange(8)))

def leaf():
    return rng.choice([
        lambda: None, lambda: True, lambda: False, lambda: rng.randrange(-2**31, 2**31),
        lambda: rng.randrange(2**31, 2**70), lambda: rng.random() * 10**rng.randrange(-300, 300),
        lambda: complex(rng.random(), -rng.random()), text,
        lambda: bytes(rng.randrange(256) for _ in range(rng.randrange(8)))])()

def hashable(depth):
    if depth and rng.random() < 0.2:
        return tuple(hashable(depth - 1) for _ in range(rng.randrange(4)))
    return leaf()

def value(depth):
    n, kind = rng.randrange(5), rng.randrange(8) if depth else 9
    if kind == 0:
        return [value(depth - 1) for _ in range(n)]
    if kind == 1:
        return tuple(value(depth - 1) for _ in range(n))
    if kind == 2:
        return {hashable(2): value(depth - 1) for _ in range(n)}
    if kind == 3:
        return {hashable(2) for _ in range(n)}
    if kind == 4:
        return frozenset(hashable(2) for _ in range(n))
    return leaf()

def canon(v):
    if isinstance(v, (set, frozenset)):
        return "%%s{%%s}" %% (type(v).__name__, sorted(map(canon, v)))
    if isinstance(v, (tuple, list)):
        return "%%s(%%s)" %% (type(v).__name__, list(map(canon, v)))
    if isinstance(v, dict):
        return "dict(%%s)" %% [(canon(k), canon(x)) for k, x in v.items()]
    return repr(v)

class Channels:
    _strconfig = (True, False)

    _channelfactory = property(lambda self: self)

    def new(self, number):
        return "channel %%d" %% number

def load(data):
    return loads_internal(data, Channels())

values = [value(5) for _ in range(4000)]
sent = [dumps_internal(v) for v in values]
broken = []
for data in sent[:2000]:
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(len(data))] = rng.choice(b"@ABCDEFGHIJKLMNOPQRST\\0\\x01\\xff")
    broken.append(bytes(data))
bytes_in = b"".join(struct.pack("!I", len(d)) + d for d in sent + broken)
out = subprocess.run([sys.argv[1]], input=bytes_in, stdout=subprocess.PIPE, check=True).stdout
answers = []
while out:
    n = struct.unpack("!I", out[:4])[0]
    answers.append(out[4:4 + n])
    out = out[4 + n:]
assert len(answers) == len(sent) + len(broken)
for v, data, answer in zip(values, sent, answers):
    assert answer == data, (v, data, answer)
    assert canon(loads_internal(answer)) == canon(v), (v, answer)
understood = 0
for data, answer in zip(broken, answers[len(sent):]):
    if answer and b"M" not in data: # a Python 2 str, which execnet takes for Latin-1
        understood += 1
        assert canon(load(answer)) == canon(load(data)), (data, answer)
print("equal", len(values), understood > 50)
"""


def test_serialization_is_execnets_own(anyxdist, builddir):
    echo = builddir / "tests/lib/execnet_echo"
    if not echo.exists():
        pytest.skip("tests/lib/execnet_echo is built by `make check`")
    out = subprocess.run([anyxdist.bin / "python", "-c", DIFFERENTIAL % {"seed": 7}, echo],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                         universal_newlines=True).stdout
    assert out == "equal 4000 True\n", out


def test_vectors_are_execnets_own(anyxdist, srcdir):
    out = python(anyxdist, """
from execnet.gateway_base import loads_internal, dumps_internal
n = 0
for line in open(%(worker)r):
    if line.startswith("#"):
        continue
    kind, data, other, text = line.rstrip("\\n").split("\\t")
    n += 1
    if kind != "refused":
        value = eval(text)
        got = loads_internal(bytes.fromhex(data))
        assert repr(got) == repr(value), line
        if not (type(value) is int and value < -2**31): # which execnet can't write
            assert dumps_internal(value).hex() == (data if kind == "same" else other), line
print("vectors", n > 60)
""".replace("%(worker)r", repr(str(srcdir / "tests/vectors/execnet.txt"))))
    assert out == "vectors True\n", out


def test_a_collection_of_40_megabytes(xdist, script, tmp_path):
    folder = tmp_path / "t"
    for i in range(8):
        folder = folder / (str(i) * 240)
    folder.mkdir(parents=True)
    script(os.path.relpath(str(folder / "first"), str(tmp_path)), "exit 1\n")
    for i in range(20700):
        os.link(str(folder / "first"), str(folder / ("t%06d" % i)))
    code, text = xdist("--dist", "load", "-q", "--tb=no", "-x", "t", COLUMNS="80", timeout=100)
    assert code == 2 and "stopping after 1 failures" in text, text[-2000:]


@pytest.fixture
def ssh(tmp_path, anyxdist):
    """A host of another name: `ssh` along PATH runs the command here, in a folder of its own."""
    home, folder = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    folder.mkdir()
    (folder / "ssh").write_text("#!/bin/sh\nfor word; do :; done\ncd %s && exec sh -c \"$word\"\n"
                                % home)
    (folder / "ssh").chmod(0o755)

    def run(*args):
        child = anyxdist.start("--dist", "load", *args,
                               tx="ssh=board//python=%s" % anyxdist.worker,
                               PATH="%s:%s" % (folder, os.environ["PATH"]))
        return anyxdist.end(child)
    run.home = home
    return run


def test_over_ssh_with_files_that_xdist_copies(ssh, native, script, tmp_path):
    native("passes", "fails")
    script("tests/native/linked", "exit 0\n")
    os.symlink("linked", str(tmp_path / "tests/native/link"))
    (tmp_path / "tests/native/empty").write_text("")
    args = ["--rsyncdir=tests", str(tmp_path / "tests/native")]
    code, text = ssh(*args)
    assert code == 1 and counts(text) == {"passed": 3, "failed": 1}, text
    cache = ssh.home / "pyexecnetcache"
    assert sorted(os.listdir(str(cache))) == ["tests"], "pytest itself was copied"
    assert sorted(os.listdir(str(cache / "tests/native"))) == \
        ["empty", "fails", "link", "linked", "passes"]
    assert os.path.islink(str(cache / "tests/native/link"))
    # The second time only what is new goes over, and what is gone here goes there.
    copied = os.stat(str(cache / "tests/native/passes"))
    (tmp_path / "tests/native/fails").unlink()
    script("tests/native/linked", "exit 3\n")
    code, text = ssh(*args)
    assert code == 1 and counts(text) == {"passed": 1, "failed": 2}, text
    assert sorted(os.listdir(str(cache / "tests/native"))) == ["empty", "link", "linked", "passes"]
    again = os.stat(str(cache / "tests/native/passes"))
    assert again.st_mtime_ns == copied.st_mtime_ns


@pytest.mark.parametrize("what, entries", [
    ("(%r, {})", []), ("('t', {})", "[[0, %r]]"), ("('t', {})", "[[0, 'a'], ('x', 'y')]")])
def test_rsync_writes_nowhere_else(xdist, tmp_path, what, entries):
    import_text = """
import execnet, execnet.rsync_remote
gw = execnet.makegateway("popen//python=%(worker)s//chdir=CWD")
channel = gw.remote_exec(execnet.rsync_remote)
try:
    channel.send(WHAT)
    for entry in ENTRIES:
        channel.send(entry)
    print(channel.receive(5))
except (OSError, execnet.RemoteError) as e:
    print("refused:", e)
execnet.default_group.terminate(5)
"""
    inside = tmp_path / "inside"
    inside.mkdir()
    for bad in ("../outside", "..", "/tmp/outside-%s" % xdist.mark, "a/b", ""):
        out = python(xdist, import_text.replace("CWD", str(inside))
                     .replace("WHAT", what.replace("%r", repr(bad)))
                     .replace("ENTRIES", str(entries).replace("%r", repr(bad))))
        assert "refused: rsync: " in out, out
    assert sorted(os.listdir(str(tmp_path))) == ["inside"]
