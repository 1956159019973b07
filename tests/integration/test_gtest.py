"""Cases of GoogleTest: each one by itself, as GoogleTest itself would say, whatever its neighbours do."""

import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest


def compile_gtest(source, target):
    if not shutil.which("g++"):
        pytest.skip("no g++ here")
    done = subprocess.run(["g++", "-O0", "-o", target, source, "-lgtest", "-lgtest_main", "-pthread"],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0 and "gtest/gtest.h" in done.stderr:
        pytest.skip("no libgtest-dev here")
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture(scope="session")
def all_ways(tmp_path_factory):
    from conftest import SRCDIR
    return compile_gtest(SRCDIR / "tests/integration/cases/gtest.cc",
                         tmp_path_factory.mktemp("gtest") / "ways_test")


@pytest.fixture(scope="session")
def thousand(tmp_path_factory):
    from conftest import SRCDIR
    return compile_gtest(SRCDIR / "tests/integration/cases/thousand.cc",
                         tmp_path_factory.mktemp("gtest") / "thousand_test")


def by_case(found, program):
    """{case: Finish} of a run in which each case ran once."""
    assert all(len(finishes) == 1 for finishes in found.values()), found
    prefix = str(program) + "::"
    assert all(nodeid.startswith(prefix) for nodeid in found), found
    return {nodeid[len(prefix):]: finishes[0] for nodeid, finishes in found.items()}


EXPECTED = {
    "Plain.Passes": ("passed", ""),
    "Plain.Fails": ("failed", "gtest.cc:16: Expected equality of these values: 1, 2, extra (and 1 more)"),
    "Plain.Skips": ("skipped", "no hardware"),
    "Plain.DISABLED_Off": ("skipped", "disabled"),
    "Plain.Throws": ("failed", "unknown file: Unknown C++ exception thrown in the test body."),
    "Plain.AfterAll": ("passed", ""),
    "Some/Param.IsA/0": ("passed", ""),
    "Some/Param.IsA/1": ("failed", 'gtest.cc:38: Expected equality of these values: GetParam(), '
                                   'Which is: "b\\nc", "a", With diff:'),
    "Typed/0.IsOneByte": ("passed", ""),
    "Typed/1.IsOneByte": ("failed", "gtest.cc:49: Expected equality of these values: sizeof(TypeParam), "
                                    "Which is: 4, 1u, Which is: 1"),
    "SuiteFails.One": ("error", "gtest.cc:54: no device"),
    "SuiteFails.Two": ("error", "gtest.cc:54: no device"),
    "TeardownFails.One": ("error", "gtest.cc:62: Failure behind the end of the case"),
    "DiesDeathTest.OfAbort": ("passed", ""),
    "Bad.Segfaults": ("crashed", "signal 11 (Segmentation fault)"),
    "Bad.Exits": ("crashed", "its program ended in the middle of it, exit status 0"),
    "Bad.Aborts": ("crashed", "signal 6 (Aborted)"),
    "Bad.Hangs": ("timed out", "no end after 1 s"),
    "Bad.LastPasses": ("passed", ""),
}


@pytest.mark.parametrize("tx", ["popen", "4*popen"])
def test_every_way_to_end(txgate, outcomes, all_ways, tx):
    result = txgate.run("--tx", tx, "--timeout", "1", "--jsonl", "run.jsonl", all_ways)
    assert result.code == 1, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), all_ways)
    assert found.keys() == EXPECTED.keys(), result
    for case, (outcome, reason) in EXPECTED.items():
        assert found[case].outcome == outcome, (case, found[case], result)
        assert found[case].reason.endswith(reason), (case, found[case])
    # What a case wrote to either stream is with that case.
    assert "said by Segfaults" in result.out, result
    block = re.search(r"::Plain.Fails _*\n(.*?)to run just this", result.out, re.S).group(1)
    assert "said by Fails" in block and "gtest.cc:16: Failure" in block, result


