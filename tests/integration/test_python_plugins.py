"""Plugins that expect their other half in pytest-xdist's controller, under txgate run."""

import re
import subprocess

import pytest
import venvs

MODULE = """
def first():
    return 1
def second():
    return 2
"""
TESTS = """
import pathlib, random
import module, pytest

def note(word):
    with open("log", "a") as log:
        log.write(word + "\\n")

def test_first():
    assert module.first() == 1
    note("random %s" % random.random())

def test_second():
    assert module.second() == 2
    note("random %s" % random.random())

@pytest.mark.flaky(reruns=2)
def test_comes_round(worker_id):
    note("try of %s" % worker_id)
    assert pathlib.Path("log").read_text().count("try of %s\\n" % worker_id) > 1
"""


@pytest.fixture
def python(tmp_path, builddir):
    """An interpreter with these plugins; tests of them in tmp_path, which ask for all."""
    try:
        folder = venvs.bin_folder("plugins", builddir)
    except venvs.Unavailable as e:
        pytest.skip("no released plugins here: %s" % e)
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n"
                                         "addopts = --cov=module --cov-report=term -n 2\n")
    return folder / "python"


def test_plugins_find_what_they_expect(txgate, tmp_path, python):
    result = txgate.run("--tx", "2*popen//python=%s" % python, "--dist", "each", "test_it.py")
    log = (tmp_path / "log").read_text().split("\n")
    assert result.code == 0 and "6 passed, 2 warnings" in result.out, result
    assert sorted(line for line in log if line.startswith("try")) == sorted(
        ["try of gw0", "try of gw1"] * 2), log
    drawn = [line for line in log if line.startswith("random")]
    assert len(drawn) == 4 and len(set(drawn)) == len(drawn) / 2, drawn  # one seed for both

    report = subprocess.run("%s -m coverage combine -q && %s -m coverage report" % (python, python),
                            shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert re.search(r"^module.py +4 +0 +100%$", report.stdout, re.M), report


def test_a_seed_can_be_given_again(txgate, tmp_path, python):
    args = ["--tx", "popen//python=%s" % python, "-k", "first", "test_it.py", "--", "--no-cov"]
    seed = re.search(r"--randomly-seed=(\d+)", txgate.run(*args).out)[1]
    assert "--randomly-seed=%s\n" % seed in txgate.run(*args, "--randomly-seed=" + seed).out
    once, again = (tmp_path / "log").read_text().split("\n")[:2]
    assert once == again, (once, again)
