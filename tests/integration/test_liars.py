"""Peers that lie: a program that was started as a worker and breaks the protocol. Each ends within
its deadline, named, with nothing left behind, and costs the other gateway's tests nothing."""

import pytest

import wire
from conftest import SRCDIR

LIAR = """#!/usr/bin/python3
import os, sys, time
sys.path.insert(0, %r)
import wire
token = sys.argv[2]
def say(data):
    os.write(1, data)
def hello(**kwargs):
    say(b"TXG " + token.encode() + b"\\n")
    say(wire.frame(0, wire.message("hello", **dict(dict(protocol=wire.PROTOCOL, version="0"), **kwargs))))
def ready():
    hello()
    say(wire.frame(2, wire.message("workerready", version="0", pid=1)))
%s
sys.stdin.buffer.read()
"""

LIES = {
    "silent": ("time.sleep(100)", "hello: no answer within 2 s (--connect-timeout)"),
    "noise": ("say(b'x' * 70000)", "hello: this is no txgate-worker; it says: xxx"),
    "ends": ("sys.stderr.write('no such device\\n'); sys.exit(3)",
             "; it said: no such device"),
    "no hello": ("say(b'TXG ' + token.encode() + b'\\n' + wire.frame(0, wire.message('beat', n=1)))",
                 "hello: the agent's first message is not hello"),
    "another protocol": ("hello(protocol=99)", "the worker speaks protocol 99, this txgate %d" % wire.PROTOCOL),
    "passes of nothing": ("ready(); say(wire.frame(2, wire.message('passed', seq=1, time=0, tests=[[0, 0, 1]])))",
                          "it started a test that is not its next one"),
    "huge frame": ("hello(); say(wire.HEADER.pack(0x7fffffff, 0))", "link: frame of 2147483647 bytes"),
    "memory bomb": ("ready(); say(wire.frame(2, bytes.fromhex('dd03ffffff')))", "an array of"),
    "foreign channel": ("ready(); say(wire.frame(7, wire.message('shutdown')))", "link: no sign of life"),
    "an agent's word": ("ready(); say(wire.frame(0, wire.message('shutdown')))",
                        "the agent sent what an agent does not send"),
    "report of nothing": ("ready(); say(wire.frame(2, wire.message('logstart', seq=1, index=0, time=0)))",
                          "it started a test that is not its next one"),
    "a collection of lies": ("ready(); say(wire.frame(2, wire.message('collectionfinish', count=2, digest=7)))",
                             "link: no sign of life"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_liar(name, txgate, tmp_path, script):
    body, words = LIES[name]
    liar = tmp_path / "liar"
    liar.write_text(LIAR % (str(SRCDIR / "tests/lib"), body))
    liar.chmod(0o755)
    good = script("good", "exit 0")
    result = txgate("run", "--tx", "popen", "--tx", "popen//worker=%s" % liar, "--connect-timeout", "2",
                    "--require-gateways", "any", "--heartbeat", "500ms", good, timeout=30)
    assert result.seconds < 12, result
    assert words in result.out + result.err, result
    assert "gw1" in result.out + result.err, result
    assert "1 passed" in result.out, result
    assert result.code == 6, result


BEATING = """
import threading
def beats():
    for n in range(1, 10000):
        say(wire.frame(0, wire.message("beat", n=n)))
        time.sleep(0.3)
ready()
threading.Thread(target=beats, daemon=True).start()
"""


def test_an_agent_that_does_not_close_its_worker(txgate, tmp_path, script):
    """Nobody waits for ever for the end of a worker that was closed, not with a lively agent either."""
    liar = tmp_path / "liar"
    liar.write_text(LIAR % (str(SRCDIR / "tests/lib"), BEATING + LIES["passes of nothing"][0].partition("; ")[2]))
    liar.chmod(0o755)
    result = txgate.run("--tx", "popen", "--tx", "popen//worker=%s" % liar, "--require-gateways", "any",
                        "--heartbeat", "500ms", "--max-worker-restart", "0", script("good", "exit 0"), timeout=40)
    assert "it started a test that is not its next one" in result.out, result
    assert "worker was closed, and its agent has not ended it within 10 s" in result.out, result
    assert result.code == 6 and "1 passed" in result.out and 9 < result.seconds < 15, result
