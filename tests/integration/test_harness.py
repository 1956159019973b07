"""Programs that speak docs/harness.md: libtxgate-harness, and a shell script."""

import os
import re
import subprocess
import time

import pytest

import harness_sources


def build(source, target):
    from conftest import SRCDIR
    subprocess.run([os.environ.get("CC") or "cc", "-Wall", "-o", target, SRCDIR / source,
                    *harness_sources.harness(SRCDIR)], check=True, timeout=120)
    return target


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    from conftest import BUILDDIR
    assert (BUILDDIR / "src/harness/libtxgate-harness.a").exists()
    return build("tests/integration/cases/harness.c",
                 tmp_path_factory.mktemp("harness") / "ways_test")


CONFIG = """
devices:
  - {ipadr: '10.0.0.1 "ä\\', port: -22, volts: 3.25, armed: true, pins: [4, 17]}
"""

EXPECTED = {
    "good/passes": ("passed", ""),
    "good/skips": ("skipped", "no\thardware\\"),
    "good/input": ("passed", ""),
    "good/loud": ("passed", ""),
    "good/first": ("passed", ""),
    "bad/second": ("failed", "harness.c:37: first == 0"),
    "bad/fails": ("failed", "harness.c:20: one is 1"),
    "bad/segfaults": ("crashed", "signal 11 (Segmentation fault)"),
    "bad/exits": ("crashed", "its program ended in the middle of it, exit status 0"),
    "bad/aborts": ("crashed", "signal 6 (Aborted)"),
    "bad/hangs": ("timed out", "no end after 1 s"),
    "odd\tname\\\n": ("passed", ""),
    "last": ("passed", ""),
}


def by_case(found):
    assert all(len(finishes) == 1 for finishes in found.values()), found
    return {nodeid.split("::", 1)[1]: finishes[0] for nodeid, finishes in found.items()}


def test_every_way_to_end(txgate, outcomes, program):
    (txgate.cwd / "txgate.yaml").write_text(CONFIG)
    result = txgate.run("--dist", "each", "--timeout", "1", "--jsonl", "run.jsonl", program,
                        env={"PIDS": "pids"})
    assert result.code == 1, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert found.keys() == EXPECTED.keys(), (found.keys(), result)
    for case, (outcome, reason) in EXPECTED.items():
        assert found[case].outcome == outcome, (case, found[case], result)
        assert found[case].reason.endswith(reason), (case, found[case])
    # What a case wrote to either stream is with that case and in its stream.
    block = re.search(r"::bad/fails _*\n(.*?)to run just this", result.out, re.S).group(1)
    out, err = block.split("Captured stderr")
    assert "out of fails" in out and "err of fails" in err and "loud" not in block, block
    assert "err of segfaults" in result.out
    # One process for all of them while all goes well, however many batches that takes.
    assert len(set((txgate.cwd / "pids").read_text().split())) == 1


def test_dealt_to_four(txgate, outcomes, program):
    txgate.run("-n", "4", "--timeout", "1", "--jsonl", "run.jsonl", program)
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert found.keys() == EXPECTED.keys()
    for case in EXPECTED.keys() - {"good/input", "bad/second"}:
        assert found[case].outcome == EXPECTED[case][0], (case, found[case])
    assert found["good/input"].reason.endswith("no ipadr"), found


