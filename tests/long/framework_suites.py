"""Suites that nobody here wrote, case by case: what txgate says is what their frameworks say.

Built from Debian's sources below the build folder: nghttp2 and nghttp3 (CUnit, as they are; nghttp2
once more with a planted error, nghttp3 with musl and for another machine, CUnit as well), the parts of yaml-cpp that need GoogleTest alone (as they
are, and with a planted error). Debian's prebuilt libglib2.0-tests (GLib) and dbus-tests (exit
status). Each program is first run by hand and what its framework reports, CUnit's own text,
GoogleTest's XML, GLib's TAP, is read here. Then txgate runs it, as a batch and with one process for
each case, on one and on four gateways: the same cases, each with the same verdict.

framework_suites.py [SUITE...] [-k PART]: only these suites, by case only cases with PART in them.
"""

import argparse
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.environ["TXG_SRCDIR"], "tests/lib"))

import workers  # noqa: E402

BUILDDIR = os.path.abspath(os.environ["TXG_BUILDDIR"])
TXGATE = os.path.join(BUILDDIR, "txgate")
SOURCES = os.path.join(BUILDDIR, "long/sources")
TIMEOUT = 120


SEED = ["--seed", "R02S0123456789abcdef0123456789abcdef"]  # names of GLib's cases hold it


class Skip(Exception):
    pass


def call(words, cwd, **kwargs):
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=900, **kwargs)
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip().splitlines()
        raise Skip("%s: %s" % (words[0], said[-1] if said else "exit status %d" % done.returncode))
    return done


# Debian's sources

def private_apt():
    """apt's settings with lists of its own and the same archives' sources, in the build folder."""
    folder = os.path.join(SOURCES, "apt")
    settings = os.path.join(folder, "apt.conf")
    env = dict(os.environ, APT_CONFIG=settings, LC_ALL="C")
    if os.path.exists(os.path.join(folder, "updated")):
        return env
    if not shutil.which("apt-get") or not shutil.which("dpkg-source"):
        raise Skip("no apt-get and dpkg-source here")
    for name in ["parts", "lists/partial", "cache/archives/partial"]:
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    lists = glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*.list")
    for path in lists + glob.glob("/etc/apt/sources.list.d/*.sources"):
        with open(path) as f:
            text = f.read()
        text = re.sub(r"^deb ", "deb-src ", text, flags=re.M)
        text = re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.M)
        with open(os.path.join(folder, "parts", os.path.basename(path)), "w") as f:
            f.write(text)
    with open(settings, "w") as f:
        f.write('Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "%s/parts";\n'
                'Dir::State "%s"; Dir::State::status "/dev/null"; Dir::Cache "%s/cache";\n'
                'Acquire::Languages "none"; APT::Sandbox::User "%s"; Acquire::Retries "1";\n'
                'Acquire::http::Timeout "20"; Acquire::https::Timeout "20";\n'
                % (folder, folder, folder, os.environ.get("USER") or "root"))
    call(["apt-get", "-qq", "update"], folder, env=env)
    open(os.path.join(folder, "updated"), "w").close()
    return env


def source(package):
    """The folder with the package's unpacked source."""
    folder = os.path.join(SOURCES, package)
    if os.path.exists(os.path.join(folder, ".complete")):
        return folder
    env = private_apt()
    shutil.rmtree(folder, ignore_errors=True)
    call(["apt-get", "-qq", "source", "--download-only", package], SOURCES, env=env)
    found = glob.glob(os.path.join(SOURCES, package + "_*.dsc"))
    call(["dpkg-source", "--no-check", "-x", found[0], folder], SOURCES)
    open(os.path.join(folder, ".complete"), "w").close()
    return folder


def copy_with_error(folder, path, before, after):
    """Another copy of the source, with an error planted in it."""
    other = folder + "-planted"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(folder, other, symlinks=True, ignore=shutil.ignore_patterns("its_test"))
    with open(os.path.join(other, path)) as f:
        text = f.read()
    if before not in text:
        raise Skip("%s has no %r to plant an error in" % (path, before))
    with open(os.path.join(other, path), "w") as f:
        f.write(text.replace(before, after))
    return other


