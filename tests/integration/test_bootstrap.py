"""Hosts with nothing but a shell, over exec=: the worker is found or taken there, or the run says
which step failed and why. No half file is ever trusted, none is left."""

import os
import re
import shutil
import stat
import subprocess
import time

import pytest

import workers
from conftest import BUILDDIR

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and chroot need root")


@pytest.fixture
def cache(tmp_path):
    """The folder that workers are taken to first, and the environment that says so."""
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def private(folder):
    return folder / ("txgate-%d" % os.geteuid())


def files(folder):
    inner = private(folder)
    return sorted(p.name for p in inner.iterdir()) if inner.exists() else []


def run(txgate, script, exec_words, *options, env=None, **kwargs):
    script("ok", "exit 0")
    return txgate("run", "--tx", "exec=%s//chdir=%s" % (exec_words, txgate.cwd), *options, "ok",
                  env=env or {}, **kwargs)


def wrapper(tmp_path, name, text):
    """A program for exec=: its last argument is `sh`."""
    path = tmp_path / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_taken_once_and_found_again(txgate, script, cache):
    env = {"TXGATE_DIR": str(cache)}
    first = run(txgate, script, "env", "-v", env=env)
    assert first.code == 0 and "1 passed" in first.out, first
    [name] = files(cache)
    worker = private(cache) / name
    assert name.startswith("worker-") and len(name) == 7 + 64
    assert stat.S_IMODE(private(cache).stat().st_mode) == 0o700
    before = worker.stat()
    assert ": worker: %d bytes sent\n" % before.st_size in first.out, first
    second = run(txgate, script, "env", "-v", env=env)
    assert second.code == 0 and ": worker: 0 bytes sent\n" in second.out, second
    assert files(cache) == [name]
    assert (worker.stat().st_ino, worker.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_many_at_once(txgate, script, cache):
    script("ok", "exit 0")
    specs = [w for _ in range(8) for w in ("--tx", "exec=env//chdir=%s" % txgate.cwd)]
    result = txgate("run", *specs, "--dist", "each", "ok", env={"TXGATE_DIR": str(cache)})
    assert result.code == 0 and "8 passed" in result.out, result
    assert len(files(cache)) == 1


def test_noise_of_a_login_shell(txgate, script, cache, tmp_path):
    words = wrapper(tmp_path, "noisy", "seq 3000\nprintf 'TXG is a word here, no newline'\n"
                    "echo 'stty: not a terminal' >&2\nexec \"$@\"\n")
    result = run(txgate, script, words, env={"TXGATE_DIR": str(cache)})
    assert result.code == 0, result


@pytest.mark.parametrize("damage", ["truncated", "other", "link", "folder"])
def test_what_lies_in_the_cache_is_not_believed(damage, txgate, script, cache):
    env = {"TXGATE_DIR": str(cache)}
    run(txgate, script, "env", env=env)
    [name] = files(cache)
    worker = private(cache) / name
    good = worker.read_bytes()
    worker.unlink()
    if damage == "truncated":
        worker.write_bytes(good[:-1])
    elif damage == "other":
        worker.write_bytes(b"#!/bin/sh\necho owned >&2\n")
    elif damage == "link":
        worker.symlink_to("/bin/true")
    else:
        shutil.rmtree(private(cache))
        (cache / "elsewhere").mkdir()
        private(cache).symlink_to(cache / "elsewhere")
    if damage in ("truncated", "other"):
        worker.chmod(0o700)
    (cache / "home").mkdir()
    result = run(txgate, script, "env", env=dict(env, HOME=str(cache / "home")))
    assert result.code == 0 and "owned" not in result.out + result.err, result
    if damage == "folder":
        assert not list((cache / "elsewhere").iterdir())
        assert (cache / "home/.cache" / private(cache).name / name).read_bytes() == good
    else:
        assert files(cache) == [name]
        assert worker.read_bytes() == good and not worker.is_symlink()


@root_only
def test_a_folder_of_somebody_else(txgate, script, cache):
    private(cache).mkdir()
    os.chown(private(cache), 65534, 65534)
    (cache / "home").mkdir()
    result = run(txgate, script, "env", env={"TXGATE_DIR": str(cache), "HOME": str(cache / "home")})
    assert result.code == 0, result
    assert not files(cache)
    assert (cache / "home/.cache" / private(cache).name).is_dir()


@pytest.fixture
def mounted(tmp_path):
    """Mounts a tmpfs with these options below the test's folder."""
    made = []

    def mount(options):
        path = tmp_path / ("mount%d" % len(made))
        path.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True)
        if done.returncode:
            pytest.skip("no tmpfs here: %s" % done.stderr.decode())
        made.append(path)
        return path
    yield mount
    for path in made:
        subprocess.run(["umount", "-l", path], check=True)


