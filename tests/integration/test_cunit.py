"""Tests of CUnit as cases: a program changed in one line, and one that nobody changed."""

import os
import re
import subprocess
import time

import pytest

import harness_sources


CASES = "tests/integration/cases/cunit.c"


def compile_cunit(target, one_line=False, flags=("-lcunit",), source=None):
    from conftest import BUILDDIR, SRCDIR
    if not (BUILDDIR / "src/harness/libtxgate-cunit.a").exists():
        pytest.skip("no libcunit1-dev here")
    words = ["-DONE_LINE", *harness_sources.cunit(SRCDIR)] if one_line else []
    subprocess.run([os.environ.get("CC") or "cc", "-Wall", "-o", target, source or SRCDIR / CASES,
                    *words, *flags], check=True, timeout=120)
    return target


@pytest.fixture(scope="session")
def one_line(tmp_path_factory):
    return compile_cunit(tmp_path_factory.mktemp("cunit") / "ways_test", True)


@pytest.fixture(scope="session")
def unchanged(tmp_path_factory):
    return compile_cunit(tmp_path_factory.mktemp("cunit") / "ways_test")


@pytest.fixture(params=["one_line", "unchanged"])
def program(request):
    return request.getfixturevalue(request.param)


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
    "bad/preloaded": ("passed", ""),
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


