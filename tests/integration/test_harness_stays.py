"""A harness lists and goes on in the same process, and shares memory with its worker: what it may do
to both, and what comes of it."""

import os
import resource
import signal
import subprocess
import time

import pytest

import harness_sources

SCRIPT = """
[ -n "$TXGATE_HARNESS" ] || exit 99
tab=$(printf '\\t')
while IFS=$tab read -r word name rest <&3; do
    case $word in
    hello) HELLO;;
    list) LIST;;
    run) RUN;;
    esac
done
"""
HELLO = "printf 'ready\\t1\\n' >&4"
LIST = "printf 'case\\tone\\ncase\\ttwo\\nlisted\\n' >&4"
RUN = "printf 'result\\t%s\\tpassed\\n' \"$name\" >&4"


def text_of(hello=HELLO, listing=LIST, run=RUN):
    return SCRIPT.replace("HELLO", hello).replace("LIST", listing).replace("RUN", run)


@pytest.fixture(scope="session")
def strays(tmp_path_factory):
    from conftest import SRCDIR
    target = tmp_path_factory.mktemp("strays") / "strays_test"
    subprocess.run([os.environ.get("CC") or "cc", "-Wall", "-o", target,
                    SRCDIR / "tests/integration/cases/strays.c",
                    *harness_sources.harness(SRCDIR)], check=True, timeout=120)
    return target


def test_a_case_that_is_not_there(txgate, strays):
    result = txgate.run("strays_test::nothing", cwd=strays.parent)
    assert result.code == 1 and "it has no case 'nothing'" in result.out, result
    assert "node down" not in result.out, result


def test_a_test_that_forks_and_comes_back_twice(txgate, outcomes, strays):
    """Who of the two is heard first is a matter of microseconds, and what then runs is blamed; what ran
    before is not, and nobody waits for what one has hidden."""
    result = txgate.run("--dist", "load", "--jsonl", "run.jsonl", strays, env={"STRAY": "fork"})
    assert result.code == 1 and result.seconds < 10, result
    found = {name.split("::")[-1]: tries for name, tries in outcomes(txgate.cwd / "run.jsonl").items()}
    assert sorted(found) == ["first", "last", "lasts", "strays"], result
    assert found["first"][0].outcome == "passed", result


def test_a_test_that_closes_what_it_does_not_own(txgate, outcomes, strays):
    result = txgate.run("--jsonl", "run.jsonl", strays, env={"STRAY": "close"})
    found = {name.split("::")[-1]: tries[0].outcome
             for name, tries in outcomes(txgate.cwd / "run.jsonl").items()}
    assert found == {"first": "passed", "strays": "crashed", "lasts": "passed", "last": "passed"}, result


@pytest.mark.parametrize("parts, code, words", [
    ({"listing": "echo listed >&4; sleep 0.2; echo listed >&4"}, 5, "no tests ran"),
    ({"listing": LIST + "; sleep 0.2; exit 0"}, 0, "2 passed"),
    ({"listing": LIST + "; exit 0"}, 0, "2 passed"),
    ({"hello": "printf 'error\\tno device\\n' >&4; " + HELLO}, 1, "two_test: no device"),
    ({"hello": "printf 'ready\\t2\\n' >&4"}, 1, "its harness does not speak version 1"),
], ids=["lists twice", "ends in a while", "ends at once", "says an error", "another version"])
def test_what_a_program_does_when_it_lists(txgate, script, parts, code, words):
    script("two_test", text_of(**parts))
    result = txgate.run("--harness", "txgate", "two_test")
    assert result.code == code and words in result.out, result
    assert "node down" not in result.out, result


def test_ctrl_c_while_it_lists(txgate, script):
    script("slow_test", text_of(listing="touch lists; sleep 1; " + LIST))
    process = txgate.start("run", "--harness", "txgate", "slow_test")
    end = time.monotonic() + 10
    while not (txgate.cwd / "lists").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - begun < 5  # and not the 10 s that a gateway has to end


def test_memory_that_a_harness_makes_smaller(txgate, script):
    script("small_test", text_of(
        run="python3 -c 'import os; os.ftruncate(5, 0)' 2>refused; " + RUN))
    result = txgate.run("--harness", "txgate", "small_test")
    assert result.code == 0 and "2 passed" in result.out, result
    assert "not permitted" in (txgate.cwd / "refused").read_text(), result


def test_a_user_whose_files_must_be_small(txgate, strays):
    """There is no memory to share then, and the pipe does."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))  # noqa: E731
    result = txgate.run("-q", strays, preexec_fn=limit)
    assert result.code == 0 and "4 passed" in result.out, result
