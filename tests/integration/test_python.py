"""Python tests under `txgate run`: gateways with python=, whose hosts have Python and pytest."""

import json
import os
import re
import signal
import sys
import time

import pytest

import events
import processes
import venvs

TX = "popen//python=%s" % sys.executable
TESTS = """
import os, sys, warnings, pytest

@pytest.fixture(scope="session")
def once():
    open("log", "a").write("up%d " % os.getpid())
    yield
    open("log", "a").write("down%d " % os.getpid())

def test_passes(once, worker_id, testrun_uid, request):
    config = request.config
    assert config.slaveinput is config.workerinput
    assert config.workerinput["ipadr"] == os.environ["TXGATE_INPUT_IPADR"]
    assert config.workerinput["workerid"] == worker_id == os.environ["PYTEST_XDIST_WORKER"]
    assert testrun_uid == "the-run" and config.workerinput["workercount"] > 0

def test_fails(once):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    assert 1 == 2, "one is not two"

@pytest.mark.slow
def test_slow():
    warnings.warn("it is slow")

@pytest.mark.skip(reason="no device")
def test_skips():
    pass

@pytest.mark.xfail(reason="known")
def test_xfails():
    assert 0

@pytest.fixture
def broken():
    raise OSError("no bus")

def test_error(broken):
    pass

@pytest.mark.parametrize("text", ["a b", "\u00e4"])
def test_named(text):
    pass

def test_dies():
    os._exit(3)
"""
INI = "[pytest]\nmarkers = slow\naddopts = -p no:cacheprovider -ra -v --tb=short --durations=3\n"


@pytest.fixture
def suite(tmp_path):
    """A folder `tests` with TESTS in test_it.py; two devices."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "txgate.yaml").write_text("devices: [{ipadr: 10.0.0.1}, {ipadr: 10.0.0.2}]\n")
    return tmp_path


def interpreter(name, builddir):
    try:
        return venvs.bin_folder(name, builddir) / "python"
    except venvs.Unavailable as e:
        pytest.skip("no released pytest here: %s" % e)


def run(txgate, *args, **kwargs):
    return txgate.run("--testrunuid", "the-run", "--jsonl", "events", *args, **kwargs)


def names(found):
    return {re.sub(r".*::test_|\[.*", "", nodeid): runs[0].outcome for nodeid, runs in found.items()}


@pytest.mark.parametrize("which", ["current", "old"])
def test_outcomes(txgate, suite, builddir, outcomes, which):
    python = interpreter(which, builddir)
    result = run(txgate, "--tx", "2*popen//python=%s" % python, "tests")
    found = outcomes(suite / "events")
    assert result.code == 1 and names(found) == {
        "passes": "passed", "fails": "failed", "slow": "passed", "skips": "skipped",
        "xfails": "xfailed", "error": "error", "named": "passed", "dies": "crashed"}, result
    assert set(found) >= {"tests/test_it.py::test_passes", "tests/test_it.py::test_named[a b]"}
    reasons = {name: found["tests/test_it.py::test_" + name][0].reason
               for name in ("fails", "skips", "xfails", "error")}
    assert reasons["fails"].startswith("AssertionError: one is not two"), reasons
    assert reasons["skips"] == "no device" and reasons["xfails"] == "known", reasons
    assert "OSError: no bus" in reasons["error"], reasons
    assert "to stderr" in result.out and "assert 1 == 2" in result.out, result
    assert "UserWarning: it is slow" in result.out, result


def test_each_has_its_device(txgate, suite, outcomes):
    result = run(txgate, "--tx", "2*" + TX, "--dist", "each", "tests/test_it.py::test_passes")
    assert result.code == 0 and "2 passed" in result.out, result


def test_one_interpreter_lists_and_runs(txgate, suite):
    result = run(txgate, "--tx", TX, "-k", "passes or fails", "tests")
    assert "1 failed, 1 passed" in result.out, result
    log = (suite / "log").read_text().split()
    assert len(log) == 2 and log[0][2:] == log[1][4:], log
    assert not result.err, result


@pytest.mark.parametrize("args, left", [
    (["-m", "slow"], {"slow"}), (["-k", "slow or named"], {"slow", "named"}),
    (["-m", "not slow", "-k", "slow or passes"], {"passes"}),
    (["--", "--deselect", "tests/test_it.py::test_dies", "-k", "dies or skips"], {"skips"})])
def test_pytest_chooses(txgate, suite, outcomes, args, left):
    """-k knows of marks, as in pytest; what stands behind -- are pytest's own options."""
    head = args[:args.index("--")] if "--" in args else args
    result = run(txgate, "--tx", TX, *head, "tests", *args[len(head):])
    assert result.code == 0 and set(names(outcomes(suite / "events"))) == left, result


