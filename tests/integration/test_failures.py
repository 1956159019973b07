"""Hosts that can't be had, each in its own way, all in one `txgate hosts`: the step that failed, what
was found, and what to do stand word for word in failures.txt (ports, keys and folders as {words})."""

import pathlib
import re
import socket
import subprocess
import threading

import pytest

import sshd
from conftest import BUILDDIR

EXPECTED = pathlib.Path(__file__).with_name("failures.txt")

pytestmark = pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")


def listener(answer):
    """A port of which `answer(connection)` is all that there is."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(64)

    def serve():
        while True:
            try:
                answer(s.accept()[0])
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    return s


class Lab:
    """One server for each kind of trouble, and the words for them in the table."""

    def __init__(self, tmp_path, client, serve):
        self.tmp_path, self.client, self.serve = tmp_path, client, serve
        self.lines, self.names, self.held, self.known = [], {}, [], []

    def say(self, what, word):
        self.names[str(what)] = word

    def add(self, name, tx, **more):
        keys = "".join(", %s: '%s'" % pair for pair in more.items())
        self.lines.append("- {id: %s, tx: '%s'%s}\n" % (name, tx, keys))

    def server(self, name, extra="", log_in=True, know=True):
        folder = self.tmp_path / name
        folder.mkdir()
        made = sshd.Sshd(folder, extra=extra)
        if log_in:
            self.client.may_log_in(made)
        if know:
            self.client.knows(made)
        self.serve(made)
        self.say(made.port, "{port}")
        self.say(sshd.fingerprint(made.host_public), "{key}")
        return made

    def listen(self, answer):
        made = listener(answer)
        self.held.append(made)
        self.say(made.getsockname()[1], "{port}")
        return made.getsockname()[1]

    def normal(self, text):
        for what in sorted(self.names, key=len, reverse=True):
            text = re.sub(r"(?<!\d)%s(?!\d)" % re.escape(what), self.names[what], text)
        for pattern, word in ((r"known_hosts:\d+", "known_hosts:{n}"),
                              (r"(?<='no-such-host.invalid': ).*", "{words of the resolver}"),
                              (r"(?<=status 127; it said: ).*", "{words of its shell}")):
            text = re.sub(pattern, word, text)
        return text


def fill(lab):
    client, tmp = lab.client, lab.tmp_path
    good = lab.server("good")
    closed = sshd.free_port()
    lab.say(closed, "{closed}")
    lab.say(client.home, "{home}")
    lab.say(tmp, "{tmp}")
    lab.say(BUILDDIR, "{build}")
    lab.say(sshd.USER + "@127.0.0.1", "{user}@127.0.0.1")
    other = sshd.keygen(tmp / "other_key")
    lab.say(sshd.fingerprint(other), "{other key}")

    lab.add("no-such-name", "ssh=no-such-host.invalid")
    lab.add("refused", "ssh=127.0.0.1:%d" % closed)
    held = []
    lab.add("silent", "ssh=127.0.0.1:%d" % lab.listen(held.append))
    lab.add("another-service", "ssh=127.0.0.1:%d" % lab.listen(
        lambda c: (c.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n"), c.close())))
    lab.add("hangs-up", "ssh=127.0.0.1:%d" % lab.listen(lambda c: c.close()))
    lab.add("unknown-key", lab.server("unknown", know=False).spec)
    changed = lab.server("changed", know=False)
    client.knows(changed, key=other)
    lab.add("changed-key", changed.spec)
    revoked = lab.server("revoked")
    client.knows(revoked, mark="@revoked ")
    lab.add("revoked-key", revoked.spec)
    krl = tmp / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", krl, other], check=True)
    lab.add("krl", "ssh=-p %d -oRevokedHostKeys=%s 127.0.0.1" % (good.port, krl))
    lab.add("pinned-to-another", good.spec, host_key=sshd.fingerprint(other))
    lab.add("wrong-key", lab.server("closed", log_in=False).spec)
    locked = tmp / "locked"
    sshd.keygen(locked, passphrase="secret")
    (tmp / "locked.pub").unlink()
    lab.add("needs-a-passphrase", "ssh=-p %d -oIdentitiesOnly=yes -i %s 127.0.0.1" % (
        good.port, locked))
    broken = tmp / "broken"
    broken.write_text("no key at all\n")
    lab.add("no-key", "ssh=-p %d -oIdentitiesOnly=yes -i %s 127.0.0.1" % (good.port, broken))
    lab.add("too-many-tries", "ssh=-p %d -i %s -i %s 127.0.0.1" % (
        lab.server("impatient", "MaxAuthTries 1\n").port, other.with_suffix(""), locked))
    lab.add("no-session", lab.server("sessionless", "MaxSessions 0\n").spec)
    lab.add("no-shell", lab.server("nologin", "ForceCommand echo not today; exit 1\n").spec)
    lab.add("no-config", good.spec + "//ssh_config=/nowhere/config")
    wrong = tmp / "wrong_config"
    wrong.write_text("Host *\n  Port many\n")
    lab.add("wrong-config", "ssh=board//ssh_config=%s" % wrong)
    lab.add("no-common-cipher", "ssh=-p %d -c rot13 127.0.0.1" % good.port)
    lab.add("jump-refused", "ssh=-J 127.0.0.1:%d 127.0.0.1" % closed)
    lab.add("jump-unknown", "ssh=-J 127.0.0.1:%d 127.0.0.1" % lab.server("hub", know=False).port)
    lab.add("behind-the-jump", "ssh=-J 127.0.0.1:%d 127.0.0.1:%d" % (good.port, closed))
    lab.add("via-refused", "ssh=10.0.0.1//via=refused")
    proxied = tmp / "proxied"
    proxied.write_text("ProxyCommand echo no way to %h >&2\n")
    lab.add("proxy-command", "ssh=board//ssh_config=%s" % proxied)
    lab.add("no-build", good.spec + "//arch=m68k")
    lab.add("no-worker", good.spec + "//worker=/nowhere/worker")


def test_failures_word_for_word(txgate, client, serve, tmp_path):
    lab = Lab(tmp_path, client, serve)
    fill(lab)
    (tmp_path / "fleet.yaml").write_text("gateways:\n" + "".join(lab.lines))
    result = txgate("hosts", "--fleet", "fleet.yaml", "--connect-timeout", "6", env=client.env)
    assert result.code == 6, result
    found = []
    for line in result.out.splitlines()[1:]:
        match = re.match(r"(\S+) .*?  FAILED  (.*)$", line)
        found.append("%s: %s" % match.groups() if match else line)
    text = lab.normal("\n".join(found) + "\n")
    (tmp_path / "failures.txt").write_text(text)
    assert text.splitlines() == EXPECTED.read_text().splitlines(), (
        "it differs from %s; what was found is in %s" % (EXPECTED, tmp_path / "failures.txt"))
    assert sum(not line.startswith(" ") for line in found) >= 25
    assert result.seconds < 10
