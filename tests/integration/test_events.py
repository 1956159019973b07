"""The checker of event streams (tests/lib/events.py) notices what it is there for."""

import json
import os
import signal
import time

import pytest

import events
import processes


@pytest.fixture
def stream(txgate, script, tmp_path):
    """The events of a run in which a worker was killed."""
    names = [script("t%d" % i, "sleep 0.3\n" if i < 2 else "exit %d\n" % (i == 9))
             for i in range(12)]
    child = txgate.start("run", "--tx", "2*popen", "--jsonl", "events", *names)
    end, workers = time.monotonic() + 10, {}
    while len(workers) < 2 and time.monotonic() < end:
        _, workers = processes.roles(txgate.mark, child.pid)
        time.sleep(0.01)
    time.sleep(0.15)
    os.kill(min(workers), signal.SIGKILL)
    child.communicate(timeout=30)
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert events.check(map(json.dumps, lines)) == []
    assert any(e["event"] == "gateway_down" for e in lines), lines
    return lines


def places(stream, kind):
    return [i for i, e in enumerate(stream) if e["event"] == kind]


def test_what_is_wrong_is_noticed(stream):
    finish, start = places(stream, "test_finish"), places(stream, "test_start")
    crashed = [i for i in finish if stream[i]["outcome"] == "crashed"][0]
    down = places(stream, "gateway_down")[0]

    def without(*gone):
        return [e for i, e in enumerate(stream) if i not in gone]

    def changed(at, **values):
        return [dict(e, **values) if i == at else e for i, e in enumerate(stream)]

    broken = {
        "an outcome is missing": without(finish[3]),
        "an outcome and its start are missing": without(start[3], finish[3]),
        "an outcome comes twice": stream[:finish[3] + 1] + stream[finish[3]:],
        "a test starts twice": stream[:finish[3] + 1] + [stream[start[3]]] + stream[finish[3] + 1:],
        "the crash is not told": without(crashed),
        "it ran elsewhere": changed(finish[3], gateway="gw9"),
        "a lost test without a lost host": changed(crashed, outcome="lost"),
        "not run, though it had started": changed(crashed, outcome="not run"),
        "the exit code": changed(len(stream) - 1, exit_code=0),
        "no end": stream[:-1],
        "time goes back": changed(down, t=0),
        "down without a start": changed(places(stream, "gateway_start")[0], gateway="gw7"),
        "a replacement of the living": changed(places(stream, "gateway_start")[1], replaces="gw0"),
        "what passed is tried again": changed(finish[3], event="test_retry"),
        "flaky, and it never failed": changed(finish[3], flaky=True),
        "a second try without a first": changed(start[3], attempt=2),
        "something after the end": stream + [stream[down]],
    }
    for what, lines in broken.items():
        assert events.check(map(json.dumps, lines)), what


def test_the_time_of_the_run_is_over(txgate, script, tmp_path, outcomes):
    """Nothing has failed and nothing is missing by then: the end that is too early is told by 6."""
    script("never", "exec sleep 60\n")
    result = txgate.run("--tx", "exec=./never", "--run-timeout", "1", "--jsonl", "events", "t")
    assert result.code == 6, result
    assert outcomes(tmp_path / "events") == {}
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    lines[-1]["exit_code"] = 5
    assert events.check(map(json.dumps, lines))


def test_who_is_given_up_stays_so(txgate, script, tmp_path):
    script("dies", "echo 'out of luck' >&2; kill -9 $$\n")
    script("ok", "")
    result = txgate.run("--tx", "exec=./dies", "--tx", "popen", "--jsonl", "events",
                        "--require-gateways", "any", "ok")
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert events.check(map(json.dumps, lines)) == [], result
    at = places(lines, "quarantine")[0]
    gateway = lines[at]["gateway"]
    again = {"event": "gateway_start", "t": lines[at]["t"], "gateway": "gw9", "spec": "exec=./dies",
             "replaces": gateway}
    early = dict(lines[at], deaths=2)
    assert events.check(map(json.dumps, lines[:at + 1] + [again] + lines[at + 1:]))
    assert events.check(map(json.dumps, lines[:at] + [early] + lines[at + 1:]))
