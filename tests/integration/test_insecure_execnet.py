"""txgate-worker --listen PORT --insecure-execnet: a real, unmodified pytest-xdist over its own
`--tx socket=localhost:PORT`, without a Python behind the port."""

import os
import re
import signal
import socket
import subprocess

import pytest

import processes
from processes import wait_for
from test_socket import WORKER, built_with_sockets
from test_xdist import anyxdist, counts, example, native, xdist  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(not built_with_sockets(), reason="built without libsodium")


class Server:
    def __init__(self, folder, *options):
        folder.mkdir()
        self.folder, self.mark = folder, "open" + os.urandom(8).hex()
        self.log_path = folder.parent / "open.log"
        env = dict(os.environ, **{processes.MARK: self.mark}, EXAMPLE_SECONDS="0.1")
        with open(self.log_path, "wb") as log:
            self.child = subprocess.Popen([WORKER, "--listen", "0", "--insecure-execnet", *options],
                                          cwd=folder, env=env, stderr=log, stdin=subprocess.DEVNULL)
        wait_for(lambda: "listening on" in self.log())
        self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+) for pytest-xdist", self.log())[1])

    def log(self):
        return self.log_path.read_text()

    def stop(self, signum=signal.SIGTERM):
        self.child.send_signal(signum)
        return self.child.wait(20)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "board")
    yield made
    if made.child.poll() is None:
        made.stop()
    left = processes.wait_for_none(made.mark, 8)
    processes.kill(left)
    assert not left, left


@pytest.mark.parametrize("dist, failed", [("each", 9), ("load", 3)])
def test_device_example(anyxdist, server, example, tmp_path, dist, failed):
    code, text = anyxdist("--dist", dist, "--rsyncdir=tests", tmp_path / example,
                          tx="3*socket=localhost:%d" % server.port)
    assert code == 1 and counts(text)["failed"] == failed, text
    assert "everybody on this machine can run programs as uid %d" % os.geteuid() in server.log()
    assert server.log().count("linked, pid") == 3
    wait_for(lambda: server.log().count("has ended") == 3)


def test_serves_on_after_garbage(xdist, server, native, tmp_path):
    for junk in (b"", b"GET / HTTP/1.0\r\n\r\n", b"'no bootstrap'\n", os.urandom(5000) + b"\n"):
        with socket.create_connection(("127.0.0.1", server.port), 10) as stranger:
            stranger.sendall(junk)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(15)
            try:
                assert stranger.recv(100) == b"", junk
            except ConnectionResetError:
                pass
    code, text = xdist("--dist", "load", "--rsyncdir=tests", tmp_path / native("passes"), tx="socket=localhost:%d" % server.port)
    assert code == 0 and counts(text)["passed"] == 1, text


def sleeping(server):
    return sum("sleep 300" in line for line in processes.marked(server.mark).values())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_ends_with_all_below_it(xdist, server, script, tmp_path, signum):
    (tmp_path / "tests").mkdir()
    script("tests/stays", "(setsid sleep 300) & sleep 300\n")
    child = xdist.start("--dist", "load", "--max-worker-restart", "0", "--rsyncdir=tests",
                        tmp_path / "tests", tx="socket=localhost:%d" % server.port)
    wait_for(lambda: sleeping(server) == 2, 20)
    server.stop(signum)
    code, text = xdist.end(child)
    assert code != 0, text


def test_what_a_killed_link_leaves_is_no_link(xdist, server, script, tmp_path):
    (tmp_path / "tests").mkdir()
    script("tests/stays", "(setsid sleep 300) & (setsid sleep 300) & sleep 300\n")
    child = xdist.start("--dist", "load", "--max-worker-restart", "0", "--rsyncdir=tests",
                        tmp_path / "tests", tx="socket=localhost:%d" % server.port)
    wait_for(lambda: sleeping(server) == 3, 20)
    link = int(re.search(r"linked, pid (\d+)", server.log())[1])
    os.kill(link, signal.SIGKILL)
    wait_for(lambda: sleeping(server) == 0, 20)
    wait_for(lambda: "was killed by signal 9" in server.log())
    assert xdist.end(child)[0] != 0
    assert re.findall(r"pid (\d+) (?:has ended|was killed by signal 9)", server.log()) == [str(link)]


@pytest.mark.parametrize("options, words", [
    (["--listen", "10.0.0.1:7", "--insecure-execnet"], "serves loopback alone"),
    (["--listen", "[::]:7", "--insecure-execnet"], "serves loopback alone"),
    (["--listen", "0", "--insecure-execnet", "--key-file", "k"], "it has no key"),
    (["--connect", "127.0.0.1:7", "--insecure-execnet"], "goes with --listen and --user alone"),
    (["--insecure-execnet"], "--insecure-execnet: no such option, or what goes with it is missing"),
    (["--lisen", "0", "--insecure-execnet"], "--lisen: no such option"),
    (["--listen", "0", "--insecure-exec"], "unknown option '--insecure-exec'"),
])
def test_what_it_refuses(options, words):
    done = subprocess.run([WORKER, *options], stderr=subprocess.PIPE, timeout=10, universal_newlines=True)
    assert done.returncode == 2 and words in done.stderr, done
