"""The command line as a user meets it: what runs, what is refused and in which words."""

import json
import re
import shlex
import signal
import subprocess
import time
import xml.etree.ElementTree as ET

import pytest


def script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + body + "\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def suite(tmp_path):
    script(tmp_path / "t" / "pass", "exit 0")
    script(tmp_path / "t" / "fail", "echo out-text; echo err-text >&2; exit 3")
    script(tmp_path / "t" / "skip", "exit 77")
    return tmp_path


def test_each_and_load_count_as_xdist_does(txgate, suite):
    each = txgate("run", "--tx", "2*popen", "--dist", "each", "-q", "t", cwd=suite)
    assert each.code == 1
    assert "2 failed, 2 passed, 2 skipped" in each.out
    load = txgate("run", "--tx", "2*popen", "--dist", "load", "-q", "t", cwd=suite)
    assert load.code == 1
    assert "1 failed, 1 passed, 1 skipped" in load.out


def test_gateways_are_announced_in_xdists_words(txgate, suite):
    r = txgate("run", "-n", "3", "--dist", "each", "t/pass", cwd=suite)
    assert r.code == 0
    assert "gw0 I / gw1 I / gw2 I" in r.out
    assert "gw0 [1] / gw1 [1] / gw2 [1]" in r.out
    assert "scheduling tests via EachScheduling" in r.out


def test_verbose_names_gateway_share_and_nodeid(txgate, suite):
    r = txgate("run", "-n", "1", "-v", "t/pass", cwd=suite)
    assert re.search(r"\[gw0\] \[100%\] PASSED t/pass", r.out)


def test_a_failure_tells_all_that_is_needed(txgate, suite):
    r = txgate("run", "-n", "1", "t/fail", cwd=suite)
    assert r.code == 1
    for words in ("t/fail", "gw0", "exit status 3", "out-text", "err-text", "txgate run -n 1"):
        assert words in r.out, words


def test_tb_line_is_one_line_for_each_failure(txgate, suite):
    r = txgate("run", "-n", "1", "-q", "--tb=line", "t/fail", cwd=suite)
    lines = [line for line in r.out.splitlines() if "err-text" in line]
    assert len(lines) == 1 and "t/fail" in lines[0] and "exit status 3" in lines[0]


def test_the_rerun_command_reruns_just_that_test(txgate, suite):
    r = txgate("run", "--tx", "popen//env:A=x y", "t", cwd=suite)
    line = next(l.strip() for l in r.out.splitlines() if "txgate run --tx" in l)
    command = line[line.index("txgate run") :]
    again = txgate(*shlex.split(command)[1:], cwd=suite)
    assert again.code == 1
    assert "1 failed in" in again.out


def test_workerinput_reaches_the_environment(txgate, tmp_path):
    script(
        tmp_path / "show",
        'echo "$TXGATE_INPUT_IPADR $PYTEST_XDIST_WORKER $PYTEST_XDIST_WORKER_COUNT '
        '$PYTEST_XDIST_TESTRUNUID $LC_X $(pwd)"; exit 1',
    )
    (tmp_path / "txgate.yaml").write_text("devices:\n  - {ipadr: 10.0.0.1}\n  - {ipadr: 10.0.0.2}\n")
    (tmp_path / "d").mkdir()
    r = txgate(
        "run", "--tx", "2*popen//env:LC_X=x y//chdir=d", "--dist", "each", "--testrunuid", "uid-1",
        "show", cwd=tmp_path,
    )
    assert f"10.0.0.1 gw0 2 uid-1 x y {tmp_path}/d" in r.out
    assert f"10.0.0.2 gw1 2 uid-1 x y {tmp_path}/d" in r.out


def test_input_of_a_spec_goes_over_the_fleets(txgate, tmp_path):
    script(tmp_path / "show", 'echo "<$TXGATE_INPUT_UART|$TXGATE_DEVICE>"; exit 1')
    (tmp_path / "fleet.yaml").write_text(
        "gateways:\n  - {id: imx6-a, tx: popen, labels: [imx6], workerinput: {uart: /dev/ttyUSB0}}\n"
        "  - {id: imx6-b, tx: popen, labels: [imx6], workerinput: {uart: /dev/ttyUSB1}}\n"
        "  - {id: other, tx: popen}\n"
    )
    r = txgate("run", "--fleet", "fleet.yaml", "--tx", "@imx6", "--dist", "each", "show", cwd=tmp_path)
    assert "</dev/ttyUSB0|imx6-a>" in r.out and "</dev/ttyUSB1|imx6-b>" in r.out
    assert "2 failed" in r.out


