"""ssh= by itself: the way to a remote shell, and every way that fails, against real servers.

The program `link` opens one transport: its stdin and stdout are the remote shell's, and what the
transport tells stands on stderr.
"""

import hashlib
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import sshd

pytestmark = pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")


# ms that the loop may be away: a blocked one is away for seconds, a busy machine for less
GAP_MAX = 300


class Link:
    def __init__(self, program, client, *args, **kwargs):
        env = dict(os.environ, **client.env)
        self.process = subprocess.Popen([program, *map(str, args)], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, start_new_session=True, **kwargs)

    def finish(self, data=b"", timeout=30):
        begun = time.monotonic()
        try:
            self.out, err = self.process.communicate(data, timeout)
        finally:
            self.process.kill()
        self.seconds = time.monotonic() - begun
        self.err = err.decode(errors="replace")
        assert self.process.returncode == 0, self.err  # handles left, or a sanitizer's word
        return self

    @property
    def end(self):
        found = re.findall(r"^end (.*)$", self.err, re.M)
        assert len(found) == 1, self.err
        return found[0]

    @property
    def gap(self):
        return int(re.search(r"^gap (\d+) ms$", self.err, re.M).group(1))


@pytest.fixture
def link(builddir, client):
    """Opens a transport; link.run sends a script to the remote shell and waits for the end."""
    program = builddir / "tests/integration/link"
    if not program.exists():
        pytest.skip("%s is not built" % program)

    def start(*args, **kwargs):
        return Link(program, client, *args, **kwargs)

    def run(spec, script="", *args, timeout=20):
        data = script if isinstance(script, bytes) else script.encode()
        return start(spec, *args).finish(data, timeout)
    start.run, start.program = run, program
    return start


def test_runs_a_remote_shell(link, server):
    done = link.run(server.spec, "echo hello; echo words >&2; exit 7\n")
    assert done.out == b"hello\n", done.err
    assert done.end == "link: the remote program ended with status 7"
    assert "words words\n" in done.err
    assert "last words\n" in done.err


def test_stop_ends_it_with_eof(link, server, tmp_path):
    done = link.run(server.spec, "cat >%s/seen; exit 4\n" % tmp_path, "--stop-after", 500)
    assert done.end == "link: the remote program ended with status 4"
    assert (tmp_path / "seen").read_text() == ""
    assert done.seconds < 2


def test_is_killed_by_a_signal(link, server):
    done = link.run(server.spec, "sleep 6 & kill -9 $$\n")
    assert done.end == "link: the remote program was killed by signal KILL"
    assert done.seconds < 5


def test_kill_does_not_wait_for_what_ignores_eof(link, server):
    done = link.run(server.spec, "trap '' TERM HUP; exec sleep 5\n", "--kill-after", 500)
    # sshd passes signals on for users other than root only; a worker ends by itself at EOF.
    assert done.end in ["link: the remote program was killed by signal KILL",
                        "link: the remote program did not end and was left"]
    assert done.seconds < 2.5


def test_a_stdout_that_is_closed_ends_it(link, server):
    done = link.run(server.spec, "exec sleep 3 >/dev/null 2>&1 <&1\n")
    assert done.end == "link: the remote program ended with status 0 after it had closed the link"
    assert done.seconds < 5


def test_a_child_that_keeps_stdout_is_not_waited_for(link, server):
    done = link.run(server.spec, "sleep 6 & exit 3\n")
    assert done.end == "link: the remote program ended with status 3"
    assert done.seconds < 5


def echo(started, blocks):
    """Sends blocks through `head -c` on the far side: (digest, size) of what came back, stderr.
    What follows a line of the script is sent once sh has read that line: dash reads ahead."""
    out, size = started.process.stdout, sum(map(len, blocks))
    started.process.stdin.write(b"echo ready; exec head -c %d\n" % size)
    started.process.stdin.flush()
    assert out.readline() == b"ready\n", started.process.stderr.read()

    def feed():
        for block in blocks:
            started.process.stdin.write(block)
        started.process.stdin.flush()
    feeder = threading.Thread(target=feed)
    feeder.start()
    digest, total = hashlib.sha256(), 0
    for block in iter(lambda: out.read(1 << 16), b""):
        digest.update(block)
        total += len(block)
    feeder.join()
    err = started.process.stderr.read().decode()
    started.process.wait()
    return (digest.hexdigest(), total), err


