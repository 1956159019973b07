"""Bugs that a scheduler or the session could have are planted one by one: the simulator must find
each within 10,000 schedules.

A changed copy of the source lies in a build folder of its own, where make finds it before the
original. Each bug is a piece of the source as it stands and what is put there instead; a piece that
is no longer in the source is an error, so that the list cannot go stale.
"""

import os
import re
import subprocess
import sys

SRCDIR = os.environ["TXG_SRCDIR"]
WORKDIR = os.path.join(os.environ["TXG_BUILDDIR"], "long/planted")
# what is wrong, source, piece, what stands there instead
BUGS = [
    ("what a dead gateway held is forgotten", "src/session/down.c",
     "    give_back_held(s, node);\n", "    node->held.head = node->held.tail = 0;\n"),
    ("a crashed test is dealt again", "src/session/down.c",
     "    bool again = node->running && blame(s, node, event);\n",
     "    bool again = node->running;\n    node->running = false;\n"),
    ("a lost host counts as a crash", "src/session/down.c",
     "event->down == TXG_DOWN_LOST) {", "event->down == TXG_DOWN_NOT_STARTED) {"),
    ("load keeps the last test of the queue", "src/session/load.c",
     "    if (!txg_deal_has_work(d, node)) {", "    if (txg_pending_count(&d->pending) < 2) {"),
    ("load forgets the others when one dies", "src/session/load.c",
     "static void node_gone(struct txg_deal *d, struct txg_node *node)\n{\n    (void)node;\n"
     "    check_all(d);", "static void node_gone(struct txg_deal *d, struct txg_node *node)\n{\n"
     "    (void)node;\n    (void)d;"),
    ("each sends a replacement what is done", "src/session/deal.c",
     "return !txg_session_is_settled(s, txg_session_number(s, node, index)) &&", "return"),
    ("labels are not looked at", "src/session/session.c",
     "all = all && has_label", "all = all || has_label"),
    ("a unit is torn apart", "src/session/deal.c",
     "units[number] != unit", "(units[number] != unit || sent > 3)"),
    ("worksteal waits for a victim that died", "src/session/steal.c",
     "    if (d->victim == node)\n        d->victim = NULL;", "    if (node->steals == 0 && "
     "txg_deal_is_live(node))\n        d->victim = NULL;"),
    ("worksteal asks for what may run", "src/session/steal.c",
     "i > h->head + MIN_PENDING", "i > h->head"),
    ("duration takes back what may run", "src/session/duration.c",
     "i > first + dry", "i > h->head"),
    ("duration waits for a victim that died", "src/session/duration.c",
     "    if (d->victim == node)\n        d->victim = NULL;", "    if (node->steals == 0 && "
     "txg_deal_is_live(node))\n        d->victim = NULL;"),
    ("duration stops at who may run nothing", "src/session/duration.c",
     "passed_over[i] || !txg_deal_has_work(d, node))\n            continue;\n",
     "passed_over[i])\n            continue;\n        if (!txg_deal_has_work(d, node))\n"
     "            return NULL;\n"),
    ("a resource is had twice", "src/session/lock.c",
     "wanted ? lock->owner != node :", "wanted ? node->tests == NULL :"),
    ("a serial test is not alone", "src/session/lock.c",
     "!lock->name && !is_alone(s, node)", "!lock->name && lock->count > 0"),
    ("nobody is told that a resource is free", "src/session/lock.c",
     "    if (s->dropped && s->progress == TXG_DEALING)", "    if (!s->scheduler)"),
    ("what steal gave back is lost", "src/session/messages.c",
     "            if (s->config.dist != TXG_DIST_EACH)\n", "            if (index == 0)\n"),
    ("what who left gave back waits", "src/session/messages.c",
     "node->leaving && s->config.dist != TXG_DIST_EACH)", "node->leaving && !node->shutting)"),
    ("who has left is dealt more", "src/session/members.c",
     "    txg_deal_shutdown(&s->deal, node);\n}", "    (void)node;\n}"),
    ("who has nothing left goes home too early", "src/session/end.c",
     " && holders == own", ""),
    ("a worker that does nothing is waited for", "src/session/end.c",
     "holds && !node->running ? TXG_WAIT_START", "holds && node->closing ? TXG_WAIT_START"),
    ("a test is tried once too often", "src/session/retry.c",
     "txg_session_attempt(s, number) > s->config.retries ||",
     "txg_session_attempt(s, number) > s->config.retries + 1 ||"),
    ("a test is tried where it has failed", "src/session/deal.c",
     "txg_session_has_tried(s, node->origin, number))",
     "txg_session_has_tried(s, node->origin, number / 2))"),
    ("who may be needed for another try goes home", "src/session/end.c",
     "s->config.retries == 0 && ", ""),
    ("the limit of restarts is off by one", "src/session/down.c",
     "s->restarts < s->config.max_restarts)", "s->restarts <= s->config.max_restarts)"),
    ("who died three times is started again", "src/session/quarantine.c",
     "place_of(s, node)->deaths >= STILLBORN ||", "place_of(s, node)->deaths > STILLBORN ||"),
    ("a host that has worked is given up", "src/session/quarantine.c",
     "host->worked ? 0 : host->deaths + 1", "host->deaths + 1"),
    ("a message of the dead counts", "src/session/session.c",
     "s->nodes[event->gateway]->state == TXG_NODE_DEAD", "s->progress == TXG_OVER"),
    ("a run that stops takes nothing back", "src/session/session.c",
     "        txg_deal_steal(&s->deal, node, node->held.items + first, node->held.tail - first);\n",
     "        (void)first;\n"),
]


