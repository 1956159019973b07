"""What a C program is compiled with to be a harness of its own: the sources of our two libraries, as
the libraries of a build may hold calls of a sanitizer's."""

import os


def _words(srcdir, names):
    folder = os.path.join(str(srcdir), "src/harness")
    return ["-I" + folder, *[os.path.join(folder, name) for name in names]]


def harness(srcdir):
    return _words(srcdir, ["harness.c", "input.c", "lines.c", "lines_ring.c"])


def cunit(srcdir):
    return _words(srcdir, ["cunit_serve.c", "cunit.c", "lines.c", "lines_ring.c"])
