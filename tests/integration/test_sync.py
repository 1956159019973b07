"""Test files on their way to hosts: what is missing travels, once, as it is; what a peer asks to be
written elsewhere is refused."""

import hashlib
import os
import pathlib
import select
import shutil
import signal
import stat
import struct
import subprocess
import time

import pytest

import processes
import wire
from conftest import BUILDDIR


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "far"


@pytest.fixture
def over(txgate, cache):
    """Runs txgate over a shell whose worker and files lie in `cache`."""
    def run(*args, words="env", more="", **kwargs):
        env = {"TXGATE_DIR": str(cache), "HOME": str(cache), "XDG_RUNTIME_DIR": ""}
        return txgate("run", "--tx", "exec=%s%s" % (words, more), *args, env=env, **kwargs)
    return run


def root(cache):
    [found] = cache.glob("txgate-*/files-*")
    return found


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())


def test_only_what_is_missing_travels(over, cache, tmp_path, script):
    (tmp_path / "t").mkdir()
    (tmp_path / "data/deep").mkdir(parents=True)
    script("t/reads", "cat data/deep/text && [ \"$(readlink data/link)\" = deep/text ]")
    script("t/other", "exit 0")
    (tmp_path / "data/deep/text").write_bytes(b"\x00\xff" * 100000)
    (tmp_path / "data/deep/secret").write_text("x")
    (tmp_path / "data/deep/secret").chmod(0o640)
    (tmp_path / "data/empty").write_text("")
    (tmp_path / "data/link").symlink_to("deep/text")
    result = over("--rsyncdir", "data", "t/reads", "t/other", "-v")
    assert result.code == 0 and "2 passed" in result.out, result
    size = sum(os.path.getsize(tmp_path / p) for p in ("t/reads", "t/other", "data/deep/text",
                                                        "data/deep/secret"))
    assert "exec=env: files: %d bytes sent\n" % size in result.out, result
    assert "files: 0 bytes sent\n" in over("--rsyncdir", "data", "t/reads", "t/other", "-v").out
    there = root(cache)
    assert tree(there) == ["data/deep/secret", "data/deep/text", "data/empty", "data/link", "t/other",
                           "t/reads"]
    assert (there / "data/deep/text").read_bytes() == b"\x00\xff" * 100000
    assert stat.S_IMODE((there / "data/deep/secret").stat().st_mode) == 0o640
    assert os.access(there / "t/reads", os.X_OK)

    before = {p: (there / p).lstat().st_ino for p in tree(there)}
    (tmp_path / "data/empty").write_text("no more")
    script("t/stranger", "exit 1")
    (there / "left_over").write_text("from a test")
    result = over("--rsyncdir", "data", "t/reads")
    assert result.code == 0 and "1 passed" in result.out, result
    after = {p: (there / p).lstat().st_ino for p in tree(there)}
    assert sorted(after) == ["data/deep/secret", "data/deep/text", "data/empty", "data/link", "t/reads"]
    assert (there / "data/empty").read_text() == "no more"
    assert [p for p in after if after[p] != before[p]] == ["data/empty"]


def test_folder_of_tests_and_a_pattern(over, cache, tmp_path, script):
    (tmp_path / "build").mkdir()
    script("build/a_test", "exit 0")
    script("build/b_test", "exit 0")
    (tmp_path / "build/notes").write_text("no program")
    assert "2 passed" in over("build").out
    os.unlink(tmp_path / "build/b_test")
    result = over("build/*_test")
    assert "1 passed" in result.out, result
    assert tree(root(cache)) == ["build/a_test"]


def test_the_build_for_that_machine(over, cache, tmp_path, script):
    for arch in (os.uname().machine, "m68k"):
        (tmp_path / "build" / arch).mkdir(parents=True)
        script("build/%s/a_test" % arch, "exit 0")
    (tmp_path / "txgate.yaml").write_text('suites: [{files: "build/{arch}/*_test"}]\n')
    result = over()
    assert result.code == 0 and "1 passed" in result.out, result
    assert tree(root(cache)) == ["build/%s/a_test" % os.uname().machine]


