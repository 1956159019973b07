"""python/txgate/harness.py, spoken to as docs/harness.md says."""

import json
import os
import re
import select
import subprocess
import sys
import threading

import pytest

import venvs

INPUT = {"ipadr": "192.168.1.2", "workerid": "gw7", "workercount": 3, "testrunuid": "the-run"}
TESTS = """
import os, sys, pytest

@pytest.fixture(scope="session")
def once():
    open("log", "a").write("up ")
    yield 1
    open("log", "a").write("down ")

def test_passes(once, worker_id, testrun_uid, request):
    assert (worker_id, testrun_uid) == ("gw7", "the-run")
    assert request.config.workerinput["ipadr"] == request.config.slaveinput["ipadr"]
    print("address", request.config.slaveinput["ipadr"])

def test_fails(once):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    assert 1 == 2, "one is\\nnot two"

@pytest.mark.skip(reason="no\\tdevice")
def test_skips():
    pass

@pytest.mark.xfail(reason="known")
def test_xfails():
    assert 0

@pytest.mark.xfail(reason="mended")
def test_xpasses():
    pass

@pytest.fixture
def broken():
    raise OSError("no bus")

def test_error(broken):
    pass

@pytest.fixture
def breaks_behind():
    yield
    raise OSError("stuck")

def test_teardown_error(breaks_behind):
    pass

@pytest.mark.parametrize("text", ["a\\tb", "\u00e4"])
def test_named(text):
    pass

def test_dies():
    print("last words")
    os._exit(3)
"""


def unescape(field):
    return re.sub(r"\\(.)", lambda m: {"t": "\t", "n": "\n"}.get(m.group(1), m.group(1)), field)


class Harness:
    """A harness process and the worker's end of its descriptors."""

    def __init__(self, python, srcdir, cwd, *args):
        down, up = os.pipe(), os.pipe()
        env = dict(os.environ, TXGATE_HARNESS="%d,%d" % (down[0], up[1]),
                   PYTHONDONTWRITEBYTECODE="1")
        for name in [n for n in env if n.startswith(("PYTEST_", "TXGATE_INPUT"))]:
            del env[name]
        self.child = subprocess.Popen(
            [python, str(srcdir / "python/txgate/harness.py"), "-p", "no:cacheprovider", *args],
            env=env, cwd=str(cwd), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, pass_fds=(down[0], up[1]))
        os.close(down[0])
        os.close(up[1])
        self.commands, self.answers = os.fdopen(down[1], "wb", 0), os.fdopen(up[0], "rb")
        self.watch = threading.Timer(20, self.child.kill)
        self.watch.start()
        self.say("hello", "1", json.dumps(INPUT))

    def say(self, *fields):
        text = "\t".join(f.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
                         for f in fields)
        self.commands.write((text + "\n").encode())

    def hear(self):
        line = self.answers.readline()
        return [unescape(f) for f in line.decode().rstrip("\n").split("\t")] if line else None

    def list(self):
        names = []
        self.say("list")
        message = self.hear()
        while message[0] == "case":
            names.append(message[1])
            message = self.hear()
        assert message == ["listed"]
        return names

    def result(self):
        """The next result and what stood on stdout in front of it."""
        message = self.hear()
        text = ""
        if message[5:6] == ["wait"]:
            text = self.read()
            self.say("go")
        return message, text

    def read(self):
        """What waits on both streams, as the worker takes it."""
        text = b""
        streams = [self.child.stdout.fileno(), self.child.stderr.fileno()]
        for fd in select.select(streams, [], [], 0)[0]:
            text += os.read(fd, 1 << 16)
        return text.decode()

    def end(self):
        self.commands.close()
        out, err = self.child.communicate()
        self.watch.cancel()
        return self.child.returncode, out.decode(), err.decode()


