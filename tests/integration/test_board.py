"""Runs on a board (tests/lib/boards.py): BusyBox, dropbear and nothing else."""

import re
import time


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