def own_verdicts(program, *args):
    """{case: outcome} from GoogleTest's own XML."""
    path = program.parent / "own.xml"
    path.unlink(missing_ok=True)
    subprocess.run([program, "--gtest_output=xml:%s" % path, *args], capture_output=True, timeout=120)
    found = {}
    for case in ElementTree.parse(path).iter("testcase"):
        name = "%s.%s" % (case.get("classname"), case.get("name"))
        if case.find("failure") is not None:
            found[name] = "failed"
        elif case.get("status") == "notrun" or case.find("skipped") is not None:
            found[name] = "skipped"
        else:
            found[name] = "passed"
    return found


def test_as_gtest_says_itself(txgate, outcomes, all_ways):
    own = own_verdicts(all_ways, "--gtest_filter=-Bad.*:*Fails.*")
    result = txgate.run("--tx", "2*popen", "--jsonl", "run.jsonl", "-q", all_ways,
                        env={"GTEST_FILTER": "-Bad.*:*Fails.*"})
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), all_ways)
    assert {case: one.outcome for case, one in found.items()} == own, result
    assert len(own) == 11, own


def test_disabled_cases_run_where_that_is_asked_for(txgate, outcomes, all_ways):
    txgate.run("--jsonl", "run.jsonl", "%s::Plain" % all_ways, "--",
               "--gtest_also_run_disabled_tests")
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), all_ways)
    assert found["Plain.DISABLED_Off"].outcome == "passed", found


def test_one_case_by_its_nodeid(txgate, outcomes, all_ways):
    result = txgate.run("--jsonl", "run.jsonl", "%s::Plain.Skips" % all_ways, "%s::Typed/0" % all_ways)
    assert result.code == 0, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), all_ways)
    assert sorted(found) == ["Plain.Skips", "Typed/0.IsOneByte"], found
    result = txgate.run("%s::Plain.Nothing" % all_ways)
    assert result.code == 1 and "it has no case 'Plain.Nothing'" in result.out, result


def test_maxfail_stops_a_batch(txgate, outcomes, all_ways):
    result = txgate.run("-x", "--jsonl", "run.jsonl", "%s::Plain" % all_ways)
    assert result.code == 2, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), all_ways)
    assert found["Plain.Fails"].outcome == "failed", found
    assert found["Plain.AfterAll"].outcome == "not run", found


@pytest.mark.parametrize("bad, outcome", [("segfault", "crashed"), ("abort", "crashed"),
                                          ("exit", "crashed"), ("hang", "timed out"),
                                          ("fail", "failed")])
def test_one_bad_case_of_a_thousand(txgate, outcomes, thousand, bad, outcome):
    result = txgate.run("--timeout", "1", "--jsonl", "run.jsonl", "-q", thousand, env={"BAD": bad})
    assert result.code == 1, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), thousand)
    assert len(found) == 1000, result
    assert found["All/Many.Case/500"].outcome == outcome, found["All/Many.Case/500"]
    # The worker goes on by itself: a replacement would hide that it had lost the rest.
    assert {one.gateway for one in found.values()} == {"gw0"}, result
    assert sum(one.outcome == "passed" for one in found.values()) == 999, result


def reads_of(txgate, thousand):
    """How often the worker had read at the end of each process that ran cases of it."""
    path = txgate.cwd / "io"
    path.unlink(missing_ok=True)
    result = txgate.run("-q", thousand, env={"IO": str(path)})
    assert result.code == 0, result
    return [int(n) for n in re.findall(r"syscr: (\d+)", path.read_text())]


def test_a_batch_is_read_many_lines_at_a_time(txgate, thousand):
    reads = reads_of(txgate, thousand)
    assert reads[-1] < 500, reads  # of 2,000 lines, each of which GoogleTest writes by itself


def test_one_process_where_the_times_are_known(txgate, thousand):
    first = len(reads_of(txgate, thousand))
    again = [len(reads_of(txgate, thousand)) for _ in range(3)]
    assert min(again) == 1 < first, (first, again)


def test_a_crash_costs_little(txgate, thousand, sanitized):
    if sanitized:
        pytest.skip("a build with sanitizers has no times of its own")
    best = {}
    for bad in ["", "segfault"] * 3:
        begun = time.monotonic()
        txgate.run("-q", "--tb=no", thousand, env={"BAD": bad} if bad else {})
        best[bad] = min(best.get(bad, 99), time.monotonic() - begun)
    # 1.5 is what `make bench` holds it to; here other tests share the machine.
    assert best["segfault"] < 2 * best[""] + 0.05, best


