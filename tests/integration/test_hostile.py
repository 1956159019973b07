"""Strings that a shell would read as something else: quotes, newlines, $(), -rf, `..`, 4 KiB, every byte.
They go as chdir=, env:, input:, id=, worker=, arguments, names of tests and files, and as TXGATE_DIR,
over each shell; a test on the far side tells what arrived. What can't be said is refused.

The strings are random: TXG_SEED=N repeats those of a failure, which names its seed.
"""

import json
import os
import random
import shutil
import string
import sys

import pytest

from conftest import BUILDDIR

PIECES = ["'", '"', "`", "$(touch PWNED)", "`touch PWNED`", ";touch PWNED;", "$HOME", "${IFS}", "-rf", "--", "-n",
          "*", "?", "[a]", "~", "!", "!!", "!$", "\\", "\\n", "\\\\", "%s%n", "=", "#", "|", "&", "<", ">", "(", ")",
          "{", "}", "{a,b}", ";", ":", ",", "@", "^", " ", "  ", "a", "é", "日本", "\u202e", "😀", "..", "."]
CONTROL = ["\n", "\t", "\r", "\x01", "\x1b[31m", "\x7f", "\nTXG x\n"]
RAW = [b"\xff\x80", b"\xc3", b"\xed\xa0\x80"]  # not UTF-8
WORD = string.ascii_letters + string.digits + "_.+-"

# What an sh may be, and what a login shell that starts it.
SHELLS = ["dash", "bash", "busybox sh", "mksh", "bash -c sh", "csh -c sh", "fish -c sh", "mksh -c sh"]

TELLS = """#!%s -SE
import json, os, sys
with open(%r, "w") as f:
    json.dump({"cwd": os.getcwdb().hex(), "name": os.fsencode(sys.argv[0]).hex(),
               "args": [os.fsencode(a).hex() for a in sys.argv[1:]],
               "env": {os.fsencode(k).hex(): v.hex() for k, v in os.environb.items()},
               "files": {os.path.relpath(os.path.join(top, n), b"data").hex():
                         open(os.path.join(top, n), "rb").read().hex()
                         for top, _, names in os.walk(b"data") for n in names}}, f)
"""


class Strings:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, most, control=False):
        """What a spec can say: UTF-8 without control characters, no //; not empty."""
        pieces = PIECES + (CONTROL if control else [])
        size = self.random.choice([3, 20, most, most])
        out = self.random.choice(pieces)
        while len(out.encode()) < size:
            out += self.random.choice(pieces)
        return out.encode()[:most].decode(errors="ignore")

    def name(self, most=200, raw=False):
        """Of a file or folder: as bytes, where `raw` any of them."""
        while True:
            out = self.text(most, raw).encode()
            if raw and self.random.random() < 0.3:
                out = out[:most - 4] + self.random.choice(RAW)
            if out not in (b".", b"..", b"PWNED"):
                return out

    def test(self):
        """The name of a program that is found in a folder: not a hidden one."""
        while True:
            out = self.name(100, raw=True)
            if not out.startswith(b"."):
                return out

    def folder(self, most):
        """A relative path of `most` bytes or less."""
        parts = []
        while sum(map(len, parts)) + len(parts) < most - 256 and len(parts) < 40:
            parts.append(self.name(self.random.choice([10, 100, 250])))
        return b"/".join(parts) or b"one"

    def word(self):
        return (self.random.choice(string.ascii_letters + string.digits + "_") +
                "".join(self.random.choices(WORD, k=self.random.choice([0, 5, 63]))))


def place(top, relative, text=b"", mode=0o644):
    """A file at a path of any length that chdir(2) can take."""
    path = os.path.join(os.fsencode(top), relative)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text)
    os.chmod(path, mode)


def told(path):
    with open(path) as f:
        found = json.load(f)

    def plain(value):
        if isinstance(value, dict):
            return {bytes.fromhex(k): plain(v) for k, v in value.items()}
        return bytes.fromhex(value) if isinstance(value, str) else [plain(v) for v in value]
    return {k: plain(v) for k, v in found.items()}