def build(folder, words, patterns, libraries):
    target = os.path.join(folder, "its_test")
    if not os.path.exists(target):
        files = []
        for pattern in patterns:
            files += sorted(glob.glob(os.path.join(folder, pattern)))
        files = [f for f in files if "malloc" not in os.path.basename(f) or "/lib/" in f]
        call([*words, "-w", "-o", target, *files, *libraries], folder)
    return target


def fill_in_version(folder, path):
    """What configure would do to a header."""
    with open(os.path.join(folder, path + ".in")) as f:
        text = f.read()
    with open(os.path.join(folder, path), "w") as f:
        f.write(text.replace("@PACKAGE_VERSION@", "1").replace("@PACKAGE_VERSION_NUM@", "1"))


def nghttp(number, planted=False):
    folder = source("nghttp" + number)
    if planted:
        folder = copy_with_error(folder, "lib/nghttp2_extpri.c", "extpri->inc << 7", "extpri->inc << 6")
    include = "lib/includes/nghttp%s/" % number
    fill_in_version(folder, include + ("nghttp2ver.h" if number == "2" else "version.h"))
    return [build(folder, ["cc", "-O1", "-DNGHTTP%s_STATICLIB" % number, "-DHAVE_ARPA_INET_H",
                           "-DHAVE_NETINET_IN_H", "-DHAVE_UNISTD_H", "-Ilib/includes", "-Ilib"],
                  ["tests/*.c", "lib/*.c"], ["-lcunit", "-lm"])]


def cunit(compiler):
    """The folder of a libcunit.so that this compiler made, with its headers."""
    if not shutil.which(compiler):
        raise Skip("no %s here" % compiler)
    folder = source("cunit")
    headers = os.path.join(folder, "CUnit/Headers")
    with open(os.path.join(headers, "CUnit.h.in")) as f:
        text = f.read()
    with open(os.path.join(headers, "CUnit.h"), "w") as f:
        f.write(text.replace("@VERSION@", "2.1-3").replace("@RELEASE@", ""))
    target = os.path.join(folder, compiler)
    os.makedirs(os.path.join(target, "include"), exist_ok=True)
    if not os.path.exists(os.path.join(target, "include/CUnit")):
        os.symlink(headers, os.path.join(target, "include/CUnit"))
    sources = glob.glob(os.path.join(folder, "CUnit/Sources/[BAF]*/*.c"))
    call([compiler, "-w", "-shared", "-fPIC", '-DVERSION="2.1-3"', "-I" + headers, *sources,
          "-Wl,-soname,libcunit.so.1", "-o", os.path.join(target, "libcunit.so.1")], folder)
    return target


def nghttp3_with(compiler):
    folder = source("nghttp3")
    fill_in_version(folder, "lib/includes/nghttp3/version.h")
    library = cunit(compiler)
    target = os.path.join(library, "nghttp3_test")
    call([compiler, "-w", "-O1", "-DNGHTTP3_STATICLIB", "-DHAVE_ARPA_INET_H", "-DHAVE_UNISTD_H",
          "-Ilib/includes", "-Ilib", "-I%s/include" % library, "-o", target,
          *glob.glob(os.path.join(folder, "tests/*.c")), *glob.glob(os.path.join(folder, "lib/*.c")),
          os.path.join(library, "libcunit.so.1"), "-Wl,-rpath," + library, "-lm"], folder)
    return [target]


EMULATOR = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"]


def nghttp3_for_aarch64():
    if not shutil.which(EMULATOR[0]):
        raise Skip("no %s here" % EMULATOR[0])
    found = nghttp3_with("aarch64-linux-gnu-gcc")
    said, ready = workers.build(BUILDDIR, ["aarch64"])
    if not ready:
        raise Skip("no worker for aarch64: " + said[-300:])
    return found


def yaml_cpp(planted=False):
    folder = source("yaml-cpp")
    if planted:
        folder = copy_with_error(folder, "src/emitter.cpp", 'return "~";', 'return "nil";')
    return [build(folder, ["g++", "-O0", "-DYAML_CPP_STATIC_DEFINE", "-Iinclude", "-Isrc", "-Itest"],
                  ["test/main.cpp", "test/ostream_wrapper_test.cpp", "test/regex_test.cpp",
                   "test/integration/load_node_test.cpp", "test/integration/emitter_test.cpp",
                   "test/integration/error_messages_test.cpp", "src/*.cpp", "src/contrib/*.cpp"],
                  ["-lgtest", "-pthread"])]


