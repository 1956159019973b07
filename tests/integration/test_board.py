"""A board: BusyBox and dropbear and nothing else, in a folder that dropbear is chrooted into. Its shell
is BusyBox's; there is no Python, no sftp-server, no scp, no libc for the worker."""

import os
import re
import shutil
import stat
import subprocess
import time

import pytest

import sshd
import workers
from conftest import BUILDDIR


def libraries(*programs):
    """The shared libraries that the programs are linked with."""
    text = subprocess.run(["ldd", *programs], check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted(set(re.findall(r"(/\S+) \(0x", text)))


class Board(sshd.Server):
    """Needs root, for the chroot and the device nodes."""

    def __init__(self, top, client, address="127.0.0.1"):
        super().__init__(top.parent, address, sshd.free_port(address))
        self.top, self.log = top, top.parent / "board.log"
        for name in "bin dev etc/dropbear proc root/.ssh tmp usr/sbin var/log var/run".split():
            (top / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), top / "bin/busybox")
        subprocess.run(["chroot", top, "/bin/busybox", "--install", "-s", "/bin"], check=True)
        programs = [sshd.find("dropbear"), sshd.find("dropbearkey")]
        for path in programs + libraries(*programs):
            there = top / path.lstrip("/")
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, there)
        for name, minor in ("null", 3), ("zero", 5), ("random", 8), ("urandom", 9):
            os.mknod(top / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            os.chmod(top / "dev" / name, 0o666)
        (top / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (top / "etc/group").write_text("root:x:0:\n")
        (top / "etc/shells").write_text("/bin/sh\n")
        os.chmod(top / "tmp", 0o1777)
        os.chmod(top / "root/.ssh", 0o700)
        os.chmod(top / "root", 0o700)
        keys = top / "root/.ssh/authorized_keys"
        keys.write_text(client.public.read_text())
        keys.chmod(0o600)
        made = subprocess.run(["chroot", top, programs[1], "-t", "ed25519", "-f",
                               "/etc/dropbear/key"], check=True, stdout=subprocess.PIPE)
        self.host_public = top.parent / "board_key.pub"
        self.host_public.write_text(re.search(r"^ssh-\S+ \S+", made.stdout.decode(), re.M)[0])
        client.knows(self)

    @property
    def spec(self):
        return "ssh=root@%s:%d" % (self.address, self.port)

    def command(self):
        return ["chroot", self.top, sshd.find("dropbear"), "-F", "-E", "-s", "-r",
                "/etc/dropbear/key", "-p", "%s:%d" % (self.address, self.port)]

    def processes(self):
        """What runs with the board as its root, dropbear that listens apart: {pid: name}."""
        found = {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.readlink("/proc/%d/root" % pid) == str(self.top) and pid != self.process.pid:
                    with open("/proc/%d/cmdline" % pid, "rb") as f:
                        found[pid] = f.read().replace(b"\0", b" ")
            except OSError:
                pass
        return found


@pytest.fixture
def board(tmp_path, client, serve):
    busybox = shutil.which("busybox")
    if os.geteuid() != 0 or not busybox or not sshd.find("dropbear"):
        pytest.skip("a board needs root, busybox-static and dropbear-bin")
    if subprocess.run(["ldd", busybox], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode == 0:
        pytest.skip("busybox is not static here (Debian: busybox-static)")
    said, made = workers.build(BUILDDIR, [os.uname().machine])
    if not made:
        pytest.skip("no static worker: %s" % said[-300:])
    made = Board(tmp_path / "board", client)
    if subprocess.run(["mount", "-t", "proc", "proc", made.top / "proc"]).returncode:
        pytest.skip("no mount of /proc here")
    yield serve(made)
    made.stop()
    subprocess.run(["umount", "-l", made.top / "proc"], check=True)


@pytest.fixture
def over(txgate, client):
    """Runs txgate with the client's home: its key, its known_hosts."""
    def run(*args, **kwargs):
        return txgate(*args, env=dict(client.env, **kwargs.pop("env", {})), **kwargs)
    return run


def test_device_tests_on_a_board(over, board, script):
    """One login for three gateways, tests taken there, each told which device is its own; the second
    run finds all there."""
    script("device", 'echo "device $TXGATE_INPUT_IPADR on $(uname -m)"; [ -x /bin/busybox ] &&\n'
                     '[ "$TXGATE_INPUT_IPADR" != 10.0.0.2 ]\n')
    specs = [word for n in (1, 2, 3)
             for word in ("--tx", "%s//input:ipadr=10.0.0.%d" % (board.spec, n))]
    for run in 1, 2:
        result = over("run", *specs, "--dist", "each", "device")
        assert result.code == 1 and "1 failed, 2 passed" in result.out, result
        assert "device 10.0.0.2 on " in result.out, result
        assert board.log.read_text().count("Pubkey auth succeeded") == run
        assert not [p for p in board.processes().values() if b"txgate" in p]
    result = over("hosts", *specs)
    assert result.code == 0 and result.out.count("cached") == 3, result


def test_a_board_beside_others(over, board, server, client, script):
    script("where", "[ -e /etc/dropbear/key ] && echo board || echo machine; exit 1\n")
    ssh = "ssh -T -F none -i %s/id_ed25519 -o UserKnownHostsFile=%s -p %d root@127.0.0.1" % (
        client.ssh, client.known_hosts, board.port)
    result = over("run", "--tx", board.spec, "--tx", "exec=" + ssh, "--tx", "popen", "--tx",
                  server.spec, "--dist", "each", "--jsonl", "out.jsonl", "where")
    assert result.code == 1 and "4 failed" in result.out, result
    assert len(re.findall(r"^board$", result.out, re.M)) == 2, result
    assert len(re.findall(r"^machine$", result.out, re.M)) == 2, result


def test_more_hosts_than_dropbear_lets_in_at_once(over, board, client, script):
    """Five of one address may be on their way in; ten of different words are ten logins."""
    script("ok", "exit 0")
    client.config.write_text("Host b*\n  HostName 127.0.0.1\n  HostKeyAlias %s\n  User root\n"
                             "  Port %d\n" % (board.name, board.port))
    specs = [word for n in range(10) for word in ("--tx", "ssh=b%d" % n)]
    result = over("run", *specs, "--dist", "each", "ok")
    assert result.code == 0 and "10 passed" in result.out, result


def test_wrong_key_on_a_board(over, board, client, script):
    (board.top / "root/.ssh/authorized_keys").write_text("")
    script("ok", "exit 0")
    result = over("run", "--tx", board.spec, "ok")
    assert result.code == 6, result
    assert "authenticate: root@127.0.0.1 was refused. Tried: " in result.out, result


def test_controller_killed(txgate, board, client, script):
    script("slow", "echo $$ >started; setsid sleep 1000 & sleep 1000")
    child = txgate.start("run", "--tx", board.spec + "//chdir=/tmp/work", "slow", env=client.env)
    end = time.monotonic() + 10
    while not (board.top / "tmp/work/started").exists():
        assert time.monotonic() < end, board.log.read_text()
        time.sleep(0.02)
    child.kill()
    child.communicate(timeout=10)
    end = time.monotonic() + 5
    while board.processes() and time.monotonic() < end:
        time.sleep(0.05)
    assert not board.processes()
    left = {p.relative_to(board.top).parts[:2] for p in board.top.glob("root/.*") if p.is_dir()}
    assert left <= {("root", ".ssh"), ("root", ".cache")}, left
