"""Released pytest-xdist and execnet (venvs.MATRIX) against txgate-worker and txgate connect: every mode of
--dist that they have, on this machine, over ssh to a board without Python and to a host with it.

    PYTHONPATH=tests/integration:tests/lib python3 -m pytest tests/long/xdist_matrix.py
"""

import os
import re
import shutil
import subprocess

import pytest

import processes
import venvs
from conftest import (  # noqa: F401
    BUILDDIR, board, client, folder, may_have_boards, script, serve, server, static_workers)
from test_xdist import counts, finish, make

TESTS = {"passes": "exit 0\n", "passes2": "exit 0\n", "skips": "exit 77\n",
         "fails": 'echo "device $TXGATE_INPUT_IPADR"; exit 1\n'}
PYTHON_TESTS = """
import pytest
def test_passes(): pass
def test_passes2(): pass
@pytest.mark.skip(reason="no device")
def test_skips(): pass
def test_fails(request):
    print("device " + request.config.%sinput["ipadr"])
    assert 0
"""
HOOK = """
def pytest_configure_node(node):
    node.%sinput["ipadr"] = "10.0.0.%%s" %% node.gateway.id[2:]
"""


def modes_of(version):
    modes = ["each", "load", "loadscope", "loadfile"]
    if not version.startswith("xdist-1."):
        modes.append("loadgroup")
    if version.startswith("xdist-3.8"):
        modes.append("worksteal")
    return modes


CELLS = [(version, mode) for version in venvs.MATRIX for mode in modes_of(version)]


@pytest.fixture
def run(request, tmp_path, client, script):  # noqa: F811
    version, mode = request.param
    old = version.startswith("xdist-1.")
    runner = make(version, BUILDDIR, tmp_path)
    if not (BUILDDIR / "txgate").exists():
        pytest.skip("txgate is not built in %s" % BUILDDIR)
    name = "slave" if old else "worker"  # pytest-xdist's word before 2.0
    (tmp_path / "conftest.py").write_text(HOOK % name)
    (tmp_path / "t").mkdir()
    for test, text in TESTS.items():
        script("t/" + test, text)
    (tmp_path / "test_it.py").write_text(PYTHON_TESTS % name)

    def start(tx, *tests):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TXGATE_"))}
        env.update(client.env, **{processes.MARK: runner.mark})
        done = subprocess.run(
            [runner.bin / "pytest", "-p", "no:cacheprovider", "--tx", tx, "--tx", tx, "--dist", mode,
             *tests], cwd=str(tmp_path), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=120, universal_newlines=True)
        times = 2 if mode == "each" else 1
        assert done.returncode == 1, done.stdout
        assert counts(done.stdout) == {"passed": 2 * times, "failed": times, "skipped": times}, \
            done.stdout
        told = set(re.findall(r"^device 10\.0\.0\.([01])$", done.stdout, re.M))
        assert len(told) == times, done.stdout
    start.python = runner.bin / "python"

    def connect(spec):
        (tmp_path / "txgate.yaml").write_text("gateways: [{id: there, tx: \"%s\"}]\n" % spec)
        return "popen//python=%s connect there" % (BUILDDIR / "txgate")
    start.connect = connect
    yield start
    finish(runner)


matrix = pytest.mark.parametrize("run", CELLS, indirect=True, ids=["%s-%s" % c for c in CELLS])


@matrix
def test_worker_here(run):
    run("popen//python=%s" % (BUILDDIR / "txgate-worker"), "t")


@matrix
def test_connect_here(run):
    run(run.connect("popen"), "t")


@matrix
def test_worker_on_a_board(run, board, client, tmp_path):  # noqa: F811
    """As docs/pytest.md has it: the program is there, pytest-xdist copies the tests."""
    shutil.copy(str(BUILDDIR / "workers" / os.uname().machine / "txgate-worker"),
                str(board.top / "tmp/txgate-worker"))
    client.config.write_text("IdentityFile %s\nUserKnownHostsFile %s\n"
                             % (client.ssh / "id_ed25519", client.known_hosts))
    run("ssh=-p %d root@%s//ssh_config=%s//python=/tmp/txgate-worker"
        % (board.port, board.address, client.config), "--rsyncdir=t", str(tmp_path / "t"))


@matrix
def test_connect_to_a_board(run, board):  # noqa: F811
    run(run.connect(board.spec), "t")


@matrix
def test_connect_to_a_host_with_python(run, server, tmp_path):  # noqa: F811
    run(run.connect("%s//python=%s//chdir=%s" % (server.spec, run.python, tmp_path)), "test_it.py")
