"""What every test of a whole program has at hand, and the check that none leaves a process behind.

Under `make check` TXG_SRCDIR and TXG_BUILDDIR say which tree; by hand (`python3 -m pytest
tests/integration`) they default to this tree and its ./build.
"""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import uuid

import pytest

SRCDIR = pathlib.Path(os.environ.get("TXG_SRCDIR") or pathlib.Path(__file__).parents[2]).resolve()
BUILDDIR = pathlib.Path(os.environ.get("TXG_BUILDDIR") or SRCDIR / "build").resolve()
sys.path.insert(0, str(SRCDIR / "tests/lib"))

import boards  # noqa: E402
import events  # noqa: E402
import network  # noqa: E402
import processes  # noqa: E402
import sshd  # noqa: E402
import workers  # noqa: E402


class Result:
    """A run that ended: code, out and err as text, seconds, peak memory of txgate's processes."""

    def __init__(self, code, out, err, seconds, memory):
        self.code, self.seconds, self.memory = code, seconds, memory
        self.bytes_out, self.bytes_err = out, err
        self.out, self.err = out.decode(errors="replace"), err.decode(errors="replace")

    def __repr__(self):
        return "exit status %d after %.2f s\n--- stdout\n%s\n--- stderr\n%s" % (
            self.code, self.seconds, self.out[-8000:], self.err[-4000:])


class MemoryWatch(threading.Thread):
    """Samples VmHWM of every txgate process of a run: {(pid, name): bytes}."""

    def __init__(self, mark):
        super().__init__(daemon=True)
        self.mark, self.peaks, self.stop = mark, {}, threading.Event()

    def run(self):
        while not self.stop.wait(0.02):
            for pid in processes.marked(self.mark):
                name = processes.name(pid)
                if name.startswith("txgate"):
                    peak = processes.peak_memory(pid)
                    key = pid, name
                    self.peaks[key] = max(peak, self.peaks.get(key, 0))


class Txgate:
    """Starts txgate; every process of it carries this test's mark."""

    def __init__(self, mark, cwd):
        self.mark, self.cwd = mark, cwd
        self.path = BUILDDIR / "txgate"

    def start(self, *args, env=None, **kwargs):
        kwargs.setdefault("cwd", self.cwd)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.PIPE)
        full = dict(os.environ, **{processes.MARK: self.mark})
        for name in [n for n in full if n.startswith(("TXGATE_", "PYTEST_"))]:
            del full[name]
        full.update(env or {})
        return subprocess.Popen([self.path, *map(str, args)], env=full, **kwargs)

    def __call__(self, *args, timeout=60, watch_memory=False, **kwargs):
        begun = time.monotonic()
        watch = MemoryWatch(self.mark)
        if watch_memory:
            watch.start()
        child = self.start(*args, **kwargs)
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate(timeout=10)
            late = Result(-1, out, err, timeout, {})
            pytest.fail("txgate was not done after %d s\n%r" % (timeout, late))
        finally:
            watch.stop.set()
        return Result(child.returncode, out, err, time.monotonic() - begun, watch.peaks)

    def run(self, *args, **kwargs):
        return self("run", *args, **kwargs)

    def processes(self):
        """Live processes of this test's runs: {pid: command line}."""
        return processes.marked(self.mark)


@pytest.fixture(scope="session", autouse=True)
def static_workers():
    """Before the first test: a worker that appears between two runs of a test is another worker."""
    if (BUILDDIR / "txgate").exists():
        workers.build(BUILDDIR, [os.uname().machine])


@pytest.fixture
def builddir():
    return BUILDDIR


@pytest.fixture
def srcdir():
    return SRCDIR


@pytest.fixture
def programs():
    """The folder of the compiled test programs (tests/integration/programs)."""
    return BUILDDIR / "tests/integration/programs"


@pytest.fixture(scope="session")
def sanitized():
    """True in a build with sanitizers, where memory and time are not the program's own."""
    path = BUILDDIR / "txgate"
    return path.exists() and b"__asan_init" in path.read_bytes()


@pytest.fixture
def txgate(tmp_path):
    """Runs txgate in a fresh folder. Fails the test when 5 s later a process of it is left."""
    if not (BUILDDIR / "txgate").exists():
        pytest.skip("txgate is not built in %s" % BUILDDIR)
    runner = Txgate(uuid.uuid4().hex, tmp_path)
    yield runner
    left = processes.wait_for_none(runner.mark, 5)
    processes.kill(left)
    assert not left, "processes were left behind: %s" % left


@pytest.fixture
def devices(tmp_path):
    """The device example in a folder of its own; the names of its tests."""
    names = ["test_network", "test_power", "test_uart"]
    for name in names:
        (tmp_path / name).symlink_to(BUILDDIR / "examples/devices" / name)
    config = SRCDIR / "examples/devices/txgate.yaml"
    (tmp_path / "txgate.yaml").write_text(config.read_text())
    return names


@pytest.fixture
def script(tmp_path):
    """Writes an executable sh program into the test's folder; returns its name."""
    def write(name, text):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return name
    return write


class Finish:
    """How one test ended, as the JSON lines tell."""

    def __init__(self, event):
        self.outcome, self.reason = event["outcome"], event.get("reason") or ""
        self.gateway, self.event = event.get("gateway"), event

    def __repr__(self):
        return "%s on %s (%s)" % (self.outcome, self.gateway, self.reason)


@pytest.fixture
def outcomes():
    """Reads a file of --jsonl: {nodeid: [Finish, ...]}. The run must have kept its promises."""
    def read(path):
        found = {}
        lines = pathlib.Path(path).read_text().splitlines()
        assert events.check(lines) == []
        for line in lines:
            event = json.loads(line)
            if event["event"] == "test_finish":
                found.setdefault(event["nodeid"], []).append(Finish(event))
        return found
    return read


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "server"
    path.mkdir()
    return path


@pytest.fixture
def client(tmp_path):
    return sshd.Client(tmp_path / "home")


@pytest.fixture
def serve():
    """Starts servers, and ends them with the test."""
    started = []

    def start(server):
        started.append(server)
        return server.start()
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def server(folder, client, serve):
    """An sshd that the client may log in to, and knows."""
    made = sshd.Sshd(folder)
    client.may_log_in(made)
    client.knows(made)
    return serve(made)


@pytest.fixture
def over(txgate, client):
    """Runs txgate with the client's home: its key, its known_hosts."""
    def run(*args, **kwargs):
        return txgate(*args, env=dict(client.env, **kwargs.pop("env", {})), **kwargs)
    return run


@pytest.fixture(scope="session")
def may_have_boards():
    why = boards.missing()
    if why:
        pytest.skip(why)
    said, made = workers.build(BUILDDIR, [os.uname().machine])
    if not made:
        pytest.skip("no static worker: %s" % said[-300:])


@pytest.fixture
def board(may_have_boards, tmp_path, client, serve):
    return serve(boards.Board(tmp_path / "board", client))


@pytest.fixture
def lab():
    """Hosts with networks of their own, and this one's end of their cables."""
    made = network.Lab()
    try:
        why = made.start()
        if why:
            pytest.skip("no network of our own: %s" % why)
        yield made
    finally:
        made.stop()
