"""Gateways over sockets: txgate-worker --listen and socket=, over real TCP on loopback."""

import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

import pytest

import processes
import wire
from conftest import BUILDDIR
from test_xdist import finish, make

WORKER = BUILDDIR / "txgate-worker"
HANDSHAKE = 2 + 48  # bytes of each of its two messages, with their lengths
PROOF = 2 + 16


def built_with_sockets():
    path = BUILDDIR / "config.h"
    return path.exists() and "#define TXG_SOCKETS 1" in path.read_text()


pytestmark = pytest.mark.skipif(not built_with_sockets(), reason="built without libsodium")


class Listener:
    """A txgate-worker --listen in a folder of its own."""

    def __init__(self, folder, key, *options, address="", mark=None, shell='exec "$@"'):
        folder.mkdir(exist_ok=True)
        self.folder, self.key, self.log_path = folder, key, folder.parent / (folder.name + ".log")
        self.mark = mark or uuid.uuid4().hex
        env = dict(os.environ, **{processes.MARK: self.mark})
        with open(self.log_path, "wb") as log:
            argv = ["sh", "-c", shell, "sh", WORKER, "--listen", address + "0", "--key-file", key]
            self.child = subprocess.Popen([*argv, *options],
                                          cwd=folder, env=env, stderr=log, stdin=subprocess.DEVNULL)
        self.first = self.wait_for(r"listening on (\S+):(\d+), (.*)")
        self.address, self.port = self.first[1].strip("[]"), int(self.first[2])

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for(self, pattern, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.log())
            if found:
                return found
            assert self.child.poll() is None, self.log()
            time.sleep(0.02)
        pytest.fail("the listener did not say %r:\n%s" % (pattern, self.log()[-4000:]))

    def spec(self, key=None, port=None, host=None):
        host = host or ("[%s]" % self.address if ":" in self.address else self.address)
        return "socket=%s:%d//key_file=%s" % (host, port or self.port, key or self.key)

    def connect(self):
        made = socket.create_connection((self.address, self.port), 10)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def memory(self):
        """What it has of its own, in KiB: what is shared with the file on disk is not."""
        text = processes.read(self.child.pid, "status").decode()
        return int(re.search(r"RssAnon:\s+(\d+)", text)[1])

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.child.pid))

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        self.child.wait(20)


class Relay:
    """Between a controller and a listener: records both ways, and may change what passes."""

    def __init__(self, port, change=None):
        self.port, self.change = port, change or (lambda up, at, data: data)
        self.up, self.down = bytearray(), bytearray()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.own_port = self.server.getsockname()[1]
        self.open = [self.server]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            for one in near, far:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.open.append(one)
            threading.Thread(target=self.carry, args=(near, far, self.up, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, self.down, False), daemon=True).start()

    def carry(self, source, sink, record, up):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                changed = self.change(up, len(record), data)
                record += data
                sink.sendall(changed)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


def flip(offset, bit):
    """A change for Relay: one bit of what the controller sends."""
    def change(up, at, data):
        if not up or not at <= offset < at + len(data):
            return data
        data = bytearray(data)
        data[offset - at] ^= 1 << bit
        return bytes(data)
    return change


@pytest.fixture
def key(txgate, tmp_path):
    assert txgate("keygen", "lab.key").code == 0
    return tmp_path / "lab.key"


@pytest.fixture
def listen(txgate, tmp_path, key):
    """Starts listeners, and ends them with the test."""
    made = []

    def start(*options, key=key, **kwargs):
        made.append(Listener(tmp_path / ("board%d" % len(made)), key, *options, mark=txgate.mark, **kwargs))
        return made[-1]
    yield start
    for one in made:
        one.stop()


@pytest.fixture
def listener(listen):
    return listen()


@pytest.fixture
def relay():
    made = []

    def start(*args, **kwargs):
        made.append(Relay(*args, **kwargs))
        return made[-1]
    yield start
    for one in made:
        one.close()


def shakes(sock):
    """What came back until the other side closed: garbage gets nothing."""
    sock.settimeout(15)
    try:
        return sock.recv(1000)
    except ConnectionResetError:
        return b""


