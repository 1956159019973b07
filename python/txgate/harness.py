"""pytest as a harness of txgate: a persistent interpreter that speaks docs/harness.md.

    python3 -m txgate.harness [pytest's arguments] tests/

The arguments are pytest's own. Under txgate (TXGATE_HARNESS in the environment) tests are listed and run
as the worker says, with workerinput as config.workerinput and config.slaveinput; started by hand it is
pytest. This file needs Python 3.7 and pytest 7 and nothing else: it can be copied to where it runs.
"""

import array
import fcntl
import gc
import json
import os
import select
import socket
import sys
import termios
import types
import zlib
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

try:
    import pytest
except ImportError as e:
    sys.exit("%s can't import pytest (%s): `%s -m pip install pytest` there, or name another "
             "interpreter with python=" % (sys.executable, e, sys.executable))
if int(pytest.__version__.split(".")[0]) < 7:
    sys.exit("%s has pytest %s, txgate needs 7.0 or newer" % (sys.executable, pytest.__version__))

VERSION = "1"
LINE_MAX = 65000  # of a reason; a line is at most 64 KiB
REASON_MAX = 4000
ERROR_MAX = 16000
# pytest-xdist's: without it pytest refuses a conftest that has one of them.
XDIST_HOOKS = {
    "pytest_configure_node": "node", "pytest_testnodeready": "node",
    "pytest_testnodedown": "node, error", "pytest_xdist_setupnodes": "config, specs",
    "pytest_xdist_newgateway": "gateway", "pytest_xdist_rsyncstart": "source, gateways",
    "pytest_xdist_rsyncfinish": "source, gateways", "pytest_xdist_getremotemodule": "",
    "pytest_xdist_node_collection_finished": "node, ids",
    "pytest_xdist_make_scheduler": "config, log", "pytest_xdist_auto_num_workers": "config",
    "pytest_handlecrashitem": "crashitem, report, sched",
}


def escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\0", "?")


def unescape(text: str) -> str:
    if "\\" not in text:
        return text
    out, at = [], 0
    while at < len(text):
        c = text[at]
        if c == "\\" and at + 1 < len(text):
            at += 1
            c = {"t": "\t", "n": "\n"}.get(text[at], text[at])
        out.append(c)
        at += 1
    return "".join(out)


class Wire:
    """Lines of tab-separated fields on two descriptors, and the two streams beside them."""

    def __init__(self, commands: int, answers: int, streams: Tuple[int, int]) -> None:
        self.commands, self.answers, self.streams = commands, answers, streams
        self.held = b""
        self.ended = False

    def _line(self, wait: bool) -> Optional[List[str]]:
        while b"\n" not in self.held and not self.ended:
            if not wait and not self._readable():
                return None
            data = os.read(self.commands, 65536)
            self.ended = not data
            self.held += data
        line, newline, rest = self.held.partition(b"\n")
        if not newline:
            return None
        self.held = rest
        return [unescape(f) for f in line.decode("utf-8", "surrogateescape").split("\t")]

    def _readable(self) -> bool:
        return bool(select.select([self.commands], [], [], 0)[0])

    def next(self, wait: bool = True) -> Optional[List[str]]:
        """The next message; None: the end, or (without wait) none is there yet."""
        return self._line(wait)

    def say(self, *fields: str) -> None:
        self.say_all([fields])

    def say_all(self, messages: Iterable[Sequence[str]]) -> None:
        text = "".join("\t".join(map(escape, fields)) + "\n" for fields in messages)
        data = memoryview(text.encode("utf-8", "surrogateescape"))
        while data:
            data = data[os.write(self.answers, data):]

    def show(self, stream: int, text: str) -> None:
        """To stdout (0) or stderr (1) of this process as the worker sees it."""
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self.streams[stream], data):]

    def is_unread(self) -> bool:
        """Bytes of the case wait in a pipe to the worker."""
        for fd in self.streams:
            count = array.array("i", [0])
            try:
                fcntl.ioctl(fd, termios.FIONREAD, count, True)
            except OSError:
                continue
            if count[0]:
                return True
        return False


