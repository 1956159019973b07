"""SSH servers for tests: OpenSSH's sshd and dropbear as processes of our own, on a loopback address
and a port of their own, with their own host key, configuration and authorized_keys in a folder.

Nothing of the machine's own ssh is read or written: clients get HOME, known_hosts and keys here.
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
USER = pwd.getpwuid(os.getuid()).pw_name


def find(program):
    return shutil.which(program, path=PATH)


def free_port(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as s:
        s.bind((address, 0))
        return s.getsockname()[1]


def wait_for_port(address, port, process, log):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            assert process.poll() is None, "the server ended: %s" % log.read_text()
            time.sleep(0.02)
    raise AssertionError("nothing listens on %s port %d: %s" % (address, port, log.read_text()))


def wait_for_words(words, process, log):
    end = time.monotonic() + 10
    while words not in log.read_text():
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.02)


def keygen(path, kind="ed25519", passphrase=""):
    """A new key pair; the path of its public half."""
    for old in (path, pathlib.Path(str(path) + ".pub")):
        if old.exists():
            old.unlink()
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", path],
                   check=True, stdin=subprocess.DEVNULL)
    return pathlib.Path(str(path) + ".pub")


def fingerprint(public):
    line = subprocess.run(["ssh-keygen", "-lf", public], check=True, stdout=subprocess.PIPE)
    return line.stdout.decode().split()[1]


class Server:
    """One that listens. `name` is what it is called in known_hosts."""

    listening = "Server listening"  # what its log says once it does

    def __init__(self, folder, address, port):
        self.folder, self.address, self.port = pathlib.Path(folder), address, port
        self.log = self.folder / "log"
        self.process = None
        self.prefix = []  # in front of the command: nsenter of another network

    @property
    def name(self):
        return "[%s]:%d" % (self.address, self.port) if self.port != 22 else self.address

    @property
    def spec(self):
        host = "[%s]" % self.address if ":" in self.address else self.address
        return "ssh=%s@%s:%d" % (USER, host, self.port)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, *self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        if self.prefix:
            wait_for_words(self.listening, self.process, self.log)
        else:
            wait_for_port(self.address, self.port, self.process, self.log)
        return self

    def sessions(self):
        """The processes of live connections: children of the server, and theirs."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    children = [int(w) for w in f.read().split()]
            except OSError:
                children = []
            found += children
            todo += children
        return found

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        for pid in [*self.sessions(), self.process.pid]:
            for sig in (signal.SIGCONT, signal.SIGKILL):
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
        self.process.wait()


class Sshd(Server):
    CONFIG = """
ListenAddress {address}
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv TXGATE_DIR={folder}/cache HOME={folder} XDG_RUNTIME_DIR=
LogLevel VERBOSE
"""

    def __init__(self, folder, address="127.0.0.1", port=None, extra=""):
        super().__init__(folder, address, port or free_port(address))
        self.host_public = keygen(self.folder / "host_key")
        bracketed = "[%s]" % address if ":" in address else address
        (self.folder / "sshd_config").write_text(
            extra + self.CONFIG.format(address=bracketed, port=self.port, folder=self.folder))

    def start(self):
        if os.getuid() == 0:  # what the system's own sshd.service makes when it starts
            os.makedirs("/run/sshd", 0o755, exist_ok=True)
        return super().start()

    def command(self):
        return [find("sshd"), "-D", "-e", "-f", self.folder / "sshd_config"]


class Dropbear(Server):
    """Authorized keys are those of the user's home, so only keys that are there get in: it is
    started with a home of its own by -D where dropbear has that, else in a chroot-like passwd."""

    def __init__(self, folder, address="127.0.0.1", port=None):
        super().__init__(folder, address, port or free_port(address))
        subprocess.run([find("dropbearkey"), "-t", "ed25519", "-f", self.folder / "host_key"],
                       check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = subprocess.run([find("dropbearkey"), "-y", "-f", self.folder / "host_key"],
                               check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()
        self.host_public = self.folder / "host_key.pub"
        self.host_public.write_text([l for l in lines if l.startswith("ssh-")][0] + "\n")

    def command(self):
        return [find("dropbear"), "-F", "-E", "-r", self.folder / "host_key",
                "-p", "%s:%d" % (self.address, self.port)]


class Client:
    """A home folder: its key, its known_hosts, its ssh_config."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.ssh = self.home / ".ssh"
        self.ssh.mkdir(parents=True, mode=0o700)
        self.known_hosts = self.ssh / "known_hosts"
        self.config = self.ssh / "config"
        self.public = keygen(self.ssh / "id_ed25519")
        self.env = {"HOME": str(self.home), "SSH_AUTH_SOCK": ""}

    def may_log_in(self, server):
        with open(server.folder / "authorized_keys", "a") as f:
            f.write(self.public.read_text())

    def knows(self, server, name=None, key=None, mark=""):
        kind, blob = (key or server.host_public).read_text().split()[:2]
        with open(self.known_hosts, "a") as f:
            f.write("%s%s %s %s\n" % (mark, name or server.name, kind, blob))