def test_keygen(txgate, tmp_path, key):
    text = key.read_text()
    assert re.fullmatch(r"txgate-key-1 [0-9a-f]{64}\n", text)
    assert key.stat().st_mode & 0o7777 == 0o600
    for words, code, said in ((["lab.key"], 4, "is there already"), ([], 4, "one file"),
                              (["a", "b"], 4, "one file"), (["--force"], 4, "unknown option"),
                              (["no/key"], 3, "no/key: No such file or directory")):
        result = txgate("keygen", *words)
        assert result.code == code and said in result.err, result
    assert key.read_text() == text
    assert txgate("keygen", "--help").code == 0


def refused_to_start(*words, cwd, **kwargs):
    done = subprocess.run([WORKER, *map(str, words)], cwd=cwd, stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=20, **kwargs)
    assert done.returncode in (1, 2), done
    return done.stderr


def test_does_not_start_without_a_key(txgate, tmp_path, key):
    def said(*words):
        return refused_to_start(*words, cwd=tmp_path)
    assert "--listen needs --key-file" in said("--listen", "0")
    assert "there is no such file (make one with" in said("--listen", "0", "--key-file", "nokey")
    assert "no-such-option" in said("--listen", "0", "--no-such-option", key)
    assert "expected one value" in said("--listen", "0", "--key-file")
    for port in "x", "65536", "host:1", "::1:7777", "[::1]", "1.2.3:4", "-1", "[fe80::1%nowhere]:1":
        assert "expected PORT" in said("--listen", port, "--key-file", key), port
    for user in "nobody", "-1", "1:", "1:2:3":
        assert "UID:GID" in said("--listen", "0", "--key-file", key, "--user", user), user
    key.chmod(0o640)
    assert "mode 0640" in said("--listen", "0", "--key-file", key)
    key.chmod(0o600)
    key.write_text("txgate-key-1 0badc0de\n")
    assert "expected one line" in said("--listen", "0", "--key-file", key)
    assert "0badc0de" not in said("--listen", "0", "--key-file", key)
    taken = socket.create_server(("127.0.0.1", 0))
    txgate("keygen", "good.key")
    assert "Address already in use" in said("--listen", taken.getsockname()[1], "--key-file", "good.key")
    taken.close()


def test_loopback_unless_told_otherwise(listen, txgate, script):
    script("shows", "true\n")
    assert listen().first[1] == "127.0.0.1"
    v6 = listen(address="[::1]:")
    both = listen(address="[::]:")
    for spec in v6.spec(), both.spec(host="[::1]"), both.spec(host="127.0.0.1"), both.spec(host="localhost"):
        result = txgate.run("--tx", spec, "shows")
        assert result.code == 0, result
    both.wait_for(r"(?m)^txgate-worker: 127\.0\.0\.1:\d+ linked")
    both.wait_for(r"(?m)^txgate-worker: \[::1\]:\d+ linked")


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-"])
def test_listens_where_standard_descriptors_are_closed(txgate, listen, key, script, closed):
    started = listen(shell='exec "$@" ' + closed)
    assert txgate.run("--tx", started.spec(key), script("pass", "exit 0\n")).code == 0


@pytest.mark.parametrize("dist, failed", [("each", 9), ("load", 3)])
def test_device_example(txgate, devices, listener, server, client, dist, failed):
    result = txgate.run("--tx", listener.spec() + "//env:EXAMPLE_SECONDS=0.1",
                        "--tx", "popen//env:EXAMPLE_SECONDS=0.1",
                        "--tx", server.spec + "//env:EXAMPLE_SECONDS=0.1",
                        "--dist", dist, "--tb=line", "-v", *devices, env=client.env)
    assert result.code == 1 and "%d failed in" % failed in result.out, result
    missed = re.findall(r"device 192\.168\.1\.(\d+): ", result.out)
    assert len(missed) == failed and set(missed) == {"2", "3", "4"}, result
    assert re.search(r"socket=\S+: files: [1-9]\d* bytes sent", result.out), result
    listener.wait_for("linked, pid")
    listener.wait_for("has ended")


