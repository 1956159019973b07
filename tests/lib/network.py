"""Hosts in networks of their own: a namespace for the controller and one for each host, a cable (veth)
between them that can be pulled. Their files and processes are this machine's.
"""

import os
import subprocess
import time


class Space:
    """A network namespace, kept by a process that sleeps in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "300"], stderr=subprocess.PIPE)
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n"]

    def wait(self):
        """Why there is none; None once there is."""
        own, end = os.readlink("/proc/self/ns/net"), time.monotonic() + 10
        while self.holder.poll() is None and os.readlink("/proc/%d/ns/net" % self.holder.pid) == own:
            assert time.monotonic() < end, "unshare -n made no namespace"
            time.sleep(0.01)
        if self.holder.poll() is not None:
            return self.holder.stderr.read().decode().strip()
        self.id = os.readlink("/proc/%d/ns/net" % self.holder.pid)
        return None

    def run(self, *command):
        subprocess.run([*self.enter, *command], check=True, stdin=subprocess.DEVNULL)

    def processes(self):
        """Live processes in it, the holder apart: {pid: command line}."""
        found = {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as f:
                    if os.readlink("/proc/%d/ns/net" % pid) == self.id and pid != self.holder.pid:
                        found[pid] = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                pass
        return found

    def stop(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stderr.close()


class Host(Space):
    """One at the end of a cable; `address` is its own."""

    def __init__(self, lab, number):
        super().__init__()
        self.lab, self.cable = lab, "cable%d" % number
        self.near, self.address = "10.77.%d.1" % number, "10.77.%d.2" % number

    def connect(self):
        self.lab.here.run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "cable",
                          "netns", str(self.holder.pid))
        for space, address, device in ((self.lab.here, self.near, self.cable),
                                       (self, self.address, "cable")):
            space.run("ip", "addr", "add", address + "/24", "dev", device)
            space.run("ip", "link", "set", device, "up")
        self.run("ip", "link", "set", "lo", "up")

    def pull(self):
        self.lab.here.run("ip", "link", "set", self.cable, "down")

    def plug(self):
        self.lab.here.run("ip", "link", "set", self.cable, "up")


class Lab:
    def __init__(self):
        self.here, self.hosts = Space(), []

    def start(self):
        """Why there can be no lab; None where there is one."""
        why = self.here.wait()
        if not why:
            self.here.run("ip", "link", "set", "lo", "up")
        return why

    def host(self):
        made = Host(self, len(self.hosts) + 1)
        self.hosts.append(made)
        assert made.wait() is None
        made.connect()
        return made

    def inside(self, program, folder):
        """A program that runs another in the controller's network."""
        path = folder / "inside"
        path.write_text("#!/bin/sh\nexec %s %s \"$@\"\n" % (" ".join(self.here.enter), program))
        path.chmod(0o755)
        return path

    def stop(self):
        for space in [*self.hosts, self.here]:
            space.stop()
