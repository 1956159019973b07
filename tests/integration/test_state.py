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


def test_it_lies_beside_txgate_yaml(txgate, script, run, tmp_path):
    script("a_test", "exit 0\n")
    (tmp_path / "txgate.yaml").write_text("suites: [{files: a_test}]\n")
    (tmp_path / "below").mkdir()
    result = txgate.run(cwd=tmp_path / "below")
    assert result.code == 0, result
    assert (tmp_path / ".txgate/state").exists()
    assert not (tmp_path / "below/.txgate").exists()


def test_a_damaged_file_is_ignored(txgate, script, run, tmp_path):
    script("a_test", "exit 0\n")
    run("a_test")
    (tmp_path / ".txgate/state").write_bytes(b"txgate-state 1\nt\t\0\xff\n")
    result, told = run("a_test")
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
