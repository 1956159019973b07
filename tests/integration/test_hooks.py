"""pytest_configure_node on the controller's side: python/txgate/hooks.py, and the example whose conftest
was written for pytest-xdist 1, in all ways that a conftest can be asked."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import processes
import venvs
from test_xdist import counts, finish, make

ADDRESSES = ["192.168.1.2", "192.168.1.3", "192.168.1.4"]
CONFTEST = """
def pytest_configure(config):
    assert not hasattr(config, "workerinput") and not hasattr(config, "slaveinput")
    config.ports = iter(range(7000, 7002))
def pytest_configure_node(node):
    assert node.workerinput is node.slaveinput and node.gateway.id == node.workerinput["workerid"]
    print("not the answer")
    node.workerinput["port"] = next(node.config.ports)
    node.workerinput["ipadr"] += ":" + str(node.gateway.spec.chdir)
"""


@pytest.fixture(params=["here", "current", "old"])
def hooks(request, srcdir, builddir, tmp_path):
    python = sys.executable
    if request.param != "here":
        try:
            python = str(venvs.bin_folder(request.param, builddir) / "python")
        except venvs.Unavailable as e:
            pytest.skip("no released pytest here: %s" % e)

    def ask(gateway, *args, path="", **more):
        told = dict({"id": gateway, "gateway": gateway, "spec": "popen//chdir=/x//python=py", "labels": [],
                     "device": "", "workercount": 2, "testrunuid": "run",
                     "workerinput": {"ipadr": "10.0.0.1"}}, **more)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TXGATE_"))}
        env.update(PYTHONPATH="%s%s" % (srcdir / "python", path), PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run([python, "-m", "txgate.hooks", *args], env=env, cwd=str(tmp_path),
                              input=json.dumps(told).encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        answer = json.loads(done.stdout.decode()) if done.returncode == 0 else done.stdout
        return done.returncode, answer, done.stderr.decode()
    return ask


def test_a_conftest_is_asked_for_each_gateway_in_turn(hooks, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    assert hooks("gw0")[:2] == (0, {"ipadr": "10.0.0.1:/x", "port": 7000})
    assert hooks("gw1")[:2] == (0, {"ipadr": "10.0.0.1:/x", "port": 7001})
    code, answer, err = hooks("gw2")
    assert code != 0 and answer == b"", answer
    assert "pytest_configure_node of gw2: StopIteration" in err and "conftest.py:8)" in err, err


def test_without_a_hook_workerinput_stays_as_it_is(hooks):
    assert hooks("gw0")[:2] == (0, {"ipadr": "10.0.0.1"})


def test_arguments_say_which_conftest(hooks, tmp_path):
    (tmp_path / "deep/tests").mkdir(parents=True)
    (tmp_path / "deep/tests/conftest.py").write_text(CONFTEST)
    assert "port" not in hooks("gw0")[1]
    assert hooks("gw0", "deep/tests")[1]["port"] == 7000


def test_an_installed_plugin_has_the_hook(hooks, tmp_path):
    """Not only a conftest.py."""
    info = tmp_path / "site/lab_devices-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-devices\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pytest11]\nlab_devices = lab_devices\n")
    (tmp_path / "site/lab_devices.py").write_text(CONFTEST)
    code, answer, err = hooks("gw1", path=":%s" % (tmp_path / "site"))
    assert code == 0 and answer["port"] == 7001, (answer, err)


def test_what_can_not_be_sent(hooks, tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_configure_node(node):\n    node.workerinput['bus'] = object()\n")
    code, answer, err = hooks("gw0")
    assert code != 0 and answer == b"" and "workerinput of gw0: expected text" in err, err


def test_what_is_no_question(hooks):
    code, answer, err = hooks("first")
    assert code != 0 and "expected what txgate run --configure-node writes" in err, err


def test_an_ini_file_that_asks_for_workers(hooks, tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    assert hooks("gw0", "-p", "no:cacheprovider")[1]["port"] == 7000


@pytest.fixture
def example(srcdir, tmp_path):
    """examples/pytest in the test's folder, byte for byte."""
    for name in ("devices.json", "conftest.py", "test_network.py", "test_power.py", "test_uart.py"):
        shutil.copy(str(srcdir / "examples/pytest" / name), str(tmp_path / name))
    return tmp_path