class _Parents:
    """Stands for a next item that is not known yet: only what is the item's own is torn down."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def listchain(self) -> List[Any]:
        return self._item.listchain()[:-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._item, name)


def one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:REASON_MAX] if lines else ""


def reason_of(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):
        text = longrepr[2]
        return one_line(text[len("Skipped: "):] if text.startswith("Skipped: ") else text)
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return one_line(crash.message)
    return one_line(str(longrepr)) if longrepr else ""


def judge(reports: List[pytest.TestReport]) -> Tuple[str, str]:
    """Outcome and reason of a test, from the reports of its phases."""
    for report in reports:
        if report.failed:
            return "failed" if report.when == "call" else "error", reason_of(report)
    for report in reports:
        if hasattr(report, "wasxfail"):
            why = one_line(report.wasxfail)
            return "xfailed" if report.skipped else "xpassed", why
        if report.skipped:
            return "skipped", reason_of(report)
    return "passed", ""


class WorkerInput(Dict[str, Any]):
    """workerinput, and on demand what these plugins look for in it: the plugin's other half would have
    put it there in pytest-xdist's controller, and under txgate no pytest runs there."""

    config: Any = None
    wire: Optional[Wire] = None

    def tell(self, text: str) -> None:
        if self.wire and self.get("workerid") == "gw0":  # for all
            self.wire.say("warning", text)

    def __missing__(self, key: str) -> Any:
        if key in ("cov_master_host", "cov_master_topdir"):  # pytest-cov: it saves its data here
            self["cov_master_host"], self["cov_master_topdir"] = socket.gethostname(), os.getcwd()
            self.tell("pytest-cov: each gateway leaves its data in %s/.coverage.*: `coverage combine` and "
                      "`coverage report` tell what they have covered" % os.getcwd())
        elif key == "randomly_seed":  # pytest-randomly: the same for all gateways of a run
            seed = self.config.option.randomly_seed
            run = zlib.crc32(str(self["testrunuid"]).encode())
            self[key] = seed if isinstance(seed, int) else run
            self.tell("pytest-randomly: --randomly-seed=%d" % self[key])
        elif key in ("sock_port", "statusdb_token"):  # pytest-rerunfailures: a server, here our own
            self._count_reruns()
        if key not in self:
            raise KeyError(key)
        return self[key]

    def _count_reruns(self) -> None:
        rerunfailures = sys.modules.get("pytest_rerunfailures")
        if rerunfailures is None:
            return
        server = rerunfailures.ServerStatusDB()
        server.sock.listen()  # its thread does so too, but in its own time
        config = types.SimpleNamespace(failures_db=server)
        rerunfailures.XDistHooks().pytest_configure_node(
            types.SimpleNamespace(workerinput=self, config=config))


def declare_xdist_hooks(manager: "pytest.PytestPluginManager") -> None:
    """Once installed plugins are there and conftests not yet: what pytest-xdist has not declared, as it
    is not installed."""
    missing = [name for name in XDIST_HOOKS
               if not (hasattr(manager.hook, name) and getattr(manager.hook, name).has_spec())]
    if missing:
        specs = {}  # type: Dict[str, Any]
        for name in missing:
            exec("@staticmethod\ndef %s(%s): pass" % (name, XDIST_HOOKS[name]), specs)
        manager.add_hookspecs(type("XdistHooks", (), {n: specs[n] for n in missing}))


def run_here(option: Any) -> None:
    """What an ini file may say to pytest-xdist is txgate's affair, as in xdist's own workers."""
    for name, value in (("dist", "no"), ("numprocesses", None), ("tx", []), ("looponfail", False),
                        ("usepdb", False)):
        if hasattr(option, name):
            setattr(option, name, value)


