"""Static workers of a build folder, made once however many tests ask at the same time."""

import fcntl
import pathlib
import subprocess


def build(builddir, targets):
    """`make workers` for these targets, unless they are newer than the worker of this machine: other
    tests may be reading them. What it said, and whether all of them are there."""
    builddir = pathlib.Path(builddir)
    own = builddir / "txgate-worker"
    paths = [builddir / "workers" / t / "txgate-worker" for t in targets]
    with open(builddir / "workers.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(p.exists() and p.stat().st_mtime >= own.stat().st_mtime for p in paths):
            return "", True
        made = subprocess.run(["make", "-C", builddir, "workers", "WORKER_TARGETS=" + " ".join(targets)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300)
    there = all(p.exists() for p in paths)
    return made.stdout.decode(errors="replace"), made.returncode == 0 and there