@pytest.fixture
def run(builddir, srcdir, example):
    """pytest in the example's folder, with txgate's package on its path."""
    runner = make("current", builddir, example)
    if not (builddir / "txgate").exists():
        pytest.skip("txgate is not built in %s" % builddir)

    def start(*args):
        done = subprocess.run(
            [runner.bin / "pytest", "-p", "no:cacheprovider", "--tb=short", *args], cwd=str(example),
            env=dict(os.environ, PYTHONPATH=str(srcdir / "python"), HOME=str(example), COLUMNS="200",
                     TXGATE=str(builddir / "txgate"), EXAMPLE_SECONDS="0.1",
                     **{processes.MARK: runner.mark}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
            universal_newlines=True)
        return done.returncode, done.stdout
    start.python = runner.bin / "python"
    start.worker = builddir / "txgate-worker"
    start.txgate = builddir / "txgate"
    yield start
    finish(runner)


def named(text):
    return [len(re.findall(r"^FAILED .*device %s: " % re.escape(a), text, re.M)) for a in ADDRESSES]


def took(text):
    return float(re.search(r" in ([0-9.]+)s ", text).group(1))


@pytest.mark.parametrize("mode, times, least", [("each", 3, 6), ("load", 1, 2)])
def test_the_example_through_the_plugin(run, mode, times, least):
    code, text = run("-p", "txgate.plugin", "--tx", "3*popen", "--dist", mode)
    assert code == 1 and counts(text) == {"failed": 3 * times}, text
    assert named(text) == 3 * [times], text
    assert "warning" not in text, text
    assert least <= took(text) < least + 3, text


def test_the_example_on_hosts_without_the_package(run, example):
    (example / "test_worker.py").write_text(
        "def test_is_no_controller(request): assert not hasattr(request.config, 'devices')\n")
    tx = "exec=env -u PYTHONPATH//python=%s//chdir=%s" % (run.python, example)
    code, text = run("-p", "txgate.plugin", "--tx", tx, "--dist", "load",
                     "test_worker.py", "test_uart.py")
    assert code == 1 and counts(text) == {"failed": 1, "passed": 1} and named(text)[0] == 1, text
    assert "warning" not in text, text


@pytest.mark.parametrize("way", ["worker", "connect"])
@pytest.mark.parametrize("mode, times", [("each", 3), ("load", 1)])
def test_native_tests_with_the_same_conftest(run, example, builddir, way, mode, times):
    for name in ("test_network", "test_power", "test_uart"):
        shutil.copy(str(builddir / "examples/devices" / name), str(example / name))
    tx = "3*popen//python=%s" % (run.worker if way == "worker" else
                                 "%s connect --tx popen" % run.txgate)
    code, text = run("-p", "txgate.slaveinput", "--tx", tx, "--dist", mode, "test_network", "test_power",
                     "test_uart")
    assert code == 1 and counts(text) == {"failed": 3 * times}, text
    assert named(text) == 3 * [times], text


@pytest.mark.parametrize("mode, name, times, least", [("each", "EachScheduling", 3, 6),
                                                      ("load", "LoadScheduling", 1, 2)])
def test_the_example_under_txgate_run(txgate, srcdir, example, mode, name, times, least):
    result = txgate.run("--configure-node", "%s -m txgate.hooks" % sys.executable,
                        "--tx", "3*popen//python=%s" % sys.executable, "--dist", mode, ".",
                        env={"PYTHONPATH": str(srcdir / "python"), "PYTHONDONTWRITEBYTECODE": "1"})
    assert result.code == 1 and "%d failed" % (3 * times) in result.out, result
    assert named(result.out) == 3 * [times], result
    assert "gw0 I / gw1 I / gw2 I" in result.out, result
    assert "gw0 [3] / gw1 [3] / gw2 [3]" in result.out, result
    assert "scheduling tests via " + name in result.out, result
    ran = float(re.search(r" in (\d+\.\d+)s =", result.out)[1])  # without the three that were asked
    assert least <= ran < least + 3, result
