"""Programs that misbehave: each gets its own outcome and reason, and nothing else is harmed.

tests/integration/programs/expected.txt has a line per program: name, outcome, and a part of the
reason, separated by tabs.
"""

import os

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