def test_by_itself(one_line, unchanged):
    """What it says is what the program says that nobody changed."""
    env = dict(os.environ, MANY="1000", BAD="fail")
    said = [subprocess.run([one], env=env, capture_output=True, timeout=60) for one in (one_line, unchanged)]
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
    result = txgate.run("--dist", "load", program.name + "::good/pid", program.name + "::good/once",
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
    # Adding that many is what takes CUnit most of the time: it compares each name with all others.
    result = txgate.run("-q", "-n", "2", program, env={"MANY": "10000"})
    assert result.code == 0 and "10000 passed" in result.out, result
    assert time.monotonic() - begun < 10, result


def test_over_a_shell(txgate, outcomes, unchanged):
    """On a host that txgate takes its worker to, what is preloaded comes with the program."""
    (txgate.cwd / "ways_test").write_bytes(unchanged.read_bytes())
    (txgate.cwd / "ways_test").chmod(0o755)
    for chdir in ["", "//chdir=%s/there" % txgate.cwd]:
        result = txgate.run("--tx", "exec=env//input:ipadr=10.0.0.1" + chdir, "--jsonl", "run.jsonl",
                            "--dist", "load", "-k", "pid or once or fatal", "ways_test")
        found = by_case(outcomes(txgate.cwd / "run.jsonl"))
        assert {case: one.outcome for case, one in found.items()} == {
            "good/pid": "passed", "good/once": "passed", "bad/fatal": "failed",
            "bad/pid": "passed"}, result
    # No CUnit program, no library.
    assert (txgate.cwd / "there/.txgate-preload.so").exists()
    result = txgate.run("--tx", "exec=env//chdir=%s/none" % txgate.cwd, "--harness", "exec",
                        "-k", "x", "ways_test")
    assert (txgate.cwd / "none/ways_test").exists(), result
    assert not (txgate.cwd / "none/.txgate-preload.so").exists(), result


def test_a_script_that_starts_it(txgate, script, unchanged, outcomes):
    script("wrapper", "echo preparing; exec %s\n" % unchanged)
    result = txgate.run("--harness", "cunit", "--jsonl", "run.jsonl", "wrapper::good/once",
                        "wrapper::bad/fatal")
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert {case: one.outcome for case, one in found.items()} == {
        "good/once": "passed", "bad/fatal": "failed"}, result


def test_linked_statically(txgate, tmp_path):
    program = compile_cunit(tmp_path / "static_test", flags=["-Wl,-Bstatic", "-lcunit", "-Wl,-Bdynamic"])
    result = txgate.run("--harness", "cunit", program)
    assert result.code == 1, result
    assert "static_test: it is not linked with libcunit.so" in result.out, result
    assert "run it with harness exec, or link it with libtxgate-cunit" in result.out, result
    result = txgate.run(program, "-k", "static", env={"HOW": "none"})
    assert result.code == 0 and "1 passed" in result.out, result


def test_linked_with_the_library_and_named_cunit(txgate, one_line):
    result = txgate.run("--harness", "cunit", "%s::good/once" % one_line)
    assert result.code == 0 and "1 passed" in result.out, result


def test_without_the_library(txgate, unchanged, builddir, tmp_path):
    """auto takes the program for what its exit status says, cunit says what is missing."""
    (tmp_path / "bin").mkdir()
    for name in ["txgate", "txgate-worker"]:
        (tmp_path / "bin" / name).write_bytes((builddir / name).read_bytes())
        (tmp_path / "bin" / name).chmod(0o755)
    txgate.path = tmp_path / "bin/txgate"
    result = txgate.run("--harness", "cunit", unchanged)
    assert result.code == 1, result
    assert "no txgate-preload.so is beside this txgate-worker" in result.out, result
    result = txgate.run(unchanged, env={"HOW": "none"})
    assert result.code == 0 and "1 passed" in result.out, result


SINGLY = """
#include <CUnit/Basic.h>
static void passes(void) {}
int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("s", NULL, NULL);
    CU_add_test(suite, "passes", passes);
    CU_basic_run_suite(suite);
    if (CU_get_number_of_failures())
        CU_basic_run_tests();
    CU_cleanup_registry();
    return 0;
}
"""


def test_suites_run_one_by_one(txgate, tmp_path):
    """Such a program would run its tests where it is to list them."""
    (tmp_path / "singly.c").write_text(SINGLY)
    program = compile_cunit(tmp_path / "singly_test", source=tmp_path / "singly.c")
    result = txgate.run(program)
    assert result.code == 0 and "1 passed" in result.out and "::" not in result.out, result
    result = txgate.run("--harness", "cunit", program)
    assert result.code == 1 and "it runs its suites or tests one by one" in result.out, result


def test_other_libraries_stay(txgate, unchanged, tmp_path):
    """What the user preloads stays, for the program and for what it starts."""
    (tmp_path / "other.c").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n"
        "__attribute__((constructor)) static void here(void)\n"
        "{ const char *p = getenv(\"MARK\"); FILE *f = p ? fopen(p, \"a\") : NULL;\n"
        "  if (f) { fputs(getenv(\"LD_PRELOAD\"), f); fputc('\\n', f); fclose(f); } }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "other.so", tmp_path / "other.c"],
                   check=True, timeout=60)
    result = txgate.run("--tx", "popen//env:LD_PRELOAD=%s/other.so//env:MARK=%s/mark" % (tmp_path, tmp_path),
                        "%s::bad/preloaded" % unchanged)
    assert result.code == 0 and "1 passed" in result.out, result
    said = (tmp_path / "mark").read_text().split()
    assert all(line.endswith("%s/other.so" % tmp_path) for line in said), said
    assert any(re.fullmatch("/proc/[0-9]+/fd/[0-9]+:.*", line) for line in said), said


def test_with_address_sanitizer(txgate, tmp_path, sanitized):
    """As a shared library it insists on being the first of all."""
    if sanitized or subprocess.run(["gcc", "-fsanitize=address", "-xc", "-", "-o", tmp_path / "x"],
                                   input=b"int main(void) { return 0; }").returncode:
        pytest.skip("no AddressSanitizer of gcc's here")
    from conftest import SRCDIR
    subprocess.run(["gcc", "-fsanitize=address", "-o", tmp_path / "asan_test", SRCDIR / CASES,
                    "-lcunit"], check=True, timeout=120)
    result = txgate.run("%s/asan_test::good/once" % tmp_path, "%s/asan_test::bad/fatal" % tmp_path)
    assert result.code == 1 and "1 failed, 1 passed" in result.out, result