def test_many_gateways_on_one_link(txgate, listener, script):
    script("tells", 'echo "<$TXGATE_INPUT_NAME $PYTEST_XDIST_WORKER $PWD>"; exit 1\n')
    result = txgate.run("--tx", "3*%s//input:NAME=x" % listener.spec(), "--dist", "each", "tells")
    for n in range(3):
        assert "<x gw%d %s/" % (n, listener.folder) in result.out, result
    assert listener.log().count("linked") == 1


def test_a_fleet_names_the_key(txgate, listener, script, tmp_path):
    script("passes", "true\n")
    (tmp_path / "lab").mkdir()
    os.rename(listener.key, tmp_path / "lab/its.key")
    (tmp_path / "lab/fleet.yaml").write_text(
        "gateways: [{id: board, tx: 'socket=127.0.0.1:%d', key_file: its.key}]\n" % listener.port)
    result = txgate.run("--fleet", "lab/fleet.yaml", "--tx", "@board", "passes")
    assert result.code == 0, result
    hosts = txgate("hosts", "--fleet", "lab/fleet.yaml")
    assert hosts.code == 0 and re.search(r"board .* listens .*=", hosts.out), hosts


FAULTS = [
    ("connect: 127.0.0.1:{closed}: connection refused", "txgate-worker --listen ADDRESS:PORT"),
    ("handshake: 127.0.0.1:{port} closed the connection in the handshake: it has another key than other.key",
     "copy the key file"),
    ("handshake: 127.0.0.1:{greets} is no txgate-worker --listen: it said 'SSH-2.0-x'", "copy the key file"),
    ("handshake: 127.0.0.1:{silent} took the connection and did not answer within 1.5 s", "copy the key file"),
    ("resolve: the name 'no-such-host.invalid': ", "check the name"),
    ("configure: key file missing.key: there is no such file", ""),
]


def test_words_of_what_fails(txgate, listener):
    def serve(words):
        server = socket.create_server(("127.0.0.1", 0))

        def run():
            while True:
                try:
                    made.append(server.accept()[0])
                    made[-1].sendall(words)
                except OSError:
                    return
        threading.Thread(target=run, daemon=True).start()
        made.append(server)
        return server.getsockname()[1]
    made = []
    unused = socket.create_server(("127.0.0.1", 0))
    ports = {"closed": unused.getsockname()[1], "port": listener.port, "greets": serve(b"SSH-2.0-x"),
             "silent": serve(b"")}
    unused.close()
    txgate("keygen", "other.key")
    result = txgate("hosts", "--connect-timeout", "1.5s",
                    "--tx", listener.spec(port=ports["closed"]), "--tx", listener.spec("other.key"),
                    "--tx", listener.spec(port=ports["greets"]), "--tx", listener.spec(port=ports["silent"]),
                    "--tx", listener.spec(host="no-such-host.invalid"), "--tx", listener.spec("missing.key"))
    for fault, remedy in FAULTS:
        assert "FAILED  " + fault.format(**ports) in result.out and remedy in result.out, result
    refused = txgate.run("--tx", "socket=127.0.0.1:1", "t")
    assert refused.code == 4 and "needs the key that its worker has" in refused.err, refused
    for one in made:
        one.close()


HELLO = dict(protocol=wire.PROTOCOL, version="0.1.0", arch="x86_64", kernel="Linux 6", pid=1, features=[])
LIES = [
    (wire.frame(0, wire.message("hello", **dict(HELLO, protocol=99))),
     "hello: the worker speaks protocol 99, this txgate %d: install the same version" % wire.PROTOCOL),
    (wire.HEADER.pack(0x7fffffff, 0), "link: frame of 2147483647 bytes"),
    (wire.frame(0, b"\xdd\xff\xff\xff\xff"), "hello: "),
    (b"TXG 0\n" + wire.frame(0, wire.message("hello", **HELLO)), "link: frame of"),
    (wire.frame(0, wire.message("beat", n=1)), "hello: the agent's first message is not hello"),
]


