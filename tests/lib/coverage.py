"""Line coverage of a --enable-coverage build, a table by folder and by file.

coverage.py SRCDIR BUILDDIR: asks gcov about every object of the build that ran, takes a line as
covered when any program ran it, and prints what share of the lines of each folder that is.
"""

import collections
import json
import os
import subprocess
import sys

FOLDERS = ("specs", "gateway/wire", "gateway", "src/base", "src/session", "src/report",
           "src/worker", "src/cli")


def folder_of(path):
    fits = [f for f in FOLDERS if path.startswith(f + "/")]
    return max(fits, key=len) if fits else None


def gcov(builddir):
    notes = [os.path.join(d, f) for d, _, files in os.walk(builddir) for f in files
             if f.endswith(".gcno") and not d.startswith(os.path.join(builddir, "tests"))]
    out = subprocess.run([os.environ.get("GCOV", "gcov"), "--json-format", "--stdout", *notes],
                         cwd=builddir, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]


def main(srcdir, builddir):
    srcdir = os.path.realpath(srcdir)
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    for unit in gcov(builddir):
        cwd = unit["current_working_directory"]
        for source in unit["files"]:
            path = os.path.relpath(os.path.realpath(os.path.join(cwd, source["file"])), srcdir)
            if folder_of(path):
                for line in source["lines"]:
                    counts[path][line["line_number"]] += line["count"]
    if not counts:
        sys.exit("no coverage data in %s: configure with --enable-coverage, then make check"
                 % builddir)
    folders = collections.defaultdict(lambda: [0, 0])
    for path in sorted(counts):
        hit = sum(1 for n in counts[path].values() if n)
        missed = sorted(line for line, n in counts[path].items() if not n)
        folders[folder_of(path)][0] += hit
        folders[folder_of(path)][1] += len(counts[path])
        print("%6.1f%%  %-40s %s" % (100.0 * hit / len(counts[path]), path,
                                     " ".join(map(str, missed[:12])) +
                                     (" ..." if len(missed) > 12 else "")))
    print("line coverage: " + ", ".join("%s %.1f%%" % (f, 100.0 * folders[f][0] / folders[f][1])
                                         for f in FOLDERS if folders[f][1]))


main(*sys.argv[1:3])
