"""installvia=: a worker that listens on another gateway's host for one run, over real TCP, below
local gateways, a real sshd, and listeners."""

import os
import re
import shutil
import signal
import socket
import time

import pytest

import processes
import sshd
from processes import wait_for
from test_socket import WORKER, built_with_sockets, key, listen, listener  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(not built_with_sockets(), reason="built without libsodium")
needs_sshd = pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")


@pytest.fixture
def worker(tmp_path):
    """The build's own in a folder of a host: the small static one that is uploaded has no sockets."""
    (tmp_path / "installed").mkdir()
    return shutil.copy(WORKER, tmp_path / "installed")


def below(txgate):
    """The listeners of this test: what serves a link below one is forked and has its arguments."""
    found = [pid for pid, line in txgate.processes().items() if "--key-file -" in line]
    return [pid for pid in found if processes.parent(pid) not in found]


@pytest.mark.parametrize("dist, failed", [("each", 6), ("load", 3)])
def test_device_example(txgate, devices, dist, failed):
    seconds = "//env:EXAMPLE_SECONDS=0.1"
    result = txgate.run("--tx", "popen" + seconds, "--tx", "socket//installvia=gw0" + seconds,
                        "--dist", dist, "--tb=line", *devices)
    assert result.code == 1 and "%d failed in" % failed in result.out, result
    assert "files:" not in result.out, "it is this machine: nothing has to be taken there"


@needs_sshd
@pytest.mark.parametrize("dist, failed", [("each", 9), ("load", 3)])
def test_device_example_below_ssh(txgate, devices, server, client, worker, dist, failed):
    seconds = "//env:EXAMPLE_SECONDS=0.1"
    result = txgate.run("--tx", "%s//worker=%s//id=board%s" % (server.spec, worker, seconds),
                        "--tx", "2*socket=localhost:0//installvia=board" + seconds,
                        "--dist", dist, "--tb=line", "-v", *devices, env=client.env)
    assert result.code == 1 and "%d failed in" % failed in result.out, result
    assert server.log.read_text().count("Accepted publickey") == 1, "one login for both"
    # one folder for both: each takes there what the other has not yet
    assert len(re.findall(r"(?m): files: \d+ bytes sent$", result.out)) == 2, result


def test_the_other_need_not_be_in_the_run(txgate, script, worker, tmp_path):
    script("passes", '[ "$TXGATE_INPUT_A" = 2 ]\n')
    (tmp_path / "fleet.yaml").write_text(
        "gateways: [{id: shell, tx: 'exec=env//worker=%s', workerinput: {a: 1}},"
        " {id: fast, tx: 'socket=127.0.0.1:0//installvia=shell', workerinput: {a: 2}}]\n" % worker)
    result = txgate.run("--fleet", "fleet.yaml", "--tx", "@fast", "passes")
    assert result.code == 0 and "1 passed" in result.out, result


def test_one_below_the_other(txgate, script):
    script("tells", 'echo "<$PYTEST_XDIST_WORKER $PWD>"; exit 1\n')
    result = txgate.run("--tx", "socket//installvia=gw1", "--tx", "socket//installvia=gw2//id=mid",
                        "--tx", "popen", "--dist", "each", "tells")
    assert result.code == 1 and "3 failed" in result.out, result
    for n in range(3):
        assert "<gw%d %s>" % (n, txgate.cwd) in result.out, result


def test_a_listener_below_a_listener(txgate, listener, script):
    script("passes", "true\n")
    result = txgate.run("--tx", listener.spec() + "//id=lab", "--tx", "socket=127.0.0.1:0//installvia=lab",
                        "--dist", "each", "passes")
    assert result.code == 0 and "2 passed" in result.out, result
    assert listener.log().count("linked") == 1, "its own way has its own key"


def test_no_key_in_any_process(txgate, script):
    script("sleeps", "sleep 1\n")
    child = txgate.start("run", "--tx", "popen", "--tx", "socket//installvia=gw0", "--dist", "each", "sleeps")
    seen, end = set(), time.monotonic() + 60
    while child.poll() is None:
        assert time.monotonic() < end
        for pid in txgate.processes():
            seen.add(processes.read(pid, "cmdline"))
            for name in "cmdline", "environ":
                assert b"txgate-key" not in processes.read(pid, name), pid
        time.sleep(0.05)
    child.communicate()
    assert any(b"--listen\x00127.0.0.1:0\x00--key-file\x00-\x00" in line for line in seen), seen


