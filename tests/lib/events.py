"""Holds the --jsonl stream of a whole run against the session's promises (docs/session.md).

    events.py FILE...    says what does not hold; exit status 1 where something does not

`check(lines)` gives the list of what does not hold.
"""

import json
import sys

RUN = ("passed", "failed", "skipped", "xfailed", "xpassed", "error", "crashed", "timed out")
OVERTIME = "the run has had its "  # what --run-timeout says
FAILURES = ("failed", "error", "crashed", "timed out")


class Run:
    def __init__(self):
        self.wrong = []
        self.gateways, self.down, self.running = set(), {}, {}
        self.started, self.finished = {}, {}
        self.tries = {}  # number -> the outcomes of its tries that were followed by another
        self.flaky = self.slow = 0
        self.slow_now = set()
        self.lost_on = set()
        self.given_up, self.lifted = set(), (0, None)  # quarantined; outcomes and time of the last
        self.total, self.end, self.now = None, None, 0
        self.collect_errors = self.failed_gateways = 0
        self.stopping = []
        self.line = 0

    def say(self, text, *args):
        self.wrong.append("line %d: %s" % (self.line, text % args))

    def gateway_start(self, e):
        if e["gateway"] in self.gateways:
            self.say("%s starts a second time", e["gateway"])
        replaced = e.get("replaces")
        if replaced and replaced not in self.down:
            self.say("%s replaces %s, which is not down", e["gateway"], replaced)
        if replaced in self.given_up:
            # Only where nobody is left, all at one time, and tests have ended since the last time.
            if e["t"] != self.lifted[1] and len(self.finished) == self.lifted[0]:
                self.say("%s is started in place of %s, which is given up", e["gateway"], replaced)
            self.lifted = len(self.finished), e["t"]
        self.gateways.add(e["gateway"])

    def gateway_down(self, e):
        gateway = e["gateway"]
        if gateway in self.down:
            self.say("%s is down a second time", gateway)
        if gateway in self.running:
            self.say("%s is down and nobody says what became of '%s'", gateway,
                     self.running[gateway])
        if gateway in self.lost_on and not e["lost"]:
            self.say("a test of %s is lost, its host is not", gateway)
        self.down[gateway] = e
        self.failed_gateways += e["lost"] or e["before_ready"]

    def quarantine(self, e):
        down = self.down.get(e["gateway"])
        if not down or "replacement" in down or e["deaths"] < 3:
            self.say("%s is given up after %d deaths: %s", e["gateway"], e["deaths"], down)
        elif not (down["lost"] or down["before_ready"]):
            self.failed_gateways += 1
        self.given_up.add(e["gateway"])

    def test_start(self, e):
        gateway = e["gateway"]
        if e["number"] in self.started:
            self.say("'%s' starts a second time", e["nodeid"])
        if e.get("attempt", 1) != len(self.tries.get(e["number"], ())) + 1:
            self.say("'%s' starts try %d", e["nodeid"], e.get("attempt", 1))
        if e["number"] in self.finished:
            self.say("'%s' starts and has an outcome", e["nodeid"])
        if gateway in self.running:
            self.say("%s starts '%s' while it runs '%s'", gateway, e["nodeid"],
                     self.running[gateway])
        if gateway in self.down:
            self.say("%s is down and starts '%s'", gateway, e["nodeid"])
        self.slow_now.discard(e["number"])
        self.started[e["number"]] = gateway
        self.running[gateway] = e["number"]

    def test_slow(self, e):
        if self.running.get(e["gateway"]) != e["number"] or e["number"] in self.slow_now:
            self.say("'%s' is slow, and does not run or was so before", e["nodeid"])
        self.slow_now.add(e["number"])
        self.slow += 1

    def test_output(self, e):
        if self.running.get(e["gateway"]) != e["number"]:
            self.say("output of '%s', which does not run", e["nodeid"])

    def test_retry(self, e):
        number, gateway, outcome = e["number"], e.get("gateway"), e["outcome"]
        if self.running.get(gateway) != number:
            self.say("'%s' is %s and did not run on %s", e["nodeid"], outcome, gateway)
        if outcome not in FAILURES + ("lost",) or number in self.finished or self.stopping:
            self.say("'%s' is %s and tried again", e["nodeid"], outcome)
        if outcome == "lost":
            self.lost_on.add(gateway)
        self.running.pop(gateway, None)
        self.started.pop(number, None)
        self.tries.setdefault(number, []).append(outcome)
        if e["done"] != len(self.finished):
            self.say("%d have an outcome, not %d", len(self.finished), e["done"])

    def test_finish(self, e):
        number, gateway, outcome = e["number"], e.get("gateway"), e["outcome"]
        tries = self.tries.get(number, [])
        if bool(e.get("flaky")) != (bool(tries) and outcome not in FAILURES + ("lost",)):
            self.say("'%s' is flaky or not, after %s and %s", e["nodeid"], tries, outcome)
        self.flaky += bool(e.get("flaky"))
        if number in self.finished:
            self.say("'%s' has a second outcome", e["nodeid"])
        runs = gateway is not None and self.running.get(gateway) == number
        last_try = tries and tries[-1] == outcome and number not in self.started
        if (outcome in RUN or outcome == "lost") and not runs and not last_try:
            self.say("'%s' is %s and did not run on %s", e["nodeid"], outcome, gateway)
        if outcome == "not run" and number in self.started and not (runs and self.stopping):
            self.say("'%s' is not run, and it had started", e["nodeid"])
        if outcome == "lost":
            self.lost_on.add(gateway)
        if runs:
            del self.running[gateway]
        self.finished[number] = outcome
        if e["done"] != len(self.finished):
            self.say("%d have an outcome, not %d", len(self.finished), e["done"])
        if self.total not in (None, e["total"]):
            self.say("there are %d in all, not %d", self.total, e["total"])
        self.total = e["total"]

    def scheduling(self, e):
        self.total = e["total"]

    def run_finish(self, e):
        self.end = e
        if self.running:
            self.say("it ends, and these run: %s", sorted(self.running.items()))
        counts = {}
        for outcome in self.finished.values():
            counts[outcome] = counts.get(outcome, 0) + 1
        told = {name: n for name, n in e["outcomes"].items() if n}
        if counts != told:
            self.say("it counts %s, the tests' outcomes are %s", told, counts)
        if self.total is not None and len(self.finished) != self.total:
            self.say("%d of %d tests have an outcome", len(self.finished), self.total)
        if e["flaky"] != self.flaky:
            self.say("%d are flaky, not %d", self.flaky, e["flaky"])
        if e["slow"] != self.slow:
            self.say("%d are slow, not %d", self.slow, e["slow"])
        if e["collect_errors"] != self.collect_errors:
            self.say("%d errors of collection, not %d", self.collect_errors, e["collect_errors"])
        if e["gateways_failed"] < self.failed_gateways and not self.stopping:
            self.say("%d gateways failed, not %d", self.failed_gateways, e["gateways_failed"])
        self.check_exit_code(e, counts)

    def check_exit_code(self, e, counts):
        code = e["exit_code"]
        bad = any(counts.get(o) for o in FAILURES) or self.collect_errors
        gone = e["gateways_failed"] or counts.get("lost") or counts.get("not run")
        cut_short = any(e.get("text", "").startswith(OVERTIME) for e in self.stopping)
        calm = 1 if bad else 6 if gone or cut_short else 0 if self.total else 5
        if code not in ((2, 3, calm) if self.stopping else (calm,)):
            self.say("exit code %d, not %d", code, calm)

    def take(self, e):
        if self.end:
            self.say("%s after the end", e["event"])
        if e["t"] < self.now:
            self.say("time goes back")
        self.now = e["t"]
        gateway = e.get("gateway")
        if gateway and e["event"] != "gateway_start" and gateway not in self.gateways:
            self.say("%s of %s, which never started", e["event"], gateway)
        if e["event"] == "collect_error":
            self.collect_errors += 1
        elif e["event"] in ("stopping", "internal_error"):
            self.stopping.append(e)
        elif hasattr(self, e["event"]):
            getattr(self, e["event"])(e)


def has_begun(path, name):
    """Whether a run has told so far that a test with `name` in its nodeid has started: who is killed
    within milliseconds of a test's start may not have passed it on."""
    with open(path) as f:
        return any('"test_start"' in line and name in line for line in f)


def check(lines):
    run = Run()
    for number, line in enumerate(lines, 1):
        run.line = number
        event = json.loads(line)
        if (number == 1) != (event["event"] == "run_start"):
            run.say("run_start stands first and only there")
        run.take(event)
    if not run.end:
        run.say("there is no run_finish")
    return run.wrong


def main(paths):
    status = 0
    for path in paths:
        with open(path) as f:
            for text in check(f):
                print("%s: %s" % (path, text))
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
