"""Tests of CUnit as cases: a program changed in one line, and one that nobody changed."""

import os
import re
import subprocess
import time

import pytest


def compile_cunit(target, *flags):
    from conftest import BUILDDIR, SRCDIR
    library = BUILDDIR / "src/harness/libtxgate-cunit.a"
    if not library.exists():
        pytest.skip("no libcunit1-dev here")
    one_line = ["-DONE_LINE", "-I%s/src/harness" % SRCDIR, library] if "one line" in flags else []
    # The library may hold calls of a sanitizer's: these objects are the same without.
    if one_line:
        one_line[-1:] = [SRCDIR / "src/harness" / name
                         for name in ("cunit_serve.c", "cunit.c", "lines.c")]
    flags = [flag for flag in flags if flag != "one line"]
    subprocess.run([os.environ.get("CC") or "cc", "-Wall", "-o", target,
                    SRCDIR / "tests/integration/cases/cunit.c", *one_line, *flags, "-lcunit"],
                   check=True, timeout=120)
    return target


@pytest.fixture(scope="session")
def one_line(tmp_path_factory):
    return compile_cunit(tmp_path_factory.mktemp("cunit") / "ways_test", "one line")


@pytest.fixture(scope="session", params=["one line"])
def program(request, tmp_path_factory):
    return compile_cunit(tmp_path_factory.mktemp("cunit") / "ways_test", request.param)


CONFIG = """
devices:
  - {ipadr: '10.0.0.1 "ä\\'}
"""

EXPECTED = {
    "good/passes": ("passed", ""),
    "good/input": ("passed", ""),
    "good/off": ("skipped", "inactive"),
    "good/loud": ("passed", ""),
    "good/pid": ("passed", ""),
    "good/once": ("passed", ""),
    "bad/fails": ("failed", "cunit.c:55: CU_ASSERT_EQUAL(1,2)"),
    "bad/set up": ("passed", ""),
    "bad/fails thrice": ("failed", 'cunit.c:60: CU_ASSERT_STRING_EQUAL("a\\tb","c") (and 2 more)'),
    "bad/fatal": ("failed", "cunit.c:68: CU_ASSERT_PTR_NOT_NULL_FATAL(NULL)"),
    "bad/pid": ("passed", ""),
    "bad/segfaults": ("crashed", "signal 11 (Segmentation fault)"),
    "bad/exits": ("crashed", "its program ended in the middle of it, exit status 0"),
    "bad/aborts": ("crashed", "signal 6 (Aborted)"),
    "bad/hangs": ("timed out", "no end after 1 s"),
    "broken/one": ("error", "the initialization of its suite 'broken' failed"),
    "broken/two": ("error", "the initialization of its suite 'broken' failed"),
    "off/test": ("skipped", "inactive"),
    "odd\tname\\\n/": ("passed", ""),
    "odd\tname\\\n/twice": ("failed", "cunit.c:55: CU_ASSERT_EQUAL(1,2)"),
    "odd\tname\\\n/twice (2)": ("passed", ""),
}


def by_case(found):
    assert all(len(finishes) == 1 for finishes in found.values()), found
    return {nodeid.split("::", 1)[1]: finishes[0] for nodeid, finishes in found.items()}


def check(found, result):
    assert found.keys() == EXPECTED.keys(), (found.keys(), result)
    for case, (outcome, reason) in EXPECTED.items():
        assert found[case].outcome == outcome, (case, found[case], result)
        assert found[case].reason.endswith(reason), (case, found[case])


def test_every_way_to_end(txgate, outcomes, program):
    (txgate.cwd / "txgate.yaml").write_text(CONFIG)
    result = txgate.run("--dist", "each", "--timeout", "1", "--jsonl", "run.jsonl", program,
                        env={"PIDS": "pids"})
    assert result.code == 1, result
    check(by_case(outcomes(txgate.cwd / "run.jsonl")), result)
    # What a case wrote to either stream is with that case and in its stream.
    block = re.search(r"::bad/fails _*\n(.*?)to run just this", result.out, re.S).group(1)
    out, err = block.split("Captured stderr")
    assert "out of fails" in out and "err of fails" in err and "loud" not in block, block
    assert "err of segfaults" in result.out
    block = re.search(r"::bad/fails thrice _*\n(.*?)to run just this", result.out, re.S).group(1)
    assert all("cunit.c:%d: CU_" % line in block for line in (60, 61, 62)), block
    # One process while all goes well, and one behind those that ended in the middle.
    pids = (txgate.cwd / "pids").read_text().split()
    assert len(pids) == 4 and pids[0] == pids[1] and pids[2] == pids[3], pids


