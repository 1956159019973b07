"""A board: BusyBox and dropbear and nothing else, in a folder that dropbear is chrooted into. Its shell
is BusyBox's; there is no Python, no sftp-server, no scp, no libc for the worker. Needs root, for the
chroot, the device nodes and the mount of /proc.
"""

import os
import re
import shutil
import stat
import subprocess

import sshd


def missing():
    """Why there can be no board here; None where there can."""
    busybox = shutil.which("busybox")
    if os.geteuid() != 0 or not busybox or not sshd.find("dropbear"):
        return "a board needs root, busybox-static and dropbear-bin"
    if subprocess.run(["ldd", busybox], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode == 0:
        return "busybox is not static here (Debian: busybox-static)"
    if subprocess.run(["unshare", "-m", "sh", "-c", "mount -t proc proc /proc"],
                      stderr=subprocess.DEVNULL).returncode:
        return "no mount of /proc here"
    return None


def libraries(*programs):
    """The shared libraries that the programs are linked with."""
    text = subprocess.run(["ldd", *programs], check=True, stdout=subprocess.PIPE).stdout.decode()
    return sorted(set(re.findall(r"(/\S+) \(0x", text)))


class Board(sshd.Server):
    listening = "Not backgrounding"

    def __init__(self, top, client, address="127.0.0.1", port=None):
        """`top` is made, beside it what is not the board's own. The client may log in and knows it."""
        super().__init__(top.parent, address, port or sshd.free_port(address))
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

    def start(self):
        subprocess.run(["mount", "-t", "proc", "proc", self.top / "proc"], check=True)
        return super().start()

    def stop(self):
        super().stop()
        if os.path.ismount(self.top / "proc"):
            subprocess.run(["umount", "-l", self.top / "proc"], check=True)

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
