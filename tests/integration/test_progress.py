"""What is on its way to a host over a slow link is seen on a terminal, and nowhere else."""

import fcntl
import os
import pty
import re
import select
import socket
import struct
import sys
import termios
import threading
import time

import pytest

import sshd

SIZE = 12400000
FIRST = 150000  # bytes that take a second: a worker is small
RATE = 3000000  # bytes a second behind those
PIECE = 8192

PIPE = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, bufsize=0)
up = 0
while data := sys.stdin.buffer.raw.read(%(PIECE)d):
    try:
        child.stdin.write(data)
    except BrokenPipeError:
        break
    up += len(data)
    time.sleep(len(data) / (%(FIRST)d if up < %(FIRST)d else %(RATE)d))
child.stdin.close()
sys.exit(child.wait())
""" % globals()


class SlowRelay(threading.Thread):
    """Passes one connection on to a server, as slowly on the way up."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)  # or the kernels hold it all
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        far = socket.create_connection((self.server.address, self.server.port))
        with self.listener, client, far:
            up = 0
            while True:
                for end in select.select([client, far], [], [], 20)[0]:
                    data = end.recv(PIECE)
                    try:
                        (far if end is client else client).sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        return
                    if end is client:
                        up += len(data)
                        time.sleep(len(data) / (FIRST if up < FIRST else RATE))


def screen(text):
    """The rows that a terminal shows after what came, as far as txgate knows terminals."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text):
        count = int(re.sub(r"\D", "", part) or 1) if part[0] == "\x1b" else 0
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part == "\x1b[J":
            rows[row:] = [rows[row][:column]]
        elif part[0] == "\x1b":
            row -= count if part[-1] == "A" else 0
            column += count if part[-1] == "C" else 0
        else:
            rows[row] = rows[row][:column].ljust(column) + part + rows[row][column + len(part):]
            column += len(part)
    return rows


def on_a_terminal(txgate, *args, env):
    """Exit status, and all that a run writes to a terminal of 80 columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    child = txgate.start(*args, env=dict(env, TERM="xterm", NO_COLOR="1"), stdout=its, stderr=its)
    os.close(its)
    said, end = b"", time.monotonic() + 60
    try:
        while time.monotonic() < end and select.select([ours], [], [], 30)[0]:
            said += os.read(ours, 65536)
    except OSError:
        pass  # nobody has it open any more
    os.close(ours)
    if time.monotonic() >= end:
        child.kill()
    return child.wait(10), said.decode()


@pytest.fixture
def slow(request, tmp_path, script):
    """A gateway over a slow link, and the environment for it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(os.urandom(SIZE))
    script("reads", "[ $(wc -c <data/big) = %d ]" % SIZE)
    if request.param == "exec":
        (tmp_path / "slow.py").write_text(PIPE)
        home = str(tmp_path / "far")
        return "exec=%s %s" % (sys.executable, tmp_path / "slow.py"), {"TXGATE_DIR": home, "HOME": home}
    if not sshd.find("sshd"):
        pytest.skip("no sshd (Debian: openssh-server)")
    server, client = request.getfixturevalue("server"), request.getfixturevalue("client")
    relay = SlowRelay(server)
    client.knows(server, name="[127.0.0.1]:%d" % relay.port)
    return "ssh=%s@127.0.0.1:%d" % (sshd.USER, relay.port), client.env


@pytest.mark.parametrize("slow", ["exec", "ssh"], indirect=True)
def test_on_a_terminal(slow, txgate):
    spec, env = slow
    code, said = on_a_terminal(txgate, "run", "--tx", spec + "//id=board", "--no-cache", "--rsyncdir", "data",
                               "reads", env=env)
    assert code == 0, said
    assert re.search(r"board: uploading worker [0-9.]+ of [0-9.]+ [kM]B\x1b", said), said
    shown = [float(n) for n in re.findall(r"board: uploading files ([0-9.]+) of 12\.4 MB\x1b", said)]
    assert len(set(shown)) > 10 and shown == sorted(shown), said
    assert shown[0] < 6 and 10 < shown[-1] <= 12.4, shown
    # Lines in passing: none is left, and none has taken another's place.
    left = screen(said)
    assert not [row for row in left if "uploading" in row], left
    assert any("scheduling tests via" in row for row in left) and "1 passed" in left[-2], left


@pytest.mark.parametrize("slow", ["exec"], indirect=True)
def test_without_a_terminal(slow, txgate, tmp_path):
    spec, env = slow
    result = txgate("run", "--tx", spec, "-v", "--rsyncdir", "data", "--jsonl", "events", "reads", env=env)
    assert result.code == 0 and "files: %d bytes sent\n" % (SIZE + os.path.getsize(tmp_path / "reads")) in result.out
    assert "uploading" not in result.out + result.err + (tmp_path / "events").read_text(), result
