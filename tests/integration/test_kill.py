"""What a run makes of the death of its own processes: nothing is lost without a word."""

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
