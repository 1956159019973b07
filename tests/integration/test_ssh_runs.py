"""Whole runs over ssh=, against a real sshd and a real dropbear: the worker is taken there, the device
example runs, and whatever dies, nothing is left behind and no test is forgotten."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

import events
import processes
import sshd
from processes import wait_for

pytestmark = pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")


def spec(server, cwd, more=""):
    return "%s//chdir=%s%s" % (server.spec, cwd, more)


def test_device_example(over, txgate, server, devices):
    for dist, expected, limit in (("each", "9 failed", 7.5), ("load", "3 failed", 3.5)):
        result = over("run", "--tx", "3*" + spec(server, txgate.cwd), "--dist", dist, "-q",
                      "--tb=line", *devices)
        assert expected in result.out, result
        assert result.code == 1, result
        for n in (2, 3, 4):
            assert "192.168.1.%d" % n in result.out, result
        assert result.seconds < limit, result
    [worker] = server.folder.glob("cache/txgate-*/worker-*")
    assert worker.stat().st_mode & 0o777 == 0o700
    assert server.log.read_text().count("Accepted publickey") == 2  # one login for each host


def test_mixed_with_local_ones(over, txgate, server, script):
    script("ok", "exit 0")
    result = over("run", "--tx", spec(server, txgate.cwd), "--tx", "popen", "--dist", "each", "ok")
    assert result.code == 0 and "2 passed" in result.out, result


def test_unknown_host(over, txgate, folder, client, serve, script):
    stranger = sshd.Sshd(folder)
    client.may_log_in(stranger)
    serve(stranger)
    script("ok", "exit 0")
    result = over("run", "--tx", spec(stranger, txgate.cwd), "ok")
    assert result.code == 6, result
    assert "host key" in result.out and sshd.fingerprint(stranger.host_public) in result.out, result


def test_new_and_pinned_keys(over, txgate, server, client, script, tmp_path):
    client.known_hosts.unlink()
    script("ok", "exit 0")
    fleet = "gateways:\n- {id: board, tx: '%s', host_key: '%s'}\n"
    other = sshd.keygen(tmp_path / "other_key")
    for key, code in (server.host_public, 0), (other, 6):
        (tmp_path / "fleet.yaml").write_text(
            fleet % (spec(server, txgate.cwd), sshd.fingerprint(key)))
        result = over("run", "--fleet", "fleet.yaml", "ok")
        assert result.code == code, result
        assert not client.known_hosts.exists()
    assert "host key: %s has the key SHA256:" % server.name in result.out, result
    result = over("run", "--tx", spec(server, txgate.cwd), "--accept-new-host-keys", "ok")
    assert result.code == 0 and server.name in client.known_hosts.read_text(), result


def test_via_another_gateway(over, txgate, server, client, serve, script, tmp_path):
    (tmp_path / "hub").mkdir()
    hub = sshd.Sshd(tmp_path / "hub", "127.0.0.2")
    client.may_log_in(hub)
    client.knows(hub)
    serve(hub)
    script("ok", 'echo "$SSH_CONNECTION"; exit 1')
    result = over("run", "--tx", spec(hub, txgate.cwd, "//id=hub"), "--tx",
                  spec(server, txgate.cwd, "//via=hub//id=board"), "--dist", "each", "ok")
    assert result.code == 1 and "2 failed" in result.out, result
    assert hub.log.read_text().count("Accepted publickey") == 2  # its own gateway, and the way
    result = over("run", "--tx", spec(server, txgate.cwd, "//via=nobody"), "ok")
    assert result.code == 4, result
    assert "via=nobody: no gateway of this run or of the fleet has that id" in result.err


def test_silent_host_beside_a_good_one(over, txgate, server, script):
    script("ok", "exit 0")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        result = over("run", "--tx", "ssh=127.0.0.1:%d" % port, "--tx", spec(server, txgate.cwd),
                      "--require-gateways", "any", "--connect-timeout", "2", "ok")
    assert "1 passed" in result.out and result.code == 6, result
    assert ("connect: no answer within 2 s (--connect-timeout), waiting for the SSH greeting of "
            "127.0.0.1 port %d" % port) in result.out, result
    assert result.seconds < 4, result


@pytest.mark.parametrize("limit", ["MaxStartups 2", "MaxSessions 1"])
def test_many_gateways_are_one_login(over, txgate, folder, client, serve, script, limit):
    server = sshd.Sshd(folder, extra=limit + "\n")
    client.may_log_in(server)
    client.knows(server)
    serve(server)
    script("ok", "exit 0")
    result = over("run", "--tx", "16*" + spec(server, txgate.cwd), "--dist", "each", "ok")
    assert result.code == 0 and "16 passed" in result.out, result
    assert server.log.read_text().count("Accepted publickey") == 1


def test_output_of_many_megabytes(over, txgate, server, script):
    script("loud", "yes 0123456789abcdef | head -c 50000000; exit 1")
    result = over("run", "--tx", spec(server, txgate.cwd), "loud")
    assert result.code == 1 and "1 failed" in result.out, result


NOISY = {".cshrc": "echo 'welcome from cshrc'\n", ".profile": "echo welcome from the profile\n",
         ".mkshrc": "echo 'welcome from mkshrc'\n",
         ".config/fish/config.fish": "echo welcome from fish; echo TXG 0\n"}


@pytest.mark.parametrize("shell", ["csh", "fish", "mksh", "dash", "busybox sh"])
def test_login_shells(over, txgate, folder, client, serve, devices, shell, tmp_path):
    """The user's shell as sshd starts it, from a passwd file that only this sshd sees; what it reads at
    its start is noisy."""
    with open("/etc/passwd") as f:
        rows = [line.rstrip("\n").split(":") for line in f]
    program = tmp_path / "ash"
    if shell == "busybox sh":  # ash where it is called so
        program.symlink_to(shutil.which("busybox"))
    else:
        program = shutil.which(shell)
    for row in rows:
        if row[0] == sshd.USER:
            row[5:] = [str(folder), str(program)]
    (tmp_path / "passwd").write_text("".join(":".join(row) + "\n" for row in rows))
    for name, text in NOISY.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    server = sshd.Sshd(folder)
    server.prefix = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"',
                     tmp_path / "passwd"]
    if subprocess.run([*server.prefix, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mounts of our own here (root is needed)")
    client.may_log_in(server)
    client.knows(server)
    serve(server)
    said = subprocess.run(["ssh", "-F", "none", "-i", client.ssh / "id_ed25519", "-o",
                           "UserKnownHostsFile=%s" % client.known_hosts, "-p", str(server.port),
                           "%s@%s" % (sshd.USER, server.address), "sh -c 'cat /proc/$PPID/comm'; true"],
                          stdout=subprocess.PIPE, timeout=20).stdout.decode().split()
    assert said[-1] == pathlib.Path(program).name, said
    result = over("run", "--tx", "3*" + spec(server, txgate.cwd, "//env:HOSTILE='$(id) `id` \\ !! %x"),
                  "--dist", "load", "-q", "--tb=line", *devices)
    assert result.code == 1 and "3 failed" in result.out, result
    assert "welcome" not in result.out, result


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_connection_lost_in_a_run(how, txgate, server, client, script, outcomes, tmp_path):
    """sshd's process of the connection dies or freezes: the test is lost, the rest moves."""
    script("slow", "[ -e %s/once ] || { touch %s/once; sleep 60; }" % (tmp_path, tmp_path))
    script("other", "sleep 0.5")
    child = txgate.start("run", "--tx", spec(server, txgate.cwd), "--tx", "popen", "--heartbeat", "400ms",
                         "--jsonl", "out.jsonl", "slow", "other", env=client.env)
    wait_for((tmp_path / "once").exists)
    began = time.monotonic()
    lost = server.sessions()
    for pid in lost:
        if processes.name(pid).startswith("sshd"):
            os.kill(pid, how)
    out, err = child.communicate(timeout=30)
    assert time.monotonic() - began < 8, out
    found = outcomes(tmp_path / "out.jsonl")
    assert sorted(found) == ["other", "slow"], out
    assert all(len(f) == 1 for f in found.values()), found
    if how == signal.SIGSTOP:
        for pid in lost:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


