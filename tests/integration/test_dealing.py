"""Whom the session deals what, step by step, as pytest-xdist's own schedulers deal it."""

import subprocess

import pytest

import venvs


def test_dealing_equals_xdist(builddir, srcdir):
    deal = builddir / "tests/sim/deal"
    if not deal.exists():
        pytest.skip("tests/sim/deal is not built: make check builds it")
    try:
        python = venvs.bin_folder("current", builddir) / "python"
    except venvs.Unavailable as error:
        pytest.skip("no pytest-xdist here: %s" % error)
    done = subprocess.run([str(python), str(srcdir / "tests/sim/differ.py"), str(deal), "1000"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("1000 scripts"), done.stdout
    print(done.stdout)
