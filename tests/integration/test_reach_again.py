"""A host that was there and is lost may be back in a moment: a board that starts again, a cable that was
out. Its replacement tries to reach it until --connect-timeout is over."""

import os
import re
import signal
import time

import pytest

import processes
import sshd
from processes import wait_for

WAY = """
[ -f used ] || { : >used; exec sh; }
[ -f back ] || { echo tried >>refused; echo "no way" >&2; exit 1; }
exec sh
"""
WAY_SPEC = "exec=./way"


@pytest.fixture
def held(script, tmp_path):
    """Makes tests that run until there is a file `go`, a minute at most."""
    def write(n):
        return [script("held%d" % i, "n=0; until [ -f %s/go ] || [ $n -ge 1200 ]; do sleep 0.05; n=$((n + 1)); done\n"
                       % tmp_path) for i in range(n)]
    return write


@pytest.fixture
def tests(script, held):
    """Commands of four such tests, with the way to a host: it leads to a shell once, and not again
    before there is a file `back`; each try in between is a line of `refused`."""
    script("way", WAY)
    return held(4)


def lose(txgate):
    """Kills the agent of the first test that runs on the host, which is the end of its link; then
    the others may go on."""
    def find():
        tests = [p for p in txgate.processes() if processes.name(p).startswith("held")]
        agents = [processes.parent(processes.parent(p)) for p in tests]
        return [p for p in agents if processes.name(p).startswith("worker-")]
    wait_for(find, 20)
    os.kill(find()[0], signal.SIGKILL)
    (txgate.cwd / "go").touch()


def ends(txgate, child):
    out, err = child.communicate(timeout=60)
    assert not processes.wait_for_none(txgate.mark, 5)
    return child.returncode, out.decode() + err.decode()


def test_is_reached_again(txgate, tests, tmp_path):
    child = txgate.start("run", "-v", "--tx", WAY_SPEC, "--dist", "load", "--connect-timeout", "20", *tests)
    lose(txgate)
    refused = tmp_path / "refused"
    wait_for(lambda: refused.exists() and refused.read_text().count("tried") >= 3, 20)
    (tmp_path / "back").touch()
    code, out = ends(txgate, child)
    assert code == 6 and "1 lost" in out and "3 passed" in out, out
    assert out.count("replacing crashed worker") == 1, out
    assert re.search(r"exec=./way: probe: .*it said: no way; trying again", out), out


def test_is_given_up_in_time(txgate, tests):
    child = txgate.start("run", "--tx", WAY_SPEC, "--dist", "load", "--connect-timeout", "3", *tests)
    lose(txgate)
    begun = time.monotonic()
    code, out = ends(txgate, child)
    assert 1.5 < time.monotonic() - begun < 6, out
    assert code == 6 and "is not started again: 3 times it died before a first test" in out, out
    assert "it said: no way" in out and "1 lost" in out, out


def test_does_not_hold_a_run_up_that_is_done(txgate, tests):
    child = txgate.start("run", "--tx", WAY_SPEC, "--tx", "popen", "--dist", "load", *tests)
    lose(txgate)
    begun = time.monotonic()
    code, out = ends(txgate, child)
    assert time.monotonic() - begun < 5, out
    assert code == 6 and re.search(r"1 lost, 3 passed", out), out


@pytest.mark.skipif(not sshd.find("sshd"), reason="no sshd (Debian: openssh-server)")
def test_a_cable_that_is_out_for_a_moment(lab, txgate, tmp_path, client, serve, held):
    host = lab.host()
    (tmp_path / "host").mkdir()
    made = sshd.Sshd(tmp_path / "host", host.address, port=22)
    made.prefix = host.enter
    client.may_log_in(made)
    client.knows(made)
    serve(made)
    txgate.path = lab.inside(txgate.path, tmp_path)
    with open(str(tmp_path / "said"), "wb") as said:
        child = txgate.start("run", "-v", "--tx", made.spec, "--dist", "load", "--heartbeat", "0.2",
                             "--jsonl", "events", *held(6), env=client.env, stdout=said, stderr=said)

    def told(file, words):
        return (tmp_path / file).exists() and words in (tmp_path / file).read_text()

    wait_for(lambda: told("events", '"test_start"'), 20)
    host.pull()
    wait_for(lambda: told("said", "; trying again"), 20)
    (tmp_path / "go").touch()
    host.plug()
    code = child.wait(60)
    out = (tmp_path / "said").read_text()
    assert not processes.wait_for_none(txgate.mark, 5)
    assert code == 6 and "1 lost" in out and "5 passed" in out, out
