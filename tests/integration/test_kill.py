"""What a run makes of the death of its own processes: nothing is lost without a word."""

import json
import os
import random
import signal
import time

import pytest

import processes

TESTS = 8


@pytest.fixture
def suite(script, tmp_path):
    """Tests that each say in a file who runs them, then wait until they are let go."""
    os.mkdir(tmp_path / "started")
    return [script("t%d" % i, 'echo $PPID >"started/t%d.new"; mv started/t%d.new started/t%d\n'
                   'while [ ! -e go ]; do sleep 0.05; done\n' % (i, i, i))
            for i in range(TESTS)]


@pytest.fixture
def begun(txgate, suite, tmp_path):
    """A run on two gateways, both of which have a test under way: (child, {test: worker pid})."""
    child = txgate.start("run", "--tx", "2*popen", "--dist", "load", "--jsonl", "events", *suite)
    started = {}
    end = time.monotonic() + 20
    while len(started) < 2 and time.monotonic() < end and child.poll() is None:
        started = {n: int((tmp_path / "started" / n).read_text())
                   for n in os.listdir(tmp_path / "started") if "." not in n}
        time.sleep(0.01)
    yield child, started
    if child.poll() is None:
        child.kill()
    child.communicate(timeout=10)


def let_go(child, tmp_path):
    (tmp_path / "go").touch()
    out, err = child.communicate(timeout=60)
    return child.returncode, out.decode() + err.decode()


def test_worker_killed(begun, tmp_path, outcomes):
    child, started = begun
    assert len(started) == 2, started
    victim, worker = sorted(started.items())[0]
    os.kill(worker, signal.SIGKILL)
    time.sleep(0.2)
    code, text = let_go(child, tmp_path)
    found = outcomes(tmp_path / "events")
    assert code == 1, text
    assert found.pop(victim)[0].outcome == "crashed", text
    assert "signal 9" in text, text
    assert len(found) == TESTS - 1 and all(len(f) == 1 for f in found.values()), found
    assert {f[0].outcome for f in found.values()} == {"passed"}, text
    # What had not started ran on the gateway that was left and on a new one.
    assert {f[0].gateway for f in found.values()} <= {"gw0", "gw1", "gw2"}, found


def test_agent_killed(begun, txgate, tmp_path, outcomes):
    child, started = begun
    assert len(started) == 2, started
    agents, workers = processes.roles(txgate.mark, child.pid)
    assert len(agents) == 1 and len(workers) == 2, (agents, workers)
    before = set(txgate.processes()) - {child.pid}
    os.kill(agents[0], signal.SIGKILL)
    # The workers see the end of their agent and kill what they run, at once.
    end = time.monotonic() + 5
    while before & set(txgate.processes()) and time.monotonic() < end:
        time.sleep(0.02)
    assert not before & set(txgate.processes())
    code, text = let_go(child, tmp_path)
    found = outcomes(tmp_path / "events")
    assert code == 6, text
    for name in started:
        assert found.pop(name)[0].outcome == "lost", text
    assert len(found) == TESTS - 2, found
    assert all([f.outcome for f in fs] == ["passed"] for fs in found.values()), text
    assert {f.gateway for fs in found.values() for f in fs} <= {"gw2", "gw3"}, found


def test_controller_killed(begun, txgate):
    child, started = begun
    assert len(started) == 2, started
    child.kill()
    child.wait()
    assert processes.wait_for_none(txgate.mark, 5) == {}


def test_worker_stopped(begun, txgate, tmp_path, outcomes):
    """A frozen worker counts as dead after 5 s of silence: the agent kills it."""
    child, started = begun
    victim, worker = sorted(started.items())[0]
    os.kill(worker, signal.SIGSTOP)
    time.sleep(0.2)
    code, text = let_go(child, tmp_path)
    found = outcomes(tmp_path / "events")
    assert code == 1, text
    assert found.pop(victim)[0].outcome == "crashed", text
    assert all([f.outcome for f in fs] == ["passed"] for fs in found.values()), text
    assert len(found) == TESTS - 1, found


