"""txgate connect: a gateway of the fleet as a program, under unmodified pytest-xdist.

    pytest --tx 'popen//python=txgate connect imx6-a' tests/native
"""

import os
import re
import signal
import subprocess
import time

import pytest

import processes
from test_socket import built_with_sockets
from test_xdist import ADDRESSES, counts, finish, make

FLEET = """
gateways:
  - {id: imx6-a, tx: popen, labels: [can], workerinput: {ipadr: 192.168.1.2, uart: /dev/a}}
  - {id: imx6-b, tx: "exec=env", workerinput: {ipadr: 192.168.1.3}}
  - {id: nowhere, tx: "exec=/no/such/program"}
suites:
  - files: "t/*"
  - {files: "can/*", needs: [can]}
"""


@pytest.fixture(params=["current", "old"])
def runner(request, builddir, tmp_path):
    runner = make(request.param, builddir, tmp_path)
    if not (builddir / "txgate").exists():
        pytest.skip("txgate is not built in %s" % builddir)
    (tmp_path / "txgate.yaml").write_text(FLEET)
    runner.txgate = builddir / "txgate"
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}

    def connect(words, *args, **kwargs):
        """pytest with one `txgate connect` for each of the words."""
        # Nothing of these is for Pytest.start to fill in.
        tx = ["popen//python=%s connect %s" % (runner.txgate, w) for w in words]
        more = [word for spec in tx[1:] for word in ("--tx", spec)]
        command = runner.start(*more, *args, tx=tx[0].replace("popen", "POPEN"),
                               **dict(cache, **kwargs))
        return command
    runner.connect = connect
    yield runner
    finish(runner)


@pytest.fixture
def shows(script, tmp_path):
    for folder in ("t", "can"):
        os.mkdir(str(tmp_path / folder))
        script(folder + "/show", 'echo "<$TXGATE_DEVICE $TXGATE_INPUT_IPADR $TXGATE_INPUT_UART '
               '$PYTEST_XDIST_WORKER>"\n')


def test_tells_what_the_fleet_says(runner, shows):
    code, text = runner.end(runner.connect(["imx6-a", "imx6-b"], "--dist", "each", "-rP", "t"))
    assert code == 0 and counts(text) == {"passed": 2}, text
    assert "<imx6-a 192.168.1.2 /dev/a gw0>" in text, text
    assert "<imx6-b 192.168.1.3  gw1>" in text, text


def test_what_pytest_sets_stands_over_it(runner, shows, tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_configure_node(node):\n    node.workerinput['uart'] = '/dev/other'\n")
    code, text = runner.end(runner.connect(["imx6-a"], "--dist", "load", "-rP", "t"))
    assert code == 0 and "<imx6-a 192.168.1.2 /dev/other gw0>" in text, text


def test_runs_the_suites_where_no_test_is_named(runner, shows):
    code, text = runner.end(runner.connect(["imx6-a"], "--dist", "load", "-v"))
    assert code == 0 and "PASSED can/show" in text and "PASSED t/show" in text, text
    code, text = runner.end(runner.connect(["imx6-b"], "--dist", "load", "-v"))
    assert code == 0 and "can/show" not in text and "PASSED t/show" in text, text


def test_device_example(runner, tmp_path, builddir):
    for name in ("test_network", "test_power", "test_uart"):
        (tmp_path / name).symlink_to(builddir / "examples/devices" / name)
    (tmp_path / "txgate.yaml").write_text("gateways:\n" + "".join(
        "  - {id: d%d, tx: popen, workerinput: {ipadr: %s}}\n" % (i, a)
        for i, a in enumerate(ADDRESSES)))
    for mode, times in (("each", 3), ("load", 1)):
        code, text = runner.end(runner.connect(
            ["d0", "d1", "d2"], "--dist", mode, "--tb=line", "test_network", "test_power",
            "test_uart"))
        assert code == 1 and counts(text) == {"failed": 3 * times}, text
        for address in ADDRESSES:
            assert len(re.findall(r":0: exit status 1: device %s: " % re.escape(address),
                                  text)) == times, text


def test_maxfail_and_selection(runner, script, tmp_path):
    os.mkdir(str(tmp_path / "t"))
    for i in range(20):
        script("t/t%02d" % i, "echo >>log; exit 1\n")
    code, text = runner.end(runner.connect(["imx6-a"], "--dist", "load", "-x", "-k", "t1", "t"))
    assert code == 2 and "stopping after 1 failures" in text, text
    assert (tmp_path / "log").read_text() == "\n", text


def test_a_gateway_that_can_not_start_ends_with_its_reason(runner, shows):
    code, text = runner.end(runner.connect(["nowhere"], "--dist", "load", "t"))
    assert code == 3, text
    assert re.search(r"nowhere \(exec=/no/such/program\): start: .*No such file", text), text


@pytest.mark.parametrize("words, why", [
    ("imx7", "imx7"), ("--tx socket=:1", "socket"), ("--tx 2*popen", "expected one gateway, 2 fit"),
    ("--no-such-option imx6-a", "no-such-option"), ("imx6-a imx6-b", "expected one gateway")])
def test_usage_errors_are_told_and_end_it(runner, shows, words, why):
    code, text = runner.end(runner.connect([words], "--dist", "load", "t"))
    assert code == 3 and re.search("txgate connect: .*" + re.escape(why), text), text
    done = subprocess.run([runner.txgate, "connect", *words.split(), "-u", "-c",
                           "import sys;exec(eval(sys.stdin.readline()))"],
                          input=b"'" + b"x" * 100000 + b"'\n", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=str(runner.cwd), timeout=20)
    assert (done.returncode, done.stdout) == (255, b""), done
    assert why.encode() in done.stderr, done


@pytest.mark.parametrize("stream, path", [("stdin", "/dev/null"), ("stdin", "txgate.yaml"),
                                          ("stdout", "/dev/null"), ("stdout", "out")])
def test_what_is_no_pipe_is_refused(runner, shows, stream, path):
    with open(str(runner.cwd / path), "r" if stream == "stdin" else "w") as file:
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, stream: file}
        done = subprocess.run([runner.txgate, "connect", "imx6-a"], stderr=subprocess.PIPE,
                              cwd=str(runner.cwd), timeout=20, **streams)
    assert done.returncode == 1 and b"expected a pipe as " + stream.encode() in done.stderr, done