FAULTS = [
    (["socket//installvia=nobody"], 4, "installvia=nobody: no gateway of this run or of the fleet has that id"),
    (["socket//installvia=gw0"], 4, "installvia=gw0: more than 8 hosts in a row, or a circle"),
    (["popen", "socket//instalvia=gw0"], 4, "did you mean 'installvia'?"),
    (["popen", "socket//installvia=gw0//key_file=k"], 4, "a key is made for the run"),
    (["vagrant_ssh=box//id=b", "socket=h:0//installvia=b"], 4, "vagrant_ssh gateways are not built yet"),
    (["popen", "socket=127.0.0.1:{taken}//installvia=gw0"], 6,
     "install: installvia=gw0: no worker listens there: txgate-worker: --listen 127.0.0.1:{taken}: "),
    (["popen", "socket=192.0.2.1:0//installvia=gw0"], 6,
     "no worker listens there: txgate-worker: --listen 192.0.2.1:0: "),
    (["popen", "socket=no-such-host.invalid:0//installvia=gw0"], 6, "resolve: the name 'no-such-host.invalid': "),
    (["exec=false//id=gone", "socket=127.0.0.1:0//installvia=gone"], 6, "install: installvia=gone: "),
    (["exec=tail -f /dev/null//id=mute", "socket=127.0.0.1:0//installvia=mute"], 6,
     "installvia=mute: no worker listens there within 1.5 s"),
]


@pytest.mark.parametrize("specs, code, words", FAULTS, ids=[f[0][-1] for f in FAULTS])
def test_words_of_what_fails(txgate, script, specs, code, words):
    script("passes", "true\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        args = [arg for spec in specs for arg in ("--tx", spec.replace("{taken}", str(port)))]
        result = txgate("run", *args, "--connect-timeout", "1.5", "--max-worker-restart", "0",
                        "--require-gateways", "any", "passes")
    assert result.code == code, result
    said = re.sub(r"\s+", " ", result.out + result.err)
    assert words.replace("{taken}", str(port)) in said, result


def test_a_worker_without_sockets(txgate, script, builddir, tmp_path):
    worker = builddir / "workers" / os.uname().machine / "txgate-worker"
    if not worker.exists():
        pytest.skip("no static worker in this build")
    script("passes", "true\n")
    result = txgate.run("--tx", "exec=env//worker=%s//id=small" % worker, "--tx",
                        "socket=127.0.0.1:0//installvia=small", "--require-gateways", "any", "passes",
                        env=dict(os.environ, TXGATE_DIR=str(tmp_path / "far")))
    assert "installvia=small: no worker listens there: txgate-worker: --listen: " \
           "this worker was built without libsodium" in re.sub(r"\s+", " ", result.out), result


def test_hosts_tells_of_it(txgate):
    result = txgate("hosts", "--tx", "popen", "--tx", "socket//installvia=gw0")
    assert result.code == 6 and "a run starts such a worker, and ends it" in result.out + result.err, result


@pytest.mark.parametrize("who", ["listener", "agent of the other"])
def test_nothing_stays_when_one_is_killed(txgate, script, who):
    script("stays", "(setsid sleep 300) & sleep 300\n")
    child = txgate.start("run", "--tx", "popen", "--tx", "socket//installvia=gw0", "--dist", "each",
                         "--max-worker-restart", "0", "stays")
    wait_for(lambda: sum("sleep 300" in l for l in txgate.processes().values()) == 4, 20)
    [pid] = below(txgate)
    os.kill(pid if who == "listener" else processes.parent(pid), signal.SIGKILL)
    if who == "listener":
        wait_for(lambda: sum("sleep 300" in l for l in txgate.processes().values()) == 2, 10)
        for p, line in txgate.processes().items():
            if "sleep 300" in line:
                os.kill(p, signal.SIGKILL)
    out, err = child.communicate(timeout=30)
    # with the other went the one below it: both tests are lost
    assert child.returncode == (1 if who == "listener" else 6), (out, err)
    assert not processes.wait_for_none(txgate.mark, 8)


def test_a_replacement_has_a_listener_of_its_own(txgate, script, tmp_path):
    """The first listener is killed: the gateway is replaced, through the same host, and runs the rest."""
    for n in range(6):
        script("t%d" % n, "sleep 0.3\n")
    child = txgate.start("run", "--tx", "popen", "--tx", "socket//installvia=gw0", "--dist", "load",
                         "--jsonl", "run.jsonl", *("t%d" % n for n in range(6)))
    wait_for(lambda: '"test_start"' in (tmp_path / "run.jsonl").read_text()
             if (tmp_path / "run.jsonl").exists() else False, 20)
    [pid] = below(txgate)
    os.kill(pid, signal.SIGKILL)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 6 and b"replacing" in out, (out, err)
    assert b"1 lost" in out and b"5 passed" in out, (out, err)
    assert not processes.wait_for_none(txgate.mark, 5)