def test_native_tests_have_no_marks(txgate, suite, script, outcomes):
    script("tests/native", "exit 0\n")
    args = ["--tx", TX, "--tx", "popen", "tests"]
    result = run(txgate, "-m", "slow", *args)
    assert result.code == 0 and names(outcomes(suite / "events")) == {"slow": "passed"}, result
    result = run(txgate, "-m", "not slow", "-k", "native or skips", *args)
    assert set(outcomes(suite / "events")) == {"tests/native", "tests/test_it.py::test_skips"}, result
    assert [f[0].gateway for f in outcomes(suite / "events").values()] == ["gw0", "gw1"] or \
        outcomes(suite / "events")["tests/native"][0].gateway == "gw1", result


def test_groups_stay_together(txgate, suite, outcomes):
    (suite / "tests/test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(6))\n"
        "def test_any(n): pass\n"
        "@pytest.mark.xdist_group('bus')\n"
        "@pytest.mark.parametrize('n', range(6))\n"
        "def test_bus(n): pass\n")
    result = run(txgate, "--tx", "2*" + TX, "--dist", "loadgroup", "tests")
    found = outcomes(suite / "events")
    bus = {n: runs[0].gateway for n, runs in found.items() if n.endswith("@bus")}
    assert result.code == 0 and len(found) == 12 and len(bus) == 6, result
    assert len(set(bus.values())) == 1, bus
    assert {runs[0].gateway for runs in found.values()} == {"gw0", "gw1"}, result


def test_setup_and_teardown_are_told_apart(txgate, suite):
    (suite / "tests/test_it.py").write_text(
        "import pytest, time\n"
        "@pytest.fixture\n"
        "def device():\n    time.sleep(0.3)\n    yield\n    time.sleep(0.2)\n"
        "def test_it(device): time.sleep(0.1)\n"
        "def test_short(): pass\n")
    result = run(txgate, "--tx", TX, "--durations", "0", "tests")
    assert re.search(r"^0\.[67]\ds \[gw0\] tests/test_it.py::test_it \(setup 0\.3\ds, teardown 0\.2\ds\)$",
                     result.out, re.M), result
    assert re.search(r"::test_short$", result.out, re.M), result
    events = [json.loads(line) for line in (suite / "events").read_text().splitlines()]
    told = {e["nodeid"][-4:]: e for e in events if e["event"] == "test_finish"}
    assert 300000 <= told["t_it"]["setup"] < 400000 and 200000 <= told["t_it"]["teardown"] < 300000
    assert told["t_it"]["duration"] >= 600000 and "setup" not in told["hort"], told


def test_an_ini_file_that_asks_for_workers_of_its_own(txgate, suite, builddir):
    (suite / "pytest.ini").write_text(INI.replace("= -p", "= -n 2 -p"))
    python = interpreter("current", builddir)
    result = run(txgate, "--tx", "popen//python=%s" % python, "-k", "passes", "tests")
    assert result.code == 0 and "1 passed" in result.out, result


def test_what_travels_to_a_host(txgate, suite, outcomes):
    """conftest.py and the ini file above, modules beside; not what only this machine has use for."""
    (suite / "conftest.py").write_text("import pytest\n@pytest.fixture\ndef above(): return 7\n")
    deep = suite / "tests/deep"
    (deep / "__pycache__").mkdir(parents=True)
    (deep / "__pycache__/x.pyc").write_text("")
    (deep / "other.py").write_text("def helped(): return True\n")
    (deep / "test_deep.py").write_text(
        "import os, other\n"
        "def test_deep(above):\n"
        "    assert above == 7 and other.helped()\n"
        "    print(sorted(n for _, _, names in os.walk('.') for n in names if 'pyc' not in n))\n"
        "    assert 0\n")
    result = run(txgate, "--tx", "exec=env//python=%s" % sys.executable, "tests/deep/test_deep.py",
                 env={"TXGATE_DIR": str(suite / "cache"), "PYTHONDONTWRITEBYTECODE": "1"})
    assert "['conftest.py', 'other.py', 'pytest.ini', 'test_deep.py']" in result.out, result
    assert "tests/deep/test_deep.py::test_deep" in outcomes(suite / "events"), result


