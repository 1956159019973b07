"""The modes of --dist as whole runs: who is dealt what, and how it is announced."""

import sys

import pytest

# A harness (docs/harness.md) whose cases are called otherwise on each gateway.
OTHERS = r"""#!%s
import json, os
down, up = map(int, os.environ["TXGATE_HARNESS"].split(","))
up = os.fdopen(up, "w")
for line in os.fdopen(down):
    word, *fields = line[:-1].split("\t")
    if word == "hello":
        worker = json.loads(fields[1])["workerid"]
        up.write("ready\t1\tahead\n")
    elif word == "list":
        count = {"gw0": %d}.get(worker, %d)
        up.writelines("case\t%%s-%%d\n" %% (worker, i) for i in range(count))
        up.write("listed\n")
    elif word == "run":
        up.write("result\t%%s\tpassed\t1\n" %% fields[0])
    up.flush()
"""
NAMES = {"load": "LoadScheduling", "loadscope": "LoadScopeScheduling",
         "loadfile": "LoadFileScheduling", "loadgroup": "LoadGroupScheduling",
         "worksteal": "WorkStealingScheduling", "each": "EachScheduling"}


@pytest.mark.parametrize("mode", sorted(NAMES))
def test_every_test_runs(mode, txgate, script, tmp_path, outcomes):
    tests = [script("t%d" % i, "exit 0\n") for i in range(20)]
    done = txgate.run("-v", "--tx", "3*popen", "--dist", mode, "--jsonl", "events", *tests)
    assert done.code == 0, done.out
    assert "scheduling tests via " + NAMES[mode] in done.out, done.out
    found = outcomes(tmp_path / "events")
    times = 3 if mode == "each" else 1
    assert sorted(found) == sorted(tests)
    assert all([f.outcome for f in fs] == ["passed"] * times for fs in found.values()), found


def test_a_group_stays_together(txgate, script, tmp_path, outcomes):
    for i in range(8):
        script("power%d" % i, "sleep 0.05\n")
        script("uart%d" % i, "sleep 0.05\n")
        script("free%d" % i, "sleep 0.05\n")
    (tmp_path / "txgate.yaml").write_text(
        "dist: loadgroup\n"
        "suites:\n"
        "  - {files: 'power*', group: meter}\n"
        "  - {files: 'free*'}\n"
        "  - {files: 'uart*', group: meter}\n")
    done = txgate.run("--tx", "3*popen", "--jsonl", "events")
    assert done.code == 0, done.out
    found = outcomes(tmp_path / "events")
    assert len(found) == 24
    together = {fs[0].gateway for name, fs in found.items() if not name.startswith("free")}
    assert len(together) == 1, found
    assert len({fs[0].gateway for name, fs in found.items()}) == 3, found


@pytest.mark.parametrize("first", [40000, 100])  # of gw0, which is idle for long with few
@pytest.mark.parametrize("mode", ["load", "worksteal", "duration"])
def test_gateways_that_have_no_test_in_common(mode, first, txgate, sanitized, tmp_path):
    (tmp_path / "others").write_text(OTHERS % (sys.executable, first, 40000))
    (tmp_path / "others").chmod(0o755)
    (tmp_path / "txgate.yaml").write_text("suites: [{files: others, harness: txgate}]\n")
    done = txgate.run("-n", "3", "-q", "--dist", mode)
    assert done.code == 0 and "%d passed" % (first + 80000) in done.out, done.out[-1000:]
    assert sanitized or done.seconds < 8, done.out[-1000:]