def glib():
    """Of the prebuilt ones those that need nothing but memory."""
    names = ["array-test", "base64", "bytes", "dir", "hash", "list", "queue", "rand", "sequence",
             "slist", "sort", "string", "tree", "utf8-pointer"]
    paths = ["/usr/libexec/installed-tests/glib/" + name for name in names]
    found = [path for path in paths if os.access(path, os.X_OK)]
    if not found:
        raise Skip("Debian's libglib2.0-tests is not installed")
    return found


def dbus():
    found = set()
    for path in glob.glob("/usr/share/installed-tests/dbus/*.test"):
        with open(path) as f:
            words = re.search(r"^Exec=(.*)$", f.read(), re.M).group(1).split()
        words = words[1:] if words[0] == "env" else words
        if words[0].startswith("/usr/l") and words[1:] in ([], ["--tap"]):
            found.add(words[0])
    if not found:
        raise Skip("Debian's dbus-tests is not installed")
    return sorted(path for path in found if os.access(path, os.X_OK))


# What frameworks say of themselves: {case: verdict}

def run_by_hand(words, folder):
    with open(words[0], "rb") as f:
        is_foreign = f.read(20)[18:] == b"\xb7\0"  # ELF's number of aarch64
    return subprocess.run(EMULATOR * is_foreign + words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=TIMEOUT)


def cunit_says(program, folder):
    text = run_by_hand([program], folder).stdout.decode(errors="replace")
    found, suite = {}, None
    for part in re.split(r"^(?=Suite: |  Test: |Run Summary:)", text, flags=re.M):
        test = re.match(r"  Test: (.*?) \.\.\.(.*)", part, re.S)
        if part.startswith("Suite: "):
            suite = part[len("Suite: "):].split("\n")[0]
        elif test:
            assert ("passed" in test.group(2)) != ("FAILED" in test.group(2)), part
            found["%s/%s" % (suite, test.group(1))] = \
                "failed" if "FAILED" in test.group(2) else "passed"
    total, ran, passed, failed = map(int, re.search(
        r"^ +tests +(\d+) +(\d+) +(\d+) +(\d+)", text, re.M).groups())
    counts = collections.Counter(found.values())
    assert (total, passed, failed) == (len(found), counts["passed"], counts["failed"]), text
    return found


def gtest_says(program, folder):
    path = os.path.join(folder, "own.xml")
    run_by_hand([program, "--gtest_output=xml:" + path], folder)
    found = {}
    root = ElementTree.parse(path).getroot()
    for case in root.iter("testcase"):
        name = "%s.%s" % (case.get("classname"), case.get("name"))
        skipped = case.get("status") == "notrun" or case.find("skipped") is not None
        found[name] = "failed" if case.find("failure") is not None else \
            "skipped" if skipped else "passed"
    assert int(root.get("tests")) == len(found), path
    return found


def glib_says(program, folder):
    text = run_by_hand([program, "--tap", *SEED], folder).stdout.decode(errors="replace")
    found = {}
    for line in text.split("\n"):
        point = re.match(r"(not )?ok \d+ (?:- )?(\S+)(?: # (\w+))?", line)
        if point:
            assert point.group(2) not in found, line
            found[point.group(2)] = "failed" if point.group(1) else \
                "skipped" if (point.group(3) or "").upper() == "SKIP" else "passed"
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    assert plan and int(plan.group(1)) == len(found), text
    return found


def status_says(program, folder):
    code = run_by_hand([program], folder).returncode
    verdict = {0: "passed", 77: "skipped", 99: "error"}.get(code, "failed")
    return {"": "crashed" if code < 0 else verdict}


# What txgate says

