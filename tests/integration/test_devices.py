"""The device example: one suite, three devices, each gateway told which is its own."""

import re
import shutil
import subprocess

import pytest

ADDRESSES = ["192.168.1.2", "192.168.1.3", "192.168.1.4"]


def run(txgate, devices, *args, seconds="0.3", **env):
    return txgate.run("-q", "--tb=line", *args, *devices, env=dict(env, EXAMPLE_SECONDS=seconds))


def named(result):
    """How often each device was named by a failing test."""
    lines = result.out.splitlines()
    return [sum("device %s: " % a in line for line in lines) for a in ADDRESSES]


def test_each_runs_all_on_every_device(txgate, devices):
    result = run(txgate, devices, "--tx", "3*popen", "--dist", "each")
    assert result.code == 1, result
    assert named(result) == [3, 3, 3], result
    assert re.search(r"\b9 failed\b", result.out), result


def test_load_runs_each_test_once(txgate, devices):
    result = run(txgate, devices, "--tx", "3*popen", "--dist", "load")
    assert result.code == 1, result
    assert named(result) == [1, 1, 1], result
    assert re.search(r"\b3 failed\b", result.out), result


def test_one_process_takes_the_first_device(txgate, devices):
    result = run(txgate, devices, "--tx", "popen")
    assert result.code == 1, result
    assert named(result) == [3, 0, 0], result


def test_passing_form(txgate, devices):
    result = run(txgate, devices, "--tx", "3*popen", "--dist", "each", EXAMPLE_ANSWER="yes")
    assert result.code == 0, result
    assert re.search(r"\b9 passed\b", result.out), result


@pytest.mark.parametrize("mode, name", [("each", "EachScheduling"), ("load", "LoadScheduling")])
def test_announces_gateways_as_xdist_does(txgate, devices, mode, name):
    result = txgate.run("--tx", "3*popen", "--dist", mode, *devices,
                        env={"EXAMPLE_SECONDS": "0.1"})
    assert "gw0 I / gw1 I / gw2 I" in result.out, result
    assert "gw0 [3] / gw1 [3] / gw2 [3]" in result.out, result
    assert "scheduling tests via " + name in result.out, result


def test_fewer_devices_than_gateways(txgate, devices):
    result = run(txgate, devices, "--tx", "4*popen", "--dist", "each")
    assert result.code == 4, result
    assert re.search(r"\b3\b", result.err) and re.search(r"\b4\b", result.err), result


def test_takes_as_long_as_its_tests(txgate, devices, sanitized):
    if sanitized:
        pytest.skip("a build with sanitizers has no times of its own")
    each = run(txgate, devices, "--tx", "3*popen", "--dist", "each", seconds="0.5")
    load = run(txgate, devices, "--tx", "3*popen", "--dist", "load", seconds="0.5")
    # `make bench` measures this closely; here other tests share the machine.
    assert 1.5 <= each.seconds < 2.3, each
    assert 0.5 <= load.seconds < 1.3, load


def gtest_form(srcdir, folder):
    if not shutil.which("g++"):
        pytest.skip("no g++ here")
    done = subprocess.run(["g++", "-o", folder / "devices_gtest",
                           srcdir / "examples/devices/devices_gtest.cc", "-lgtest", "-lgtest_main",
                           "-pthread"], capture_output=True, text=True, timeout=300)
    if done.returncode != 0 and "gtest/gtest.h" in done.stderr:
        pytest.skip("no libgtest-dev here")
    assert done.returncode == 0, done.stderr
    return "devices_gtest"


def harness_form(builddir, folder):
    (folder / "devices_harness").symlink_to(builddir / "examples/devices/devices_harness")
    return "devices_harness"


def cunit_form(srcdir, folder, target):
    shutil.copytree(srcdir / "examples/devices", folder / "examples")
    done = subprocess.run(["make", "-C", folder / "examples", target,
                           "HARNESS=%s" % (srcdir / "src/harness")],
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0 and "CUnit/Basic.h: No such file" in done.stderr:
        pytest.skip("no libcunit1-dev here")
    assert done.returncode == 0, done.stderr
    return "examples/" + target


@pytest.mark.parametrize("form", ["gtest", "harness", "cunit_line", "cunit"])
def test_as_cases_of_one_program(txgate, devices, builddir, srcdir, form):
    folder = txgate.cwd
    if form == "gtest":
        name = gtest_form(srcdir, folder)
    elif form == "harness":
        name = harness_form(builddir, folder)
    else:
        name = cunit_form(srcdir, folder, "devices_" + form)
    for dist, counts, failed in [("each", [3, 3, 3], 9), ("load", [1, 1, 1], 3)]:
        result = run(txgate, [name], "--tx", "3*popen", "--dist", dist)
        assert result.code == 1 and named(result) == counts, result
        assert re.search(r"\b%d failed\b" % failed, result.out), result
    result = run(txgate, [name], "--tx", "3*popen", "--dist", "each", EXAMPLE_ANSWER="yes")
    assert result.code == 0 and re.search(r"\b9 passed\b", result.out), result