def test_sync_of_txgate_yaml_and_chdir(over, cache, tmp_path, script):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/d").write_text("here")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine").write_text("stays")
    script("reads", "grep -q here data/d")
    (tmp_path / "txgate.yaml").write_text("sync: [data]\n")
    result = over("reads", more="//chdir=%s" % (tmp_path / "elsewhere"))
    assert result.code == 0, result
    assert tree(tmp_path / "elsewhere") == ["data/d", "mine", "reads"]
    assert not list(cache.glob("txgate-*/files-*"))


def test_the_same_tree_is_left_alone(over, tmp_path, script):
    script("real", "exit 0")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/linked").symlink_to(tmp_path / "real")
    result = over("bin/linked", more="//chdir=%s" % tmp_path)
    assert result.code == 0, result
    assert (tmp_path / "bin/linked").is_symlink()


def test_one_folder_for_all_gateways_of_a_run(txgate, cache, script):
    script("where", "pwd; exit 1")
    env = {"TXGATE_DIR": str(cache), "HOME": str(cache)}
    result = txgate("run", "--tx", "exec=env", "--tx", "exec=env//id=two", "--dist", "each", "where", env=env)
    assert "2 failed" in result.out, result
    assert result.out.count(str(root(cache))) == 2, result


def test_large_file(over, cache, tmp_path, script):
    script("reads", "[ $(wc -c <data/big) = 60000000 ]")
    (tmp_path / "data").mkdir()
    with open(tmp_path / "data/big", "wb") as f:
        for i in range(60):
            f.write(hashlib.sha256(b"%d" % i).digest() * 31250)
    result = over("--rsyncdir", "data", "reads", "--heartbeat", "500ms", watch_memory=True)
    assert result.code == 0, result
    assert (root(cache) / "data/big").read_bytes() == (tmp_path / "data/big").read_bytes()
    assert result.memory and max(result.memory.values()) < 32 << 20, result.memory


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_no_room_for_them(over, tmp_path, script):
    full = tmp_path / "full"
    full.mkdir()
    script("reads", "exit 0")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(b"x" * 300000)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", full]).returncode:
        pytest.skip("no tmpfs here")
    try:
        result = over("--rsyncdir", "data", "reads", more="//chdir=%s" % full)
        left = tree(full)
    finally:
        subprocess.run(["umount", "-l", full], check=True)
    assert result.code == 6, result
    assert "sync: data/big: No space left on device" in result.out, result
    assert left == []


def test_cut_on_the_way(over, cache, tmp_path, script):
    script("reads", "exit 0")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(os.urandom(3000000))
    assert over("reads").code == 0  # the worker is there
    cutter = tmp_path / "cut"
    cutter.write_text("#!/bin/sh\nstdbuf -o0 head -c 1000000 | \"$@\"\n")
    cutter.chmod(0o755)
    result = over("--rsyncdir", "data", "reads", words=str(cutter))
    assert result.code == 6, result
    assert tree(root(cache)) == ["reads"]
    assert over("--rsyncdir", "data", "reads").code == 0


def test_a_file_that_changes_meanwhile(txgate, tmp_path, script):
    """What the first host got is another file by the time the second asks for it."""
    script("reads", "exit 0")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/big").write_bytes(b"x" * 300000)
    late = tmp_path / "late"
    late.write_text("#!/bin/sh\nwhile [ ! -e %(top)s/far/*/files-*/data/big ]; do sleep 0.05; done\n"
                    ": >%(top)s/data/big\nTXGATE_DIR=%(top)s/other HOME=%(top)s/other exec \"$@\"\n"
                    % {"top": tmp_path})
    late.chmod(0o755)
    result = txgate("run", "--tx", "exec=env", "--tx", "exec=%s" % late, "--require-gateways", "any",
                    "--rsyncdir", "data", "reads", timeout=20,
                    env={"TXGATE_DIR": str(tmp_path / "far"), "HOME": str(tmp_path / "far"),
                         "XDG_RUNTIME_DIR": ""})
    assert result.code == 6 and "1 passed" in result.out, result
    assert "sync: %s: it has changed since the run began" % (tmp_path / "data/big") in result.out, result


def test_wrong_folder(over, script):
    script("reads", "exit 0")
    for folder, words in (("/usr", "expected a folder below"), ("missing", "No such file")):
        result = over("--rsyncdir", folder, "reads")
        assert result.code == 4 and words in result.err, result