def by_txgate(words, folder):
    """{nodeid: [verdict, ...]}."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        events = os.path.join(own, "events")
        done = subprocess.run([TXGATE, "run", "-q", "--tb=no", "--timeout", "%ds" % TIMEOUT, "--jsonl",
                               events, *words], cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800)
        verdicts = collections.defaultdict(list)
        with open(events) as f:
            for event in map(json.loads, f):
                if event["event"] == "test_finish":
                    verdicts[event["nodeid"]].append(event["outcome"])
    if not verdicts:
        print(done.stdout.decode(errors="replace"))
    return verdicts


def compare(what, own, found):
    """Prints what differs; how many agree and how many do not."""
    agree = differ = 0
    for nodeid in sorted(own.keys() | found.keys()):
        if found.get(nodeid) == own.get(nodeid):
            agree += 1
        else:
            differ += 1
            print("%s: %s: its framework says %s, txgate %s" %
                  (what, nodeid, own.get(nodeid), found.get(nodeid)))
    print("%s: %d cases as their framework says, %d others" % (what, agree, differ), flush=True)
    return agree, differ


def one_by_one(suite, own, gateways, folder):
    """Each case by its own nodeid, on so many gateways at once: a process for each."""
    def one(nodeid):
        words = [*suite.options, "--dist", "each", "--tx", "%d*%s" % (gateways, suite.gateway),
                 nodeid, *suite.arguments]
        return nodeid, by_txgate(words, folder).get(nodeid)
    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(one, own))


Suite = collections.namedtuple("Suite", "programs says options arguments gateway",
                               defaults=([], [], "popen"))
SUITES = {
    "nghttp2": Suite(lambda: nghttp("2"), cunit_says),
    "nghttp2-planted": Suite(lambda: nghttp("2", True), cunit_says),
    "nghttp3": Suite(lambda: nghttp("3"), cunit_says),
    "nghttp3-musl": Suite(lambda: nghttp3_with("musl-gcc"), cunit_says),
    # its program, its library and the worker travel, and all of them run under an emulator
    "nghttp3-aarch64": Suite(nghttp3_for_aarch64, cunit_says,
                             gateway="exec=env//arch=aarch64//emulator=" + " ".join(EMULATOR)),
    "yaml-cpp": Suite(yaml_cpp, gtest_says),
    "yaml-cpp-planted": Suite(lambda: yaml_cpp(True), gtest_says),
    "glib": Suite(glib, glib_says, arguments=["--", *SEED]),
    "dbus": Suite(dbus, status_says, options=["--harness", "exec"]),
}


def run_suite(name, part, folder):
    suite = SUITES[name]
    programs = suite.programs()
    if suite.gateway != "popen":  # only what lies below the directory of the run travels
        programs = [os.path.basename(shutil.copy(program, folder)) for program in programs]
    own = {}
    for program in programs:
        for case, verdict in suite.says(os.path.join(folder, program), folder).items():
            own[program + "::" + case if case else program] = verdict
    counts = dict(collections.Counter(own.values()))
    print("%s: %d programs, %d cases; by themselves: %s" %
          (name, len(programs), len(own), counts), flush=True)
    if name.endswith("-planted") and not counts.get("failed"):
        print("%s: the planted error is not seen by the suite itself" % name)
        return 0, 1
    passed = failed = 0
    some = [nodeid for nodeid in own if part in nodeid]
    for gateways in (1, 4):
        found = by_txgate([*suite.options, "--tx", "%d*%s" % (gateways, suite.gateway), *programs,
                           *suite.arguments], folder)
        runs = [("batch", found, {nodeid: [own[nodeid]] for nodeid in own})]
        runs.append(("a process for each case", one_by_one(suite, some, gateways, folder),
                     {nodeid: [own[nodeid]] * gateways for nodeid in some}))
        for how, seen, wanted in runs:
            agree, differ = compare("%s, %d gateway(s), %s" % (name, gateways, how), wanted, seen)
            passed, failed = passed + agree, failed + differ
    return passed, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("suites", nargs="*", default=list(SUITES))
    parser.add_argument("-k", default="")
    options = parser.parse_args()
    os.makedirs(SOURCES, exist_ok=True)
    passed = failed = skipped = 0
    for name in options.suites:
        try:
            with tempfile.TemporaryDirectory(prefix="txgate-suite-") as folder:
                agree, differ = run_suite(name, options.k, folder)
            passed, failed = passed + agree, failed + differ
        except Skip as why:
            print("skipped: %s: %s" % (name, why))
            skipped += 1
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


sys.exit(main())
