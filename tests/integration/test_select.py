"""-k: what is selected runs, the rest is counted."""

import sys

import pytest

# A harness (docs/harness.md) of so many cases, named x and y by turns. The first fails.
MANY = r"""#!%s
import os
down, up = map(int, os.environ["TXGATE_HARNESS"].split(","))
up = os.fdopen(up, "w")
for line in os.fdopen(down):
    word, *fields = line[:-1].split("\t")
    if word == "hello":
        up.write("ready\t1\tahead\n")
    elif word == "list":
        up.writelines("case\t%%s%%d\n" %% ("xy"[i & 1], i) for i in range(%d))
        up.write("listed\n")
    elif word == "run":
        up.write("result\t%%s\t%%s\t1\n" %% (fields[0], "failed" if fields[0] == "x0" else "passed"))
    up.flush()
"""


@pytest.fixture
def suite(script):
    for name in ["alpha_test", "beta_test", "gamma_slow_test"]:
        script(name, "exit 0\n")
    return "."


@pytest.mark.parametrize("tx, dist, deselected", [("popen", "load", 2), ("2*popen", "load", 2),
                                                  ("2*popen", "each", 4),
                                                  ("popen", "loadfile", 2)])
def test_selects(txgate, outcomes, suite, tx, dist, deselected):
    result = txgate.run("--tx", tx, "--dist", dist, "-k", "not (ALPHA or slow)", "--jsonl",
                        "run.jsonl", suite)
    assert result.code == 0, result
    assert list(outcomes(txgate.cwd / "run.jsonl")) == ["beta_test"], result
    assert "gw0 [1]" in result.out and ", %d deselected in" % deselected in result.out, result


def test_all_deselected(txgate, suite):
    result = txgate.run("-k", "nothing", suite)
    assert result.code == 5 and "3 deselected" in result.out, result


def test_list(txgate, suite):
    result = txgate("list", "-k", "a and not slow", suite)
    assert result.code == 0 and result.out.split() == ["alpha_test", "beta_test"], result


def test_what_no_gateway_may_run_is_left_out_too(txgate, suite):
    (txgate.cwd / "txgate.yaml").write_text(
        "suites:\n  - {files: alpha_test, needs: [can]}\n  - {files: beta_test}\n")
    assert txgate.run().code == 6
    result = txgate.run("-k", "beta")
    assert result.code == 0 and "1 passed, 1 deselected" in result.out, result


def test_a_rerun_names_the_test_alone(txgate, script):
    script("bad_test", "exit 1\n")
    result = txgate.run("-k", "bad", "bad_test")
    assert "to run just this: txgate run bad_test\n" in result.out, result


@pytest.mark.parametrize("expression, message", [
    ("a and", "-k 'a and': column 6: expected 'not', '(' or a word, found the end"),
    ("a b", "-k 'a b': column 3: expected 'and', 'or' or the end, found 'b'"),
])
def test_a_wrong_expression_is_a_usage_error(txgate, suite, expression, message):
    result = txgate.run("-k", expression, suite)
    assert result.code == 4 and message in result.err, result


@pytest.mark.parametrize("dist", ["each", "worksteal"])
def test_every_second_of_very_many(txgate, dist):
    """More ranges than one message may have, to a worker and, with -x, back."""
    (txgate.cwd / "many").write_text(MANY % (sys.executable, 180000))
    (txgate.cwd / "many").chmod(0o755)
    (txgate.cwd / "txgate.yaml").write_text("suites: [{files: many, harness: txgate}]\n")
    result = txgate.run("--dist", dist, "-k", "x", "-q")
    assert result.code == 1, result.out[-1000:]
    assert "1 failed, 89999 passed, 90000 deselected" in result.out, result.out[-1000:]
    result = txgate.run("--dist", dist, "-k", "x", "-q", "-x")
    assert result.code == 2 and "node down" not in result.out, result.out[-1000:]
    assert " not run in" in result.out, result.out[-1000:]