def test_arguments_of_test_programs(txgate, tmp_path):
    script(tmp_path / "args", 'echo "<$1><$2>"; exit 1')
    r = txgate("run", "-n", "1", "args", "--", "-x", "a b", cwd=tmp_path)
    assert "<-x><a b>" in r.out


def test_suites_of_txgate_yaml_run_without_files(txgate, tmp_path):
    script(tmp_path / "build" / "tests" / "a_test", "echo 1..1; echo ok 1 - fine")
    script(tmp_path / "build" / "tests" / "b_test", "echo 1..2; echo ok 1")
    (tmp_path / "txgate.yaml").write_text(
        'suites:\n  - files: "build/tests/*_test"\n    harness: tap\n'
    )
    (tmp_path / "sub").mkdir()
    r = txgate("run", "-n", "1", "-v", cwd=tmp_path / "sub")
    assert r.code == 1
    assert "PASSED build/tests/a_test" in r.out
    assert "ERROR build/tests/b_test" in r.out
    one = txgate("run", "-n", "1", "-v", "../build/tests/a_test", cwd=tmp_path / "sub")
    assert one.code == 0, one.out


def test_list_prints_nodeids(txgate, suite):
    r = txgate("list", "t", cwd=suite)
    assert r.code == 0
    assert r.out == "t/fail\nt/pass\nt/skip\n"


def test_a_full_disk_under_stdout_is_told_a_reader_who_left_is_not(txgate, suite):
    run = shlex.join([str(txgate.path), "run", "t/pass"])
    for stdout, code, words in [
        (">/dev/full", 3, "txgate run: stdout: write: No space left on device\n"),
        ("| true", 0, ""),
    ]:
        r = subprocess.run(
            ["bash", "-c", f"{run} {stdout}; exit ${{PIPESTATUS[0]}}"],
            cwd=suite, stderr=subprocess.PIPE, text=True, timeout=60,
        )
        assert (r.returncode, r.stderr) == (code, words)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_files_are_not_taken_for_closed_standard_descriptors(txgate, suite, outcomes, closed):
    run = shlex.join([str(txgate.path), "run", "--jsonl", "events", "t/pass"])
    r = subprocess.run(["bash", "-c", f"{run} {closed}"], cwd=suite, timeout=60)
    assert r.returncode == 0
    assert list(outcomes(suite / "events")) == ["t/pass"]


def test_junit_and_jsonl(txgate, suite):
    r = txgate("run", "-n", "2", "--junitxml", "r.xml", "--jsonl", "r.jsonl", "t", cwd=suite)
    assert r.code == 1
    root = ET.parse(suite / "r.xml").getroot()
    cases = list(root.iter("testcase"))
    assert len(cases) == 3
    assert len(list(root.iter("failure"))) == 1 and len(list(root.iter("skipped"))) == 1
    names = {p.get("name") for p in root.iter("property")}
    assert {"gateway", "spec"} <= names and "device" not in names
    events = [json.loads(line) for line in (suite / "r.jsonl").read_text().splitlines()]
    assert events[0]["event"] == "run_start" and events[-1]["event"] == "run_finish"
    assert sum(e["event"] == "test_finish" for e in events) == 3


def test_exitfirst_stops(txgate, tmp_path):
    for i in range(50):
        script(tmp_path / "t" / f"f{i:02}", "exit 1")
    r = txgate("run", "-n", "1", "-x", "t", cwd=tmp_path)
    assert r.code == 2
    assert "stopping after 1 failures" in r.out
    assert "1 failed, 49 not run" in r.out


USAGE = [
    (["run", "--dits", "each", "t"], "did you mean '--dist'?"),
    (["run", "--dist", "eech", "t"], "did you mean 'each'?"),
    (["run", "--tb=lnie", "t"], "did you mean 'line'?"),
    (["run", "--maxfail", "x", "t"], "--maxfail x: expected a whole number"),
    (["run", "--timeout", "5 parsecs", "t"], "expected a time"),
    (["run", "--tx"], "--tx needs a value"),
    (["run", "--quiet=3", "t"], "--quiet takes no value"),
    (["run", "-Z", "t"], "unknown option -Z"),
    (["run", "-qZ", "t"], "unknown option -Z"),
    (["run", "--verb", "t"], "did you mean '--verbose'?"),
    (["run", "--tx", "popne", "t"], "did you mean 'popen'?"),
    (["run", "--tx", "vagrant_ssh=board", "t"], "vagrant_ssh gateways are not built yet"),
    (["run", "--tx", "popen//popen", "t"], "duplicate"),
    (["run", "--tx", "@nobody", "t"], "nobody"),
    (["run", "-n", "many", "t"], "many"),
    (["run"], "nothing to run"),
    (["run", ""], "is no file"),
    (["run", "--config", "missing.yaml", "t"], "missing.yaml"),
    (["run", "--harness", "gtset", "t"], "gtset"),
    (["rnu"], "did you mean 'run'?"),
    ([], "usage: txgate"),
]


