"""--retries: a test that fails is tried again, and every try is told."""

import json
import xml.etree.ElementTree as ET

import events

# Fails until it has been started so often, on any gateway.
UNTIL = 'echo try >>"$0.tries"; n=$(wc -l <"$0.tries"); echo "try $n said"; [ $n -ge %d ]\n'


def checked(path):
    lines = path.read_text().splitlines()
    assert events.check(lines) == []
    return [json.loads(line) for line in lines]


def test_flaky_and_bad(txgate, script):
    script("flaky_test", UNTIL % 3)
    script("bad_test", "exit 1\n")
    script("good_test", "exit 0\n")
    result = txgate.run("--tx", "2*popen", "-v", "--retries", "2", "--jsonl", "run.jsonl",
                        "--junitxml", "junit.xml", ".")
    assert result.code == 1, result
    assert "1 failed, 2 passed, 1 of them flaky" in result.out, result
    assert "FLAKY flaky_test - [gw" in result.out and "passed at try 3" in result.out, result
    assert result.out.count(" RERUN ") == 4 and "= RERUNS =" in result.out, result
    assert "try 1 said" in result.out and "try 2 said" in result.out, result
    told = checked(txgate.cwd / "run.jsonl")
    tries = [e for e in told if e["event"] == "test_retry" and e["nodeid"] == "flaky_test"]
    assert [e.get("attempt", 1) for e in tries] == [1, 2], tries
    ends = {e["nodeid"]: e for e in told if e["event"] == "test_finish"}
    assert ends["flaky_test"]["flaky"] and ends["flaky_test"]["attempt"] == 3
    assert ends["bad_test"]["attempt"] == 3 and "flaky" not in ends["bad_test"]
    cases = {c.get("name"): c for c in ET.parse(str(txgate.cwd / "junit.xml")).iter("testcase")}
    assert [f.findtext("system-out") for f in cases["flaky_test"].iter("flakyFailure")] == \
        ["try 1 said\n", "try 2 said\n"]
    assert cases["flaky_test"].find("failure") is None
    assert len(cases["bad_test"].findall("rerunFailure")) == 2
    assert len(cases["bad_test"].findall("failure")) == 1


def test_flaky_alone_passes(txgate, script):
    script("flaky_test", UNTIL % 2)
    assert txgate.run("--retries", "1", "-x", "flaky_test").code == 0


def test_another_gateway(txgate, script):
    script("board_test", '[ "$PYTEST_XDIST_WORKER" = gw1 ]\n')
    for i in range(4):
        script("t%d_test" % i, "sleep 0.1\n")
    result = txgate.run("--tx", "2*popen", "--retries", "5", "--retry-on", "other", "--jsonl",
                        "run.jsonl", ".")
    assert result.code == 0, result
    told = checked(txgate.cwd / "run.jsonl")
    assert [(e["event"], e["gateway"]) for e in told if e.get("nodeid") == "board_test" and
            e["event"] != "test_output" and e["event"] != "test_start"] == \
        [("test_retry", "gw0"), ("test_finish", "gw1")], told


def test_a_crashed_worker(txgate, script):
    """The worker dies with the first try; its successor, or the other gateway, has the second."""
    script("kill_test", 'echo try >>"$0.tries"; [ $(wc -l <"$0.tries") -gt 1 ] || '
                        'kill -9 $PPID; sleep 1\n')
    for dist in ("load", "each", "loadfile", "worksteal"):
        (txgate.cwd / "kill_test.tries").write_text("")
        result = txgate.run("--tx", "popen", "--dist", dist, "--retries", "1", "--jsonl",
                            "run.jsonl", "kill_test")
        told = checked(txgate.cwd / "run.jsonl")
        assert [e["outcome"] for e in told if e["event"] in ("test_retry", "test_finish")] == \
            ["crashed", "passed"], result
        assert result.code == 0, result


def test_each_tries_in_its_own_lane(txgate, script):
    script("odd_test", '[ -e "$PYTEST_XDIST_WORKER.seen" ] || { : >"$PYTEST_XDIST_WORKER.seen"; '
                       'exit 1; }\n')
    result = txgate.run("--tx", "2*popen", "--dist", "each", "--retries", "1", "--jsonl",
                        "run.jsonl", "odd_test")
    assert result.code == 0 and "2 passed, 2 of them flaky" in result.out, result
    told = checked(txgate.cwd / "run.jsonl")
    assert sorted(e["gateway"] for e in told if e["event"] == "test_retry") == ["gw0", "gw1"]


def test_what_cannot_be_meant(txgate, script):
    script("a_test", "exit 0\n")
    result = txgate.run("--tx", "2*popen", "--dist", "each", "--retries", "1", "--retry-on",
                        "other", "a_test")
    assert result.code == 4 and "every gateway runs its own tests" in result.err, result
    result = txgate.run("--tx", "popen", "--retries", "1", "--retry-on", "other", "a_test")
    assert result.code == 4 and "only one gateway" in result.err, result
