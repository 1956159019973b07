"""Each check that stands between a peer's bytes and our memory is taken out once, or moved by one:
a test must notice.

A mutated copy of the source lies in a build folder of its own, where make finds it before the
original; the unit tests of the wire are built with it and run. A mutation that all of them pass is
a failure, unless EQUIVALENT says why it changes nothing.
"""

import glob
import os
import re
import subprocess
import sys

SRCDIR = os.environ["TXG_SRCDIR"]
WORKDIR = os.path.join(os.environ["TXG_BUILDDIR"], "long/mutation")
# source: the test programs that are to notice
SOURCES = {
    "gateway/wire/guard.c": ["tests/unit/test_guard", "tests/unit/test_message"],
    "gateway/wire/frame.c": ["tests/unit/test_frame", "tests/unit/test_guard"],
}
EMPTY = "an empty map, array or str and an integer or nil alike need no byte behind the tag"
# (source, mutation): why no test can tell the difference
EQUIVALENT = {
    ("gateway/wire/guard.c", "tag <= 0x80 || tag >= 0xe0"): EMPTY,
    ("gateway/wire/guard.c", "tag <= 0x90"): EMPTY,
    ("gateway/wire/guard.c", "tag <= 0xa0"): EMPTY,
    ("gateway/wire/guard.c", "tag <= 0xc0"): EMPTY,
    ("gateway/wire/guard.c", "never: len == 0"): "the walk says the same; it keeps NULL out of it",
}
BOUNDARY = {">": ">=", ">=": ">", "<": "<=", "<=": "<", "==": "!=", "!=": "=="}


def conditions(text):
    """Start and end of what stands in the parentheses of each `if`."""
    for match in re.finditer(r"\bif \(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield match.end(), end - 1


def mutations(text):
    """(line number, what was done, the mutated text)"""
    for start, end in conditions(text):
        line = text.count("\n", 0, start) + 1
        inside = text[start:end]
        for name, put in (("never", "0 && (%s)"), ("always", "1 || (%s)")):
            yield line, "%s: %s" % (name, inside), text[:start] + put % inside + text[end:]
        for operator in re.finditer(r"(?<![<>=!-])(<=|>=|==|!=|<|>)(?![<>=])", inside):
            swapped = (inside[:operator.start()] + BOUNDARY[operator.group()] +
                       inside[operator.end():])
            yield line, "%s for %s" % (swapped, inside), text[:start] + swapped + text[end:]


def make(*targets):
    return subprocess.run(["make", "-s", "-j2", *targets], cwd=WORKDIR, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)


def passes(programs):
    env = dict(os.environ, TXG_TEST_ALARM="20", TXG_SRCDIR=SRCDIR, TXG_BUILDDIR=WORKDIR)
    return all(subprocess.run([os.path.join(WORKDIR, p)], cwd=WORKDIR, env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0 for p in programs)


def mutate(source, programs):
    """Returns how many mutations were noticed and how many were not."""
    with open(os.path.join(SRCDIR, source)) as f:
        text = f.read()
    built = make(*programs)
    if built.returncode or not passes(programs):
        sys.exit("%s: its tests fail without any mutation\n%s" % (source, built.stdout))
    copy = os.path.join(WORKDIR, source)
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    noticed = missed = 0
    for line, what, mutated in mutations(text):
        with open(copy, "w") as f:
            f.write(mutated)
        built = make(*programs)
        if built.returncode:
            sys.exit("%s:%d: %s: does not build\n%s" % (source, line, what, built.stdout))
        if not passes(programs):
            noticed += 1
        elif (source, what.split(" for ")[0]) in EQUIVALENT:
            continue
        else:
            missed += 1
            print("%s:%d: no test notices: %s" % (source, line, " ".join(what.split())))
    os.unlink(copy)
    # To make, the object of the last mutation is newer than the original.
    for stale in glob.glob(os.path.join(os.path.dirname(copy), "*.[ao]")):
        os.unlink(stale)
    return noticed, missed


def main():
    os.makedirs(WORKDIR, exist_ok=True)
    if not os.path.exists(os.path.join(WORKDIR, "Makefile")):
        subprocess.run([os.path.join(SRCDIR, "configure"), "-q", "--disable-controller",
                        "CFLAGS=-O1"], cwd=WORKDIR, check=True)
    noticed = missed = 0
    for source, programs in SOURCES.items():
        counts = mutate(source, programs)
        noticed, missed = noticed + counts[0], missed + counts[1]
        print("%s: %d mutations noticed, %d not" % (source, *counts), flush=True)
    print("%d passed, %d failed" % (noticed, missed))
    return 1 if missed or not noticed else 0


sys.exit(main())