class Harness:
    """The pytest plugin that takes commands instead of running all that was collected."""

    def __init__(self, wire: Wire, workerinput: WorkerInput, groups: bool) -> None:
        self.wire, self.workerinput, self.groups = wire, workerinput, groups
        self.reports: List[pytest.TestReport] = []
        self.failed_to_collect = self.listed = False
        self.leftover = ""  # what a teardown said whose test had its result already

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        declare_xdist_hooks(early_config.pluginmanager)
        run_here(early_config.known_args_namespace)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.workerinput.config = config
        config.workerinput = self.workerinput  # type: ignore[attr-defined]
        config.slaveinput = self.workerinput  # type: ignore[attr-defined]
        config.workeroutput = {}  # type: ignore[attr-defined]
        run_here(config.option)
        if not config.pluginmanager.hasplugin("xdist"):
            config.pluginmanager.register(fixtures(), "txgate-fixtures")
            config.addinivalue_line("markers", "xdist_group(name): stays with others of that group")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """pytest's own terminal report is nobody's, and costs a tenth of a small test's time."""
        session.config.pluginmanager.unregister(name="terminalreporter")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """All that was collected stays to the end: the garbage collector need not look at it again."""
        gc.collect()
        gc.freeze()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed_to_collect = True
            self.wire.say("uncollected", report.nodeid or ".", report.longreprtext[:ERROR_MAX])

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        text = "%s:%d: %s: %s" % (warning_message.filename, warning_message.lineno,
                                  warning_message.category.__name__, warning_message.message)
        self.wire.say("warning", "%s: %s" % (nodeid, text) if nodeid else text)

    def name_of(self, item: pytest.Item) -> str:
        """As pytest-xdist has it: what is to stay together has its groups behind an @."""
        names = {mark.args[0] if mark.args else mark.kwargs.get("name", "default")
                 for mark in (item.iter_markers("xdist_group") if self.groups else ())}
        return "%s@%s" % (item.nodeid, "_".join(sorted(names))) if names else item.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.reports.append(report)

    def pytest_internalerror(self, excrepr: Any) -> None:
        text = str(excrepr)
        self.wire.show(1, "%s\n" % text)
        if self.listed:
            self.wire.say("error", "internal error of pytest: %s" % text.splitlines()[-1])
        else:
            self.wire.say("uncollected", "internal error of pytest", text[-ERROR_MAX:])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if self.failed_to_collect and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted("not everything could be collected")
        items: Dict[str, pytest.Item] = {}
        for item in session.items:
            items.setdefault(self.name_of(item), item)
        self.serve(session, items)
        return True

    def serve(self, session: pytest.Session, items: Dict[str, pytest.Item]) -> None:
        queue: List[str] = []
        last: Optional[pytest.Item] = None
        for name in self.commands(queue, items):
            item = items.get(name)
            if item is None:
                self.wire.say("result", name, "error", "0", "there is no such test here")
                continue
            self.tear_down(session, last, item)
            following = items.get(queue[0]) if queue else None
            self.run(name, item, following)
            last = item
        session._setupstate.teardown_exact(None)  # type: ignore[attr-defined]

    def commands(self, queue: List[str], items: Dict[str, pytest.Item]) -> Iterator[str]:
        """Names to run, one after the other; what waits behind them stands in the queue."""
        while True:
            # A look costs a system call: there is one more to know, as what follows a test, or none.
            message = self.wire.next(wait=not queue) if len(queue) < 2 else None
            while message is not None:
                if message[0] == "list":
                    self.wire.say_all(("case", name) for name in items)
                    self.wire.say("listed")
                    self.listed = True
                elif message[0] == "run" and len(message) > 1:
                    queue.append(message[1])
                message = self.wire.next(wait=not queue)
            if not queue:
                return
            yield queue.pop(0)

    def tear_down(self, session: pytest.Session, last: Optional[pytest.Item],
                  item: pytest.Item) -> None:
        """What was kept because the next test was not known, and that this one does not use."""
        if last is None:
            return
        try:
            session._setupstate.teardown_exact(item)  # type: ignore[attr-defined]
        except Exception as e:
            self.leftover = "teardown behind %s: %s: %s" % (last.nodeid, type(e).__name__, e)

    def run(self, name: str, item: pytest.Item, following: Optional[pytest.Item]) -> None:
        self.reports = []
        nextitem: Any = following if following is not None else _Parents(item)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        outcome, reason = judge(self.reports)
        if self.leftover:
            outcome, reason = "error", one_line(self.leftover)
            self.wire.show(0, self.leftover + "\n")
            self.leftover = ""
        self.show()
        took = {"setup": 0, "call": 0, "teardown": 0}
        for report in self.reports:
            took[report.when or "call"] += int(report.duration * 1e6)
        wait = self.wire.is_unread()
        self.wire.say("result", name, outcome, str(sum(took.values())), reason, "wait" if wait else "",
                      str(took["setup"]), str(took["teardown"]))
        if wait:
            self.wait_for_go()

    def wait_for_go(self) -> None:
        held: List[List[str]] = []
        message = self.wire.next()
        while message is not None and message[0] != "go":
            held.append(message)
            message = self.wire.next()
        # What came in between is put back in front.
        back = "".join("\t".join(escape(f) for f in m) + "\n" for m in held)
        self.wire.held = back.encode("utf-8", "surrogateescape") + self.wire.held

    def show(self) -> None:
        """What the test wrote, then pytest's account of why it failed."""
        if self.reports:
            last = self.reports[-1]
            for title, text in last.sections:
                self.wire.show(1 if "stderr" in title else 0,
                               text if text.endswith("\n") else text + "\n")
        for report in self.reports:
            if report.failed:
                head = "" if report.when == "call" else "at %s of %s\n" % (report.when,
                                                                           report.nodeid)
                self.wire.show(0, "%s%s\n" % (head, report.longreprtext))


