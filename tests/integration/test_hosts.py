"""txgate hosts: every gateway's host in a table, or the step that failed and what to do."""

import re
import signal
import socket
import time

import pytest

import sshd


def rows(result):
    """The lines of the table by their first word; titles apart."""
    lines = [line for line in result.out.splitlines() if not line.startswith(" ")]
    assert lines[0].split() == ["id", "spec", "arch", "kernel", "latency", "worker", "free",
                                "clock", "labels"], result
    return {line.split()[0]: re.split(r"  +", line) for line in lines[1:]}


def test_local_ones(txgate):
    result = txgate("hosts", "--tx", "2*popen//label=can,fast", "--tx", "popen//id=here")
    assert result.code == 0, result
    table = rows(result)
    assert list(table) == ["gw0", "gw1", "here"], result
    for row in table.values():
        assert row[3].startswith("Linux ") and row[5] == "local" and row[7] == "=", result
        assert re.fullmatch(r"\d+\.\d+ ms", row[4]) and re.fullmatch(r"\d.* .?B", row[6]), result
    assert table["gw1"][8] == "can,fast" and len(table["here"]) == 8, result


def test_usage(txgate):
    result = txgate("hosts", "file")
    assert result.code == 4 and "'file': expected options only" in result.err, result
    result = txgate("hosts", "--junitxml=x")
    assert result.code == 4 and "unknown option --junitxml" in result.err, result
    assert txgate("hosts", "--help").code == 0


@pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")
def test_hosts_over_ssh(txgate, server, client, tmp_path):
    port = sshd.free_port()
    client.config.write_text("Host 127.0.0.*\n  ForwardAgent yes\n  SendEnv LANG\n"
                             "Host other\n  CertificateFile x\n")
    (tmp_path / "fleet.yaml").write_text(
        "gateways:\n"
        "- {id: board, tx: '%s', labels: [imx6, can]}\n"
        "- {id: dead, tx: 'ssh=127.0.0.1:%d'}\n"
        "- {id: none, tx: 'ssh=no-such-host.invalid'}\n"
        "- {id: here, tx: popen}\n" % (server.spec, port))
    result = txgate("hosts", "--fleet", "fleet.yaml", env=client.env)
    assert result.code == 6, result
    table = rows(result)
    assert table["board"][5] == "uploaded" and table["board"][8] == "imx6,can", result
    assert table["board"][7] == "=", result
    assert table["here"][5] == "local", result
    assert table["dead"][2:] == ["FAILED",
                                 "connect: 127.0.0.1 port %d: Connection refused" % port], result
    assert "    check that the host is on" in result.out, result
    assert table["none"][3].startswith("resolve: the name 'no-such-host.invalid': "), result
    ignored = "no effect here: ForwardAgent (%s:2); where they are needed: exec=ssh" % client.config
    assert result.out.count(ignored) == 2, result  # board and dead
    assert "CertificateFile" not in result.out and "SendEnv" not in result.out, result
    result = txgate("hosts", "--fleet", "fleet.yaml", "--tx", "@board", env=client.env)
    assert result.code == 0 and rows(result)["board"][5] == "cached", result
    assert server.log.read_text().count("Accepted publickey") == 2


@pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")
def test_all_at_once_and_interrupted(txgate, server, client):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        silent = ["--tx", "ssh=127.0.0.1:%d" % mute.getsockname()[1],
                  "--tx", "ssh=localhost:%d" % mute.getsockname()[1]]
        result = txgate("hosts", *silent, "--tx", server.spec, "--connect-timeout", "2",
                        env=client.env)
        assert result.code == 6 and result.seconds < 4, result
        assert result.out.count("FAILED  connect: no answer within 2 s (--connect-timeout), "
                                "waiting for the SSH greeting") == 2, result
        child = txgate.start("hosts", *silent, env=client.env)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=5)
        assert child.returncode == 2 and out.count(b"FAILED  interrupted") == 2, (out, err)