def test_agent_stopped_for_a_while(txgate, suite, tmp_path, outcomes):
    """A pause shorter than the lease loses nothing: the agent's silence is not its workers'."""
    child = txgate.start("run", "--tx", "2*popen", "--dist", "load", "--heartbeat", "1s", "--jsonl",
                         "events", *suite)
    end = time.monotonic() + 20
    while len(os.listdir(tmp_path / "started")) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    agents, _ = processes.roles(txgate.mark, child.pid)
    os.kill(agents[0], signal.SIGSTOP)
    time.sleep(2.7)  # over the 2.5 s of a frozen worker, under kill (4 s) less one beat
    os.kill(agents[0], signal.SIGCONT)
    time.sleep(1.5)  # a round of pings, in which a worker would be killed
    code, text = let_go(child, tmp_path)
    found = outcomes(tmp_path / "events")
    assert code == 0, text
    assert {f.gateway for fs in found.values() for f in fs} <= {"gw0", "gw1"}, found
    assert len(found) == TESTS and all([f.outcome for f in fs] == ["passed"] for fs in found.values())


def test_killed_again_and_again(txgate, script, tmp_path, outcomes):
    """A worker or an agent dies every 100 ms, those that start or collect too."""
    names = [script("q%03d" % i, "sleep 0.02\n") for i in range(300)]
    child = txgate.start("run", "--tx", "2*popen", "--tx", "2*popen//env:A=1",
                         "--max-worker-restart", "1000", "--jsonl", "events", *names)
    kills, dice = 0, random.Random(7)
    end = time.monotonic() + 3
    while child.poll() is None and time.monotonic() < end:
        agents, workers = processes.roles(txgate.mark, child.pid)
        victims = sorted(workers) + (agents if dice.random() < 0.1 else [])
        if victims:
            try:
                os.kill(dice.choice(victims), signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        time.sleep(0.1)
    out, err = child.communicate(timeout=60)
    found = outcomes(tmp_path / "events")
    text = out.decode() + err.decode()
    assert kills >= 5, text
    assert sorted(found) == sorted(names), text
    ends = [f for fs in found.values() for f in fs]
    assert len(ends) == len(names), text
    hit = [f for f in ends if f.outcome != "passed"]
    assert {f.outcome for f in hit} <= {"crashed", "lost"}, hit
    assert len([f for f in hit if f.outcome == "crashed"]) <= kills, (kills, hit)
    assert child.returncode in (0, 1, 6), text


def test_the_run_has_its_time(txgate, script, tmp_path, outcomes):
    names = [script(name, "sleep 60\n") for name in ("a", "b", "c")]
    result = txgate.run("--tx", "2*popen", "--run-timeout", "1.5", "--jsonl", "events", *names)
    assert result.code == 1 and result.seconds < 10, result
    ends = sorted(fs[0].outcome for fs in outcomes(tmp_path / "events").values())
    assert ends == ["not run", "timed out", "timed out"], result


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def starts_of(path):
    return [e["gateway"] for e in lines_of(path) if e["event"] == "gateway_start"]


def test_all_killed_while_they_start(txgate, script, tmp_path, outcomes):
    """What was killed from outside is started again; who refuses is not asked twice."""
    script("weak", 'mkdir "$1" 2>/dev/null && kill -9 $$\nshift; exec "$@"\n')
    script("ok", "")
    result = txgate.run("--tx", "exec=./weak a", "--tx", "exec=./weak b", "--jsonl", "events", "-v",
                        "ok")
    found = outcomes(tmp_path / "events")
    assert [f.outcome for f in found["ok"]] == ["passed"], result
    assert starts_of(tmp_path / "events") == ["gw0", "gw1", "gw2", "gw3"], result
    assert result.code == 6 and "QUARANTINED" not in result.out, result

    script("refuses", "echo 'Permission denied (publickey)' >&2; exit 255\n")
    result = txgate.run("--tx", "exec=./refuses", "--jsonl", "events", "ok")
    assert starts_of(tmp_path / "events") == ["gw0"], result
    assert result.code == 6 and "Permission denied (publickey)" in result.out, result
    assert "stopping" in [e["event"] for e in lines_of(tmp_path / "events")]


@pytest.mark.parametrize("dist", ["load", "each"])
def test_who_dies_three_times_is_given_up(txgate, script, tmp_path, outcomes, dist):
    script("dies", "echo 'no such \\033[1mdisk' >&2; echo 'out of luck' >&2; kill -9 $$\n")
    names = [script("t%d" % i, "sleep 0.1\n") for i in range(6)]
    result = txgate.run("--tx", "popen", "--tx", "exec=./dies", "--dist", dist,
                        "--require-gateways", "any", "--max-worker-restart", "100",
                        "--jsonl", "events", "--junitxml", "xml", *names)
    found = outcomes(tmp_path / "events")
    assert {f.outcome for fs in found.values() for f in fs} == {"passed"}, result
    assert sorted(found) == names and result.code == 6, result
    told = [e for e in lines_of(tmp_path / "events") if e["event"] == "quarantine"]
    assert [(e["spec"], e["host"], e["deaths"]) for e in told] == [("exec=./dies", True, 3)], told
    assert told[0]["words"] == "no such \\x1b[1mdisk / out of luck", told
    assert len(starts_of(tmp_path / "events")) == 4, result
    assert "QUARANTINED [gw3] the host of exec=./dies is not started again" in result.out, result
    assert "out of luck" in result.out.split("QUARANTINED")[1], result
    assert "is not started again" in (tmp_path / "xml").read_text()


def test_a_worker_that_dies_three_times_is_given_up(txgate, script, tmp_path, outcomes):
    """Its host lives on, and something there complains."""
    script("board", """
( (while sleep 0.02; do echo 'bad memory' >&2; done) & )
DOOMED=1 exec "$@"
""")
    script("lists", """
case $1 in
--gtest_list_tests) if [ "$DOOMED" ]; then
        sleep 0.2; kill -9 $PPID
    fi
    printf 'A.\\n  a\\n';;
*) echo "[ RUN      ] A.a"; echo "[       OK ] A.a (0 ms)";;
esac
""")
    result = txgate.run("--tx", "popen", "--tx", "exec=./board", "--harness", "gtest",
                        "--require-gateways", "any", "--jsonl", "events", "lists")
    assert [f.outcome for f in outcomes(tmp_path / "events")["lists::A.a"]] == ["passed"], result
    told = [e for e in lines_of(tmp_path / "events") if e["event"] == "quarantine"]
    assert [(e["gateway"], e["host"], e["words"]) for e in told] == \
        [("gw3", False, "bad memory / bad memory")], told
    assert result.code == 6 and "its last words: bad memory" in result.out, result


def test_a_host_without_a_gateway_goes(txgate, script, tmp_path):
    """A worker that is started again on exec= has a host of its own; the one before is of no use."""
    names = [script("t%d" % i, "sleep 4\n") for i in range(2)]
    child = txgate.start("run", "--tx", "exec=env", *names)

    def far():
        return {p for p in txgate.processes() if processes.name(p).startswith("worker-")}

    def agents():
        found = far()
        return {p for p in found if processes.parent(p) not in found}
    end = time.monotonic() + 10
    while not any(line.endswith("t0") for line in txgate.processes().values()) and \
            time.monotonic() < end:
        time.sleep(0.02)
    [first] = agents()
    os.kill(max(p for p in far() if processes.parent(p) == first), signal.SIGKILL)
    while len(agents()) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert len(agents()) == 2
    while first in agents() and child.poll() is None:
        time.sleep(0.02)
    assert child.poll() is None, "the first agent stayed for the whole run"
    out, _ = child.communicate(timeout=20)
    assert b"1 crashed, 1 passed" in out, out.decode()