def test_a_module_that_can_not_be_imported(txgate, suite):
    (suite / "tests/test_bad.py").write_text("import no_such_module\n")
    result = run(txgate, "--tx", TX, "tests")
    assert result.code == 1 and "[gw0] tests/test_bad.py: " in result.out, result
    assert "No module named 'no_such_module'" in result.out, result


@pytest.mark.parametrize("python, words", [
    ("no-such-python", "exec: no-such-python: not found"),
    ("%s -S" % sys.executable, "can't import pytest (No module named 'pytest')"),
    ("%s -c \"import sys; sys.version_info = (2, 7, 18); exec(sys.argv[2])\"" % sys.executable,
     "is Python 2.7: txgate runs pytest with 3.7 or newer"),
])
def test_a_host_that_can_not_run_them(txgate, suite, python, words):
    result = run(txgate, "--tx", "popen//python=" + python, "tests")
    assert result.code == 1 and "[gw0] tests: pytest could not list its tests: " in result.out, result
    assert words in result.out, result


def test_pytest_before_7(txgate, suite):
    (suite / "pytest.py").write_text("__version__ = '6.2.5'\n")
    result = run(txgate, "--tx", TX, "tests")
    assert "has pytest 6.2.5, txgate needs 7.0 or newer" in result.out, result


def test_names_that_are_not_there(txgate, suite):
    result = run(txgate, "--tx", TX, "test", "tests/test_it.py::test_passes")
    assert result.code == 1 and "1 passed" in result.out, result
    assert "[gw0] test: %s/test: No such file" % suite in result.out, result
    result = run(txgate, "--tx", TX, "tests/test_it.py::test_gone")
    assert result.code == 1 and "ERROR: not found: " in result.out, result


def test_a_suite_of_txgate_yaml(txgate, suite):
    """`harness: pytest` needs no python=: then it is python3."""
    with open(str(suite / "txgate.yaml"), "a") as f:
        f.write("suites: [{files: 'tests/test_*.py', harness: pytest, args: [-k, passes]}]\n")
    (suite / "bin").mkdir()
    (suite / "bin/python3").symlink_to(sys.executable)
    result = run(txgate, "--tx", "popen", env={"PATH": "%s:/usr/bin:/bin" % (suite / "bin")})
    assert result.code == 0 and "1 passed" in result.out, result


WAITS = """
import os, time
def test_first(): pass
def test_waits():
    if not os.path.exists("again"):
        open("again", "w").close()
        with open("new", "w") as f: f.write(str(os.getpid()))
        os.rename("new", "began")
        time.sleep(60)
    assert 0, "it ran twice"
def test_last(): pass
"""


@pytest.mark.parametrize("victim, signum, outcome, words", [
    ("interpreter", signal.SIGKILL, "crashed", "signal 9"),
    ("worker", signal.SIGKILL, "crashed", "worker was killed by signal 9"),
    ("worker", signal.SIGSTOP, "crashed", "worker froze"),
    ("agent", signal.SIGKILL, "lost", "link"),
    ("agent", signal.SIGSTOP, "lost", "no sign of life for"),
])
def test_what_dies_or_freezes(txgate, suite, outcomes, victim, signum, outcome, words):
    """Told within the lost time; the other tests run, on a new gateway where theirs is gone."""
    (suite / "tests/test_it.py").write_text(WAITS)
    child = txgate.start("run", "--tx", TX, "--heartbeat", "200ms", "--jsonl", "events", "tests")
    end = time.monotonic() + 20
    while not (suite / "began").exists() or not events.has_begun(suite / "events", "test_waits"):
        assert time.monotonic() < end and child.poll() is None
        time.sleep(0.01)
    pid = int((suite / "began").read_text())
    for _ in range(["interpreter", "worker", "agent"].index(victim)):
        pid = processes.parent(pid)
    begun = time.monotonic()
    os.kill(pid, signum)
    out = child.communicate(timeout=30)[0].decode()
    assert time.monotonic() - begun < 10, out
    found = names(outcomes(suite / "events"))
    assert found == {"first": "passed", "waits": outcome, "last": "passed"}, out
    assert words in out and child.returncode == (1 if outcome == "crashed" else 6), out
