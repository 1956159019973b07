"""Workers that connect to us: txgate-worker --connect and txgate run --listen, over real TCP."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import events
import processes
from conftest import BUILDDIR
from processes import wait_for
from test_socket import WORKER, built_with_sockets, key, listen, listener  # noqa: F401

pytestmark = pytest.mark.skipif(not built_with_sockets(), reason="built without libsodium")


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Dialler:
    """A txgate-worker --connect in a folder of its own."""

    def __init__(self, folder, key, address, name, mark, *options):
        folder.mkdir(exist_ok=True)
        self.folder, self.log_path = folder, folder.parent / (folder.name + ".log")
        env = dict(os.environ, **{processes.MARK: mark})
        name = ["--name", name] if name else []
        with open(self.log_path, "wb") as log:
            self.child = subprocess.Popen(
                [WORKER, "--connect", address, "--key-file", key, *name, *options],
                cwd=folder, env=env, stderr=log, stdin=subprocess.DEVNULL)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for(self, pattern, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if re.search(pattern, self.log()):
                return
            time.sleep(0.02)
        pytest.fail("the worker did not say %r:\n%s" % (pattern, self.log()[-4000:]))

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        return self.child.wait(20)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def dial(txgate, tmp_path, key, port):
    made = []

    def start(name=None, *options, key=key, address=None):
        made.append(Dialler(tmp_path / ("far%d" % len(made)), key, address or "127.0.0.1:%d" % port,
                            name, txgate.mark, *options))
        return made[-1]
    yield start
    for one in made:
        one.stop()


@pytest.fixture
def run(txgate, port, key):
    return lambda *words, **kwargs: txgate.run("--listen", port, "--key-file", key, *words, **kwargs)


class Beside:
    """A run that goes on while the test does other things."""

    def __init__(self, run, *words):
        self.results = []
        self.thread = threading.Thread(target=lambda: self.results.append(run(*words)))
        self.thread.start()

    def result(self, seconds=40):
        self.thread.join(seconds)
        assert self.results, "the run does not end"
        return self.results[0]


@pytest.fixture
def begin(run):
    return lambda *words: Beside(run, *words)


@pytest.fixture
def gate(script, tmp_path):
    """A test that says it has begun, and ends when it is opened; by itself after a while."""
    def write(name):
        script(name, "touch %(at)s.begun; i=0\n"
                     "while [ ! -e %(at)s.open ] && [ $((i += 1)) -lt 600 ]; do sleep 0.05; done\n"
                     % {"at": tmp_path / name})
        begun, opened = tmp_path / (name + ".begun"), tmp_path / (name + ".open")
        return lambda: wait_for(begun.exists), opened.touch
    return write


@pytest.mark.parametrize("dist, failed", [("each", 12), ("load", 3)])
def test_device_example(run, devices, dial, listener, server, client, tmp_path, dist, failed):
    """One here, one by SSH, one that listens, one that connects: each is told its own device."""
    config = tmp_path / "txgate.yaml"
    last = "  - {ipadr: 192.168.1.4}\n"
    config.write_text(config.read_text().replace(last, last + last.replace("1.4", "1.5")))
    dial()
    quick = "//env:EXAMPLE_SECONDS=0.1"
    result = run("--tx", listener.spec() + quick, "--tx", server.spec + quick, "--tx", "reverse" + quick, "--tx", "popen" + quick,
                 "--dist", dist, "--tb=line", "-v", *devices, env=client.env)
    assert result.code == 1 and "%d failed in" % failed in result.out, result
    missed = re.findall(r"device 192\.168\.1\.(\d+): ", result.out)
    assert len(missed) == failed and set(missed) <= {"2", "3", "4", "5"}, result
    assert len(set(missed)) == (4 if dist == "each" else 3), result
    assert re.search(r"reverse\S*: files: [1-9]\d* bytes sent", result.out), result


def test_beside_popen(run, dial, script):
    dial("far")
    script("tells", 'echo "<$PYTEST_XDIST_WORKER in $PWD>"; exit 1\n')
    result = run("--expect", "1", "-n", "1", "--dist", "each", "tells")
    assert result.code == 4, result  # -n replaces --tx, as ever
    result = run("--expect", "1", "--tx", "popen", "--dist", "each", "tells")
    assert result.code == 1 and "2 failed" in result.out and "/far0/" in result.out, result


def test_they_are_known_by_their_names(run, dial, script, tmp_path):
    """Whoever comes first: an id is for the worker of that name, the rest for any."""
    (tmp_path / "txgate.yaml").write_text(
        "gateways:\n"
        "  - {tx: reverse, workerinput: {ipadr: any}}\n"
        "  - {id: board-b, tx: reverse, labels: [imx6], workerinput: {ipadr: 10.0.0.2}}\n"
        "  - {id: board-a, tx: reverse, workerinput: {ipadr: 10.0.0.1}}\n")
    for name in "board-a", "other", "board-b":
        dial(name).wait_for("trying again")
    script("tells", 'echo "<$TXGATE_DEVICE $TXGATE_INPUT_IPADR $PWD>"; exit 1\n')
    result = run("--dist", "each", "tells")
    assert "3 failed" in result.out, result
    for line in "board-a 10.0.0.1 %s/far0/", "board-b 10.0.0.2 %s/far2/", " any %s/far1/":
        assert "<" + line % tmp_path in result.out, result.out
    only = run("--tx", "@imx6", "tells")
    assert "<board-b" in only.out and "1 failed" in only.out, only


def test_one_worker_serves_run_after_run(run, dial, script):
    script("passes", "true\n")
    worker = dial()
    for _ in range(3):
        assert run("--expect", "1", "passes").code == 0
    assert worker.log().count("linked with") == 3
    assert worker.log().count("has ended") >= 2
    assert worker.stop() == 0


def test_ipv6(txgate, key, dial, script):
    port = free_port(socket.AF_INET6, "::1")
    dial(address="[::1]:%d" % port)
    result = txgate.run("--listen", "[::1]:%d" % port, "--key-file", key, "--expect", "1",
                        script("passes", "true\n"))
    assert result.code == 0, result


def test_a_port_that_is_let_go_in_a_moment(run, dial, script, port):
    """As by the run before, whose door ends behind it."""
    before = socket.create_server(("127.0.0.1", port))
    script("passes", "true\n")
    dial()
    threading.Timer(1, before.close).start()
    result = run("--expect", "1", "passes")
    assert result.code == 0, result


def test_too_few_come(run, dial, script, port):
    dial("one")
    result = run("--expect", "2", "--connect-timeout", "3", script("passes", "true\n"))
    assert result.code == 6, result
    assert "no worker has connected to 127.0.0.1:%d within 3 s" % port in result.out, result
    named = run("--tx", "reverse//id=board-x", "--connect-timeout", "2", "passes")
    assert "no worker called board-x has connected" in named.out, named
    assert "--name board-x" in named.out, named


def test_a_worker_that_dies_is_replaced_when_it_comes_again(run, dial, script, tmp_path):
    """Its link is lost, its test too; the same worker connects again for the rest."""
    dial("board")
    for n in range(4):
        script("t%d" % n, "exit 0\n")
    script("t0", 'kill -9 $PPID\nsleep 5\n')
    result = run("--expect", "1", "t0", "t1", "t2", "t3")
    assert "3 passed" in result.out and "1 crashed" in result.out, result


WORDS = [
    (["--expect", "1"], "--tx 'reverse'", "needs --listen"),
    (["--listen", "7777", "--expect", "1"], "--listen needs --key-file FILE", "txgate keygen"),
    (["--listen", "7777", "--key-file", "lab.key"], "nobody is waited for", "--expect N"),
    (["--key-file", "lab.key"], "--key-file belongs to --listen", ""),
    (["--listen", "7777", "--expect", "0"], "--expect 0: expected a whole number from 1", ""),
    (["--listen", "7777", "--key-file", "lab.key", "--tx", "2*reverse", "--expect", "1", "--dist", "each"],
     "--expect: with --dist each nobody can join later", "expected as many"),
    (["--tx", "reverse=host:1"], "'reverse' takes no value", ""),
    (["--tx", "reverse//via=a"], "via= doesn't go with reverse", ""),
    (["--tx", "reverse//worker=a"], "worker= doesn't go with reverse", ""),
]


@pytest.mark.parametrize("words, said, remedy", WORDS)
def test_words_that_are_wrong(txgate, key, words, said, remedy):
    result = txgate.run(*words, "t")
    assert result.code == 4 and said in result.err and remedy in result.err, result


def test_what_can_not_listen(run, txgate, script, tmp_path, port):
    script("passes", "true\n")
    with socket.create_server(("127.0.0.1", port)):
        result = run("--expect", "1", "passes")
        assert result.code == 6 and "Address already in use" in result.out, result
    result = txgate.run("--listen", port, "--key-file", "none.key", "--expect", "1", "passes")
    assert result.code == 6 and "key file none.key: there is no such file" in result.out, result
    result = txgate.run("--listen", "host:1", "--key-file", "lab.key", "--expect", "1", "passes")
    assert result.code == 6 and "--listen: host:1: expected PORT" in result.out, result
    hosts = txgate("hosts", "--tx", "reverse")
    assert hosts.code == 6 and "`txgate run --listen` waits for it" in hosts.out, hosts


def test_words_of_the_worker(dial, key, tmp_path, port):
    def said(*words):
        done = subprocess.run([WORKER, *map(str, words)], cwd=tmp_path, stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=20)
        assert done.returncode == 2, done
        return done.stderr
    assert "--connect needs --key-file" in said("--connect", "127.0.0.1:1")
    assert "expected one of them" in said("--connect", "1", "--listen", "1", "--key-file", key)
    assert "--connect: host:1: expected PORT" in said("--connect", "host:1", "--key-file", key)
    for name in "a b", ".a", "-a", "", "a" * 65:
        assert "--name %s: expected letters" % name in said("--connect", "1", "--key-file", key, "--name", name)
    assert "--name belongs to --connect" in said("--listen", "1", "--key-file", key, "--name", "a")
    nobody = dial()
    nobody.wait_for("Connection refused: no `txgate run --listen` there now; trying again")
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(20)
        for _ in range(3):
            server.accept()[0].close()
    nobody.wait_for("closed in the handshake")
    assert nobody.log().count("closed in the handshake") == 1  # what does not change is said once
    begun = time.monotonic()
    assert nobody.stop() == 0 and time.monotonic() - begun < 2


def test_strangers_are_refused_while_a_run_goes_on(txgate, begin, dial, gate, port):
    """Another key, garbage, silence: said with the address, and nothing of it disturbs the run."""
    begun, finish = gate("slow")
    txgate("keygen", "other.key")
    dial("good")
    beside = begin("--expect", "1", "-v", "slow")
    begun()
    bad = dial("bad", key="../other.key")
    bad.wait_for("closed in the handshake: there is another key")
    with socket.create_connection(("127.0.0.1", port), 10) as garbage:
        garbage.sendall(b"GET / HTTP/1.0\r\n\r\n")
        garbage.settimeout(10)
        try:
            assert garbage.recv(100) == b""
        except ConnectionResetError:
            pass
    idle = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(200)]
    finish()
    result = beside.result()
    for one in idle:
        one.close()
    assert result.code == 0 and "1 passed" in result.out, result
    assert re.search(r"127\.0\.0\.1:\d+ refused: ", result.out), result
    assert "does not speak txgate's sealed protocol" in result.out, result
    assert bad.log().count("linked") == 0


def test_a_worker_and_a_worker_have_no_session(dial, listener, key):
    """One key for both ways: who was led to another worker gets nowhere."""
    lost = dial(address="127.0.0.1:%d" % listener.port)
    lost.wait_for("closed in the handshake")
    listener.wait_for("refused")


def test_it_ends_with_all_it_started(begin, dial, script, tmp_path):
    """SIGTERM twice: its tests are killed at once, the run knows that it was lost."""
    script("long", "sleep 60 & echo $! >%s/pid; wait\n" % tmp_path)
    worker = dial("board")
    beside = begin("--expect", "1", "--max-worker-restart", "0", "long")
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    child = int((tmp_path / "pid").read_text())
    worker.child.terminate()
    worker.wait_for("leaving: what runs may finish; once more ends it now")
    assert os.path.exists("/proc/%d" % child)
    assert worker.stop() == 0
    result = beside.result()
    assert not os.path.exists("/proc/%d" % child)
    assert "1 lost" in result.out, result


def test_the_door_ends_with_a_killed_controller(txgate, dial, script, port, key):
    script("long", "sleep 60\n")
    worker = dial("board")
    child = subprocess.Popen([BUILDDIR / "txgate", "run", "--listen", str(port), "--key-file", key,
                              "--expect", "1", "long"], cwd=key.parent, stdout=subprocess.DEVNULL,
                             env=dict(os.environ, **{processes.MARK: txgate.mark}))
    worker.wait_for("linked with")
    child.send_signal(signal.SIGKILL)
    child.wait()
    worker.wait_for("has ended")

    def nobody_listens():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            return True
        return False
    wait_for(nobody_listens)


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "duration"])
def test_one_joins_and_one_leaves(begin, dial, script, tmp_path, dist):
    """Nothing is lost or run twice, the one who came has run tests, the one who left none after."""
    for n in range(40):
        script("t%02d" % n, "sleep 0.15; echo $PWD >>%s/ran.%d\n" % (tmp_path, n))

    def some_ran_at(worker):
        wait_for(lambda: any(str(worker.folder) in ran.read_text() for ran in tmp_path.glob("ran.*")))
    first, second = dial("first"), dial("second")
    beside = begin("-v", "--tx", "3*reverse", "--expect", "2", "--dist", dist, "--jsonl", "log",
                   *("t%02d" % n for n in range(40)))
    some_ran_at(first)
    some_ran_at(second)
    some_ran_at(dial("third"))
    assert second.stop() == 0
    result = beside.result()
    assert result.code == 0 and " 40 passed" in result.out, result
    assert "gw2 joins" in result.out and " leaves: " in result.out, result
    ran = [(tmp_path / ("ran.%d" % n)).read_text().splitlines() for n in range(40)]
    assert all(len(lines) == 1 for lines in ran)
    where = [lines[0].split("/files-")[0][-4:] for lines in ran]
    assert set(where) == {"far0", "far1", "far2"}, where
    assert "leaving: what runs may finish" in second.log()
    with open(tmp_path / "log") as lines:
        assert events.check(lines) == []


def test_the_only_one_leaves(begin, dial, script, gate, tmp_path):
    """Another that connects takes its place; who left is not blamed."""
    begun, finish = gate("t00")
    for n in range(1, 12):
        script("t%02d" % n, "true\n")
    one = dial("one")
    beside = begin("--expect", "1", "--jsonl", "log", *("t%02d" % n for n in range(12)))
    begun()
    one.child.terminate()
    one.wait_for("leaving: ")
    finish()
    assert one.child.wait(20) == 0
    dial("two")
    result = beside.result()
    assert result.code == 0 and "12 passed" in result.out, result
    assert "it has left, and no other can run what is left" in result.out, result
    with open(tmp_path / "log") as lines:
        assert events.check(lines) == []


def test_leaving_each_waits_for_its_tests(begin, dial, script, gate):
    begun, finish = gate("t0")
    for n in range(1, 5):
        script("t%d" % n, "true\n")
    one = dial("one")
    beside = begin("--expect", "1", "--dist", "each", *("t%d" % n for n in range(5)))
    begun()
    one.child.terminate()
    one.wait_for("leaving: ")
    finish()
    assert one.child.wait(20) == 0
    result = beside.result()
    assert result.code == 0 and "5 passed" in result.out, result


def test_nobody_joins_each(begin, dial, gate):
    """Who comes beyond --expect is named, runs nothing and holds nothing up."""
    begun, finish = gate("slow")
    dial("first")
    beside = begin("--expect", "1", "--dist", "each", "-v", "slow")
    begun()
    extra = dial("extra")
    extra.wait_for("linked with")
    finish()
    result = beside.result()
    assert result.code == 0 and "1 passed" in result.out, result
    assert re.search(r"extra \(127\.0\.0\.1:\d+\) connected, and no gateway waits for it", result.out), result
    assert "gw1" not in result.out and not list(extra.folder.iterdir()), result


def resident(pid):
    """KiB of a process and of all below it."""
    with open("/proc/%d/status" % pid) as status:
        own = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
    with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
        return own + sum(resident(int(child)) for child in children.read().split())


def test_memory_is_flat_while_strangers_crowd(txgate, dial, gate, port, key, sanitized):
    """Half-open and slow ones at the controller's port: bounded in number and time, the run goes on."""
    begun, finish = gate("long")
    dial("board")
    with open(key.parent / "run.out", "wb") as out:
        child = subprocess.Popen([BUILDDIR / "txgate", "run", "--listen", str(port), "--key-file", key,
                                  "--expect", "1", "-v", "long"], cwd=key.parent, stdout=out, stderr=out,
                                 env=dict(os.environ, **{processes.MARK: txgate.mark}))
    crowd = []
    try:
        begun()
        before = resident(child.pid)
        for n in range(400):
            crowd.append(socket.create_connection(("127.0.0.1", port), 10))
            if n % 2:
                crowd[-1].sendall((b"\0\x30" + b"x" * 47)[:1 + n % 49])
        grown = resident(child.pid) - before
        print("400 half-open: memory of the controller %d + %d KiB" % (before, grown))
        assert sanitized or grown <= 512, (before, grown)
        slow = socket.create_connection(("127.0.0.1", port), 10)  # the last: none comes that takes its place
        since, closed = time.monotonic(), False
        for byte in b"\0\x30" + b"x" * 40:  # a byte now and then does not buy time
            try:
                slow.sendall(bytes([byte]))
            except ConnectionError:
                closed = True
                break
            time.sleep(0.4)
        assert closed and 9 < time.monotonic() - since < 12
        finish()
        assert child.wait(30) == 0
    finally:
        for one in crowd:
            one.close()
        if child.poll() is None:
            child.kill()
            child.wait()
    text = (key.parent / "run.out").read_text()
    assert "1 passed" in text and "have not proven to have the key" in text, text
    assert 1 <= text.count(" refused: ") <= 20 * 3, text


def test_who_is_asked_to_leave_and_has_no_run(dial):
    lone = dial()
    lone.wait_for("trying again")
    begun = time.monotonic()
    assert lone.stop() == 0 and time.monotonic() - begun < 2