@pytest.mark.skipif(not built_with_sockets(), reason="built without libsodium")
def test_a_worker_that_is_installed_via_another(runner, shows):
    behind = "gateways:\n  - {id: behind, tx: 'socket//installvia=imx6-a'}\n"
    (runner.cwd / "txgate.yaml").write_text(FLEET.replace("gateways:\n", behind))
    code, text = runner.end(runner.connect(["behind"], "--dist", "load", "t"))
    assert code == 0 and "1 passed" in text, text


def worker_of_a_running_test(folder):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for name in os.listdir(str(folder)):
            if name.startswith("ran."):
                return int((folder / name).read_text())
        time.sleep(0.01)
    pytest.fail("no test began")


@pytest.mark.parametrize("signum, why", [
    (signal.SIGKILL, r"worker was killed by signal 9 \(Killed\)"),
    (signal.SIGSTOP, r"worker froze: no answer for")])
def test_a_worker_that_dies_or_freezes_is_replaced(runner, script, tmp_path, signum, why):
    os.mkdir(str(tmp_path / "t"))
    script("t/waits", "[ -e again ] && exit 0; touch again; echo $PPID >p; mv p ran.1; sleep 60\n")
    script("t/works", "exit 0\n")
    child = runner.connect(["--heartbeat 200ms imx6-a"], "--dist", "load", "t")
    begun = time.monotonic()
    os.kill(worker_of_a_running_test(tmp_path), signum)
    code, text = runner.end(child)
    assert time.monotonic() - begun < 15, text
    assert code == 1 and counts(text) == {"failed": 1, "passed": 1}, text
    assert re.search(r"node down: imx6-a \(popen\): %s.* while it ran t/waits" % why, text), text


def test_a_host_that_freezes_is_told_of(runner, script, tmp_path):
    os.mkdir(str(tmp_path / "t"))
    script("t/waits", "echo $PPID >p; mv p ran.1; sleep 60\n")
    child = runner.connect(["--heartbeat 200ms imx6-a"], "--dist", "load",
                           "--max-worker-restart", "0", "t")
    worker = worker_of_a_running_test(tmp_path)
    with open("/proc/%d/stat" % worker) as f:
        agent = int(f.read().rsplit(")", 1)[1].split()[1])
    os.kill(agent, signal.SIGSTOP)
    code, text = runner.end(child, timeout=20)
    assert code == 1 and "no sign of life for" in text, text
    assert "crashed while running 't/waits'" in text, text


