"""Programs that misbehave: each gets its own outcome and reason, and nothing else is harmed.

tests/integration/programs/expected.txt has a line per program: name, outcome, and a part of the
reason, separated by tabs.
"""

import json
import os
import re

import pytest

from conftest import BUILDDIR, SRCDIR

FOLDER = "tests/integration/programs"
MEMORY = 64 << 20


def expected():
    path = SRCDIR / FOLDER / "expected.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {row[0]: (row[1], row[2] if len(row) > 2 else "") for row in rows}


EXPECTED = expected()


def path_of(name):
    built = BUILDDIR / FOLDER / name
    return built if built.exists() else SRCDIR / FOLDER / name


@pytest.fixture
def suite(tmp_path):
    """The programs under their own names, with a well-behaved one before and after each."""
    names = []
    for i, name in enumerate(sorted(EXPECTED)):
        (tmp_path / name).symlink_to(path_of(name))
        (tmp_path / ("good%02d" % i)).symlink_to("/bin/true")
        names += ["good%02d" % i, name]
    return names


def check_memory(result, sanitized):
    if not sanitized:
        over = {k: v >> 20 for k, v in result.memory.items() if v >= MEMORY}
        assert not over, "MiB: %s" % over
        assert any(name == "txgate" for _, name in result.memory), result.memory


def test_all_together(txgate, suite, tmp_path, outcomes, sanitized):
    if not suite:
        pytest.skip("no programs in %s" % FOLDER)
    result = txgate.run("--tx", "2*popen", "--dist", "load", "--timeout", "2s", "--jsonl", "events",
                        "--junitxml", "junit.xml", *suite, timeout=120, watch_memory=True)
    assert result.code == 1, result
    found = outcomes(tmp_path / "events")
    wrong = []
    for name in suite:
        outcome, reason = EXPECTED.get(name, ("passed", ""))
        ends = found.get(name, [])
        if len(ends) != 1 or ends[0].outcome != outcome or reason not in ends[0].reason:
            wrong.append((name, "wanted", outcome, reason, "got", ends))
    assert not wrong, "%s\n%r" % (wrong, result)
    check_memory(result, sanitized)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_alone(name, txgate, tmp_path, outcomes):
    """The same outcome when it is the only test, and the run ends."""
    (tmp_path / name).symlink_to(path_of(name))
    result = txgate.run("--tx", "popen", "--timeout", "2s", "--jsonl", "events", name)
    outcome, reason = EXPECTED[name]
    (end,) = outcomes(tmp_path / "events")[name]
    assert end.outcome == outcome and reason in end.reason, result


def test_much_output(txgate, script, tmp_path, outcomes, sanitized):
    """20 tests that print 200 MB each and fail: the report has head and tail, memory stays."""
    total = (2 if sanitized else 200) * 1000 * 1000
    names = [script("loud%02d" % i, "echo first line\nhead -c %d /dev/zero | tr '\\0' x\n"
                    "echo; echo last line\nexit 1\n" % total) for i in range(20)]
    result = txgate.run("--tx", "2*popen", "--jsonl", "events", "--junitxml", "junit.xml", *names,
                        timeout=180, watch_memory=True)
    assert result.code == 1, result.err
    found = outcomes(tmp_path / "events")
    assert {n: [e.outcome for e in ends] for n, ends in found.items()} == {
        n: ["failed"] for n in names}
    assert os.path.getsize(tmp_path / "junit.xml") < 20 * (5 << 20)
    text = (tmp_path / "junit.xml").read_text()
    assert text.count("first line") == 20 and text.count("last line") == 20
    check_memory(result, sanitized)


def test_what_a_hung_test_did(txgate, script, tmp_path):
    """Each process of its session is told of before it is killed, in every report; but not all of a
    crowd."""
    script("hangs", "echo hello >&2; sleep 100 & cat /dev/zero >/dev/null &\n"
                    "kill -STOP $!; exec 3<>fifo; read x <&3\n")
    os.mkfifo(tmp_path / "fifo")
    result = txgate.run("--timeout", "1", "--junitxml", "xml", "--jsonl", "events", "hangs")
    lines = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    told = "".join(e["text"] for e in lines if e["event"] == "test_output")
    for text in (told, result.out, (tmp_path / "xml").read_text()):
        shown = text[text.index("what its processes do:"):]
        assert re.search(r"^  [0-9]+ hangs: S \(sleeping\)", shown, re.M), text
        assert re.search(r"^  [0-9]+ sleep: S \(sleeping\) in .*nanosleep", shown, re.M), text
        assert re.search(r"^  [0-9]+ (cat|hangs): T \(stopped\)", shown, re.M), text
    assert told.startswith("hello\n"), told
    script("crowd", "for i in $(seq 60); do sleep 100 & done; wait\n")
    out = txgate.run("--timeout", "1", "crowd").out
    assert len(re.findall(r"^  [0-9]+ (?:sleep|crowd): ", out, re.M)) == 24, out
    assert "  ... and more\n" in out, out


def test_nobody_is_asked_who_ends_in_time(txgate, script):
    script("fails", "echo hello >&2; exit 1\n")
    assert "what its processes do" not in txgate.run("--timeout", "5", "fails").out
