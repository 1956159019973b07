"""One run over hosts of every kind: several machines with sshd and addresses of their own, a board with
BusyBox and dropbear whose programs are its own, aarch64's and armhf's, local gateways, and the board
once more through the program ssh. The device example runs on all of them; whatever ends the run,
nothing of it stays there."""

import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

import boards
import sshd
import workers
from conftest import BUILDDIR, SRCDIR

pytestmark = [pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)"),
              pytest.mark.usefixtures("may_have_boards")]

OWN = os.uname().machine
FOREIGN = {"aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
           "armhf": ("arm-linux-gnueabihf-gcc", "qemu-arm-static")}
NAMES = ["test_network", "test_power", "test_uart"]
SERVERS = 3
SHELL = "SetEnv HOME={0} XDG_RUNTIME_DIR=\n"  # no TXGATE_DIR: the cache is where users have it


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """The device example's tests for every machine: a folder with one of each name."""
    if OWN in FOREIGN:
        pytest.skip("the emulated machines are this one's own kind")
    for arch, programs in FOREIGN.items():
        for program in programs:
            if not shutil.which(program):
                pytest.skip("no %s here (%s)" % (program, arch))
    said, made = workers.build(BUILDDIR, [OWN, *FOREIGN])
    if not made:
        pytest.skip("no static workers: %s" % said[-300:])
    top = tmp_path_factory.mktemp("build")
    for arch, compiler in [(OWN, "cc"), *((a, p[0]) for a, p in FOREIGN.items())]:
        (top / arch).mkdir()
        for name in NAMES:
            subprocess.run([compiler, "-static", "-o", top / arch / name,
                            SRCDIR / "examples/devices" / (name + ".c")], check=True, timeout=60)
    return top


def tree(top):
    """What is in a folder, /proc apart."""
    found = set()
    for folder, names, files in os.walk(top):
        if folder == str(top) and "proc" in names:
            names.remove("proc")
        found.update(os.path.relpath(os.path.join(folder, n), top) for n in names + files)
    return found


class Fleet:
    """Gateways of every kind, and what is on their hosts."""

    def __init__(self, lab, tmp_path, client, serve):
        self.lab, self.servers = lab, []
        for n in range(SERVERS):
            host = lab.host()
            folder = tmp_path / ("host%d" % n)
            folder.mkdir()
            made = sshd.Sshd(folder, host.address, port=22, extra=SHELL.format(folder))
            made.prefix = host.enter
            client.may_log_in(made)
            client.knows(made)
            self.servers.append(serve(made))
        host = lab.host()
        self.board = boards.Board(tmp_path / "board", client, host.address, port=22)
        self.board.prefix = host.enter
        (self.board.top / "usr/bin").mkdir(parents=True, exist_ok=True)
        for _, emulator in FOREIGN.values():
            shutil.copy(shutil.which(emulator), self.board.top / "usr/bin")
        serve(self.board)
        self.servers.append(self.board)
        ssh = "ssh -T -F none -i %s/id_ed25519 -o UserKnownHostsFile=%s root@%s" % (
            client.ssh, client.known_hosts, self.board.address)
        self.specs = [s.spec for s in self.servers]
        self.specs += ["%s//arch=%s//emulator=%s" % (self.board.spec, a, p[1]) for a, p in FOREIGN.items()]
        self.specs += ["2*popen", "exec=" + ssh]
        self.gateways = len(self.specs) + 1
        self.roots = [s.folder for s in self.servers[:-1]] + [self.board.top]
        self.before = [tree(r) for r in self.roots]

    def options(self, seconds):
        return [w for s in self.specs for w in ("--tx", "%s//env:EXAMPLE_SECONDS=%s" % (s, seconds))]

    def processes(self):
        """What runs on the hosts, their servers and these' sessions apart."""
        return {pid: line for host in self.lab.hosts for pid, line in host.processes().items()
                if not re.match(r"(\S*/)?(sshd|dropbear)\b", line)}

    def wait_for_none(self, seconds):
        end = time.monotonic() + seconds
        while self.processes() and time.monotonic() < end:
            time.sleep(0.05)
        assert not self.processes()

    def new(self):
        """Paths on the hosts that were not there before, logs apart."""
        return [sorted(p for p in tree(r) - b if not p.startswith(("var/log", "var/run")))
                for r, b in zip(self.roots, self.before)]

    def has_only_caches(self):
        for server, new in zip(self.servers, self.new()):
            cache = ".cache" if server is not self.board else "root/.cache"
            assert new[:2] == [cache, cache + "/txgate-%d" % os.geteuid()], new
            rest = {pathlib.PurePath(p).relative_to(new[1]).parts[0].split("-")[0] for p in new[2:]}
            assert rest == {"worker", "files", ".files"}, new