@pytest.fixture(params=["here", "current", "old"])
def harness(request, srcdir, builddir, tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    python = sys.executable
    if request.param != "here":
        try:
            python = str(venvs.bin_folder(request.param, builddir) / "python")
        except venvs.Unavailable as e:
            pytest.skip("no released pytest here: %s" % e)
    started = []

    def start(*args):
        started.append(Harness(python, srcdir, tmp_path, *args))
        return started[-1]
    yield start
    for h in started:
        h.child.kill()
        h.watch.cancel()


def test_lists_what_is_there(harness):
    h = harness("test_it.py")
    assert h.hear()[:2] == ["ready", "1"]
    names = h.list()
    assert names[:2] == ["test_it.py::test_passes", "test_it.py::test_fails"]
    assert len(names) == 10
    assert h.end()[0] == 0


def test_options_choose(harness):
    h = harness("-k", "skips or named", "test_it.py")
    h.hear()
    assert [n.split("::")[1].split("[")[0] for n in h.list()] == \
        ["test_skips", "test_named", "test_named"]
    h.end()


def test_outcomes_and_reasons(harness, tmp_path):
    h = harness("test_it.py")
    h.hear()
    h.list()
    wanted = [("passes", "passed", ""), ("fails", "failed", "AssertionError: one is"),
              ("skips", "skipped", "no\tdevice"), ("xfails", "xfailed", "known"),
              ("xpasses", "xpassed", "mended"), ("error", "error", "OSError: no bus"),
              ("teardown_error", "error", "OSError: stuck")]
    for name, outcome, reason in wanted:
        h.say("run", "test_it.py::test_" + name)
    shown = {}
    for name, outcome, reason in wanted:
        message, shown[name] = h.result()
        assert message[:3] == ["result", "test_it.py::test_" + name, outcome], message
        assert int(message[3]) >= 0
        assert message[4].startswith(reason) and "\n" not in message[4], message
    assert "address 192.168.1.2" in shown["passes"]
    assert "to stdout" in shown["fails"] and "assert 1 == 2" in shown["fails"]
    assert "no bus" in shown["error"]
    code, out, err = h.end()
    assert code == 0 and "to stderr" in shown["fails"], (code, out, err)
    assert (tmp_path / "log").read_text() == "up down ", "a session's fixture is made once"


def test_one_after_the_other_keeps_the_sessions_fixtures(harness, tmp_path):
    h = harness("test_it.py")
    h.hear()
    for name in ("passes", "fails", "passes"):
        h.say("run", "test_it.py::test_" + name)
        assert h.result()[0][1] == "test_it.py::test_" + name
        assert (tmp_path / "log").read_text() == "up "
    h.end()
    assert (tmp_path / "log").read_text() == "up down "


def test_names_with_tabs_and_umlauts(harness):
    h = harness("test_it.py", "-k", "named")
    h.hear()
    for name in h.list():
        h.say("run", name)
        message, _ = h.result()
        assert message[1:3] == [name, "passed"], message
    h.say("run", "test_it.py::gone")
    assert h.result()[0][1:3] == ["test_it.py::gone", "error"]
    assert h.end()[0] == 0


def test_a_test_that_ends_the_process(harness):
    h = harness("test_it.py")
    h.hear()
    h.say("run", "test_it.py::test_xpasses")
    assert h.result()[0][2] == "xpassed"
    h.say("run", "test_it.py::test_dies")
    assert h.hear() is None
    assert h.end()[0] == 3


def test_a_module_that_can_not_be_imported(harness, tmp_path):
    (tmp_path / "test_bad.py").write_text("import no_such_module\n")
    h = harness(".")
    h.hear()
    h.say("list")
    error = h.hear()
    assert error[:2] == ["uncollected", "test_bad.py"] and "no_such_module" in error[2], error
    assert h.hear() is None
    assert h.end()[0] != 0


def test_by_hand_it_is_pytest(srcdir, tmp_path):
    (tmp_path / "test_it.py").write_text("def test_a():\n    pass\n")
    env = {k: v for k, v in os.environ.items() if k != "TXGATE_HARNESS"}
    done = subprocess.run([sys.executable, str(srcdir / "python/txgate/harness.py"), "-q",
                           "-p", "no:cacheprovider", "test_it.py"], cwd=str(tmp_path), env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0 and b"1 passed" in done.stdout, done


def test_slaveinput_is_workerinput(srcdir, builddir, tmp_path):
    """The plugin under released pytest-xdist, with its own Python workers."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_configure_node(node):\n    node.slaveinput['ipadr'] = '10.0.0.1'\n")
    (tmp_path / "test_it.py").write_text(
        "def test_a(request, workerinput):\n"
        "    assert request.config.slaveinput is request.config.workerinput is workerinput\n"
        "    assert workerinput['ipadr'] == '10.0.0.1'\n")
    try:
        folder = venvs.bin_folder("current", builddir)
    except venvs.Unavailable as e:
        pytest.skip("no released pytest-xdist here: %s" % e)
    done = subprocess.run([folder / "pytest", "-p", "txgate.slaveinput", "-p", "no:cacheprovider",
                           "--tx", "popen", "--dist", "load", "test_it.py"], cwd=str(tmp_path),
                          env=dict(os.environ, PYTHONPATH=str(srcdir / "python")), timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0 and b"1 passed" in done.stdout, done.stdout.decode()


DEVICE_TESTS = """
import os, time
def check(request):
    time.sleep(0.1)
    assert 0, "device %s: no answer" % request.config.slaveinput["ipadr"]
def test_network(request, worker_id): check(request)
def test_power(request): check(request)
def test_uart(request): check(request)
"""


@pytest.fixture
def pytests(srcdir, tmp_path):
    """A program that is pytest over test_it.py; three devices."""
    (tmp_path / "pytests").write_text(
        "#!/bin/sh\nexec %s %s -p no:cacheprovider test_it.py\n"
        % (sys.executable, srcdir / "python/txgate/harness.py"))
    (tmp_path / "pytests").chmod(0o755)
    (tmp_path / "txgate.yaml").write_text(
        "devices:\n" + "".join("  - {ipadr: 192.168.1.%d}\n" % i for i in (2, 3, 4)))
    return "pytests"


@pytest.mark.parametrize("mode, times", [("each", 3), ("load", 1)])
def test_devices_under_txgate_run(txgate, pytests, tmp_path, mode, times):
    (tmp_path / "test_it.py").write_text(DEVICE_TESTS)
    result = txgate.run("--harness", "txgate", "--tx", "3*popen", "--dist", mode, pytests)
    assert result.code == 1 and "%d failed" % (3 * times) in result.out, result
    named = re.findall(r"FAILED pytests::test_it.py::test_\w+ - .*device (192\.168\.1\.\d)",
                       result.out)
    assert len(named) == 3 * times, result
    if mode == "each":
        assert sorted(named) == sorted(3 * ["192.168.1.2", "192.168.1.3", "192.168.1.4"]), result


def test_outcomes_under_txgate_run(txgate, pytests, tmp_path, outcomes):
    (tmp_path / "test_it.py").write_text(TESTS.replace('"gw7"', '"gw0"'))
    result = txgate.run("--harness", "txgate", "--tx", "popen", "--testrunuid", "the-run",
                        "--jsonl", "events", pytests)
    found = {name.split("::")[2].split("[")[0]: runs[0].outcome
             for name, runs in outcomes(tmp_path / "events").items()}
    assert found == {"test_passes": "passed", "test_fails": "failed", "test_skips": "skipped",
                     "test_xfails": "xfailed", "test_xpasses": "xpassed", "test_error": "error",
                     "test_teardown_error": "error", "test_named": "passed",
                     "test_dies": "crashed"}, result
    assert "address 192.168.1.2" not in result.out and "to stderr" in result.out, result
