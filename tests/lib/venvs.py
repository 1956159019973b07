"""Virtual environments with released versions of pytest, pytest-xdist and execnet, from PyPI.

They stand in $TXG_VENVS, or <build folder>/venvs, and are made once. Where they can't be had,
Unavailable says why; tests then skip.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

VERSIONS = {
    "current": ["pytest", "pytest-xdist", "execnet"],
    "old": ["pytest<8", "pytest-xdist==3.1.0", "execnet==1.9.0"],
}
# Plugins with one half in pytest-xdist's controller and one in its workers.
PLUGINS = {
    "plugins": ["pytest", "pytest-xdist", "pytest-cov", "pytest-randomly", "pytest-rerunfailures"],
}
# For `make check-long`: each pytest-xdist with the execnet of before and after 2.0 that it takes (3.8
# wants 2.1) and the newest pytest that it can do with. pytest 6.2 needs Python 3.11 or older.
MATRIX = {
    "xdist-3.8-execnet-2.1": ["pytest", "pytest-xdist==3.8.0", "execnet==2.1.*"],
    "xdist-3.1-execnet-2.1": ["pytest<8", "pytest-xdist==3.1.0", "execnet==2.1.*"],
    "xdist-3.1-execnet-1.9": ["pytest<8", "pytest-xdist==3.1.0", "execnet==1.9.0"],
    "xdist-1.34-execnet-2.1": ["pytest==6.2.5", "pytest-xdist==1.34.0", "execnet==2.1.*"],
    "xdist-1.34-execnet-1.9": ["pytest==6.2.5", "pytest-xdist==1.34.0", "execnet==1.9.0"],
}


class Unavailable(Exception):
    pass


def _run(command, timeout):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Unavailable("%s: not done after %d s" % (" ".join(map(str, command)), timeout))
    except OSError as e:
        raise Unavailable(str(e))
    if done.returncode:
        lines = done.stdout.decode(errors="replace").strip().splitlines() or ["(no output)"]
        raise Unavailable("%s: %s" % (" ".join(map(str, command)), lines[-1]))


def _make(path, requirements):
    _run([sys.executable, "-m", "venv", path], 120)
    _run([path / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check",
          "--retries", "1", "--timeout", "15", *requirements], 300)
    (path / "complete").write_text("\n".join(requirements))


def bin_folder(name, builddir):
    """The folder with `python` and `pytest` of VERSIONS, PLUGINS or MATRIX by that name."""
    requirements = {**VERSIONS, **PLUGINS, **MATRIX}[name]
    root = pathlib.Path(os.environ.get("TXG_VENVS") or pathlib.Path(builddir) / "venvs")
    path, refused = root / name, root / (name + ".refused")
    root.mkdir(parents=True, exist_ok=True)
    with open(root / (name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = "\n".join(requirements)
        done = path / "complete"
        if not done.exists() or done.read_text() != wanted:
            # A registry that can't be reached is asked once in an hour, not by every test.
            if refused.exists() and os.path.getmtime(refused) > os.path.getmtime(__file__):
                import time
                if time.time() - os.path.getmtime(refused) < 3600:
                    raise Unavailable(refused.read_text())
            shutil.rmtree(path, ignore_errors=True)
            try:
                _make(path, requirements)
            except Unavailable as e:
                refused.write_text(str(e))
                raise
    return path / "bin"