def run(*command):
    return subprocess.run(command, cwd=WORKDIR, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True)


def build():
    built = run("make", "-s", "-j2", "tests/sim/sim")
    if built.returncode:
        sys.exit("tests/sim/sim does not build\n" + built.stdout)


def plant(source, piece, instead):
    with open(os.path.join(SRCDIR, source)) as f:
        text = f.read()
    if text.count(piece) != 1:
        sys.exit("%s: stands there %d times, not once: %r" % (source, text.count(piece), piece))
    copy = os.path.join(WORKDIR, source)
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    with open(copy, "w") as f:
        f.write(text.replace(piece, instead))
    return copy


def take_out(copy):
    os.unlink(copy)
    # To make, the object of the planted bug is newer than the original.
    for name in os.listdir(os.path.dirname(copy)):
        if name.endswith((".o", ".a")):
            os.unlink(os.path.join(os.path.dirname(copy), name))


def main():
    os.makedirs(WORKDIR, exist_ok=True)
    if not os.path.exists(os.path.join(WORKDIR, "Makefile")):
        subprocess.run([os.path.join(SRCDIR, "configure"), "-q", "CFLAGS=-O1"], cwd=WORKDIR,
                       check=True)
    build()
    sound = run("tests/sim/sim")
    if sound.returncode:
        sys.exit("the simulator fails without any bug\n" + sound.stdout)
    found = 0
    for what, source, piece, instead in BUGS:
        copy = plant(source, piece, instead)
        build()
        played = run("tests/sim/sim")
        take_out(copy)
        seed = re.search(r"^seed (\d+), (\w+), .*?: (.*)", played.stdout, re.M)
        if played.returncode and (seed or played.returncode < 0):
            found += 1
            print("%s: %s" % (what, "schedule %s, %s: %s" % seed.groups() if seed else
                              "killed by signal %d" % -played.returncode), flush=True)
        else:
            print("%s: NOT FOUND within 10,000 schedules" % what, flush=True)
    print("%d passed, %d failed" % (found, len(BUGS) - found))
    return 0 if found == len(BUGS) else 1


sys.exit(main())