def test_by_itself(program):
    alone = {"good/passes": "ok", "good/skips": "ok", "bad/fails": "not ok"}
    env = dict(os.environ, TXGATE_INPUT_IPADR="x")
    done = subprocess.run([program, *alone], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.findall(r"^(?:said by good/passes)?((?:not )?ok) \d+ - (\S+)", done.stdout, re.M) == [
        (verdict, name) for name, verdict in alone.items()], done.stdout
    assert "1..3" in done.stdout and "# SKIP no\thardware" in done.stdout
    assert subprocess.run([program, "last"], capture_output=True).returncode == 0
    assert subprocess.run([program, "nothing"], capture_output=True).returncode == 99
    listed = subprocess.run([program, "--list"], capture_output=True, text=True).stdout
    assert listed.startswith("good/passes\ngood/skips\n"), listed


@pytest.mark.parametrize("bad, outcome", [("segfault", "crashed"), ("abort", "crashed"),
                                          ("exit", "crashed"), ("hang", "timed out"),
                                          ("fail", "failed")])
def test_one_bad_case_of_a_thousand(txgate, outcomes, program, bad, outcome):
    result = txgate.run("--timeout", "1", "--jsonl", "run.jsonl", "-q", program,
                        env={"BAD": bad, "MANY": "1000"})
    assert result.code == 1, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert len(found) == 1000, result
    assert found["many/500"].outcome == outcome, found["many/500"]
    # The worker goes on by itself: a replacement would hide that it had lost the rest.
    assert {one.gateway for one in found.values()} == {"gw0"}, result
    assert sum(one.outcome == "passed" for one in found.values()) == 999, result


def test_maxfail(txgate, outcomes, program):
    result = txgate.run("-x", "--jsonl", "run.jsonl", program,
                        env={"BAD": "fail", "MANY": "1000"})
    assert result.code == 2, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert found["many/500"].outcome == "failed"
    assert {found["many/%d" % i].outcome for i in range(501, 1000)} == {"not run"}, result
    assert result.seconds < 5, result  # what the dying program was to run is given back at once


@pytest.mark.parametrize("how, text", [("abort", "signal 6 (Aborted)"), ("hang", "no end after 5 s")])
def test_a_bad_end_behind_the_last_case(txgate, program, how, text):
    result = txgate.run(program.name + "::last", env={"TEAR_DOWN": how}, cwd=program.parent)
    assert result.code == 1, result
    assert "ways_test: it ended badly when its cases were done: " + text in result.out, result
    assert "1 passed, 1 collection error" in result.out, result


def test_one_program_after_the_other(txgate, outcomes, program):
    """A harness that has nothing to do ends before the next program starts."""
    for name in ["a_test", "b_test"]:
        os.link(program, txgate.cwd / name)
    result = txgate.run("--jsonl", "run.jsonl", "-k", "good/passes or last", "a_test", "b_test")
    assert result.code == 0 and "4 passed" in result.out, result


SCRIPT = """
[ -n "$TXGATE_HARNESS" ] || exit 99
tab=$(printf '\\t')
while IFS=$tab read -r word name rest <&3; do
    case $word in
    hello) printf 'ready\\t1\\n' >&4; input=$rest;;
    list) printf 'case\\tone\\ncase\\ttwo\\ncase\\tthree\\nnonsense\\nlisted\\n' >&4;;
    run) BODY;;
    esac
done
"""


def test_in_shell(txgate, outcomes, script):
    body = """echo "out of $name"; echo "err of $name" >&2
    case $name in two) verdict=failed why=because;; *) verdict=passed why=;; esac
    printf 'result\\t%s\\t%s\\t\\t%s\\n' "$name" "$verdict" "$why" >&4"""
    script("shell_test", SCRIPT.replace("BODY", body))
    result = txgate.run("--harness", "txgate", "--jsonl", "run.jsonl", "shell_test")
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert {case: (one.outcome, one.reason) for case, one in found.items()} == {
        "one": ("passed", ""), "two": ("failed", "because"), "three": ("passed", "")}, result
    assert "out of two" in result.out and "err of two" in result.out, result
    assert "out of one" not in result.out and "out of three" not in result.out, result


def test_the_example_in_shell(txgate, outcomes, srcdir):
    result = txgate.run("--harness", "txgate", "--tx", "popen//input:ipadr=10.0.0.1", "--jsonl",
                        "run.jsonl", srcdir / "examples/harness-sh/units_test")
    assert result.code == 0, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert sorted(found) == ["device", "feet", "sum"], found
    assert found["device"].outcome == found["sum"].outcome == "passed", found
    assert found["feet"].outcome in ("passed", "skipped"), found


@pytest.mark.parametrize("body, reason", [
    ("printf 'result\\tother\\tpassed\\n' >&4", "its harness told a result that was not asked for"),
    ("printf 'result\\n' >&4; sleep 100", "its harness told a result that was not asked for"),
    ("head -c 100000 /dev/zero | tr '\\0' x >&4; sleep 100",
     "its harness wrote a line of more than 64 KiB"),
    ("printf 'ready\\t2\\n' >&4; sleep 100",
     "its harness does not speak version 1 of docs/harness.md"),
    ("exec 4>&-; kill -SEGV $$", "signal 11 (Segmentation fault)"),
    ("exit 3", "its program ended in the middle of it, exit status 3"),
])
def test_a_harness_that_breaks_the_rules(txgate, outcomes, script, body, reason):
    script("bad_test", SCRIPT.replace("BODY", body))
    result = txgate.run("--harness", "txgate", "--jsonl", "run.jsonl", "bad_test")
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert result.code == 1 and sorted(found) == ["one", "three", "two"], result
    assert {one.reason for one in found.values()} == {reason}, result


@pytest.mark.parametrize("text, message", [
    ("exit 3\n", "exit status 3"),
    ("exit 0\n", "it ended before it had listed its cases"),
    ("printf 'case\\tx\\ncase\\tx\\nlisted\\n' >&4\n", "two cases are called x"),
])
def test_listing_that_fails(txgate, script, text, message):
    script("bad_test", text)
    result = txgate.run("--harness", "txgate", "bad_test")
    assert result.code == 1 and message in result.out, result


@pytest.mark.parametrize("fields, code", [("uncollected\\tx.c\\t", 1), ("warning\\t", 0)])
def test_words_without_end_while_it_lists(txgate, script, fields, code):
    """What is said in one message has its limit."""
    words = "printf '%s'; head -c 1500000 /dev/zero | tr '\\0' w; printf '\\n'" % fields
    listing = "list) { %s; } >&4; printf 'case" % words
    text = SCRIPT.replace("BODY", "printf 'result\\t%s\\tpassed\\n' \"$name\" >&4")
    script("wordy_test", text.replace("list) printf 'case", listing))
    result = txgate.run("--harness", "txgate", "wordy_test")
    assert result.code == code and "3 passed" in result.out and 120 * "w" in result.out, result
    assert "node down" not in result.out and len(result.out) < 200000, result


def test_what_a_passing_case_costs_on_the_wire(txgate, outcomes, sanitized):
    if sanitized:
        pytest.skip("a build with sanitizers is slower than what it waits for")
    build("tests/bench/cases.c", txgate.cwd / "cases")
    result = txgate.run("-q", "--jsonl", "run.jsonl", "cases",
                        env={"TXG_BENCH_CASES": "10000", "TXG_BENCH_IO": "io"})
    assert result.code == 0 and "10000 passed" in result.out, result
    lines = [line.split() for line in (txgate.cwd / "io").read_text().splitlines()]
    (worker, _, _), (agent, agent_bytes, _) = [
        (int(writes), int(size), who) for who, _, writes, size in lines]
    assert worker + agent < 0.05 * 10000, lines
    assert agent_bytes < 50 * 10000, lines  # the names of the cases are among them
    assert len(by_case(outcomes(txgate.cwd / "run.jsonl"))) == 10000


def test_the_case_that_kills_its_worker(txgate, outcomes, program):
    """What ran is told of before the worker dies, though what ran before it is told of in groups."""
    result = txgate.run("--jsonl", "run.jsonl", "-q", program, env={"BAD": "kill", "MANY": "1000"})
    assert result.code == 1, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert len(found) == 1000, result
    assert found["many/500"].outcome == "crashed", found["many/500"]
    assert sum(one.outcome == "passed" for one in found.values()) == 999, result


@pytest.mark.parametrize("dist", ["load", "duration", "worksteal", "loadfile", "each"])
def test_many_cases_are_quick(txgate, program, sanitized, dist):
    if sanitized:
        pytest.skip("a build with sanitizers has no times of its own")
    for _ in range(2):  # the second time with times on record
        result = txgate.run("-q", "-n", "2", "--dist", dist, program, env={"MANY": "20000"})
        count = 40000 if dist == "each" else 20000
        assert result.code == 0 and "%d passed" % count in result.out, result
        assert result.seconds < 1.5, result


def test_what_cases_write_is_seen_live(txgate, program):
    """-s: what they write and not what their framework says of them."""
    r = txgate.run("-s", "--tb", "no", "-n", "1", "-k", "passes or fails", program)
    assert "[gw0] err of fails\n" in r.out, r
