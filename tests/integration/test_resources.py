"""`uses:` and `serial:` of suites: what may run at the same time, on real gateways."""

import json

import pytest

import events

SUITES = """
suites:
  - {files: free_*}
  - {name: meter, files: meter_*, uses: [power-meter]}
  - {name: bus, files: bus_*, uses: [bus, power-meter]}
  - {name: alone, files: alone_*, serial: true}
"""


def overlapping(told):
    """Pairs of tests that ran at the same time, as the controller saw it."""
    running, pairs = set(), set()
    for e in told:
        if e["event"] == "test_start":
            pairs |= {frozenset((e["nodeid"], other)) for other in running}
            running.add(e["nodeid"])
        elif e["event"] == "test_finish":
            running.discard(e["nodeid"])
    return [sorted(p) for p in pairs]


@pytest.mark.parametrize("dist", ["load", "loadfile", "loadscope", "loadgroup", "worksteal",
                                  "duration", "each"])
def test_who_must_wait(txgate, script, tmp_path, dist):
    for kind, n in (("free", 8), ("meter", 3), ("bus", 2), ("alone", 2)):
        for i in range(n):
            # In `each` a nodeid runs on every gateway: the marks of tests that exclude each other
            script("%s_%d" % (kind, i), "sleep 0.05\n" if kind == "free" else
                   'mkdir %s.mark || exit 1; sleep 0.05; rmdir %s.mark\n' % (
                       ("alone",) * 2 if kind == "alone" else ("meter",) * 2))
    (tmp_path / "txgate.yaml").write_text(SUITES)
    result = txgate.run("--tx", "3*popen", "--dist", dist, "--jsonl", "run.jsonl")
    assert result.code == 0, result
    lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert events.check(lines) == []
    pairs = overlapping(map(json.loads, lines))
    assert pairs, "nothing ran at the same time"
    for a, b in pairs if dist != "each" else ():
        assert not a.startswith("alone") and not b.startswith("alone"), (a, b)
        assert a.startswith("free") or b.startswith("free"), (a, b)
