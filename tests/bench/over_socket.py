"""Gateways over sockets, beside a plain TCP connection, local gateways and gateways over SSH."""

import os
import re
import shutil
import socket
import subprocess
import time

from measure import BUILDDIR, TXGATE, goal, names_of, rounds, txgate

import sshd

WORKER = os.path.join(BUILDDIR, "txgate-worker")
FILE = 300000000


class Listener:
    """A txgate-worker --listen with a key of its own."""

    def __init__(self, folder):
        os.mkdir(folder)
        key, self.log = os.path.join(folder, "key"), os.path.join(folder, "log")
        subprocess.run([TXGATE, "keygen", key], check=True, stdout=subprocess.DEVNULL)
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([WORKER, "--listen", "0", "--key-file", key], cwd=folder, stderr=log,
                                          env=dict(os.environ, TXGATE_DIR=os.path.join(folder, "cache")),
                                          stdin=subprocess.DEVNULL)
        try:
            self.spec = "socket=127.0.0.1:%s//key_file=%s" % (self.wait_for_port(), key)
        except BaseException:
            self.stop()
            raise

    def wait_for_port(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.child.poll() is None:
            with open(self.log) as f:
                found = re.search(r"listening on \S+:(\d+),", f.read())
            if found:
                return found[1]
            time.sleep(0.02)
        with open(self.log) as f:
            raise RuntimeError("txgate-worker does not listen: %s" % f.read())

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def send(source, address):
    """What a command prints, into a connection to `address`; never returns."""
    code = 1
    try:
        child = subprocess.Popen(source, stdout=subprocess.PIPE)
        with socket.create_connection(address, 60) as far:
            while True:
                data = os.read(child.stdout.fileno(), 65536)
                if not data:
                    break
                far.sendall(data)
        code = child.wait()
    finally:
        os._exit(code)


def plain(source, size, where):
    """A command's bytes through one TCP connection on loopback between two processes into a file: (wall,
    cpu of the sending side, as a run's is without its worker on the host). What a link that neither seals
    nor frames nor hashes would cost."""
    begun, before, got, block = time.monotonic(), os.times(), 0, memoryview(bytearray(65536))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        sender = os.fork()
        if sender == 0:
            send(source, server.getsockname())
        near = server.accept()[0]
    with near, open(os.path.join(where, "came"), "wb") as f:
        near.settimeout(60)
        while True:
            n = near.recv_into(block)
            if not n:
                break
            f.write(block[:n])
            got += n
    _, status = os.waitpid(sender, 0)
    wall, now = time.monotonic() - begun, os.times()
    if status or got != size:
        raise RuntimeError("%s: status %d, %d bytes came through, expected %d" % (source, status, got, size))
    return wall, sum(now[2:4]) - sum(before[2:4])


def renew(path):
    """Other bytes at the file's beginning: none of it is on any host already."""
    with open(path, "r+b") as f:
        f.write(os.urandom(16))


def over(name, spec, path, test, **kwargs):
    """A run that has to bring the file to its host first."""
    renew(path)
    return txgate("--tx", spec, "--rsyncdir", name, test, **kwargs)()


def socket_gateways(where):
    """Gateways over a socket: a whole run of one test, the worker and the test being there, and a file of
    300 MB on its way to the host."""
    with open(os.path.join(BUILDDIR, "config.h")) as f:
        if "#define TXG_SOCKETS 1" not in f.read():
            print("\nsocket: this txgate is built without libsodium")
            return
    listener, server, env = Listener(os.path.join(where, "listener")), None, {}
    try:
        specs = {"popen": "popen", "socket": listener.spec}
        if sshd.find("sshd") and shutil.which("ssh"):
            os.mkdir(os.path.join(where, "server"))
            client = sshd.Client(os.path.join(where, "home"))
            server, env = sshd.Sshd(os.path.join(where, "server")), client.env
            client.may_log_in(server)
            client.knows(server)
            specs["ssh"] = server.start().spec
        else:
            print("\nno sshd or no ssh here (Debian: openssh-server, openssh-client): measured without")
        test = os.path.relpath(names_of("pass", 1, where), where)
        warm(where, specs, test, env)
        files(where, specs, test, env)
    finally:
        if server:
            server.stop()
        listener.stop()


def warm(where, specs, test, env):
    rows = {"txgate, " + kind: txgate("--tx", spec, test, cwd=where, env=env) for kind, spec in specs.items()}
    for measure in rows.values():
        measure()  # what is not there yet is taken there
    out = rounds("a run of one test, warm", rows)
    goal("a run of one test over a socket, of one on a local gateway", out["txgate, socket"]["ratio"], 2.0)
    if "ssh" in specs:
        goal("a run of one test over a socket, of one over SSH",
             out["txgate, socket"]["wall"] / out["txgate, ssh"]["wall"], 0.5)


def files(where, specs, test, env):
    os.mkdir(os.path.join(where, "data"))
    path = os.path.join(where, "data/big")
    with open(path, "wb") as f:
        block = os.urandom(1000000)
        for _ in range(FILE // len(block)):
            f.write(block)
    rows = {"plain TCP, cat to a file": lambda: plain(["cat", path], FILE, where)}
    for kind in ("socket", "ssh"):
        if kind in specs:
            rows["txgate, " + kind] = lambda s=specs[kind]: over("data", s, path, test, cwd=where, env=env)
    out = rounds("a file of 300 MB to the host, and one test", rows, 3)
    if "ssh" in specs:
        goal("300 MB over a socket, of those over SSH",
             out["txgate, socket"]["wall"] / out["txgate, ssh"]["wall"], 1.0)
