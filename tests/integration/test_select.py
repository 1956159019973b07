"""-k: what is selected runs, the rest is counted."""

import pytest


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
