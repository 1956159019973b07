"""Cases of GLib's test framework: each one by itself."""

import re
import shlex
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def all_ways(tmp_path_factory):
    from conftest import SRCDIR
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0"], capture_output=True,
                           text=True) if shutil.which("pkg-config") else None
    if not flags or flags.returncode != 0:
        pytest.skip("no libglib2.0-dev here")
    target = tmp_path_factory.mktemp("glib") / "ways_test"
    subprocess.run(["cc", "-O0", "-o", target, SRCDIR / "tests/integration/cases/glib.c",
                    *shlex.split(flags.stdout)], check=True, timeout=120)
    return target


def by_case(found):
    assert all(len(finishes) == 1 for finishes in found.values()), found
    return {nodeid.split("::", 1)[1]: finishes[0] for nodeid, finishes in found.items()}


EXPECTED = {
    "/good/passes": ("passed", ""),
    "/good/passes/below": ("skipped", "no hardware"),
    "/good/passes2": ("passed", ""),
    "/good/incomplete": ("xfailed", "later"),
    "/good/traps": ("passed", ""),
    "/bad/fails": ("failed", "failed"),
    "/bad/asserts": ("failed", "glib.c:31:asserts: assertion failed (1 == 2): (1 == 2)"),
    "/bad/warns": ("failed", "FATAL-WARNING: this is fatal"),
    "/bad/exits": ("crashed", "its program ended in the middle of it, exit status 0"),
    "/bad/segfaults": ("crashed", "signal 11 (Segmentation fault)"),
    "/bad/hangs": ("timed out", "no end after 1 s"),
    "/last": ("passed", ""),
}


@pytest.mark.parametrize("tx, dist", [("popen", "load"), ("4*popen", "load"), ("popen", "each")])
def test_every_way_to_end(txgate, outcomes, all_ways, tx, dist):
    result = txgate.run("--tx", tx, "--dist", dist, "--timeout", "1", "--jsonl", "run.jsonl", all_ways)
    assert result.code == 1, result
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    # A name that the seed is part of: the same in every process and on every gateway.
    (random,) = found.keys() - EXPECTED.keys()
    assert random.startswith("/random/seed:") and found.pop(random).outcome == "passed", found
    assert found.keys() == EXPECTED.keys(), result
    for case, (outcome, reason) in EXPECTED.items():
        assert found[case].outcome == outcome, (case, found[case], result)
        assert found[case].reason.endswith(reason), (case, found[case])
    block = re.search(r"::/bad/fails _*\n(.*?)to run just this", result.out, re.S).group(1)
    assert "said by fails" in block and "said by passes" not in block, result


def own_verdicts(program, paths):
    """{case: outcome} from the program's own TAP, one process for each case."""
    found = {}
    for path in paths:
        done = subprocess.run([program, "--tap", "-k", "-p", path, "-s", path + "/below"],
                              capture_output=True, text=True, timeout=60)
        point = re.search(r"^(not )?ok \d+ %s(?: - .*?)?(?: # (SKIP|TODO).*)?$" % re.escape(path),
                          done.stdout, re.M)
        if not point:
            found[path] = "failed" if "Bail out!" in done.stdout else "crashed"
        elif point.group(2):
            found[path] = {"SKIP": "skipped", "TODO": "xfailed"}[point.group(2)]
        else:
            found[path] = "failed" if point.group(1) else "passed"
    return found


def test_as_glib_says_itself(txgate, outcomes, all_ways):
    paths = [p for p in EXPECTED if p != "/bad/hangs"]
    txgate.run("--jsonl", "run.jsonl", *["%s::%s" % (all_ways, p) for p in paths])
    found = by_case(outcomes(txgate.cwd / "run.jsonl"))
    assert {case: one.outcome for case, one in found.items()} == own_verdicts(all_ways, paths)


def test_a_suite_by_its_path(txgate, outcomes, all_ways):
    result = txgate.run("--jsonl", "run.jsonl", "%s::/good/passes" % all_ways)
    assert result.code == 0, result
    assert sorted(by_case(outcomes(txgate.cwd / "run.jsonl"))) == ["/good/passes",
                                                                   "/good/passes/below"], result


def test_exec_where_that_is_said(txgate, all_ways):
    result = txgate.run("--harness", "exec", "-q", all_ways, "--", "-p", "/last")
    assert result.code == 0 and "1 passed" in result.out, result


def test_what_cases_write_is_seen_live(txgate, all_ways):
    """-s: what they write and not what their framework says of them."""
    r = txgate.run("-s", "--tb", "no", "-n", "1", "-k", "passes or fails", all_ways)
    assert "[gw0] said by fails\n" in r.out, r
    assert not re.search(r"^\[gw0\] (not )?ok |^\[gw0\] 1\.\.", r.out, re.M), r
