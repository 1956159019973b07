"""Test programs that nobody here wrote, by hand and under txgate: every verdict must be the same.

The suites are those that Debian ships prebuilt for "as-installed" testing: dbus-tests (as programs
with an exit status, and again with --tap) and libglib2.0-tests (--tap). Each program is first run
by hand, with a plain reading of exit status and TAP of its own below, then by txgate on two local
gateways, `each` and `load`.

debian_suites.py [SUITE...] [-k PART]: only these suites, only programs with PART in their name.
"""

import argparse
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

TXGATE = os.path.join(os.environ["TXG_BUILDDIR"], "txgate")
TIMEOUT = 120

Suite = collections.namedtuple("Suite", "package tests arguments")
SUITES = {
    "dbus": Suite("dbus-tests", "/usr/share/installed-tests/dbus/*.test", []),
    "dbus-tap": Suite("dbus-tests", "/usr/share/installed-tests/dbus/*.test", ["--tap"]),
    "glib-tap": Suite("libglib2.0-tests", "/usr/share/installed-tests/glib/*.test", ["--tap"]),
}
# Where two copies of a program at once, or an environment that differs, change the verdict for
# reasons of the program's own. The value says why.
EXPLAINED = {
    "live-g-file": "works in a folder of one name below where it is started: two copies that are "
                   "started there at once by hand collide as well",
}


def programs_of(suite):
    """What the suite's own descriptions start, less what they wrap in further arguments."""
    found = set()
    for path in glob.glob(suite.tests):
        with open(path) as f:
            words = re.search(r"^Exec=(.*)$", f.read(), re.M).group(1).split()
        if words[0] == "env":
            words = words[1:]
        if words[0].startswith("/usr/l") and words[1:] in ([], ["--tap"]):
            found.add(words[0])
    return sorted(p for p in found if os.access(p, os.X_OK))


def judge_status(code):
    if code < 0:
        return "crashed"
    return {0: "passed", 77: "skipped", 99: "error"}.get(code, "failed")


def judge_tap(code, text):
    if code < 0:
        return "crashed"
    points, plan, skip_all = [], None, False
    for line in text.split("\n"):
        point = re.match(r"(not )?ok\b[ \d]*(.*)", line)
        planned = re.match(r"1\.\.(\d+)\s*(#\s*skip)?", line, re.I)
        if line.startswith("Bail out!"):
            return "error"
        if planned:
            plan, skip_all = int(planned.group(1)), bool(planned.group(2))
        elif point:
            word = re.search(r"#\s*(skip|todo)", point.group(2), re.I)
            points.append((bool(point.group(1)), word.group(1).lower() if word else ""))
    if any(bad and word != "todo" for bad, word in points):
        return "failed"
    if plan == 0 and not points:
        return "skipped" if skip_all or code == 77 else "error"
    if plan is None or plan != len(points):
        return "error"
    return "passed" if code == 0 else "failed"


def by_hand(program, suite, folder):
    try:
        done = subprocess.run([program, *suite.arguments], stdin=subprocess.DEVNULL, cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT,
                              start_new_session=True)
    except subprocess.TimeoutExpired:
        return "timed out"
    if "--tap" in suite.arguments:
        return judge_tap(done.returncode, done.stdout.decode(errors="replace"))
    return judge_status(done.returncode)


def by_txgate(mode, programs, suite, folder):
    events = os.path.join(folder, "events")
    harness = "tap" if "--tap" in suite.arguments else "exec"
    done = subprocess.run(
        [TXGATE, "run", "-q", "--tb=no", "--tx", "2*popen", "--dist", mode, "--harness", harness,
         "--timeout", "%ds" % TIMEOUT, "--jsonl", events, *programs, "--", *suite.arguments],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=3600)
    verdicts = collections.defaultdict(list)
    with open(events) as f:
        for event in map(json.loads, f):
            if event["event"] == "test_finish":
                verdicts[event["nodeid"]].append(event["outcome"])
    if not verdicts:
        print(done.stdout.decode(errors="replace"))
    return verdicts


def compare(name, mode, hand, found):
    """Prints what differs; returns how many programs agree and how many do not."""
    agree = differ = 0
    for program, verdict in hand.items():
        wanted = [verdict] * (2 if mode == "each" else 1)
        short = os.path.basename(program)
        if found.get(program) == wanted:
            agree += 1
        elif short in EXPLAINED:
            print("%s %s: %s: by hand %s, txgate %s: %s" %
                  (name, mode, short, verdict, found.get(program), EXPLAINED[short]))
        else:
            differ += 1
            print("%s %s: %s: by hand %s, txgate %s" %
                  (name, mode, short, verdict, found.get(program)))
    return agree, differ


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suites", nargs="*", default=list(SUITES))
    parser.add_argument("-k", default="")
    options = parser.parse_args()
    passed = failed = skipped = 0
    for name in options.suites:
        suite = SUITES[name]
        programs = [p for p in programs_of(suite) if options.k in os.path.basename(p)]
        if not programs:
            print("skipped: %s: Debian's %s is not installed" % (name, suite.package))
            skipped += 1
            continue
        with tempfile.TemporaryDirectory(prefix="txgate-suite-") as folder:
            with ThreadPoolExecutor(2) as pool:
                hand = dict(zip(programs, pool.map(lambda p: by_hand(p, suite, folder), programs)))
            print("%s: %d programs; by hand: %s" %
                  (name, len(hand), dict(collections.Counter(hand.values()))), flush=True)
            for mode in ("each", "load"):
                agree, differ = compare(name, mode, hand,
                                        by_txgate(mode, programs, suite, folder))
                print("%s, 2 gateways, %s: %d verdicts as by hand, %d others" %
                      (name, mode, agree, differ), flush=True)
                passed, failed = passed + agree, failed + differ
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


sys.exit(main())