def arrive(s, shell, txgate, top):
    """One run with strings of `s`: what was sent and what the tests told."""
    tests = {b"tests/" + s.test(): n for n in range(3)}
    for name, n in tests.items():
        place(top, name, (TELLS % (sys.executable, str(top / ("told%d" % n)))).encode(), 0o755)
    files = {s.folder(s.random.choice([0, 1000])) + b"/" + s.name(255, raw=True): s.name(4096, raw=True) for _ in range(5)}
    for name, data in files.items():
        place(top / "data", name, data)
    chdir = os.path.join(os.fsencode(top), b"far", s.folder(s.random.choice([0, 500, 2500])))
    cache = os.path.join(os.fsencode(top), b"caches", s.name(raw=True), s.name(raw=True))
    os.makedirs(chdir, exist_ok=True)
    env = {"a.b-%d" % n: s.text((4096, 100)[n]) for n in range(2)}
    given = {"in%d" % n: s.text((4096, 100)[n]) for n in range(2)}
    args = [s.name(4096, raw=True) for _ in range(3)]
    gateway = s.word()
    login = top / "login"
    login.write_text("#!/bin/sh\nexec %s\n" % shell)
    login.chmod(0o755)
    spec = "exec=%s//id=%s//chdir=%s" % (login, gateway, os.fsdecode(chdir))
    spec += "".join("//env:%s=%s" % i for i in env.items())
    spec += "".join("//input:%s=%s" % i for i in given.items())
    if s.random.random() < 0.5:
        worker = os.path.join(os.fsencode(top), b"workers", s.folder(s.random.choice([0, 1000])), s.name())
        place(top, worker)
        shutil.copy(BUILDDIR / "txgate-worker", worker)
        spec += "//worker=" + os.fsdecode(worker)
    result = txgate("run", "--tx", spec, "--rsyncdir", "data", "tests", "--", *map(os.fsdecode, args),
                    env={"TXGATE_DIR": os.fsdecode(cache), "HOME": str(top / "home")})
    assert result.code == 0 and "3 passed" in result.out, result
    for name, n in tests.items():
        found = told(top / ("told%d" % n))
        assert found["cwd"] == chdir
        assert os.path.join(chdir, found["name"]) == os.path.join(chdir, name)
        assert found["args"] == args
        assert found["files"] == files
        assert found["env"][b"TXGATE_DEVICE"] == gateway.encode()
        for key, value in env.items():
            assert found["env"][key.encode()] == value.encode()
        for key, value in given.items():
            assert found["env"][b"TXGATE_INPUT_" + key.upper().encode()] == value.encode()
    if "//worker=" not in spec:
        assert os.listdir(os.path.join(cache, b"txgate-%d" % os.geteuid()))
    return [top for top, _, names in os.walk(os.fsencode(top)) if b"PWNED" in names]


@pytest.mark.parametrize("shell", SHELLS)
def test_strings_arrive_as_they_were_sent(shell, txgate, tmp_path, sanitized):
    if not shutil.which(shell.split()[0]):
        pytest.skip("no %s here" % shell.split()[0])
    first = int(os.environ.get("TXG_SEED") or random.SystemRandom().randrange(1 << 32))
    for seed in range(first, first + (2 if sanitized else 6)):
        top = tmp_path / str(seed)
        top.mkdir()
        txgate.cwd = top
        try:
            assert arrive(Strings(seed), shell, txgate, top) == []
        except BaseException:
            print("TXG_SEED=%d repeats this" % seed, file=sys.stderr)
            raise
        shutil.rmtree(top)


@pytest.mark.parametrize("words", ["id=a b", "id=$(touch PWNED)", "id=-rf", "id=a/b", "id=é", "id=" + "a" * 65,
                                   "chdir=a\nb", "env:A=\n", "env:A;B=c", "env:$(x)=c", "arch=../x", "label=a b",
                                   "input:A=\x01", "env:A=\udcff", "chdir=" + "a" * 16400])
def test_what_a_spec_can_not_say(words, txgate, tmp_path, script):
    script("runs", "touch RAN")
    result = txgate("run", "--tx", "exec=env//" + words, "runs")
    assert result.code == 4 and "--tx '" in result.err, result
    assert "\n" not in result.err.strip() and "\x01" not in result.err, result
    assert sorted(os.listdir(tmp_path)) == ["runs"]
