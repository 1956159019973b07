"""chaos.py over SSH: four hosts in network namespaces of their own, each with a real sshd and a cable.
Beside the kills a cable is pulled every 1.5 s, for less than a host may be silent or for longer, and
put back. TXG_TESTS and TXG_SEED as there.
"""

import os
import pathlib
import shutil
import sys
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.environ["TXG_SRCDIR"], "tests/lib"))

import chaos  # noqa: E402
import network  # noqa: E402
import processes  # noqa: E402
import sshd  # noqa: E402

CUT_EVERY = 1.5
HEARTBEAT = 0.2  # a silent host is lost after five of them
SHORT, LONG = (0.1, 0.5), (1.2, 2.5)


class Scene(chaos.Scene):
    times = 3  # a host that is cut off is away for seconds
    per_host = 2
    files = 48  # a link that ends and one that is started in its place, and what libssh has open

    def __init__(self, folder):
        super().__init__(folder)
        self.lab, self.servers, self.out, self.next_cut = network.Lab(), [], {}, CUT_EVERY
        self.mark = uuid.uuid4().hex
        why = self.lab.start()
        if why:
            raise SystemExit("skipped: no network of our own: %s\n0 passed, 0 failed, 1 skipped" % why)
        top = pathlib.Path(folder)
        client = sshd.Client(top / "home")
        self.env = dict(client.env)
        for i in range(chaos.HOSTS):
            host = self.lab.host()
            (top / ("host%d" % i)).mkdir()
            made = sshd.Sshd(top / ("host%d" % i), host.address, port=22, extra="MaxStartups 100\n"
                             "SetEnv H%d=1 %s=%s TXGATE_DIR=%s/host%d/cache\n" % (i, processes.MARK, self.mark, top, i))
            made.prefix = host.enter
            client.may_log_in(made)
            client.knows(made)
            self.servers.append(made.start())
        self.options = ["--heartbeat", str(HEARTBEAT)]
        for made in self.servers:
            self.options += ["--tx", "2*" + made.spec]
        self.program = [str(self.lab.inside(chaos.TXGATE, top))]

    def new_mark(self):
        return self.mark  # sshd gives the sessions theirs

    def forget(self):
        super().forget()
        for made in self.servers:
            shutil.rmtree(made.folder / "cache", ignore_errors=True)

    def host_of(self, spec):
        return [spec.startswith(made.spec) for made in self.servers].index(True)

    def disturb(self, rng, now):
        for i, until in list(self.out.items()):
            if now >= until:
                self.lab.hosts[i].plug()
                del self.out[i]
        if now < self.next_cut:
            return
        self.next_cut = now + CUT_EVERY
        i = rng.randrange(chaos.HOSTS)
        if i not in self.out:
            self.lab.hosts[i].pull()
            self.out[i] = now + rng.uniform(*rng.choice([SHORT, LONG]))
            self.cuts.append((i, int(now * 1e6)))

    def restore(self):
        for i in list(self.out):
            self.lab.hosts[i].plug()
        self.out = {}

    def close(self):
        for made in self.servers:
            made.stop()
        self.lab.stop()


if not sshd.find("sshd"):
    print("skipped: no sshd (Debian: openssh-server)\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)
sys.exit(chaos.main(Scene))