@root_only
@pytest.mark.parametrize("options", ["noexec", "size=64k", "ro"])
def test_the_next_folder_is_taken(options, txgate, script, mounted, tmp_path):
    bad = mounted(options)
    (tmp_path / "home").mkdir()
    result = run(txgate, script, "env", env={"TXGATE_DIR": str(bad), "HOME": str(tmp_path / "home")})
    assert result.code == 0, result
    assert not files(bad)
    assert (tmp_path / "home/.cache" / private(bad).name).is_dir()


@pytest.mark.parametrize("cut", [700, 30000, 100000])
def test_cut_while_it_is_taken(cut, txgate, script, cache, tmp_path):
    words = wrapper(tmp_path, "cut", "stdbuf -o0 head -c %d | \"$@\"\n" % cut)
    result = run(txgate, script, words, env={"TXGATE_DIR": str(cache)})
    assert result.code == 6, result
    assert "gw0" in result.out and "could not start" in result.out, result
    assert not files(cache)


def tools(tmp_path, *without):
    """A folder with what a board's PATH may hold, less these."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh id uname head cat tr mkdir chmod mv rm dd sha256sum printf").split():
        if name not in without:
            (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.mark.parametrize("without", [("sha256sum",), ("head",), ("sha256sum", "head")])
def test_hosts_without_some_tools(without, txgate, script, cache, tmp_path):
    words = "env -i PATH=%s TXGATE_DIR=%s" % (tools(tmp_path, *without), cache)
    words += " LD_LIBRARY_PATH=%s" % os.environ.get("LD_LIBRARY_PATH", "")
    for _ in range(2):
        result = run(txgate, script, words)
        assert result.code == 0, result
    assert len(files(cache)) == 1


CASES = {
    "no program": ("/nonexistent/ssh", "start: No such file or directory: /nonexistent/ssh"),
    "no shell": ("cat", "probe: cat ended with status 1"),
    "ends": ("false", "probe: false ended with status 1"),
    "a terminal": ("script -q /dev/null -c", "probe: the way to the host changes bytes: it must be "
                   "8-bit clean and no terminal (-T, not -t)"),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_what_is_no_way_to_a_host(name, txgate, script, cache):
    words, expected = CASES[name]
    if not shutil.which(words.split()[0]) and name == "a terminal":
        pytest.skip("no script(1) here")
    result = run(txgate, script, words, env={"TXGATE_DIR": str(cache)})
    assert result.code == 6, result
    assert expected in result.out, result


def test_silent_host(txgate, script, cache, tmp_path):
    words = wrapper(tmp_path, "silent", "sleep 100\n")
    result = run(txgate, script, words, "--connect-timeout", "1", timeout=20)
    assert result.code == 6 and "probe: no answer within 1 s" in result.out, result


def test_seven_bits(txgate, script, cache, tmp_path):
    words = wrapper(tmp_path, "seven", "\"$@\" | LC_ALL=C stdbuf -o0 tr -d '\\200-\\377'\n")
    result = run(txgate, script, words, env={"TXGATE_DIR": str(cache)})
    assert result.code == 6 and "the way to the host changes bytes" in result.out, result


def test_changed_on_the_way(txgate, script, cache, tmp_path):
    words = wrapper(tmp_path, "changes", "LC_ALL=C stdbuf -o0 tr '\\001' '\\002' | \"$@\"\n")
    result = run(txgate, script, words, env={"TXGATE_DIR": str(cache)})
    assert result.code == 6, result
    assert "upload: the bytes did not arrive as they were sent" in result.out, result
    assert not files(cache)


@pytest.fixture(scope="session")
def static_worker(tmp_path_factory):
    """A folder to run txgate from, with a static worker beside it: boards have another libc."""
    built = BUILDDIR / "workers" / os.uname().machine / "txgate-worker"
    said, made = workers.build(BUILDDIR, [os.uname().machine])
    if not made:
        pytest.skip("no static worker: %s" % said[-500:])
    return built


@pytest.fixture
def board(tmp_path):
    """A BusyBox root: chroot into it runs nothing but BusyBox."""
    busybox = shutil.which("busybox")
    if os.geteuid() != 0 or not busybox:
        pytest.skip("a BusyBox root needs root and busybox-static")
    if b"statically linked" not in subprocess.run(["file", "-L", busybox], capture_output=True).stdout and \
            subprocess.run(["ldd", busybox], capture_output=True).returncode == 0:
        pytest.skip("busybox is not static here")
    top = tmp_path / "board"
    for name in "bin dev proc tmp root".split():
        (top / name).mkdir(parents=True)
    shutil.copy(busybox, top / "bin/busybox")
    for name in "sh id uname head cat tr mkdir chmod mv rm dd sha256sum sleep".split():
        (top / "bin" / name).symlink_to("busybox")
    os.mknod(top / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.chmod(top / "dev/null", 0o666)
    subprocess.run(["mount", "-t", "proc", "proc", top / "proc"], check=True)
    yield top
    subprocess.run(["umount", "-l", top / "proc"], check=True)


def chrooted(board):
    return "env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root chroot %s /bin/busybox" % board


def test_busybox_board(txgate, board, static_worker):
    test = board / "root/test"
    test.write_text("#!/bin/sh\necho $TXGATE_INPUT_IPADR; [ $TXGATE_INPUT_IPADR != 10.0.0.2 ]\n")
    test.chmod(0o755)
    specs = ["--tx", "exec=%s//chdir=/root//input:ipadr=10.0.0.1" % chrooted(board),
             "--tx", "exec=%s//chdir=/root//input:ipadr=10.0.0.2" % chrooted(board)]
    result = txgate("run", *specs, "--dist", "each", "test")
    assert "1 failed, 1 passed" in result.out and "10.0.0.2" in result.out, result
    [worker] = (board / "root/.cache/txgate-0").iterdir()
    assert worker.read_bytes() == static_worker.read_bytes()


def test_board_that_has_room_nowhere(txgate, board, static_worker):
    for name in ("tmp", "root/.cache"):
        path = board / name
        path.mkdir(exist_ok=True)
        options = "noexec" if name == "tmp" else "size=64k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], check=True)
    try:
        result = txgate("run", "--tx", "exec=%s" % chrooted(board), "/bin/true")
        left = [p for name in ("tmp", "root/.cache") for p in (board / name).rglob("*") if p.is_file()]
    finally:
        for name in ("tmp", "root/.cache"):
            subprocess.run(["umount", "-l", board / name], check=True)
    assert result.code == 6, result
    assert "upload: no folder there can hold the worker" in result.out, result
    assert "No space left on device" in result.out, result
    assert "/tmp/txgate-0: " in result.out and "Permission denied" in result.out, result
    assert not left


def test_worker_that_does_not_run_there(txgate, board):
    """The dynamic worker of this machine, on a host without its libc."""
    env = {"TXGATE_WORKER": str(txgate.cwd / "txgate-worker")}
    shutil.copy(BUILDDIR / "txgate-worker", env["TXGATE_WORKER"])
    result = txgate("run", "--tx", "exec=%s" % chrooted(board), "/bin/true", env=env)
    assert result.code == 6, result
    assert "upload: the worker does not run there" in result.out, result
    assert not [p for p in (board / "root").rglob("worker-*")]


def test_no_build_for_that_machine(txgate, script, cache):
    result = run(txgate, script, "env//arch=m68k", env={"TXGATE_DIR": str(cache)})
    assert result.code == 6, result
    assert "there is no worker for m68k: expected it at" in result.out, result


def test_a_worker_that_is_there(txgate, script, cache):
    result = run(txgate, script, "env//worker=%s" % (BUILDDIR / "txgate-worker"),
                 env={"TXGATE_DIR": str(cache)})
    assert result.code == 0, result
    assert not files(cache)
    result = run(txgate, script, "env//worker=/nonexistent/it's", env={"TXGATE_DIR": str(cache)})
    assert result.code == 6 and "hello: env ended with status 127" in result.out, result


FOREIGN = {"aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
           "armhf": ("arm-linux-gnueabihf-gcc", "qemu-arm-static")}

# Passes with its argument, with what its gateway was told, and nowhere but under an emulator.
FOREIGN_TEST = """
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