def summary(blocks):
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest(), sum(map(len, blocks))


def test_all_bytes_go_through_both_ways(link, server):
    blocks = [bytes(range(256)) * 16 + bytes(4096) + b"\n\0\r\n" * 100] * 64
    seen, err = echo(link(server.spec), blocks)
    assert seen == summary(blocks), err
    assert "\nend link: the remote program ended with status 0\n" in err


def test_200_megabytes(link, server, sanitized):
    blocks = [os.urandom(1 << 20)] * (20 if sanitized else 200)
    begun = time.monotonic()
    seen, err = echo(link(server.spec), blocks)
    assert seen == summary(blocks), err
    assert time.monotonic() - begun < 60
    assert int(re.search(r"^gap (\d+) ms$", err, re.M).group(1)) < GAP_MAX, err


def test_rekeying_loses_nothing(link, folder, client, serve):
    server = sshd.Sshd(folder, extra="RekeyLimit 1M\n")
    client.may_log_in(server)
    client.knows(server)
    serve(server)
    blocks = [os.urandom(1 << 20) for _ in range(10)]
    seen, err = echo(link(server.spec), blocks)
    assert seen == summary(blocks), err


def test_wrong_key(link, server, client):
    (server.folder / "authorized_keys").write_text("")
    done = link.run(server.spec)
    assert done.end.startswith("authenticate: %s@127.0.0.1 was refused. Tried: agent: none; "
                               "%s/id_ed25519: not taken" % (sshd.USER, client.ssh))
    assert "The host takes publickey" in done.end


def test_no_key_at_all(link, server, client):
    (client.ssh / "id_ed25519").unlink()
    done = link.run(server.spec)
    assert done.end.startswith("authenticate: ")


def test_key_that_needs_a_passphrase_without_a_terminal(link, server, client):
    client.public = sshd.keygen(client.ssh / "id_ed25519", passphrase="open sesame")
    client.may_log_in(server)
    done = link.run(server.spec)
    assert "id_ed25519: needs a passphrase, and there is no terminal to ask at" in done.end


def test_passphrase_from_the_terminal(link, server, client):
    client.public = sshd.keygen(client.ssh / "id_ed25519", passphrase="open sesame")
    client.may_log_in(server)
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.execve(link.program, ["link", server.spec, "--stop-after", "2000"],
                      dict(os.environ, **client.env))
        finally:
            os._exit(1)
    seen = b""
    end = time.monotonic() + 20
    answers = [b"wrong\n", b"open sesame\n"]
    while b"end " not in seen and time.monotonic() < end:
        try:
            seen += os.read(fd, 4096)
        except OSError:
            break
        if answers and seen.count(b"Passphrase of the key") > 2 - len(answers):
            os.write(fd, answers.pop(0))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(fd)
    assert b"That was not it" in seen, seen
    assert b"\nopen\r\n" in seen, seen
    assert b"sesame" not in seen, seen


def test_no_public_key_is_written_beside_a_private_one(link, server, client):
    client.public.unlink()
    done = link.run(server.spec, "exit 0\n")
    assert done.end == "link: the remote program ended with status 0"
    assert not client.public.exists()


def test_agent(link, server, client, tmp_path):
    sock = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not sock.exists():
            assert agent.poll() is None and time.monotonic() < end, "ssh-agent made no socket"
            time.sleep(0.01)
        subprocess.run(["ssh-add", "-q", client.ssh / "id_ed25519"], check=True,
                       env=dict(os.environ, SSH_AUTH_SOCK=str(sock)))
        (client.ssh / "id_ed25519").unlink()
        client.env["SSH_AUTH_SOCK"] = str(sock)
        done = link.run(server.spec, "echo in; exit\n")
        assert done.out == b"in\n", done.err
        client.config.write_text("IdentitiesOnly yes\n")
        done = link.run(server.spec)
        assert "agent: not asked (IdentitiesOnly)" in done.end
    finally:
        agent.terminate()
        agent.wait()


def test_unknown_host(link, server, client):
    client.known_hosts.unlink()
    done = link.run(server.spec)
    assert done.end.startswith("host key: the key of %s is not known: %s (ssh-ed25519). " % (
        server.name, sshd.fingerprint(server.host_public)))
    assert "--accept-new-host-keys" in done.end and "host_key: SHA256:" in done.end
    assert not client.known_hosts.exists()


