"""python/txgate/plugin.py: `pytest -p txgate.plugin --tx SPEC` under released pytest-xdist."""

import os
import re
import signal
import subprocess
import threading
import time

import pytest

import processes
from test_xdist import counts, finish, make

FLEET = """
gateways:
  - {id: imx6-a, tx: "popen//python=PYTHON", labels: [imx6], workerinput: {ipadr: 10.0.0.1}}
  - {id: imx6-b, tx: "exec=env//python=PYTHON", labels: [imx6], workerinput: {ipadr: 10.0.0.2}}
  - {id: native, tx: popen, workerinput: {ipadr: 10.0.0.3}}
"""
TESTS = """
import sys
def test_told(request, workerinput):
    assert request.config.slaveinput is request.config.workerinput
    assert workerinput is request.config.workerinput
    print("<%s %s>" % (workerinput.get("ipadr"), workerinput["workerid"]))
    assert sys.path != [] and "/only/on/this/machine" not in sys.path
def test_fails():
    assert 0, "as it should"
"""


@pytest.fixture(params=["current", "old"])
def run(request, builddir, srcdir, tmp_path):
    runner = make(request.param, builddir, tmp_path)
    if not (builddir / "txgate").exists():
        pytest.skip("txgate is not built in %s" % builddir)
    (tmp_path / "txgate.yaml").write_text(FLEET.replace("PYTHON", str(runner.bin / "python")))
    (tmp_path / "test_it.py").write_text(TESTS)

    def pytest_with(*args):
        done = subprocess.run(
            [runner.bin / "pytest", "-p", "txgate.plugin", "-p", "no:cacheprovider", *args],
            cwd=str(tmp_path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60, universal_newlines=True,
            env=dict(os.environ, PYTHONPATH=str(srcdir / "python"), HOME=str(tmp_path),
                     TXGATE=str(builddir / "txgate"), COLUMNS="200",
                     **{processes.MARK: runner.mark}))
        return done.returncode, done.stdout
    pytest_with.python = runner.bin / "python"
    yield pytest_with
    finish(runner)


def test_a_label_of_the_fleet(run):
    code, text = run("--tx=@imx6", "--dist", "each", "-rP", "test_it.py")
    assert code == 1 and counts(text) == {"passed": 2, "failed": 2}, text
    assert "<10.0.0.1 gw0>" in text and "<10.0.0.2 gw1>" in text, text


def test_specs_as_execnet_has_them(run):
    code, text = run("--tx", "2*popen", "--tx", "exec=env//python=%s" % run.python, "--dist",
                     "load", "-rP", "test_it.py")
    assert code == 1 and counts(text) == {"passed": 1, "failed": 1}, text
    assert re.search(r"<None gw\d>", text), text


def test_relative_paths_with_a_directory_of_its_own(run, tmp_path):
    code, text = run("--tx", "popen//chdir=%s" % tmp_path, "--dist", "load", "./test_it.py")
    assert code == 1 and counts(text) == {"passed": 1, "failed": 1}, text


def test_a_conftest_stands_over_the_fleet(run, tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_configure_node(node):\n"
        "    node.slaveinput['ipadr'] += '-' + node.gateway.id\n")
    code, text = run("--tx=@imx6-a", "--dist", "load", "-rP", "test_it.py")
    assert code == 1 and "<10.0.0.1-gw0 gw0>" in text, text


def test_native_tests_on_a_gateway_without_python(run, script):
    script("native", 'echo "<$TXGATE_INPUT_IPADR>"; exit 1\n')
    code, text = run("--tx=@native", "--dist", "load", "native")
    assert code == 1 and counts(text) == {"failed": 1} and "<10.0.0.3>" in text, text


def test_what_is_wrong_with_a_spec_is_a_usage_error(run):
    code, text = run("--tx=@imx7", "--dist", "load", "test_it.py")
    assert code == 4 and "'@imx7': no such id or label" in text, text


@pytest.mark.parametrize("victim, signum, words", [
    ("interpreter", signal.SIGKILL, "Not properly terminated"),
    ("agent", signal.SIGKILL, "Not properly terminated"),
    ("agent", signal.SIGSTOP, "no sign of life for"),
])
def test_what_dies_or_freezes(run, tmp_path, victim, signum, words):
    """Python tests through the plugin: pytest-xdist ends with a message, and never waits."""
    (tmp_path / "txgate.yaml").write_text("heartbeat: 200ms\n")
    (tmp_path / "test_it.py").write_text(
        "import os, time\n"
        "def test_waits():\n"
        "    with open('new', 'w') as f: f.write(str(os.getpid()))\n"
        "    os.rename('new', 'began')\n"
        "    time.sleep(60)\n")

    def strike():
        end = time.monotonic() + 20
        while not (tmp_path / "began").exists() and time.monotonic() < end:
            time.sleep(0.01)
        pid = int((tmp_path / "began").read_text())
        os.kill(pid if victim == "interpreter" else processes.parent(pid), signum)
        struck.append(time.monotonic())
    struck = []
    other = threading.Thread(target=strike)
    other.start()
    code, text = run("--tx", "popen", "--dist", "load", "--max-worker-restart", "0", "test_it.py")
    other.join()
    assert time.monotonic() - struck[0] < 10, text
    assert code == 1 and "crashed while running 'test_it.py::test_waits'" in text, text
    assert words in text, text