int main(int argc, char **argv)
{
    struct utsname name;
    const char *told = getenv("TXGATE_INPUT_UART");
    return uname(&name) != 0 || strcmp(name.machine, MACHINE) != 0 || argc != 2 ||
           strcmp(argv[1], "a b") != 0 || !told || strcmp(told, "ttyS1") != 0;
}
"""


@pytest.fixture
def foreign(board, tmp_path):
    """What runs programs of other machines on the board; a test for each of them."""
    source = tmp_path / "test.c"
    source.write_text(FOREIGN_TEST)
    said, _ = workers.build(BUILDDIR, FOREIGN)
    (board / "usr/bin").mkdir(parents=True)
    for arch, (compiler, qemu) in FOREIGN.items():
        if not shutil.which(compiler) or not shutil.which(qemu):
            pytest.skip("no %s or no %s here" % (compiler, qemu))
        if not (BUILDDIR / "workers" / arch / "txgate-worker").exists():
            pytest.skip("no worker for %s: %s" % (arch, said[-500:]))
        machine = {"armhf": "armv7l"}.get(arch, arch)
        (tmp_path / "build" / arch).mkdir(parents=True)
        subprocess.run([compiler, "-static", '-DMACHINE="%s"' % machine, source, "-o",
                        tmp_path / "build" / arch / "a_test"], check=True)
        shutil.copy(shutil.which(qemu), board / "usr/bin")
    return {a: "exec=%s//arch=%s//emulator=%s//input:uart=ttyS1" % (chrooted(board), a, FOREIGN[a][1])
            for a in FOREIGN}


def test_workers_of_other_machines(txgate, board, foreign, tmp_path):
    """Each runs its own build of the worker and of the test, which came there with it."""
    specs = [word for spec in foreign.values() for word in ("--tx", spec)]
    for _ in range(2):
        result = txgate("run", *specs, "--dist", "each", "build/{arch}/a_test", "--", "a b")
        assert result.code == 0 and "2 passed" in result.out, result
    names = {p.name for p in (board / "root/.cache/txgate-0").iterdir() if p.name[0] == "w"}
    assert len(names) == 2, names


def test_emulator_that_is_not_there(txgate, board, foreign, tmp_path):
    result = txgate("run", "--tx", foreign["aarch64"].replace("qemu-", "no-qemu-"), "build/{arch}/a_test")
    assert result.code == 6 and "the worker does not run there" in result.out, result
    assert "no-qemu-aarch64-static" in result.out, result


@root_only
def test_hosts_with_one_home(txgate, script, cache):
    """Containers, or the nodes of a cluster: each takes its worker to the same folder at the same
    time, and no process of one is known to another."""
    if subprocess.run(["unshare", "-pf", "true"]).returncode:
        pytest.skip("no pid namespaces here")
    script("ok", "exit 0")
    for _ in range(3):
        result = txgate("run", "--tx", "6*exec=unshare -pf", "--dist", "each", "ok",
                        env={"TXGATE_DIR": str(cache), "HOME": "/nonexistent"})
        assert result.code == 0 and "6 passed" in result.out, result
        assert [n[:7] for n in files(cache) if "files-" not in n] == ["worker-"], files(cache)
        shutil.rmtree(private(cache))


def test_environment_of_tests_is_the_login_shells(txgate, script, cache):
    """What the bootstrap uses for itself stays as it was in the environment of tests."""
    names = "T H S n u m d p f t e i k r o s h ok"
    given = {n: "login " + n for n in names.split()}
    script("shows", "for n in %s; do eval \"v=\\$$n\"; [ \"$v\" = \"login $n\" ] || "
           "{ echo \"$n is $v\"; exit 1; }; done" % names.replace("ok", "").replace(" n ", " "))
    for _ in range(2):
        result = txgate("run", "--tx", "exec=env//chdir=%s" % txgate.cwd, "shows",
                        env=dict(given, TXGATE_DIR=str(cache)))
        assert result.code == 0, result


@root_only
def test_nothing_stays_where_the_worker_did_not(txgate, script, mounted, tmp_path):
    bad = mounted("noexec")
    full = mounted("size=64k")
    (tmp_path / "home").mkdir()
    result = run(txgate, script, "env", env={"TXGATE_DIR": str(bad), "XDG_RUNTIME_DIR": str(full),
                                             "HOME": str(tmp_path / "home")})
    assert result.code == 0, result
    assert not list(bad.iterdir()) and not list(full.iterdir())


def test_a_home_is_kept_longer_than_a_login(txgate, script, tmp_path):
    """systemd removes XDG_RUNTIME_DIR when the user has logged out: no place for a cache."""
    (tmp_path / "run").mkdir()
    (tmp_path / "home").mkdir()
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path / "home"), "TXGATE_DIR": ""}
    assert run(txgate, script, "env", env=env).code == 0
    shutil.rmtree(tmp_path / "run")
    second = run(txgate, script, "env", "-v", env=env)
    assert second.code == 0 and ": worker: 0 bytes sent\n" in second.out, second


def test_no_stdin(txgate, script, tmp_path):
    """docker exec without -i."""
    result = run(txgate, script, wrapper(tmp_path, "deaf", "exec \"$@\" </dev/null\n"))
    assert result.code == 6 and (
        "nothing came from a shell there: does the command pass its input on (docker exec and kubectl "
        "exec need -i)?") in result.out, result


def test_a_prompt_nobody_answers(txgate, script, tmp_path):
    words = wrapper(tmp_path, "asks", "printf \"Password for $USER: \"\nsleep 100\n")
    result = run(txgate, script, words, "--connect-timeout", "1", timeout=20, env={"USER": "me"})
    assert result.code == 6 and "(--connect-timeout); it said: Password for me: " in result.out, result


def test_no_uname(txgate, script, cache, tmp_path):
    words = "env -i PATH=%s TXGATE_DIR=%s" % (tools(tmp_path, "uname"), cache)
    words += " LD_LIBRARY_PATH=%s" % os.environ.get("LD_LIBRARY_PATH", "")
    result = run(txgate, script, words)
    assert result.code == 6 and "give arch=" in result.out, result
    script("ok", "exit 0")
    spec = "exec=%s//arch=%s//chdir=%s" % (words, os.uname().machine, txgate.cwd)
    result = txgate("run", "--tx", spec, "ok")
    assert result.code == 0, result


def test_nothing_stays_without_a_cache(txgate, script, cache, tmp_path):
    """Worker and files go when the run has ended, also where its controller was killed."""
    env = {"TXGATE_DIR": str(cache)}
    script("ok", "exit 0")
    for _ in range(2):
        result = txgate("run", "--tx", "2*exec=env", "--dist", "each", "--no-cache", "-v", "ok", env=env)
        assert result.code == 0 and "2 passed" in result.out, result
        assert len(re.findall("worker: [1-9][0-9]* bytes sent", result.out)) == 2, result
        assert not list(cache.iterdir())

    script("waits", "touch '%s/begun'; sleep 100" % tmp_path)
    child = txgate.start("run", "--tx", "exec=env", "--no-cache", "waits", env=env)
    end = time.monotonic() + 20
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert list(cache.iterdir())
    child.kill()
    child.communicate(timeout=10)
    end = time.monotonic() + 5
    while list(cache.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not list(cache.iterdir())


@pytest.mark.parametrize("shell", ["dash", "bash", "bash --login", "mksh", "busybox sh", "csh -c sh",
                                   "fish -c sh"])
def test_shells(shell, txgate, script, cache, tmp_path):
    """The login shell, and the sh itself, may be any."""
    if not shutil.which(shell.split()[0]):
        pytest.skip("no %s here" % shell.split()[0])
    words = wrapper(tmp_path, "login", "exec %s\n" % shell)
    for expected in ("worker: [1-9][0-9]* bytes sent", "worker: 0 bytes sent"):
        result = run(txgate, script, words, "-v", env={"TXGATE_DIR": str(cache)})
        assert result.code == 0 and re.search(expected, result.out), result