def test_what_is_for_the_host_is_not_done_here(runner, shows):
    out = subprocess.run([runner.bin / "python", "-c", """
import execnet
try:
    execnet.makegateway("popen//python=%s connect imx6-a//env:A=B")
except (execnet.RemoteError, OSError) as e:  # whichever of the two comes first
    print(e)
execnet.default_group.terminate(5)
""" % runner.txgate], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(runner.cwd),
                         timeout=30, env=dict(os.environ, **{processes.MARK: runner.mark}),
                         universal_newlines=True).stdout
    assert "chdir=, nice= and env: would be for this machine" in out, out


def raw(runner, spec, text, timeout=30):
    """Runs Python that has `gw`, a gateway through txgate connect to the spec."""
    head = ("import execnet\ngw = execnet.makegateway('popen//python=%s connect' + ' ' + 'raw')\n"
            % runner.txgate)
    (runner.cwd / "txgate.yaml").write_text("gateways:\n  - {id: raw, tx: \"%s//python=%s\"}\n"
                                            % (spec, runner.bin / "python"))
    return subprocess.run([runner.bin / "python", "-c",
                           head + text + "\nexecnet.default_group.terminate(5)"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(runner.cwd),
                          timeout=timeout, universal_newlines=True,
                          env=dict(os.environ, HOME=str(runner.cwd),
                                   XDG_CACHE_HOME=str(runner.cwd / "cache"),
                                   **{processes.MARK: runner.mark})).stdout


RAW = ["popen", "exec=env"]


@pytest.mark.parametrize("spec", RAW)
def test_an_interpreter_behind_a_transport(runner, spec):
    out = raw(runner, spec + "//env:COLOUR=green//chdir=here", """
print(gw.remote_exec("import os; channel.send((os.environ['COLOUR'], os.getcwd()))").receive())
channel = gw.remote_exec("data = channel.receive(); channel.send(data[::-1])")
data = bytes(range(256)) * 20000
channel.send(data)
print(channel.receive() == data[::-1])
""")
    assert out == "('green', '%s/here')\nTrue\n" % runner.cwd, out


@pytest.mark.parametrize("spec", RAW)
def test_an_interpreter_that_dies_is_told_of(runner, spec):
    out = raw(runner, spec, """
channel = gw.remote_exec("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
try:
    channel.receive(10)
except EOFError as e:
    print("gone")
""")
    assert "gone" in out and "was killed by signal 9 (Killed)" in out, out


def test_an_interpreter_that_is_not_there(runner):
    (runner.cwd / "txgate.yaml").write_text("gateways:\n  - {id: raw, tx: popen//python=no-python}\n")
    done = subprocess.run([runner.txgate, "connect", "raw", "-u", "-c",
                           "import sys;exec(eval(sys.stdin.readline()))"],
                          input=b"x" * 100000 + b"\n", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd=str(runner.cwd), timeout=20)
    assert done.returncode == 255 and done.stdout == b"", done
    assert b"no-python: not found" in done.stderr and b"status 127" in done.stderr, done


def test_python_tests_under_xdist(runner, tmp_path):
    (tmp_path / "txgate.yaml").write_text(
        "gateways:\n  - {id: a, tx: popen//python=%s}\n" % (runner.bin / "python"))
    (tmp_path / "test_it.py").write_text(
        "def test_passes(worker_id):\n    assert worker_id in ('gw0', 'gw1')\n"
        "def test_fails():\n    assert 0\n")
    code, text = runner.end(runner.connect(["a", "a"], "--dist", "each", "test_it.py"))
    assert code == 1 and counts(text) == {"passed": 2, "failed": 2}, text


def test_a_frozen_host_of_an_interpreter_is_told_of(runner, tmp_path):
    (tmp_path / "txgate.yaml").write_text(
        "gateways:\n  - {id: a, tx: popen//python=%s}\n" % (runner.bin / "python"))
    (tmp_path / "test_it.py").write_text(
        "import os, time\ndef test_waits():\n    with open('p', 'w') as f:\n"
        "        f.write(str(os.getppid()))\n    os.rename('p', 'ran.1')\n    time.sleep(60)\n")
    child = runner.connect(["--heartbeat 200ms a"], "--dist", "load", "--max-worker-restart", "0",
                           "test_it.py")
    os.kill(worker_of_a_running_test(tmp_path), signal.SIGSTOP)
    code, text = runner.end(child, timeout=20)
    assert code == 1 and "no sign of life for" in text, text