@pytest.mark.parametrize("said, fault", LIES)
def test_workers_that_have_the_key_and_lie(txgate, key, said, fault):
    child = subprocess.Popen([BUILDDIR / "tests/integration/sealed", key], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    port = int(child.stderr.readline())
    child.stdin.write(said)
    child.stdin.flush()
    result = txgate("hosts", "--tx", "socket=127.0.0.1:%d//key_file=%s" % (port, key))
    child.kill()
    child.communicate()
    assert result.code == 6 and "FAILED  " + fault in result.out, result


MISUSE = [
    (wire.frame(0, wire.message("hello", protocol=99, version="0.1.0", testrunuid="x", heartbeat=10000)),
     "this worker speaks protocol %d, the controller 99" % wire.PROTOCOL),
    (wire.HEADER.pack(0x7fffffff, 0) + b"x" * 100000, "frame of 2147483647 bytes"),
    (wire.frame(0, b"\xdd\xff\xff\xff\xff"), "the controller sent what is not in the protocol"),
    (wire.frame(0, wire.message("lease", n=1)), "has ended"),
    (b"GET / HTTP/1.0\r\n\r\n", "frame of 1195725856 bytes"),
]


@pytest.mark.parametrize("said, logged", MISUSE)
def test_controllers_that_have_the_key_and_misbehave(txgate, listener, script, said, logged):
    """The link ends at once; the listener goes on."""
    done = subprocess.run([BUILDDIR / "tests/integration/link", listener.spec()], input=said, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # with bytes unread behind what is refused, TCP ends the connection by a reset
    assert re.search(rb"end link: (the worker at 127\.0\.0\.1:\d+ closed the link|"
                     rb"127\.0\.0\.1:\d+: connection reset by peer)", done.stderr), done
    assert wire.pack("hello") in done.stdout
    listener.wait_for(re.escape(logged))
    listener.wait_for("has ended")
    script("passes", "true\n")
    assert txgate.run("--tx", listener.spec(), "passes").code == 0


def test_unmodified_xdist_reaches_it(builddir, tmp_path, listener, script):
    """A gateway of pytest-xdist's, by way of txgate connect."""
    runner = make("current", builddir, tmp_path)
    (tmp_path / "txgate.yaml").write_text(
        "gateways: [{id: board, tx: 'socket=127.0.0.1:%d', key_file: lab.key,"
        " workerinput: {ipadr: 192.168.1.7}}]\nsuites: [{files: 't/*'}]\n" % listener.port)
    (tmp_path / "t").mkdir()
    script("t/tells", 'echo "<$TXGATE_DEVICE $TXGATE_INPUT_IPADR $PYTEST_XDIST_WORKER>"\n')
    try:
        code, text = runner.end(runner.start("--dist", "load", "-rP", "t", tx="POPEN//python=%s connect board" % (
            builddir / "txgate")))
        assert code == 0 and "<board 192.168.1.7 gw0>" in text, text
        assert listener.log().count("linked") == 1
    finally:
        finish(runner)


def test_nothing_readable_on_the_wire(txgate, listener, relay, script):
    script("secret-name", 'echo "output-$TXGATE_INPUT_PASSWORD"; exit 1\n')
    between = relay(listener.port)
    result = txgate.run("--tx", listener.spec(port=between.own_port) +
                        "//id=board-id//input:PASSWORD=dictionary-value//env:A=variable-value",
                        "--jsonl", "log", "secret-name")
    assert result.code == 1 and "output-dictionary-value" in result.out, result
    assert len(between.up) > 500 and len(between.down) > 500
    for word in ("secret", "PASSWORD", "dictionary", "variable", "output", "board-id", "testreport",
                 "hello", "workerinput", "x86_64", "TXG", "txgate", os.uname().release):
        for record in between.up, between.down:
            assert word.encode() not in record, word
    again = relay(listener.port)
    txgate.run("--tx", listener.spec(port=again.own_port), "secret-name")
    assert again.up[2:34] != between.up[2:34] and again.down[2:34] != between.down[2:34]


def test_a_recorded_session_is_of_no_use(txgate, listener, relay, script):
    script("ran", "echo ran >>%s/ran\n" % listener.folder)
    between = relay(listener.port)
    assert txgate.run("--tx", listener.spec(port=between.own_port), "ran").code == 0
    time.sleep(0.2)
    assert (listener.folder / "ran").read_text() == "ran\n"
    links = listener.log().count("linked")
    with listener.connect() as sock:
        try:
            sock.sendall(between.up)
        except ConnectionError:
            pass
        # The first message is good, so it is answered; the proof behind it belongs to another answer.
        assert len(shakes(sock)) in (0, HANDSHAKE)
    listener.wait_for("refused: message 0 was altered, replayed")
    assert listener.log().count("linked") == links
    assert (listener.folder / "ran").read_text() == "ran\n"


def test_flipped_bits(txgate, listener, relay, script):
    """Every byte of the handshake, and some behind it: refused, or the link ends; no test runs twice
    and none runs on what was changed."""
    script("ran", "echo ran >>%s/ran\n" % listener.folder)
    between = relay(listener.port)
    assert txgate.run("--tx", listener.spec(port=between.own_port), "ran").code == 0
    record = bytes(between.up)
    chance = random.Random(7)
    links = listener.log().count("linked")
    for offset in range(HANDSHAKE):
        changed = bytearray(record[:HANDSHAKE])
        changed[offset] ^= 1 << chance.randrange(8)
        with listener.connect() as sock:
            sock.sendall(changed)
            if offset > 1:
                assert shakes(sock) == b"", offset
            else:  # another length: it may wait for more, which does not come
                sock.shutdown(socket.SHUT_WR)
                assert shakes(sock) == b"", offset
    assert listener.log().count("linked") == links
    ran = (listener.folder / "ran").read_text()
    at_proof = range(HANDSHAKE, HANDSHAKE + PROOF)
    behind = sorted(chance.sample(range(HANDSHAKE + PROOF, len(record)), 8))
    for offset in [*list(at_proof)[::4], *behind]:
        changing = relay(listener.port, flip(offset, chance.randrange(8)))
        before = (listener.folder / "ran").read_text()
        result = txgate.run("--tx", listener.spec(port=changing.own_port), "--max-worker-restart", "0",
                            "--heartbeat", "0.2", "--connect-timeout", "1s", "ran")
        changing.close()
        # The last frames may be cut off without harm: what had been said before them holds.
        assert result.code in (0, 6, 1), (offset, result)
        after = (listener.folder / "ran").read_text()
        assert after in (before, before + "ran\n"), (offset, result)
        if offset < HANDSHAKE + PROOF:
            assert result.code == 6 and after == before, (offset, result)
    assert ran == "ran\n"
    assert txgate.run("--tx", listener.spec(), "ran").code == 0


GARBAGE = [b"", b"\0", b"GET / HTTP/1.0\r\n\r\n", b"\xff" * 1000, b"\0\x30" + b"\0" * 48, b"\0\x30" + b"x" * 20,
           b"TXG 0\n", b"\0\x31" + b"y" * 49, b"\0\0", b"\xff\xff" + b"z" * 70000]


def pester(listener, seconds, count, done):
    """Connections with garbage, one after the other."""
    chance, made = random.Random(11), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and made < count and not done.is_set():
        try:
            with listener.connect() as sock:
                words = chance.choice(GARBAGE)
                if chance.randrange(2):
                    words = bytes(chance.randrange(256) for _ in range(chance.randrange(80)))
                sock.sendall(words)
        except OSError:
            pass
        made += 1
    return made


def test_strangers_do_not_disturb(txgate, listener, script, tmp_path, sanitized):
    """10,000 connections with garbage, or as many as fit in 20 s, while a run goes on."""
    script("works", "sleep 0.02\n")
    rows = ["- {files: works, name: s%d}" % n for n in range(10)]
    (tmp_path / "txgate.yaml").write_text("suites:\n" + "\n".join(rows) + "\n")
    pester(listener, 5, 300, threading.Event())  # what it needs at most is there from now on
    before, fds = listener.memory(), listener.descriptors()
    done, made = threading.Event(), []
    thread = threading.Thread(target=lambda: made.append(pester(listener, 20, 10000, done)))
    thread.start()
    runs = 0
    while thread.is_alive():
        result = txgate.run("--tx", "2*" + listener.spec(), "--timeout", "20s", "works")
        assert result.code == 0, result
        runs += 1
    after = listener.memory()
    print("%d connections, %d runs, memory of the listener %d -> %d KiB" % (made[0], runs, before, after))
    assert made[0] > 500
    assert runs > 1
    assert sanitized or after - before <= 64, (before, after)
    assert listener.descriptors() <= fds + 1
    text = listener.log()
    assert re.search(r"127\.0\.0\.1:\d+ refused: handshake: a message of \d+ bytes where 48 were expected", text)
    listener.wait_for(r"\d+ more refused, the last of them 127\.0\.0\.1:\d+", 15)
    # 20 refusals in 10 s, of which this was less than six times as much.
    assert text.count(" refused: ") <= 20 * 6, text[-3000:]


def test_half_open_connections(txgate, listener, script, sanitized):
    """A thousand of them hold a bounded place, and go when their time is over; slow ones too."""
    script("passes", "true\n")
    before, fds = listener.memory(), listener.descriptors()
    begun = time.monotonic()
    crowd = []
    for n in range(1000):
        crowd.append(listener.connect())
        if n % 2:
            crowd[-1].sendall((b"\0\x30" + b"x" * 47)[:1 + n % 49])
    assert listener.descriptors() <= fds + 128 + 1  # one that was just accepted, and has no place yet
    result = txgate.run("--tx", listener.spec(), "passes")
    assert result.code == 0 and result.seconds < 5, result
    after = listener.memory()
    print("1000 half-open: memory of the listener %d -> %d KiB" % (before, after))
    assert sanitized or after - before <= 256, (before, after)
    listener.wait_for("too many connections that have not proven to have the key")
    slow = listener.connect()  # a byte now and then does not buy time
    slow_begun, sent = time.monotonic(), 0
    try:
        while sent < 40 and time.monotonic() - slow_begun < 20:
            slow.sendall((b"\0\x30" + b"x" * 48)[sent:sent + 1])
            sent += 1
            time.sleep(0.5)
            slow.setblocking(False)
            try:
                if slow.recv(1) == b"":
                    break
            except BlockingIOError:
                pass
            slow.setblocking(True)
    except ConnectionError:
        pass
    assert 9 < time.monotonic() - slow_begun < 14
    assert time.monotonic() - begun > 10
    end = time.monotonic() + 15
    while listener.descriptors() > fds and time.monotonic() < end:
        time.sleep(0.1)
    assert listener.descriptors() <= fds
    for one in crowd:
        one.close()
    slow.close()


def test_oversized_frames_behind_the_handshake(txgate, listener, relay, script):
    """Lengths that nobody sealed: the link ends, and the listener serves the next."""
    script("sleeps", "sleep 5\n")

    def change(up, at, data):
        return data if not up or at < HANDSHAKE + PROOF + 400 else b"\xff\xff" + b"A" * 70000
    changing = relay(listener.port, change)
    result = txgate.run("--tx", listener.spec(port=changing.own_port), "--max-worker-restart", "0",
                        "--heartbeat", "0.2", "sleeps")
    assert result.code != 0, result
    listener.wait_for("the link has to end: message")
    listener.wait_for("has ended")
    script("passes", "true\n")
    assert txgate.run("--tx", listener.spec(), "passes").code == 0


def test_a_log_that_nobody_reads_holds_no_link(txgate, key, relay, script):
    script("sleeps", "sleep 5\n")
    log, stderr = os.pipe()
    child = subprocess.Popen([WORKER, "--listen", "0", "--key-file", key], stderr=stderr, cwd=txgate.cwd,
                             env=dict(os.environ, **{processes.MARK: txgate.mark}))
    try:
        port = int(re.search(rb":(\d+),", os.read(log, 1000))[1])
        os.set_blocking(stderr, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(stderr, b"x" * 4096)
        os.set_blocking(stderr, True)
        changing = relay(port, flip(HANDSHAKE + PROOF + 400, 1))
        result = txgate.run("--tx", "socket=127.0.0.1:%d//key_file=%s" % (changing.own_port, key),
                            "--max-worker-restart", "0", "--heartbeat", "0.2", "sleeps")
        assert result.code != 0, result
        children, end = "task/%d/children" % child.pid, time.monotonic() + 15
        while processes.read(child.pid, children) and time.monotonic() < end:
            time.sleep(0.1)
        assert not processes.read(child.pid, children)
    finally:
        child.terminate()
        assert child.wait(20) == 0
        os.close(log)
        os.close(stderr)


def test_no_key_in_any_process(txgate, listener, script):
    secret = listener.key.read_text().split()[1]
    script("sleeps", "sleep 1\n")
    child = txgate.start("run", "--tx", listener.spec(), "sleeps")
    listener.wait_for("linked")
    seen = set()
    while child.poll() is None:
        for pid in [*txgate.processes(), listener.child.pid]:
            seen.add(processes.name(pid))
            for name in "cmdline", "environ":
                assert secret.encode() not in processes.read(pid, name), pid
        time.sleep(0.05)
    child.communicate()
    assert {"txgate", "txgate-worker"} <= seen, seen


def test_ends_with_all_below_it(txgate, listener, script):
    script("stays", "trap '' TERM HUP INT; (trap '' TERM; setsid sleep 300) & sleep 300\n")
    child = txgate.start("run", "--tx", "2*" + listener.spec(), "--dist", "each",
                         "--max-worker-restart", "0", "stays")
    end = time.monotonic() + 20
    while sum("sleep 300" in l for l in txgate.processes().values()) < 4 and time.monotonic() < end:
        time.sleep(0.05)
    begun = time.monotonic()
    listener.child.terminate()
    assert listener.child.wait(20) == 0
    assert time.monotonic() - begun < 10
    out, err = child.communicate(timeout=20)
    assert child.returncode in (1, 6), (out, err)
    assert not processes.wait_for_none(txgate.mark, 1)
    assert listener.log().endswith("txgate-worker: ended\n")


@pytest.mark.parametrize("who", ["listener", "link", "agent"])
def test_nothing_stays_when_one_is_killed(txgate, listener, script, who):
    script("stays", "(setsid sleep 300) & sleep 300\n")
    child = txgate.start("run", "--tx", listener.spec(), "--max-worker-restart", "0", "stays")
    pid = int(listener.wait_for(r"linked, pid (\d+)")[1])
    end = time.monotonic() + 20
    while sum("sleep 300" in l for l in txgate.processes().values()) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    below = [p for p in txgate.processes() if processes.parent(p) == pid]
    assert len(below) == 1
    os.kill({"listener": listener.child.pid, "link": pid, "agent": below[0]}[who], signal.SIGKILL)
    child.communicate(timeout=20)
    assert child.returncode in (1, 6)
    listener.stop()
    assert not processes.wait_for_none(txgate.mark, 8)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user(txgate, tmp_path, key, script):
    """Its tests can read neither the key's file nor the memory of who has it."""
    folder = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    (folder / "board").mkdir()
    os.chown(folder / "board", 12345, 12346)
    listener = Listener(folder / "board", key, "--user", "12345:12346", mark=txgate.mark)
    try:
        assert "uid 12345" in listener.first[3]
        script("tells", "id; cat %s; ls /proc/%d/fd; ls /proc/$PPID/fd >/dev/null && echo own; exit 1\n" % (
            key, listener.child.pid))
        result = txgate.run("--tx", listener.spec(), "tells")
        assert "uid=12345 gid=12346 groups=12346" in result.out and "own" in result.out, result
        assert result.out.count("Permission denied") == 2 and "txgate-key-1" not in result.out, result
    finally:
        listener.stop()
        shutil.rmtree(folder)