def test_accepts_a_new_key_once(link, server, client):
    client.known_hosts.write_text("other ssh-ed25519 broken")
    done = link.run(server.spec, "echo in; exit\n", "--accept")
    assert done.out == b"in\n", done.err
    text = client.known_hosts.read_text().splitlines()
    assert text[0] == "other ssh-ed25519 broken"
    assert text[1:] == ["%s %s" % (server.name,
                                   " ".join(server.host_public.read_text().split()[:2]))]
    done = link.run(server.spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err


def test_ssh_agrees_with_what_was_accepted(link, server, client):
    client.known_hosts.unlink()
    link.run(server.spec, "exit\n", "--accept")
    done = subprocess.run(["ssh", "-F", "/dev/null", "-p", str(server.port), "-o",
                           "UserKnownHostsFile=%s" % client.known_hosts, "-o", "BatchMode=yes",
                           "-i", client.ssh / "id_ed25519", "127.0.0.1", "echo", "in"],
                          stdout=subprocess.PIPE)
    assert done.stdout == b"in\n"


@pytest.mark.parametrize("accept", [False, True])
def test_changed_key(link, server, client, tmp_path, accept):
    client.known_hosts.unlink()
    client.knows(server, key=sshd.keygen(tmp_path / "other_key"))
    done = link.run(server.spec, "", *(["--accept"] if accept else []))
    assert done.end.startswith("host key: the key of %s has CHANGED: it is %s (ssh-ed25519)" % (
        server.name, sshd.fingerprint(server.host_public)))
    assert "known_hosts:1" in done.end
    assert "ssh-keygen -R '%s'" % server.name in done.end


@pytest.mark.parametrize("accept", [False, True])
def test_known_by_a_key_of_another_type(link, server, client, tmp_path, accept):
    client.known_hosts.unlink()
    client.knows(server, key=sshd.keygen(tmp_path / "other_key", "ecdsa"))
    done = link.run(server.spec, "", *(["--accept"] if accept else []))
    assert "has CHANGED" in done.end


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_keys_of_other_types(link, folder, client, serve, kind):
    """A server with several keys is asked for the one that is known."""
    server = sshd.Sshd(folder, extra="HostKey %s/other_key\n" % folder)
    other = sshd.keygen(folder / "other_key", kind)
    client.may_log_in(server)
    client.knows(server, key=other)
    serve(server)
    done = link.run(server.spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err
    client.known_hosts.unlink()
    done = link.run(server.spec, "echo in; exit\n", "--pin",
                    " ".join(other.read_text().split()[:2]))
    assert done.out == b"in\n", done.err
    client.config.write_text("HostKeyAlgorithms %s\n" % (
        "ecdsa-sha2-nistp256" if kind == "ecdsa" else "rsa-sha2-256"))
    done = link.run(server.spec, "exit\n", "--accept")
    [line] = client.known_hosts.read_text().splitlines()
    assert line.split()[1:] == other.read_text().split()[:2]


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_user_keys_of_other_types(link, server, client, kind):
    (client.ssh / "id_ed25519").unlink()
    client.public = sshd.keygen(client.ssh / ("id_" + kind), kind)
    client.may_log_in(server)
    done = link.run(server.spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err


@pytest.mark.parametrize("mark", ["* ", None])
def test_revoked_key(link, server, client, mark):
    client.knows(server, name=mark.strip() if mark else None, mark="@revoked ")
    done = link.run(server.spec, "", "--accept")
    assert "which is REVOKED" in done.end and "known_hosts:2" in done.end
    assert done.end.startswith("host key: ")


def test_revoked_host_keys_file(link, server, client):
    client.config.write_text("RevokedHostKeys %s\n" % server.host_public)
    done = link.run(server.spec)
    assert "which is REVOKED" in done.end
    client.config.write_text("RevokedHostKeys ~/nothing\n")
    done = link.run(server.spec)
    assert done.end.startswith("host key: RevokedHostKeys") and "No such file" in done.end


def test_revoked_host_keys_krl(link, server, client):
    krl = client.home / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", krl, server.host_public], check=True)
    client.config.write_text("RevokedHostKeys %s\n" % krl)
    done = link.run(server.spec)
    assert "is a KRL" in done.end and "exec=" in done.end


def test_hashed_known_hosts(link, server, client):
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", client.known_hosts], check=True,
                   stderr=subprocess.DEVNULL)
    assert server.address not in client.known_hosts.read_text()
    done = link.run(server.spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err


def test_pinned_key(link, server, client, tmp_path):
    client.known_hosts.unlink()
    client.knows(server, key=sshd.keygen(tmp_path / "before_it_was_reflashed"))
    for pin in [sshd.fingerprint(server.host_public), server.host_public.read_text().strip()]:
        done = link.run(server.spec, "echo in; exit\n", "--pin", pin)
        assert done.out == b"in\n", done.err
    other = sshd.fingerprint(sshd.keygen(tmp_path / "other_key"))
    done = link.run(server.spec, "", "--pin", other, "--accept")
    assert "host_key in the fleet is %s" % other in done.end


def test_pinned_but_revoked(link, server, client):
    client.knows(server, mark="@revoked ")
    done = link.run(server.spec, "", "--pin", sshd.fingerprint(server.host_public))
    assert "which is REVOKED" in done.end


def test_refused_port(link, client):
    port = sshd.free_port()
    done = link.run("ssh=127.0.0.1:%d" % port)
    assert done.end == "connect: 127.0.0.1 port %d: Connection refused" % port
    assert done.seconds < 2


def test_name_that_is_none(link, client):
    done = link.run("ssh=no-such-host.invalid")
    assert done.end.startswith("resolve: the name 'no-such-host.invalid': ")


def test_host_that_says_nothing(link, client):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        done = link.run("ssh=127.0.0.1:%d" % mute.getsockname()[1], "", "--timeout", 1)
    assert done.end == ("connect: no answer within 1 s (--connect-timeout), waiting for the SSH "
                        "greeting of 127.0.0.1 port %s" % re.search(r"port (\d+)", done.end)[1])
    assert 0.9 < done.seconds < 2


def test_host_that_does_not_speak_ssh(link, client):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def answer():
            c, _ = other.accept()
            c.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            c.close()
        threading.Thread(target=answer, daemon=True).start()
        done = link.run("ssh=127.0.0.1:%d" % other.getsockname()[1], "", "--timeout", 5)
    assert re.match(r"connect: 127.0.0.1 port \d+ is no SSH server, or will not talk to us; it says: "
                    "HTTP/1.0 400 Bad Request$", done.end)
    assert done.seconds < 1


def test_host_that_hangs_up(link, client):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        answered = []

        def answer():
            for _ in range(6):
                c, _ = other.accept()
                answered.append(time.monotonic())
                c.close()
        threading.Thread(target=answer, daemon=True).start()
        done = link.run("ssh=127.0.0.1:%d" % other.getsockname()[1])
    assert done.end.startswith("connect: the host hangs up before its greeting, 6 times (too many "
                               "logins at once? MaxStartups): 127.0.0.1 port ")
    assert len(answered) == 6
    assert done.seconds < 6


@pytest.mark.parametrize("limit", ["MaxStartups 1", "MaxStartups 2:90:4"])
def test_more_logins_at_once_than_the_server_takes(link, folder, client, serve, limit):
    server = sshd.Sshd(folder, extra=limit + "\n")
    client.may_log_in(server)
    client.knows(server)
    serve(server)
    started = [link(server.spec) for _ in range(6)]
    for one in started:
        done = one.finish(b"echo in; exit\n")
        assert done.out == b"in\n", done.err


def test_frozen_while_it_logs_in(link, server):
    os.kill(server.process.pid, signal.SIGSTOP)
    done = link.run(server.spec, "", "--timeout", 1)
    assert done.end.startswith("connect: no answer within 1 s (--connect-timeout), waiting for")
    assert done.seconds < 2


def test_frozen_with_megabytes_queued_does_not_stop_the_loop(link, server):
    started = link(server.spec, "--kill-after", 3000)
    started.process.stdin.write(b"exec cat >/dev/null\n")
    started.process.stdin.flush()
    time.sleep(1)
    for pid in server.sessions():
        os.kill(pid, signal.SIGSTOP)
    done = started.finish(bytes(30 << 20))
    assert done.gap < GAP_MAX, done.err
    assert done.seconds < 6, done.err


def test_its_sockets_are_not_inherited_and_never_block(link, server):
    # A socket of libssh's own making blocks in send(), and stays open in local workers.
    started = link(server.spec)
    started.process.stdin.write(b"echo in\n")
    started.process.stdin.flush()
    assert started.process.stdout.readline() == b"in\n"
    found = 0
    for fd in os.listdir("/proc/%d/fd" % started.process.pid):
        where = "/proc/%d/%%s/%s" % (started.process.pid, fd)
        if not os.readlink(where % "fd").startswith("socket:"):
            continue
        flags = int(re.search(r"^flags:\s*(\d+)$", open(where % "fdinfo").read(), re.M)[1], 8)
        assert flags & os.O_NONBLOCK and flags & os.O_CLOEXEC, (fd, oct(flags))
        found += 1
    assert found >= 2
    started.finish(b"exit\n")


def test_user_before_the_host(link, server):
    done = link.run("ssh=nobody-of-that-name@127.0.0.1:%d" % server.port)
    assert done.end.startswith("authenticate: nobody-of-that-name@127.0.0.1 was refused")


def test_execnet_form(link, server, client, tmp_path):
    key = tmp_path / "a_key"
    client.public = sshd.keygen(key)
    client.may_log_in(server)
    (client.ssh / "id_ed25519").unlink()
    known = tmp_path / "known"
    client.known_hosts.rename(known)
    spec = "ssh=-p %d -i %s -oUserKnownHostsFile=%s -l %s 127.0.0.1" % (
        server.port, key, known, sshd.USER)
    done = link.run(spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err


def test_alias_of_ssh_config(link, server, client, tmp_path):
    key = client.ssh / "of_the_board"
    (client.ssh / "id_ed25519").rename(key)
    client.public.rename(str(key) + ".pub")
    (client.ssh / "more").write_text(
        "Host board\n  HostName 127.0.0.1\n  Port %d\n  IdentityFile ~/.ssh/%%n_key\n"
        "Match host 127.0.0.1 user %s\n  IdentityFile \"%s\"\n" % (server.port, sshd.USER, key))
    client.config.write_text("Include mo*\nHost other\n  Port 1\nHost *\n  User %s\n" % sshd.USER)
    done = link.run("ssh=board", "echo in; exit\n")
    assert done.out == b"in\n", done.err
    elsewhere = tmp_path / "config"
    elsewhere.write_text((client.ssh / "more").read_text().replace("Host board", "Host b?ard"))
    client.config.write_text("Port 1\n")
    done = link.run("ssh=beard//ssh_config=%s" % elsewhere, "echo in; exit\n")
    assert done.out == b"in\n", done.err


def test_host_key_alias_and_two_files(link, server, client):
    client.known_hosts.unlink()
    client.knows(server, name="the-board")
    client.known_hosts.rename(client.ssh / "boards")
    client.config.write_text("HostKeyAlias the-board\nUserKnownHostsFile ~/.ssh/none ~/.ssh/boards\n")
    done = link.run(server.spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err


def test_missing_ssh_config(link, server):
    done = link.run(server.spec + "//ssh_config=/nowhere/config")
    assert done.end == "configure: /nowhere/config: No such file or directory"


def test_ipv6(link, folder, client, serve):
    try:
        server = sshd.Sshd(folder, "::1")
    except OSError:
        pytest.skip("no IPv6 on the loopback interface")
    client.may_log_in(server)
    client.knows(server)
    serve(server)
    done = link.run(server.spec, "echo in; exit\n")
    assert done.out == b"in\n", done.err
    done = link.run("ssh=-p %d ::1" % server.port, "echo in; exit\n")
    assert done.out == b"in\n", done.err


@pytest.fixture
def jump(tmp_path, client, serve):
    path = tmp_path / "jump"
    path.mkdir()
    made = sshd.Sshd(path, "127.0.0.2")
    client.may_log_in(made)
    client.knows(made)
    return serve(made)


def test_jump(link, server, jump, client):
    spec = "ssh=-J %s@127.0.0.2:%d -p %d 127.0.0.1" % (sshd.USER, jump.port, server.port)
    blocks = [os.urandom(1 << 20) for _ in range(8)]
    seen, err = echo(link(spec), blocks)
    assert seen == summary(blocks), err
    assert "Accepted publickey" in jump.log.read_text()
    client.config.write_text("Host jump\n  HostName 127.0.0.2\n  Port %d\n"
                             "Host board\n  HostName 127.0.0.1\n  Port %d\n  ProxyJump jump\n" % (
                                 jump.port, server.port))
    done = link.run("ssh=board", "echo in; exit\n")
    assert done.out == b"in\n", done.err


def test_two_jumps(link, server, jump, client, tmp_path, serve):
    (tmp_path / "second").mkdir()
    second = sshd.Sshd(tmp_path / "second", "127.0.0.3")
    client.may_log_in(second)
    client.knows(second)
    serve(second)
    done = link.run("ssh=-J 127.0.0.2:%d,127.0.0.3:%d -p %d 127.0.0.1" % (
        jump.port, second.port, server.port), "echo in; exit\n")
    assert done.out == b"in\n", done.err
    assert "Accepted publickey" in second.log.read_text()


def test_jump_that_fails(link, server, jump, client):
    done = link.run("ssh=-J 127.0.0.2:%d 127.0.0.1:1" % jump.port)
    assert done.end.startswith("connect: jump host 127.0.0.2:%d: it does not reach 127.0.0.1 port "
                               "1: " % jump.port)
    client.known_hosts.unlink()
    client.knows(server)
    done = link.run("ssh=-J 127.0.0.2:%d -p %d 127.0.0.1" % (jump.port, server.port))
    assert done.end.startswith("host key: jump host 127.0.0.2:%d: the key of [127.0.0.2]:%d is not"
                               " known" % (jump.port, jump.port))


def test_proxy_command(link, server, client):
    client.config.write_text("Host board\n  ProxyCommand ssh -F none -o StrictHostKeyChecking=no "
                             "-o UserKnownHostsFile=/dev/null -i ~/.ssh/id_ed25519 -p %d -W "
                             "127.0.0.1:%%p 127.0.0.1\n  Port %d\n  HostKeyAlias %s\n" % (
                                 server.port, server.port, server.name))
    done = link.run("ssh=board", "echo in; exit\n")
    assert done.out == b"in\n", done.err
    client.config.write_text("ProxyCommand echo it is broken >&2; exit 1\n")
    done = link.run("ssh=board")
    assert done.end.startswith("connect: ") and done.end.endswith("it said: it is broken")


@pytest.mark.skipif(not sshd.find("dropbear"), reason="no dropbear (Debian: dropbear-bin)")
def test_dropbear(link, folder, client, serve):
    server = serve(sshd.Dropbear(folder))
    done = link.run(server.spec)
    assert done.end.startswith("host key: the key of %s is not known" % server.name)
    client.knows(server)
    done = link.run(server.spec)
    assert done.end.startswith("authenticate: ")


NETWORK = r"""
set -e
ip link set lo up
mount --bind "$1" /etc/resolv.conf
%s -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print(flush=True)
time.sleep(4)' >"$2" 2>/dev/null </dev/null &
while ! [ -s "$2" ]; do sleep 0.05; done
shift 2
exec "$@"
""" % sys.executable


@pytest.fixture
def alone(link, client, tmp_path):
    """Opens a transport in a network with nothing but a name server that never answers."""
    probe = subprocess.run(["unshare", "-mn", "ip", "link", "set", "lo", "up"],
                           stderr=subprocess.PIPE)
    if probe.returncode:
        pytest.skip("no network of our own: %s" % probe.stderr.decode().strip())
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")

    def run(*args):
        before = ["unshare", "-mn", "sh", "-c", NETWORK, "sh", tmp_path / "resolv.conf",
                  tmp_path / "ready", link.program]
        return Link(before[0], client, *before[1:], *args).finish()
    return run


def test_a_name_server_that_is_silent(alone):
    """The look-up can't be cut short; the loop goes on without it, and the deadline holds."""
    done = alone("ssh=a-name.example", "--timeout", 1)
    assert done.end == ("resolve: no answer within 1 s (--connect-timeout), looking up the name "
                        "'a-name.example'"), done.err
    assert done.seconds < 3 and done.gap < 50


def test_a_literal_address_asks_no_name_server(alone):
    done = alone("ssh=127.0.0.1:1")
    assert done.end == "connect: 127.0.0.1 port 1: Connection refused"
    done = alone("ssh=[::1]:1")
    assert done.end == "connect: ::1 port 1: Connection refused"


def test_no_route(alone):
    done = alone("ssh=10.255.255.1")
    assert done.end == "connect: 10.255.255.1 port 22: Network is unreachable"
