"""Workers behind a link with a long round trip are kept busy: a relay that holds each byte for half
the round trip, on its way to the host and back, stands between the controller and each gateway.

TXG_TESTS (2,000 of 10 ms), on 2 and on 4 gateways. A worker is busy while it runs a test; the
reference is the time from the first start to the last end anywhere, so that a tail counts too.
"""

import json
import os
import subprocess
import sys
import tempfile

SRCDIR, BUILDDIR = os.environ["TXG_SRCDIR"], os.environ["TXG_BUILDDIR"]
sys.path.insert(0, os.path.join(SRCDIR, "tests/lib"))

import events  # noqa: E402
import timed_cases  # noqa: E402

TXGATE = os.path.join(BUILDDIR, "txgate")
LIMIT = 120
GOAL = 0.95
MODES = ["load", "worksteal", "duration"]

# txgate appends the one word `sh`.
RELAY = """
import os, queue, subprocess, sys, threading, time
delay = float(sys.argv[1])
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

def carry(source, sink):
    held = queue.SimpleQueue()
    def send():
        while True:
            due, data = held.get()
            time.sleep(max(0, due - time.monotonic()))
            while data:
                data = data[os.write(sink, data):]
            if data is None:
                os.close(sink)
                return
    thread = threading.Thread(target=send)
    thread.start()
    while True:
        data = os.read(source, 65536)
        held.put((time.monotonic() + delay, data or None))
        if not data:
            return thread

def up():
    carry(0, child.stdin.fileno())
threading.Thread(target=up, daemon=True).start()
carry(child.stdout.fileno(), 1).join()
os._exit(child.wait())
"""


def run(folder, gateways, trip, dist):
    """The busy part of the workers' time, and what is wrong."""
    relay = "exec=%s %s/relay.py %g" % (sys.executable, folder, trip / 2)
    stream = os.path.join(folder, "events")
    done = subprocess.run([TXGATE, "run", "-q", "--tb=no", "--tx", "%d*%s" % (gateways, relay), "--dist", dist,
                           "--jsonl", stream, "program"],
                          cwd=folder, env=dict(os.environ, TXGATE_DIR=os.path.join(folder, "cache")),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=LIMIT, universal_newlines=True)
    with open(stream) as f:
        lines = f.read().splitlines()
    ends = [e for e in map(json.loads, lines) if e["event"] == "test_finish"]
    wrong = events.check(lines) + ([] if done.returncode == 0 else [done.stdout[-2000:]])
    if not ends:
        return 0, wrong
    span = max(e["start"] + e["duration"] for e in ends) - min(e["start"] for e in ends)
    return sum(e["duration"] for e in ends) / span / gateways, wrong


def main():
    tests = int(os.environ.get("TXG_TESTS", "2000"))
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory(prefix="txgate-delay-") as folder:
        timed_cases.build(folder, tests, 10)
        with open(os.path.join(folder, "relay.py"), "w") as f:
            f.write(RELAY)
        os.mkdir(os.path.join(folder, "cache"))
        run(folder, 4, 0, "load")  # the times that `duration` knows; the worker is there from now on
        for trip in (0.05, 0.2):
            for gateways in (2, 4):
                row = [run(folder, gateways, trip, dist) for dist in MODES]
                print("%d gateways, a round trip of %3.0f ms: busy %s" % (
                    gateways, trip * 1e3,
                    ", ".join("%s %.1f %%" % (dist, 100 * busy) for dist, (busy, _) in zip(MODES, row))), flush=True)
                for dist, (busy, wrong) in zip(MODES, row):
                    if wrong or busy < GOAL:
                        failed += 1
                        print("%s: %s" % (dist, wrong or "less than %.0f %%" % (100 * GOAL)))
                    else:
                        passed += 1
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())