@pytest.mark.parametrize("argv,words", USAGE, ids=[" ".join(a) or "nothing" for a, _ in USAGE])
def test_usage_errors_end_with_4_before_anything_starts(txgate, suite, argv, words):
    r = txgate(*argv, cwd=suite)
    assert r.code == 4, r.out + r.err
    assert words in r.err, r.err
    assert r.out == ""


def test_arguments_of_tests_have_a_limit(txgate, suite):
    fits, too_many = 5 * ["a" * 100000], 6 * ["a" * 100000]
    assert txgate("run", "-n", "1", "t/pass", "--", *fits, cwd=suite).code == 0
    r = txgate("run", "-n", "1", "t/pass", "--", *too_many, cwd=suite)
    assert r.code == 4 and "the 6 arguments behind -- have 600018 bytes, at most 524288" in r.err, r.err


def test_a_missing_interpreter_is_an_error_of_the_test(txgate, script):
    (txgate.cwd / script("lost", "")).write_text("#!/no/such/interpreter\n")
    r = txgate("run", "-n", "1", "lost")
    assert r.code == 1 and "1 error" in r.out, r.out
    assert re.search(r"exec \S*/lost: No such file or directory", r.out), r.out


def test_a_missing_file_is_an_error_of_the_run(txgate, suite):
    r = txgate("run", "-n", "1", "t/pass", "t/nothere", cwd=suite)
    assert r.code == 1
    assert "t/nothere" in r.out and "No such file" in r.out


def test_a_directory_without_executables_is_a_collection_error(txgate, tmp_path):
    (tmp_path / "empty").mkdir()
    r = txgate("run", "-n", "1", "empty", cwd=tmp_path)
    assert r.code == 1
    assert "empty" in r.out


def test_a_gateway_that_cannot_start_names_all(txgate, suite):
    r = txgate("run", "--tx", "popen//worker=/nowhere/worker", "t/pass", cwd=suite)
    assert r.code == 6
    for words in ("gw0", "popen//worker=/nowhere/worker", "start", "No such file or directory"):
        assert words in r.out, r.out


def test_require_gateways_any_goes_on(txgate, suite):
    r = txgate("run", "--tx", "popen", "--tx", "popen//worker=/nowhere/worker",
               "--require-gateways", "any", "t/pass", cwd=suite)
    assert r.code == 6
    assert "1 passed" in r.out


NEEDS = """\
gateways:
  - {{id: can-board, tx: popen, labels: [can]}}
  - {{id: plain, tx: popen}}
suites:
  - {{files: t/pass, needs: [{0}]}}
  - {{files: t/skip}}
"""


@pytest.mark.parametrize("dist,passed,skipped", [("each", 1, 2), ("load", 1, 1)])
def test_needs_keeps_a_suite_to_gateways_with_the_label(txgate, suite, dist, passed, skipped):
    (suite / "txgate.yaml").write_text(NEEDS.format("can"))
    r = txgate("run", "--dist", dist, "-v", cwd=suite)
    assert r.code == 0, r
    assert f"{passed} passed, {skipped} skipped in" in r.out, r
    assert "gw0 can-board" in next(l for l in r.out.splitlines() if "PASSED t/pass" in l), r


@pytest.mark.parametrize("dist", ["each", "load"])
def test_a_suite_that_no_gateway_may_run_fails_the_run_with_the_reason(txgate, suite, dist):
    (suite / "txgate.yaml").write_text(NEEDS.format("wifi"))
    r = txgate("run", "--dist", dist, cwd=suite)
    assert r.code == 6, r
    assert "NOT RUN t/pass" in r.out and "no gateway has the labels that its suite needs" in r.out, r


def test_a_slow_reader_gets_the_whole_report(txgate, tmp_path):
    """More than the queue of the screen holds, read only after the run is over."""
    for i in range(160):
        script(tmp_path / "f" / f"t{i:03}",
               "head -c 90000 /dev/zero | tr '\\0' x | fold -w 90\n"
               "head -c 90000 /dev/zero | tr '\\0' y | fold -w 90 >&2; exit 1")
    p = start(txgate, "run", "-n", "2", "--jsonl", "events", "f", cwd=tmp_path)
    events, end = tmp_path / "events", time.monotonic() + 60
    while not (events.exists() and "run_finish" in events.read_text()[-4000:]):
        assert time.monotonic() < end
        time.sleep(0.1)
    out, _ = p.communicate(timeout=60)
    assert len(out) > 17 << 20
    assert out.count("to run just this") == 160
    assert "160 failed in" in out.splitlines()[-1]


