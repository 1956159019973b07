"""pytest plugin: pytest-xdist over txgate's gateways.

    pytest -p txgate.plugin --tx ssh=root@board//python=python3 --tx 2*popen --dist load tests/
    pytest -p txgate.plugin --tx=@imx6 --dist each tests/

Every --tx is a spec of txgate's: it is reached by `txgate connect`, and so over txgate's transports, with
its host key checks and its lost time. A spec without python= means the interpreter `python3` of its host
(popen: this one). @id and @label are the fleet's: they bring its workerinput, and without python= in their
tx they run native tests. Hosts of Python tests need pytest and pytest-xdist, not txgate; nothing is copied.
(--tx=@imx6 is one word: pytest 8.2 takes a word that begins with @ for a file of arguments.)
"""

import inspect
import json
import os
import shlex
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Optional

import pytest

from txgate.slaveinput import pytest_configure, workerinput  # noqa: F401

# What pytest-xdist's own source is told in front of its start on the other side: no folder and no
# sys.path of this machine, the fixture and slaveinput, and a stand-in for this plugin's name.
PRELUDE = '''
    class _TxgateChannel(object):
        """The channel, whose first message leaves out what holds on another machine only."""
        def __init__(self, channel):
            self._channel, self._first = channel, True
        def receive(self, *args):
            item = self._channel.receive(*args)
            if self._first:
                self._first = False
                item = (item[0], item[1], {}, None)
            return item
        def __getattr__(self, name):
            return getattr(self._channel, name)
    def _txgate_prepare():
        import importlib.util, sys, types
        try:
            if importlib.util.find_spec("txgate.plugin"):
                return
        except ImportError:
            pass
        import pytest
        package = types.ModuleType("txgate")
        plugin = types.ModuleType("txgate.plugin", "PYTEST_DONT_REWRITE: it is there already")
        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(config):
            config.slaveinput = config.workerinput
        @pytest.fixture(scope="session")
        def workerinput(request):
            return request.config.workerinput
        plugin.pytest_configure, plugin.workerinput = pytest_configure, workerinput
        package.plugin = plugin
        sys.modules["txgate"], sys.modules["txgate.plugin"] = package, plugin
    channel = _TxgateChannel(channel)
    _txgate_prepare()
'''
START = 'if __name__ == "__channelexec__":\n'


def find_txgate() -> str:
    path = os.environ.get("TXGATE") or shutil.which("txgate")
    if not path:
        raise pytest.UsageError("txgate is not along PATH (TXGATE can name it)")
    return path


def with_python(spec: str) -> str:
    """The spec with an interpreter, as execnet has one; what the fleet says of @id stays."""
    keys = [word.partition("=")[0].rpartition("*")[2] for word in spec.split("//")]
    if "@" in keys[0] or "python" in keys:
        return spec
    return "%s//python=%s" % (spec, sys.executable if "popen" in keys else "python3")


def gateways_of(txgate: str, specs: List[str]) -> List[Dict[str, Any]]:
    """What stands behind the specs, one for each gateway: {"tx", "workerinput"}."""
    words = [txgate, "connect", "--print"]
    for spec in specs:
        words += ["--tx", with_python(spec)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=60)
    if done.returncode:
        raise pytest.UsageError(done.stderr.decode(errors="replace").strip())
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


class Routes:
    """The user's specs in the place of which pytest-xdist sees `popen`."""

    def __init__(self, config: pytest.Config, txgate: str) -> None:
        self.txgate = txgate
        self.gateways = gateways_of(txgate, config.option.tx)
        config.option.tx = ["popen"] * len(self.gateways)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config, specs: List[Any]) -> None:
        for spec, gateway in zip(specs, self.gateways):
            # Set here, not parsed: the value may hold "//". A replacement has the same spec.
            spec.python = " ".join(map(shlex.quote, [self.txgate, "connect", "--tx",
                                                     gateway["tx"]]))
            spec.txgate_input = gateway["workerinput"]

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput.update(node.gateway.spec.txgate_input or {})
        node.slaveinput = node.workerinput

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_getremotemodule(self) -> str:
        import xdist.remote
        source = inspect.getsource(xdist.remote)
        if START not in source:
            raise pytest.UsageError("this pytest-xdist starts its workers in a way that txgate "
                                    "does not know: use one from 3.1 to 3.8")
        return source.replace(START, START + PRELUDE, 1)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Optional[int]:
    if not hasattr(config, "workerinput") and config.getoption("tx", None):
        config.pluginmanager.register(Routes(config, find_txgate()), "txgate-routes")
    return None
