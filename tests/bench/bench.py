"""How fast txgate is, beside what it could be: `make bench`.

bench.py [SECTION...]: spawn, growth, first, output, devices, cases, million, gtest,
planted, python, ssh, socket.
Rows of one section alternate (A B A B ...) so that a slow moment of the machine hits all of them; shown are medians,
CPU seconds of all processes (user and system) beside wall seconds, and the ratio to the section's floor,
which is the median of the ratios within each round. Everything is also left in bench.json.
"""

import json
import os
import platform
import sys
import tempfile

from cases import cases, gtest, million
from local import devices, first, growth, output, spawn
from measure import BUILDDIR, ROUNDS, TXGATE, results
from over_socket import socket_gateways
from over_ssh import ssh
from planted import planted
from python_tests import python


def main(sections):
    known = {f.__name__: f for f in (spawn, growth, first, output, devices, cases, million, gtest,
                                    planted, python, ssh)}
    known["socket"] = socket_gateways
    unknown = [s for s in sections if s not in known]
    if unknown:
        sys.exit("no section %s; there are %s" % (", ".join(unknown), ", ".join(known)))
    if not os.access(TXGATE, os.X_OK):
        sys.exit("%s is not built" % TXGATE)
    results["machine"] = {"cpus": os.cpu_count(), "kernel": platform.release(),
                          "arch": platform.machine(), "rounds": ROUNDS}
    print("%(cpus)d CPUs, Linux %(kernel)s %(arch)s, medians of %(rounds)d" % results["machine"])
    for name, section in known.items():
        if not sections or name in sections:
            with tempfile.TemporaryDirectory(prefix="txgate-bench-") as where:
                section(where)
    with open(os.path.join(BUILDDIR, "bench.json"), "w") as f:
        json.dump(results, f, indent=1)
    missed = [g for g, r in results.get("goals", {}).items() if r["value"] > r["limit"]]
    print("\n%d of %d goals reached%s" % (len(results["goals"]) - len(missed),
                                          len(results["goals"]),
                                          "; missed: " + ", ".join(missed) if missed else ""))


main(sys.argv[1:])
