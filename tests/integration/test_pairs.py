"""harness: {list, run} of txgate.yaml: frameworks of one's own, by two commands."""

import re
import sys

import pytest

# A framework as people write one: functions called test_*, and a word to choose one.
FRAMEWORK = r"""
case $1 in
--list) sed -n 's/^\(test_[a-z_]*\)().*/\1/p' "$0" ;;
--run) "$2" ;;
esac
"""
SHELL = """
test_passes() { [ "$TXGATE_INPUT_IPADR" = 10.0.0.1 ]; }
test_fails() { echo "the bus is silent" >&2; return 3; }
test_skips() { exit 77; }
test_cannot() { exit 99; }
test_dies() { kill -SEGV $$; }
test_hangs() { sleep 100; }
. ./framework.sh
"""
CONFIG = """
devices: [{ipadr: 10.0.0.1}]
suites:
  - files: "tests/*_test.sh"
    timeout: 1s
    harness:
      list: [sh, '{file}', --list]
      run: [sh, '{file}', --run, '{case}']
"""


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "txgate.yaml").write_text(CONFIG)
    (tmp_path / "framework.sh").write_text(FRAMEWORK)
    (tmp_path / "tests/bus_test.sh").write_text(SHELL)  # not executable: sh is
    return tmp_path


def said(found):
    return {name.partition("::")[2]: runs[0].outcome for name, runs in found.items()}


OUTCOMES = {"test_passes": "passed", "test_fails": "failed", "test_skips": "skipped",
            "test_cannot": "error", "test_dies": "crashed", "test_hangs": "timed out"}


def test_every_outcome(txgate, lab, outcomes):
    result = txgate.run("--jsonl", "events")
    found = outcomes(lab / "events")
    assert result.code == 1 and said(found) == OUTCOMES, result
    assert set(found) == {"tests/bus_test.sh::" + name for name in OUTCOMES}
    assert re.search(r"bus_test.sh::test_fails _.*?the bus is silent\n", result.out, re.S), result
    failed = found["tests/bus_test.sh::test_fails"][0]
    assert failed.reason == "exit status 3", failed


def test_cases_are_chosen(txgate, lab, outcomes):
    def run(*args):
        result = txgate.run("--jsonl", "events", *args)
        return result, set(said(outcomes(lab / "events")))

    assert run("-k", "passes or skips")[1] == {"test_passes", "test_skips"}
    result, names = run("tests/bus_test.sh::test_passes")
    assert names == {"test_passes"} and result.code == 0, result
    assert run("-k", "not hangs")[1] == set(OUTCOMES) - {"test_hangs"}
    assert run("--lf")[1] == {"test_fails", "test_cannot", "test_dies"}
    result, _ = run("tests/bus_test.sh::test_pases")
    assert result.code != 0 and "no case 'test_pases'" in result.out, result


LISTER = """
import sys, unittest
sys.path.insert(0, '.')
module = sys.argv[1].rpartition('/')[2][:-3]
for suite in unittest.defaultTestLoader.loadTestsFromName(module):
    for case in suite: print(case.id())
"""


def test_python_s_unittest(txgate, tmp_path, outcomes):
    """A framework that lists by a few lines of Python; the program that runs it is found in PATH."""
    (tmp_path / "test_sums.py").write_text(
        "import unittest\n"
        "class Sums(unittest.TestCase):\n"
        "    def test_two(self): self.assertEqual(1 + 1, 2)\n"
        "    def test_three(self): self.assertEqual(1 + 1, 3)\n")
    (tmp_path / "list.py").write_text(LISTER)
    (tmp_path / "txgate.yaml").write_text(
        "suites: [{files: test_*.py, harness: {list: [%s, list.py, '{file}'],"
        " run: [python3, -m, unittest, '{case}']}}]\n" % sys.executable)
    result = txgate.run("--jsonl", "events", "--tx", "2*popen")
    assert said(outcomes(tmp_path / "events")) == {
        "test_sums.Sums.test_two": "passed", "test_sums.Sums.test_three": "failed"}, result
    assert "AssertionError: 2 != 3" in result.out, result


def test_hostile_names(txgate, tmp_path, outcomes):
    """No shell sees them, and what looks like {file} in a name is left alone."""
    names = ["-dash", "two  blanks ", "\xfcnicode", "$(touch gone)", "{file}", "a\tb", "%s", "a::b", "x" * 9000]
    (tmp_path / "names").write_text("\n\n" + "\r\n".join(names))
    (tmp_path / "run").write_text('#!/bin/sh\nprintf "%s\\n" "$1" "${2##*/}" >>ran\n')
    (tmp_path / "run").chmod(0o755)
    (tmp_path / "txgate.yaml").write_text(
        "suites: [{files: names, harness: {list: [cat, '{file}'], run: [./run, 'x{case}', '{file}']}}]\n")
    result = txgate.run("--jsonl", "events", "--dist", "load", "--tx", "popen")
    assert result.code == 0 and "%d passed" % len(names) in result.out, result
    ran = (tmp_path / "ran").read_text().split("\n")
    assert ran[0:-1:2] == ["x" + n for n in names] and set(ran[1:-1:2]) == {"names"}, ran
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("listing, words", [
    ("exit 3", "its cases could not be listed with `"),
    ("echo no device >&2; exit 1", "sh ...`: exit status 1: no device"),
    ("kill -9 $$", "sh ...`: signal 9"),
    ("exit 0", "no tests ran"),
    ("printf 'a\\000b\\n'", "a NUL byte is among its names"),
    ("echo a; echo b; echo a", "two cases are called a"),
    ("yes | head -c 20000000", "more than 4000000 names"),
    ("yes | head -c 1000000", "two cases are called y"),
    ("seq 1000; seq 1000", "and 990 further names stand there twice"),
    ("head -c 1200000 /dev/zero | tr '\\0' n", "a case's name of 1200000 bytes, at most 131071 can be: nn"),
])
def test_listings_that_are_none(txgate, tmp_path, listing, words):
    (tmp_path / "a_test").write_text(listing + "\n")
    (tmp_path / "txgate.yaml").write_text(
        "suites: [{files: a_test, harness: {list: [sh, '{file}'], run: ['true', '{case}']}}]\n")
    result = txgate.run("--tx", "popen")
    assert result.code != 0 and words in result.out, result
    assert len(result.out) < 4000 and "node down" not in result.out, result


def test_programs_that_are_not_there(txgate, tmp_path):
    (tmp_path / "a").write_text("one\n")
    config = "suites: [{files: a, harness: {list: [%s, '{file}'], run: [%s, '{case}']}}]\n"
    for listing, run, words in (("no-such-lister", "'true'", "no-such-lister"), ("cat", "./no-runner", "no-runner")):
        (tmp_path / "txgate.yaml").write_text(config % (listing, run))
        result = txgate.run("--tx", "popen")
        assert result.code != 0 and words in result.out and "No such file" in result.out, result


def test_over_ssh(txgate, over, server, lab, outcomes):
    """The files travel, and what they read beside themselves with sync."""
    (lab / "lib").mkdir()
    (lab / "framework.sh").rename(lab / "lib/framework.sh")
    (lab / "tests/bus_test.sh").write_text(SHELL.replace("./framework", "./lib/framework"))
    with open(lab / "txgate.yaml", "a") as f:
        f.write("sync: [lib]\n")
    result = over("run", "--tx", server.spec, "--jsonl", "events")
    assert said(outcomes(lab / "events")) == OUTCOMES, result