def fixtures() -> types.ModuleType:
    """pytest-xdist's fixtures, where it is not installed."""
    module = types.ModuleType("txgate_fixtures")

    @pytest.fixture(scope="session")
    def worker_id(request: pytest.FixtureRequest) -> str:
        return request.config.workerinput["workerid"]  # type: ignore[attr-defined]

    @pytest.fixture(scope="session")
    def testrun_uid(request: pytest.FixtureRequest) -> str:
        return request.config.workerinput["testrunuid"]  # type: ignore[attr-defined]

    module.worker_id, module.testrun_uid = worker_id, testrun_uid  # type: ignore[attr-defined]
    return module


def main(args: Optional[List[str]] = None) -> int:
    args = sys.argv[1:] if args is None else args
    where = os.environ.pop("TXGATE_HARNESS", None)
    if where is None:
        return int(pytest.main(args))
    commands, answers = (int(n) for n in where.split(","))
    for fd in (commands, answers):
        os.set_inheritable(fd, False)  # they are not for what tests start
    wire = Wire(commands, answers, (os.dup(1), os.dup(2)))
    hello = wire.next()
    if hello is None or hello[:2] != ["hello", VERSION]:
        wire.show(1, "txgate.harness: expected hello of version %s, got %s\n" % (VERSION, hello))
        return 1
    workerinput = WorkerInput(json.loads(hello[2]))
    workerinput.wire = wire
    wire.say("ready", VERSION, "ahead")
    # pytest's own terminal report is nobody's: txgate has one for all gateways.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    groups = "--dist=loadgroup" in args  # not for pytest: it may not know the option
    args = [a for a in args if a != "--dist=loadgroup"]
    status = int(pytest.main(args, plugins=[Harness(wire, workerinput, groups)]))
    # Nothing to run here is no fault; neither is a test that failed: the worker was told.
    return 0 if status in (0, 1, 5) else status


if __name__ == "__main__":
    sys.exit(main())
