"""Feeds xdist's own scheduler classes and txgate's session (tests/sim/deal) the same random scripts
and compares what each gateway is dealt, step by step.

    differ.py DEAL COUNT [FIRST SEED]    run by an interpreter that has pytest-xdist

At a round trip of 0: a steal is answered at once, a gateway that crashes is replaced at once.
Gateways crash only while none was shut down, and not with the scope schedulers: there xdist deals a
crashed test again.
"""

import collections
import random
import subprocess
import sys
import types

from xdist.remote import Producer
from xdist.scheduler import (EachScheduling, LoadFileScheduling, LoadGroupScheduling,
                             LoadScheduling, LoadScopeScheduling, WorkStealingScheduling)

CLASSES = {"each": EachScheduling, "load": LoadScheduling, "loadscope": LoadScopeScheduling,
           "loadfile": LoadFileScheduling, "loadgroup": LoadGroupScheduling,
           "worksteal": WorkStealingScheduling}
MAY_CRASH = ("each", "load", "worksteal")


class Script:
    """What both are given, all of it drawn from the seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        draw = self.random
        self.mode = sorted(CLASSES)[seed % len(CLASSES)]
        self.gateways = draw.randint(1, 8)
        self.chunk = draw.choice([0, 0, 1, 2, 3, 5, 10, 30])
        self.keep_order = draw.random() < 0.3
        self.crashes = draw.choice([0, 0, 1, 3]) if self.mode in MAY_CRASH else 0
        files, grouped = draw.randint(1, 12), draw.random() < 0.6
        count = draw.randint(0, 12) if draw.random() < 0.2 else draw.randint(0, 150)
        places = [draw.randrange(files) for _ in range(count)]
        self.tests = []
        for number, place in enumerate(sorted(places) if grouped else places):
            scope = draw.choice(["", "::A", "::B::C"])
            leaf = draw.choice(["::t%d", "::t%d[a-1]"]) % number
            name = "d/f%d.py%s%s" % (place, scope, leaf)
            if draw.random() < 0.05:
                name = "program%d" % number
            self.tests.append((draw.choice([0, 0, 1, 2, 3]), name))

    def duration(self):
        return self.random.choice([1000, 50000, 99999, 100000, 2000000])


class Node:
    """What xdist's schedulers know of a worker."""

    def __init__(self, number, spec, said):
        self.number, self.said = number, said
        self.gateway = types.SimpleNamespace(id="gw%d" % number, spec=spec)
        self.shutting_down = False
        self.queue, self.stolen = [], []
        self.n_tests = 0

    def send_runtest_some(self, indices):
        self.queue += indices
        if indices:
            self.said.append("run %d %s" % (self.number, " ".join(map(str, indices))))

    def send_runtest_all(self):
        self.send_runtest_some(list(range(self.n_tests)))

    def send_steal(self, indices):
        self.stolen.append(list(indices))
        self.said.append("steal %d %s" % (self.number, " ".join(map(str, indices))))

    def shutdown(self):
        self.shutting_down = True


class Theirs:
    def __init__(self, script):
        self.script, self.said = script, []
        options = types.SimpleNamespace(loadscopereorder=not script.keep_order)
        values = {"tx": ["popen"] * script.gateways, "maxschedchunk": script.chunk or None}
        config = types.SimpleNamespace(option=options, getvalue=values.get, getoption=values.get)
        self.sched = CLASSES[script.mode](config, Producer("quiet", enabled=False))
        self.names = [name if script.mode != "loadgroup" or not suite else
                      "%s@g%d" % (name, suite) for suite, name in script.tests]
        self.nodes = []
        for number in range(script.gateways):
            self.add("popen%d" % number)
        for node in self.nodes:
            self.sched.add_node_collection(node, self.names)
        self.sched.schedule()
        self.settle()

    def add(self, spec):
        node = Node(len(self.nodes), spec, self.said)
        node.n_tests = len(self.names)
        self.nodes.append(node)
        self.sched.add_node(node)
        return node

    def settle(self):
        """Steals are answered, and who was shut down and is done leaves."""
        more = True
        while more:
            more = False
            for node in self.nodes:
                if node.stolen:
                    wanted = node.stolen.pop(0)
                    node.queue = [i for i in node.queue if i not in wanted]
                    self.sched.remove_pending_tests_from_node(node, wanted)
                    more = True
            for node in self.nodes:
                if node.shutting_down and not node.queue and node in self.sched.nodes:
                    self.sched.remove_node(node)
                    more = True

    def done(self, number, duration):
        node = self.nodes[number]
        self.sched.mark_test_complete(node, node.queue.pop(0), duration / 1e6)
        self.settle()

    def crash(self, number):
        node = self.nodes[number]
        left = len(node.queue) > 1
        node.queue, node.stolen = [], []
        self.sched.remove_node(node)
        self.settle()
        # As txgate: a new one is started only where something is left for it.
        if left if self.script.mode == "each" else self.sched.pending:
            self.said.append("replace %d %d" % (number, len(self.nodes)))
            new = self.add(node.gateway.spec)
            self.sched.add_node_collection(new, self.names)
            self.sched.schedule()
            self.settle()

    def busy(self):
        return [n.number for n in self.nodes if n.queue]

    def may_crash(self, number):
        if self.script.mode == "each":  # xdist stumbles over the death of a replacement
            return number < self.script.gateways
        return not any(n.shutting_down for n in self.nodes)


class Ours:
    def __init__(self, program):
        self.child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      universal_newlines=True)

    def ask(self, text):
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()
        said = []
        for line in iter(self.child.stdout.readline, ".\n"):
            if not line:
                raise SystemExit("tests/sim/deal ended at: " + text)
            if not line.startswith("finish"):
                said.append(line.strip())
        return said


def play(seed, ours, kinds):
    """Returns (steps, what differs or None)."""
    script = Script(seed)
    lines = ["new %s %d %d %d %d" % (script.mode, script.gateways, script.chunk, script.keep_order,
                                     len(script.tests))]
    lines += ["%d %s" % test for test in script.tests]
    theirs, step, steps = Theirs(script), "\n".join(lines), 0
    while True:
        got = ours.ask(step)
        if got != theirs.said:
            return steps, "%s, step %d (%s): xdist %s, txgate %s" % (
                script.mode, steps, step.split("\n")[0], theirs.said, got)
        kinds.update(line.split()[0] for line in theirs.said)
        del theirs.said[:]
        busy = theirs.busy()
        if not busy:
            return steps, None
        number = script.random.choice(busy)
        steps += 1
        if script.crashes and theirs.may_crash(number) and script.random.random() < 0.05:
            script.crashes -= 1
            step = "crash %d" % number
            theirs.crash(number)
        else:
            duration = script.duration()
            step = "done %d %d" % (number, duration)
            theirs.done(number, duration)


def main(program, count, first=1):
    ours, steps, differ = Ours(program), 0, 0
    kinds = collections.Counter()
    for seed in range(int(first), int(first) + int(count)):
        taken, difference = play(seed, ours, kinds)
        steps += taken
        if difference:
            differ += 1
            print("seed %d: %s" % (seed, difference))
        if differ >= 5:
            break
    print("%d scripts, %d steps (%s), %d differ" % (
        int(count), steps, ", ".join("%s %d" % pair for pair in sorted(kinds.items())), differ))
    return 1 if differ else 0


sys.exit(main(*sys.argv[1:]))
