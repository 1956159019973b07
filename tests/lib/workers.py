"""Static workers of a build folder, made once however many tests ask at the same time."""

import fcntl
import pathlib
import subprocess


def build(builddir, targets):
    """`make workers` for these targets. What it said, and whether all of them are there."""
    builddir = pathlib.Path(builddir)
    with open(builddir / "workers.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(["make", "-C", builddir, "workers", "WORKER_TARGETS=" + " ".join(targets)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300)
    there = all((builddir / "workers" / t / "txgate-worker").exists() for t in targets)
    return made.stdout.decode(errors="replace"), made.returncode == 0 and there
