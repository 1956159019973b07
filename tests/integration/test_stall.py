"""A host that stops reading with megabytes still to come, beside one that does not: the loop is never
away for long, and the other's bytes come as fast as they do alone."""

import json
import os
import re
import select
import signal
import socket
import threading
import time

import pytest

import sshd

pytestmark = pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")

TURN_MAX = 50     # ms
SLOWER_MAX = 1.05
SIZE = 48 << 20
AFTER = 8 << 20   # bytes, then it stalls
ROUNDS = 24      # at most: other work of this machine slows one run or another, not each


class Relay:
    """Passes a connection on to a server until AFTER bytes have gone up; then calls `stall` and, where
    that says so, reads no more of them."""

    def __init__(self, server, stall):
        self.server, self.stall, self.up = server, stall, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends, self.wake = [], socket.socketpair()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client, _ = self.accept()
        if not client:
            return
        far = socket.create_connection((self.server.address, self.server.port))
        other, reads = {client: far, far: client}, [client, far, self.wake[0]]
        while len(reads) > 1:
            for end in select.select(reads, [], [])[0]:
                if end is self.wake[0]:
                    reads = []
                    break
                data = end.recv(1 << 16)
                if not data:
                    reads = []
                    break
                if end is client:
                    self.up += len(data)
                if not self.send(other[end], data):
                    reads = []
                    break
                if end is client and self.up > AFTER and self.stall:
                    if self.stall():
                        reads.remove(client)
                    self.stall = None
        client.close()
        far.close()

    def accept(self):
        ready = select.select([self.listener, self.wake[0]], [], [])[0]
        return self.listener.accept() if self.listener in ready else (None, None)

    def send(self, end, data):
        """All of it, unless this is stopped before."""
        end.setblocking(False)
        while data:
            if self.wake[0] in select.select([self.wake[0]], [end], [])[0]:
                return False
            try:
                data = data[end.send(data):]
            except BlockingIOError:
                pass
            except OSError:
                return False
        return True

    def stop(self):
        self.wake[1].send(b"x")
        self.thread.join(10)
        for s in (self.listener, *self.wake):
            s.close()


@pytest.fixture
def stalled(tmp_path, client, serve):
    """Starts what stalls in one of three ways: how -> (spec, what ends it)."""
    done = []

    def start(how):
        (tmp_path / "stalled").unlink(missing_ok=True)
        folder = tmp_path / "frozen" / str(len(done))
        folder.mkdir(parents=True)
        if how == "pipe":
            words = folder / "words"
            words.write_text("#!/bin/sh\n{ stdbuf -o0 head -c %d; touch '%s/stalled'; sleep 60; } | "
                             "TXGATE_DIR='%s' \"$@\"\n" % (AFTER, tmp_path, folder))
            words.chmod(0o755)
            done.append(lambda: None)
            return "exec=%s" % words, done[-1]
        server = sshd.Sshd(folder)
        client.may_log_in(server)
        serve(server)

        def stall():
            if how == "sshd":
                for pid in server.sessions():
                    os.kill(pid, signal.SIGSTOP)
            (tmp_path / "stalled").touch()
            return how == "relay"
        relay = Relay(server, stall)
        client.knows(server, name="[127.0.0.1]:%d" % relay.port)

        def end():
            relay.stop()
            server.stop()
        done.append(end)
        return "ssh=%s@127.0.0.1:%d" % (sshd.USER, relay.port), end
    yield start
    for end in done:
        try:
            end()
        except OSError:
            pass  # it has ended before


def transfer(path, host):
    """Microseconds that the files of a host took, from the JSON lines so far; None: not there yet."""
    times = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        event = json.loads(line) if line.endswith("}") else {}
        found = re.match(re.escape(host) + r": (worker|files): [1-9][0-9]* bytes sent$", event.get("text", ""))
        if found:
            times[found[1]] = event["t"]
    return times["files"] - times["worker"] if len(times) == 2 else None


@pytest.mark.parametrize("how", ["relay", "sshd", "pipe"])
def test_one_host_that_stops_reading(how, txgate, folder, client, serve, stalled, script, tmp_path, sanitized):
    script("ok", "exit 0")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(os.urandom(SIZE))
    good = sshd.Sshd(folder, extra="ForceCommand while [ ! -e %s/stalled ]; do sleep 0.02; done; exec sh\n"
                     % tmp_path)
    client.may_log_in(good)
    client.knows(good)
    serve(good)
    jsonl = tmp_path / "out.jsonl"

    def run(*specs):
        """Microseconds that the good host's files took; how long the loop was away, in ms."""
        jsonl.unlink(missing_ok=True)
        child = txgate.start("run", *(w for s in specs for w in ("--tx", s)), "-vv", "--no-cache", "--heartbeat",
                             "30s", "--rsyncdir", "data", "--jsonl", jsonl, "ok", env=client.env)
        end = time.monotonic() + 30
        while transfer(jsonl, good.spec) is None:
            if child.poll() is not None or time.monotonic() > end:
                child.kill()
                pytest.fail("%s\n%s" % tuple(s.decode() for s in child.communicate(timeout=10)))
            time.sleep(0.05)
        child.terminate()
        out, err = child.communicate(timeout=30)
        found = re.search(rb"^loop: \d+ turns, the longest of ([0-9.]+) ms$", out, re.M)
        assert found, (out, err)
        return transfer(jsonl, good.spec), float(found[1])

    alone, beside, turns = [], [], []
    for _ in range(2 if sanitized else ROUNDS):
        (tmp_path / "stalled").touch()
        alone.append(run(good.spec)[0])
        spec, end = stalled(how)
        took, turn = run(good.spec, spec)
        end()
        assert transfer(jsonl, spec) is None
        beside.append(took)
        turns.append(turn)
        if min(beside) < SLOWER_MAX * min(alone) and min(turns) < TURN_MAX:
            break
    print(alone, beside, turns)
    assert sanitized or min(turns) < TURN_MAX, turns
    assert sanitized or min(beside) < SLOWER_MAX * min(alone), (alone, beside)