def test_dealt_to_four(txgate, outcomes, program):
    result = txgate.run("-n", "4", "--timeout", "1", "--jsonl", "run.jsonl", program,
                        env={"TXGATE_INPUT_IPADR": '10.0.0.1 "ä\\'})
    check(by_case(outcomes(txgate.cwd / "run.jsonl")), result)


def test_by_itself(one_line, tmp_path):
    """What it says is what the program says that nobody changed."""
    plain = compile_cunit(tmp_path / "plain_test")
    env = dict(os.environ, MANY="1000", BAD="fail")
    said = [subprocess.run([one], env=env, capture_output=True, timeout=60) for one in (one_line, plain)]
    assert re.search(rb"\n +tests +1000 +1000 +999 +1 +0\n", said[0].stdout), said
    assert [done.returncode for done in said] == [1, 1], said
    texts = [re.sub(rb"[\d.]+ seconds", b"", done.stdout) for done in said]
    assert texts[0] == texts[1]


def test_one_case_by_its_nodeid(txgate, outcomes, program):
    txgate.run("--jsonl", "run.jsonl", "%s::bad/pid" % program, "%s::good/once" % program)
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert {case: one.outcome for case, one in found.items()} == {"bad/pid": "passed",
                                                                 "good/once": "passed"}
    listed = txgate("list", program).out
    assert "::good/passes\n" in listed and "::broken/two\n" in listed, listed


def test_handlers_of_its_own(txgate, program):
    result = txgate.run("-k", "fails and not thrice and not twice", program, env={"HOW": "all"})
    assert "handler: bad/fails" in result.out, result
    result = txgate.run("-k", "fails and not thrice and not twice", program,
                        env={"HOW": "automated"})
    assert "1 failed" in result.out and "handler" not in result.out, result


@pytest.mark.parametrize("env, text", [
    ({"HOW": "none"}, "it ended before it had listed its cases"),
    ({"NO_REGISTRY": "1"}, "CUnit's registry is not initialized"),
])
def test_listing_that_fails(txgate, program, env, text):
    result = txgate.run(program, env=env)
    assert result.code == 1 and text in result.out, result


@pytest.mark.parametrize("how, text", [
    ("1", "ways_test: the cleanup of the suite 'good' failed"),
    ("abort", "ways_test: it ended badly when its cases were done: signal 6 (Aborted)"),
])
def test_cleanup_that_fails(txgate, program, how, text):
    result = txgate.run(program.name + "::good/pid", program.name + "::good/once",
                        env={"CLEANUP": how}, cwd=program.parent)
    assert result.code == 1 and text in result.out, result
    assert "2 passed, 1 collection error" in result.out, result


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


def test_a_crash_costs_little(txgate, program, sanitized):
    if sanitized:
        pytest.skip("a build with sanitizers has no times of its own")
    best = {}
    for bad in ["", "segfault", "abort", "exit"] * 3:
        begun = time.monotonic()
        txgate.run("-q", "--tb=no", program, env={"BAD": bad, "MANY": "1000"} if bad
                   else {"MANY": "1000"})
        best[bad] = min(best.get(bad, 99), time.monotonic() - begun)
    # 1.5 is what `make bench` holds it to; here other tests share the machine.
    assert max(best.values()) < 2 * best[""] + 0.05, best


def test_many_cases_are_quick(txgate, program, sanitized):
    if sanitized:
        pytest.skip("a build with sanitizers has no times of its own")
    begun = time.monotonic()
    result = txgate.run("-q", "-n", "2", program, env={"MANY": "20000"})
    assert result.code == 0 and "20000 passed" in result.out, result
    assert time.monotonic() - begun < 10, result