def test_controller_killed(txgate, server, client, script, tmp_path):
    script("slow", "touch %s/started; sleep 1234" % tmp_path)
    child = txgate.start("run", "--tx", spec(server, txgate.cwd), "slow", env=client.env)
    wait_for((tmp_path / "started").exists)
    child.kill()
    child.communicate(timeout=10)
    wait_for(lambda: not _sleepers(), 5)


def _sleepers():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if f.read().split(b"\0")[:2] == [b"sleep", b"1234"]:
                    found.append(pid)
        except OSError:
            pass
    return found


def test_cable_pulled_in_a_run(lab, txgate, folder, client, serve, script, outcomes, tmp_path):
    """Nothing more comes, no RST, no FIN: the host is lost by its beats, and its own lease ends what
    runs there."""
    host = lab.host()
    board = sshd.Sshd(folder, host.address, port=22)
    board.prefix = host.enter
    client.may_log_in(board)
    client.knows(board)
    serve(board)
    txgate.path = lab.inside(txgate.path, tmp_path)
    script("slow", "[ -e %s/once ] || { echo $$ >%s/once; sleep 60; }" % (tmp_path, tmp_path))
    child = txgate.start("run", "--tx", spec(board, txgate.cwd), "--tx", "popen", "--heartbeat",
                         "400ms", "--jsonl", "out.jsonl", "slow", env=client.env)
    wait_for(lambda: (tmp_path / "once").exists() and
             events.has_begun(txgate.cwd / "out.jsonl", "slow"))
    host.pull()
    began = time.monotonic()
    out, err = child.communicate(timeout=30)
    assert time.monotonic() - began < 6, out
    assert child.returncode == 6 and b"no sign of life" in out, (out, err)
    [finish] = outcomes(tmp_path / "out.jsonl")["slow"]
    assert finish.outcome == "lost", out
    pid = int((tmp_path / "once").read_text())
    wait_for(lambda: not os.path.exists("/proc/%d" % pid), 3)
