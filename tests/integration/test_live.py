"""-s: what tests write, while they run, with their gateway in front."""

import os
import re
import signal
import threading
import time


def lines_of(result):
    """{gateway: what its tests wrote}"""
    found = {}
    for gateway, text in re.findall(r"^\[(gw\d+)\] (?!\(popen\) )(.*)$", result.out, re.M):
        found.setdefault(gateway, []).append(text)
    return found


def test_lines_have_their_gateway(txgate, script):
    script("t", 'echo "one of $PYTEST_XDIST_WORKER"; echo; printf "\\033[31mred\\033[m\\tand \\377 no newline"; exit 1')
    r = txgate("run", "-s", "-n", "2", "--dist", "each", "--tb", "no", "t", cwd=txgate.cwd)
    assert r.code == 1
    for gateway in ("gw0", "gw1"):
        said = lines_of(r)[gateway]
        assert said[:2] == ["one of " + gateway, ""], r
        assert "no newline" in said[2] and "\x1b" not in said[2], r
    without = txgate("run", "--tb", "no", "-n", "2", "--dist", "each", "t", cwd=txgate.cwd)
    assert "one of" not in without.out


def test_both_streams_and_kept_all_the_same(txgate, script, outcomes):
    script("t", "echo to-out; echo to-err >&2; exit 1")
    r = txgate("run", "-s", "--jsonl", "run.jsonl", "t", cwd=txgate.cwd)
    assert sorted(lines_of(r)["gw0"]) == ["to-err", "to-out"], r
    assert r.out.count("to-err") == 2 and "Captured stderr" in r.out
    assert '"live"' not in (txgate.cwd / "run.jsonl").read_text()


def test_while_the_test_runs(txgate, script):
    script("t", "echo early; sleep 3; echo late")
    child = txgate.start("run", "-s", "t", cwd=txgate.cwd)
    begun, seen = time.monotonic(), b""
    while b"early" not in seen and time.monotonic() - begun < 2.5:
        seen += os.read(child.stdout.fileno(), 65536)
    took = time.monotonic() - begun
    rest = child.communicate(timeout=30)[0]
    assert b"early" in seen and took < 2.5 and b"late" in (rest if isinstance(rest, bytes) else rest.encode())


def test_a_link_that_is_behind_drops_and_counts(txgate, script):
    """Who looks on is not waited for: the report is whole and the time of the test its own."""
    script("t", "head -c 60000000 /dev/zero | tr '\\0' 'x' | fold -w 99; exit 1")
    child = txgate.start("run", "-s", "--tb", "no", "t", cwd=txgate.cwd)
    said = []
    reader = threading.Thread(target=lambda: said.append(child.communicate(timeout=60)[0]))
    time.sleep(0.15)
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(child.pid, signal.SIGCONT)
    reader.start()
    reader.join(60)
    out = said[0] if isinstance(said[0], str) else said[0].decode()
    assert child.returncode == 1 and "1 failed" in out
    missed = [int(n) for n in re.findall(r"\((\d+) bytes are not shown: the link is behind\)", out)]
    shown = sum(len(t) for t in re.findall(r"^\[gw0\] x+$", out, re.M))
    assert sum(missed) > 1000000 and shown < 59000000, (missed, shown)