def test_a_program_that_is_none(txgate, script):
    script("shout", "echo this is no listing; exit 3\n")
    result = txgate.run("--harness", "gtest", "shout")
    assert result.code == 1, result
    assert "could not be listed with --gtest_list_tests (harness gtest; exec runs it as one test): " \
        "exit status 3" in result.out
    script("runs", "echo '[==========] Running 1 test from 1 test suite.'\n")
    result = txgate.run("--harness", "gtest", "runs")
    assert "it ran its tests when it was to list them" in result.out, result
    script("twice", "printf 'A.\\n  b\\n  b\\n'\n")
    result = txgate.run("--harness", "gtest", "twice")
    assert "two cases are called A.b" in result.out, result


def test_a_program_that_skips_all_of_its_cases(txgate, script, outcomes):
    script("none_test", """
case $1 in
--gtest_list_tests) printf 'A.\\n  a\\n  b\\n';;
*) printf '[==========] Running 2 tests from 1 test suite.\\n'
   printf '[==========] 2 tests from 1 test suite ran. (0 ms total)\\n[  PASSED  ] 0 tests.\\n';;
esac
""")
    result = txgate.run("--harness", "gtest", "--jsonl", "run.jsonl", "none_test")
    assert result.code == 0, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), "none_test")
    assert {one.outcome for one in found.values()} == {"skipped"}, found


def test_what_comes_behind_a_case(txgate, script, outcomes):
    """A crash of the next suite's set-up is the next case's, one of the teardown the last case's."""
    script("late_test", """
run() { echo "[ RUN      ] $1"; }
ok() { echo "[       OK ] $1 (0 ms)"; }
case $1 in
--gtest_list_tests) printf 'A.\\n  a\\n  b\\nB.\\n  a\\nC.\\n  a\\n';;
--gtest_filter=A.a:*) run A.a; ok A.a; run A.b; ok A.b; echo '[----------] 2 tests from A (0 ms total)'
   echo; echo '[----------] 1 test from B'; echo "B is set up"; kill -SEGV $$;;
*C.a) run C.a; ok C.a; echo "C is torn down" >&2; kill -ABRT $$;;
esac
""")
    result = txgate.run("--dist", "each", "--harness", "gtest", "--jsonl", "run.jsonl", "late_test")
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), "late_test")
    assert found["A.a"].outcome == found["A.b"].outcome == "passed", result
    assert found["B.a"].outcome == "crashed" and "B is set up" in result.out, result
    assert found["C.a"].outcome == "crashed", result
    assert "behind the end of the case, which had passed" in found["C.a"].reason, found


def test_exit_status_does_not_get_lost(txgate, script, outcomes):
    script("leaks_test", """
case $1 in
--gtest_list_tests) printf 'A.\\n  a\\n';;
*) echo "[ RUN      ] A.a"; echo "[       OK ] A.a (0 ms)"; echo "LEAK: 8 bytes" >&2; exit 23;;
esac
""")
    result = txgate.run("--harness", "gtest", "--jsonl", "run.jsonl", "leaks_test")
    found = by_case(outcomes(txgate.cwd / "run.jsonl"), "leaks_test")
    assert result.code == 1 and found["A.a"].outcome == "error", result
    assert found["A.a"].reason == "exit status 23 of its program, though no case in it failed"
    assert "LEAK: 8 bytes" in result.out, result


def test_listing_has_a_deadline_and_leaves_nothing(txgate, script):
    """Pings are answered while a program is listed, and its descendants are gone at the end."""
    script("slow_test", """
case $1 in
--gtest_list_tests) sleep 1000 & sleep 2; printf 'A.\\n  a\\n';;
*) echo "[ RUN      ] A.a"; echo "[       OK ] A.a (0 ms)";;
esac
""")
    result = txgate.run("--harness", "gtest", "--heartbeat", "0.3", "slow_test")
    assert result.code == 0 and "1 passed" in result.out, result