@pytest.fixture
def fleet(lab, builds, tmp_path, client, serve, txgate):
    (tmp_path / "build").symlink_to(builds)
    made = Fleet(lab, tmp_path, client, serve)
    (tmp_path / "txgate.yaml").write_text(
        'suites: [{files: "build/{arch}/test_*"}]\ndevices:\n' +
        "".join("- {ipadr: 192.168.1.%d}\n" % (n + 1) for n in range(made.gateways)))
    txgate.path = lab.inside(txgate.path, tmp_path)
    return made


def test_device_example_on_every_kind(fleet, over):
    """Each device is missed by each test of `each`, and each test fails once in `load`; the second
    run sends no byte of what is there."""
    for dist, failed in ("each", 3 * fleet.gateways), ("load", 3):
        result = over("run", *fleet.options(0.3), "--dist", dist, "--tb=line", "-v", timeout=100)
        assert result.code == 1 and re.search(r"\b%d failed in" % failed, result.out), result
        missed = re.findall(r"device 192\.168\.1\.(\d+): ", result.out)
        assert len(missed) == failed, result
        if dist == "each":
            assert all(missed.count(str(n + 1)) == 3 for n in range(fleet.gateways)), result
        sent = [[int(n) for n in re.findall(r": %s: (\d+) bytes sent" % what, result.out)]
                for what in ("worker", "files")]
        # popen needs neither; each other gateway's agent has its own line
        assert all(len(s) == len(fleet.specs) - 1 for s in sent), result
        assert all(any(s) == (dist == "each") for s in sent), result
        fleet.wait_for_none(5)
        fleet.has_only_caches()


def test_nothing_stays_with_no_cache(fleet, over):
    result = over("run", *fleet.options(0.1), "--dist", "each", "--no-cache", timeout=100)
    assert result.code == 1 and "%d failed" % (3 * fleet.gateways) in result.out, result
    fleet.wait_for_none(5)
    assert not any(fleet.new())


def wait_for_tests(fleet, child):
    """Until a test runs on every gateway of a host."""
    end = time.monotonic() + 60
    while sum(bool(re.search(r"test_(network|power|uart)$", l)) for l in fleet.processes().values()) < \
            fleet.gateways - 2:
        assert child.poll() is None and time.monotonic() < end, fleet.processes()
        time.sleep(0.05)


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_controller_killed(cache, fleet, txgate, client):
    child = txgate.start("run", *fleet.options(300), "--dist", "each", *cache, env=client.env)
    wait_for_tests(fleet, child)
    child.kill()
    child.communicate(timeout=10)
    fleet.wait_for_none(5)
    if cache:
        assert not any(fleet.new())
    else:
        fleet.has_only_caches()


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_every_cable_pulled(cache, fleet, txgate, client):
    """With the liveness that users have."""
    child = txgate.start("run", *fleet.options(300), "--dist", "each", *cache, env=client.env)
    wait_for_tests(fleet, child)
    for host in fleet.lab.hosts:
        host.pull()
    try:
        fleet.wait_for_none(10)
        if cache:
            assert not any(fleet.new())
        else:
            fleet.has_only_caches()
        child.terminate()
        out, err = child.communicate(timeout=20)
        assert child.returncode == 2, (out, err)
    finally:
        child.kill()
        child.wait(10)