class Keeper:
    """A controller that speaks to a worker's keeper of files by hand."""

    CHANNEL = 2147483647

    def __init__(self, folder, program=BUILDDIR / "txgate-worker"):
        self.signs = 0
        self.process = subprocess.Popen([program, "--token", "t"], cwd=folder,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self.take(6, time.monotonic() + 10) == b"TXG t\n"
        self.say(0, "hello", protocol=wire.PROTOCOL, version="0", testrunuid="u", heartbeat=2000000)
        where = {"chdir": {"bin": os.fsencode(folder).hex()}} if folder != program.parent else {}
        self.say(0, "open", channel=self.CHANNEL, kind=1, **where)

    def say(self, on, what, **kwargs):
        self.process.stdin.write(wire.frame(on, wire.message(what, **kwargs)))
        self.process.stdin.flush()

    def hear(self, seconds=10):
        """The payload of the next frame on the keeper's channel that is no sign of life."""
        end = time.monotonic() + seconds
        while True:
            length, channel = wire.HEADER.unpack(self.take(8, end))
            payload = self.take(length, end)
            alive = wire.message("pong", n=1)[:6]
            if channel == self.CHANNEL and payload[:6] == alive:
                self.signs += 1
            elif channel == self.CHANNEL:
                return payload

    def drain(self):
        """Until it has nothing to say for a while: none of that counts."""
        while select.select([self.process.stdout.fileno()], [], [], 0.3)[0]:
            length, _ = wire.HEADER.unpack(self.take(8, time.monotonic() + 10))
            self.take(length, time.monotonic() + 10)
        self.signs = 0

    def take(self, count, end):
        """The next bytes; beats come all the time, so the deadline is that of what is waited for."""
        fd, data = self.process.stdout.fileno(), b""
        while len(data) < count:
            left = end - time.monotonic()
            ready = select.select([fd], [], [], max(left, 0))[0] if left > 0 else []
            if not ready:
                self.process.kill()
                pytest.fail("the worker's keeper of files has not answered; came: %r" % data)
            more = os.read(fd, count - len(data))
            assert more, "the worker has ended; came: %r" % data
            data += more
        return data

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


def entry(path, content, mode=0o100644, size=0):
    return [{"bin": path.hex()}, mode, size, {"bin": content.hex()}]


EMPTY = hashlib.sha256(b"").hexdigest().encode()

HOSTILE = {
    "up": [entry(b"../out", EMPTY)],
    "up in the middle": [entry(b"a/../../out", EMPTY)],
    "absolute": [entry(b"/tmp/out", EMPTY)],
    "empty": [entry(b"", EMPTY)],
    "empty part": [entry(b"a//b", EMPTY)],
    "dot": [entry(b"a/./b", EMPTY)],
    "nul": [entry(b"a\0b", EMPTY)],
    "long": [entry(b"x" * 300, EMPTY)],
    "link up": [entry(b"a/l", b"../../out", 0o120777)],
    "link absolute": [entry(b"l", b"/etc/passwd", 0o120777)],
    "unsorted": [entry(b"b", EMPTY), entry(b"a", EMPTY)],
    "twice": [entry(b"a", EMPTY), entry(b"a", EMPTY)],
    "a device": [entry(b"a", EMPTY, 0o020666)],
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_lists(name, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    k = Keeper(folder)
    k.say(k.CHANNEL, "have", folder="f", files=HOSTILE[name], last=True)
    answer = k.hear()
    k.end()
    assert b"synced" in answer and b"text" in answer, answer
    assert tree(tmp_path) == []


def say_all(k, entries):
    for first in range(0, len(entries), 5000):
        k.say(k.CHANNEL, "have", folder="f", files=entries[first:first + 5000],
              last=first + 5000 >= len(entries))


def test_every_second_of_very_many_is_missing(tmp_path):
    """What is asked for fits into one message, though some is asked for that is there."""
    program = tmp_path / "txgate-worker"
    shutil.copy(str(BUILDDIR / "txgate-worker"), str(program))
    (tmp_path / "files-f").mkdir(mode=0o700)
    names = ["%06d" % n for n in range(44000)]
    for name in names[1::2]:
        (tmp_path / "files-f" / name).touch(0o644)
    k = Keeper(tmp_path, program)
    say_all(k, [entry(name.encode(), EMPTY) for name in names])
    answer = k.hear(30)
    head = answer.index(b"indices") + len(b"indices")
    assert answer[head:head + 3] == b"\xdc" + struct.pack(">H", 20000), answer[:40]
    asked = list(range(0, 39998, 2)) + list(range(39998, 43999))
    for index in asked:
        k.say(k.CHANNEL, "blob", index=index, data={"bin": ""})
    answer = k.hear(30)
    k.end()
    assert b"synced" in answer and b"text" not in answer, answer
    assert sorted(os.listdir(tmp_path / "files-f")) == names


def test_more_gaps_than_a_message_has_room_for(tmp_path):
    entries = []
    for n in range(90000):
        entries += [entry(b"%06da" % n, EMPTY), entry(b"%06db" % n, b"x", 0o120777)]
    k = Keeper(tmp_path)
    say_all(k, entries)
    answer = k.hear(30)
    k.end()
    assert b"synced" in answer and b"90000 files with links between them are missing" in answer, answer[:200]


def test_no_file_through_a_link(tmp_path):
    """A folder of the list is a link to somewhere else by the time the file comes."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "a").symlink_to(out)
    k = Keeper(folder)
    k.say(k.CHANNEL, "have", folder="f", files=[entry(b"a/b", EMPTY)], last=True)
    assert b"need" in k.hear()
    k.say(k.CHANNEL, "blob", index=0, data={"bin": ""})
    answer = k.hear()
    k.end()
    assert b"synced" in answer and b"a/b: " in answer, answer
    assert tree(out) == []


@pytest.mark.parametrize("data, size, words", [
    (b"other", 5, b"changed on its way"), (b"too long", 5, b"more bytes than")])
def test_bytes_that_are_not_in_the_list(data, size, words, tmp_path):
    k = Keeper(tmp_path)
    wanted = hashlib.sha256(b"right").hexdigest().encode()
    k.say(k.CHANNEL, "have", folder="f", files=[entry(b"a", wanted, size=size)], last=True)
    assert b"need" in k.hear()
    k.say(k.CHANNEL, "blob", index=0, data={"bin": data.hex()})
    answer = k.hear()
    k.end()
    assert words in answer, answer
    assert tree(tmp_path) == []


def test_a_file_that_was_not_asked_for(tmp_path):
    k = Keeper(tmp_path)
    k.say(k.CHANNEL, "blob", index=0, data={"bin": ""})
    answer = k.hear()
    k.end()
    assert b"was not asked for" in answer, answer


def test_a_gateway_fails_while_another_gets_its_files(txgate, cache, tmp_path, script):
    """The run ends: a gateway that is closed before it was opened is not opened any more. What
    matters is which comes first within a few milliseconds, so more than one is tried."""
    script("reads", "exit 0")
    (tmp_path / "data").mkdir()
    env = {"TXGATE_DIR": str(cache), "HOME": str(cache)}
    for size in range(0, 2000000, 100000):
        (tmp_path / "data/big").write_bytes(os.urandom(size))
        result = txgate("run", "--tx", "exec=env//chdir=%s" % (tmp_path / "no/where"), "--tx",
                        "exec=env", "--rsyncdir", "data", "reads", env=env, timeout=20)
        assert result.code == 6 and "no/where: No such file or directory" in result.out, result


def test_gateways_that_share_a_folder(txgate, cache, tmp_path, script):
    """Links of their own to one account: none takes away what another is about to write."""
    names = ["d%d/e/f/t" % i for i in range(20)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True)
        script(name, "exit 0")
    env = {"TXGATE_DIR": str(cache), "HOME": str(cache)}
    for i in range(5):
        result = txgate("run", "--tx", "6*exec=env", "--dist", "each", *names, env=env)
        assert result.code == 0 and "120 passed" in result.out, result
        assert tree(root(cache)) == sorted(names)
        for path in root(cache).glob("d*"):
            shutil.rmtree(path)


def test_a_run_beside_another(txgate, over, cache, tmp_path, script):
    """A second run of the project wants other files: those of the first stay until it has ended."""
    script("slow", "touch '%s/begun'; while [ ! -e '%s/go' ]; do sleep 0.05; done" % (tmp_path, tmp_path))
    script("then", "exit 0")
    script("other", "exit 0")
    env = {"TXGATE_DIR": str(cache), "HOME": str(cache)}
    first = txgate.start("run", "--tx", "exec=env", "slow", "then", env=env)
    end = time.monotonic() + 20
    while not (tmp_path / "begun").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert "1 passed" in over("other").out
    assert tree(root(cache)) == ["other", "slow", "then"]
    (tmp_path / "go").touch()
    out, _ = first.communicate(timeout=20)
    assert b"2 passed" in out, out
    assert "1 passed" in over("other").out
    assert tree(root(cache)) == ["other"]


DEEP = "d/" * 30  # so that each is some calls


def many(count, *args):
    """What a list has: (a message of it, is it the last?)."""
    for at in range(0, count, 1000):
        files = [entry(b"%s%06d" % (DEEP.encode(), i), *args) for i in range(at, min(at + 1000, count))]
        yield files, at + 1000 >= count


@pytest.mark.parametrize("what", ["absent", "empty", "links", "others"])
def test_who_works_shows_it(what, tmp_path):
    """With no byte to read or write a keeper may have much to do, too, on a file system that is slow."""
    folder = tmp_path / "in"
    folder.mkdir()
    program = pathlib.Path(shutil.copy(BUILDDIR / "txgate-worker", folder))
    there = (folder / "files-f" if what == "others" else tmp_path) / DEEP
    there.mkdir(parents=True)
    for i in range({"empty": 4000, "others": 8000}.get(what, 0)):
        (there / ("%06d" % i)).touch()
    k = Keeper(folder, program) if what == "others" else Keeper(tmp_path)
    args = (b"x", 0o120777) if what == "links" else (EMPTY,)
    for files, last in many(1 if what == "others" else 4000, *args):
        if last:
            k.drain()
        k.say(k.CHANNEL, "have", folder="f", files=files, last=last)
    assert b"need" in k.hear(30)
    if what == "links":
        assert b"synced" in k.hear(30)
    k.end()
    assert k.signs > 2  # without it: none
    assert len(os.listdir(there)) == {"absent": 0, "empty": 4000, "links": 4000, "others": 1}[what]


@pytest.fixture
def keeping(txgate, cache, tmp_path, script):
    """A run on a host whose keeper of files has 2,000 to write: (child, the keeper's pid), once it
    works."""
    (tmp_path / "t").mkdir()
    script("program", "exit 0")
    for i in range(2000):
        (tmp_path / "t" / ("t%04d" % i)).symlink_to(tmp_path / "program")
    child = txgate.start("run", "--tx", "exec=env", "--connect-timeout", "2", "-k", "t0000",
                         "--jsonl", "events", "t",
                         env={"TXGATE_DIR": str(cache), "HOME": str(cache)})
    end, keeper = time.monotonic() + 20, None
    while not keeper and child.poll() is None and time.monotonic() < end:
        far = [p for p in processes.marked(txgate.mark) if processes.name(p).startswith("worker-")]
        if any(cache.glob("txgate-*/files-*/t/t0*")):
            keeper = next((p for p in far if processes.parent(p) in far), None)
    yield child, keeper
    child.kill()
    child.communicate(timeout=10)


def test_a_slow_keeper_is_waited_for(keeping, outcomes, tmp_path, cache):
    """All was sent long ago, and the disk there is slow: it works for longer than the patience."""
    child, keeper = keeping
    begun, written = time.monotonic(), []
    while time.monotonic() - begun < 6 and child.poll() is None:
        os.kill(keeper, signal.SIGSTOP)
        written.append(len(list(cache.glob("txgate-*/files-*/t/t*"))))
        time.sleep(0.2)
        os.kill(keeper, signal.SIGCONT)
        time.sleep(0.0005)
    out, _ = child.communicate(timeout=20)
    assert written[len(written) * 4 // 5] < 2000, written  # it was slow
    assert child.returncode == 0, out.decode()
    assert [f.outcome for f in outcomes(tmp_path / "events")["t/t0000"]] == ["passed"]


def test_a_keeper_that_is_killed_is_started_again(keeping, outcomes, tmp_path):
    child, keeper = keeping
    os.kill(keeper, signal.SIGKILL)
    out, _ = child.communicate(timeout=20)
    assert "the keeper of files was killed by signal 9 (Killed)" in out.decode(), out.decode()
    assert [f.outcome for f in outcomes(tmp_path / "events")["t/t0000"]] == ["passed"], out.decode()
    assert child.returncode == 6, out.decode()