@pytest.mark.parametrize("argv,words", [
    (["-n", "0"], "expected a number from 1"),
    (["--heartbeat", "1us"], "expected 10ms to 1h"),
    (["--heartbeat", "9999h"], "expected 10ms to 1h"),
])
def test_values_that_make_no_sense_are_refused(txgate, suite, argv, words):
    r = txgate("run", *argv, "t", cwd=suite)
    assert r.code == 4 and words in r.err, r


def test_a_gateway_that_cannot_start_names_its_spec_once(txgate, suite):
    for command in ("run", "list"):
        r = txgate(command, "--tx", "popen//chdir=/nope/x", "t", cwd=suite)
        assert r.code == 6, r
        line = next(l for l in (r.out + r.err).splitlines() if "No such file" in l)
        assert line.count("popen//chdir=/nope/x") == 1 and "gw0" in line, line


def test_help_and_version(txgate, suite):
    for command in ("run", "list"):
        r = txgate(command, "--help", cwd=suite)
        assert r.code == 0 and f"usage: txgate {command}" in r.out
    r = txgate("--version", cwd=suite)
    assert re.fullmatch(r"txgate \S+ \(protocol \d+\)\n", r.out)


def test_addopts_from_the_environment(txgate, suite):
    r = txgate("run", "t/pass", cwd=suite, env={"TXGATE_ADDOPTS": "-n 2 --dist each"})
    assert "gw0 [1] / gw1 [1]" in r.out
    bad = txgate("run", "t/pass", cwd=suite, env={"TXGATE_ADDOPTS": "--nope"})
    assert bad.code == 4 and "TXGATE_ADDOPTS" in bad.err


def start(txgate, *argv, cwd):
    return txgate.start(*argv, cwd=cwd, stderr=subprocess.STDOUT, text=True)


def wait_for(path, seconds=10):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_ctrl_c_lets_running_tests_finish(txgate, tmp_path):
    script(tmp_path / "t" / "a", "touch started; while [ ! -e go ]; do sleep 0.01; done")
    for i in range(5):
        script(tmp_path / "t" / f"b{i}", "exit 0")
    p = start(txgate, "run", "-n", "1", "t", cwd=tmp_path)
    wait_for(tmp_path / "started")
    p.send_signal(signal.SIGINT)
    assert any("interrupted" in line for line in p.stdout)
    (tmp_path / "go").touch()
    out, _ = p.communicate(timeout=20)
    assert p.returncode == 2, out
    assert "1 passed" in out and "5 not run" in out


def test_ctrl_c_twice_kills(txgate, tmp_path):
    script(tmp_path / "a", "touch started; sleep 1000")
    p = start(txgate, "run", "-n", "1", "a", cwd=tmp_path)
    wait_for(tmp_path / "started")
    p.send_signal(signal.SIGINT)
    assert any("interrupted" in line for line in p.stdout)
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate(timeout=10)
    assert p.returncode == 2, out


def test_a_reader_that_goes_away_ends_nothing(txgate, suite):
    p = start(txgate, "run", "-n", "1", "-v", "t", cwd=suite)
    p.stdout.readline()
    p.stdout.close()
    assert p.wait(timeout=20) == 1


def test_output_that_stands_still_delays_no_lease(txgate, tmp_path):
    """Nobody reads the pipe for longer than the lost time; the run goes on beneath."""
    for i in range(400):
        script(tmp_path / "t" / f"{'x' * 180}{i:03}", "exit 0")
    p = start(txgate, "run", "-n", "1", "-v", "--heartbeat", "300ms", "t", cwd=tmp_path)
    time.sleep(2)
    out, _ = p.communicate(timeout=30)
    assert p.returncode == 0, out[-2000:]
    assert "400 passed" in out


def test_a_slow_test_is_told_of(txgate, script, tmp_path, outcomes):
    script("slow", "sleep 1\n")
    script("quick", "")
    r = txgate("run", "--slow-timeout", "200ms", "--jsonl", "events", "slow", "quick")
    assert r.code == 0 and "[gw0] SLOW slow runs for 0.2" in r.out, r
    assert "2 passed, 1 slow in" in r.out, r
    outcomes(tmp_path / "events")
    r = txgate("run", "--slow-timeout", "0", "slow")
    assert "SLOW" not in r.out and "1 passed in" in r.out, r
