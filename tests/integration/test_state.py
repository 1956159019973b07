"""What a run leaves for the next: .txgate/state, and what is made of it."""

import json

import pytest

import events


@pytest.fixture
def run(txgate):
    """Runs and gives (result, events); the run must have kept its promises."""
    def run(*args, **kwargs):
        result = txgate.run("--jsonl", "run.jsonl", *args, **kwargs)
        lines = (txgate.cwd / "run.jsonl").read_text().splitlines()
        assert events.check(lines) == []
        return result, [json.loads(line) for line in lines]
    return run


def started(told):
    return [e["nodeid"] for e in told if e["event"] == "test_start"]


def test_the_longest_come_first(txgate, script, run):
    times = {"a_test": 0.02, "b_test": 0.1, "c_test": 0.5, "d_test": 0.3}
    for name, time in times.items():
        script(name, "sleep %s\n" % time)
    _, told = run("--tx", "popen", ".")
    assert told[0]["dist"] == "load" and started(told) == sorted(times)
    script("e_test", "exit 0\n")  # nobody knows it: it is taken for a mean one
    result, told = run("--tx", "popen", ".")
    assert told[0]["dist"] == "duration" and "DurationScheduling" in result.out, result
    assert started(told) == ["c_test", "d_test", "e_test", "b_test", "a_test"], result
    assert sorted(p.name for p in (txgate.cwd / ".txgate").iterdir()) == [".gitignore", "state"]
    _, told = run("--tx", "popen", "--dist", "load", ".")
    assert told[0]["dist"] == "load"


def finished(told):
    return sorted(e["nodeid"] for e in told if e["event"] == "test_finish")


def test_last_failed_and_failed_first(txgate, script, run, tmp_path):
    for name in "abcde":
        script(name + "_test", "[ ! -e %s.bad ]\n" % name)
    result, told = run("--tx", "popen", "--dist", "load", "--lf", ".")
    assert "run-last-failure: no previously failed tests, not deselecting items." in result.out
    assert len(finished(told)) == 5, result
    for name in "bd":
        (tmp_path / (name + ".bad")).write_text("")
    run("--tx", "popen", ".")
    result, told = run("--tx", "2*popen", "--lf", ".")
    assert result.code == 1 and finished(told) == ["b_test", "d_test"], result
    assert "run-last-failure: rerun previous 2 failures\n" in result.out, result
    assert "2 failed, 3 deselected in" in result.out and "--lf" not in result.out, result
    for dist in ("load", "duration", "each", "loadfile"):
        result, told = run("--tx", "popen", "--dist", dist, "--ff", ".")
        assert "run-last-failure: rerun previous 2 failures first\n" in result.out, result
        assert set(started(told)[:2]) == {"b_test", "d_test"} and len(started(told)) == 5, result
    (tmp_path / "b.bad").unlink()
    _, told = run("--lf", ".")
    assert finished(told) == ["b_test", "d_test"]
    _, told = run("--last-failed", ".")
    assert finished(told) == ["d_test"]
    result, told = run("--lf", "a_test", "b_test")  # what has failed is not among these
    assert result.code == 0 and finished(told) == ["a_test", "b_test"], result
    assert "run-last-failure: 1 known failure not in selected tests" in result.out, result
    result, told = run("--lf", "-k", "d or e", ".")
    assert finished(told) == ["d_test"], result


def test_what_did_not_run_stays_failed(txgate, script, run, tmp_path):
    script("a_test", "exit 1\n")
    script("b_test", "exit 1\n")
    run("--tx", "popen", ".")
    run("--tx", "popen", "-x", ".")  # one of them is not run
    _, told = run("--tx", "popen", "--lf", ".")
    assert finished(told) == ["a_test", "b_test"]


def test_it_lies_beside_txgate_yaml(txgate, script, run, tmp_path):
    script("a_test", "exit 0\n")
    (tmp_path / "txgate.yaml").write_text("suites: [{files: a_test}]\n")
    (tmp_path / "below").mkdir()
    result = txgate.run(cwd=tmp_path / "below")
    assert result.code == 0, result
    assert (tmp_path / ".txgate/state").exists()
    assert not (tmp_path / "below/.txgate").exists()


@pytest.mark.parametrize("options", [[], ["--dist", "load"]])  # it is read at the start, at the end
def test_a_damaged_file_is_ignored(txgate, script, run, tmp_path, options):
    script("a_test", "exit 0\n")
    run("a_test")
    (tmp_path / ".txgate/state").write_bytes(b"txgate-state 1\nt\t\0\xff\n")
    result, told = run("a_test", *options)
    assert result.code == 0 and told[0]["dist"] == "load", result
    assert "times and failures of earlier runs are ignored: " in result.err, result
    assert ".txgate/state: line 2 is none of txgate's" in result.err, result
    result, told = run("a_test")
    assert result.err == "" and told[0]["dist"] == "duration", result


def test_what_cannot_be_written_is_no_failure(txgate, script, tmp_path):
    script("a_test", "exit 0\n")
    (tmp_path / ".txgate").write_text("a file of the user's\n")
    result = txgate.run("a_test")
    assert result.code == 0, result
    assert "times and failures are not kept: " in result.err, result
    assert (tmp_path / ".txgate").read_text() == "a file of the user's\n"
