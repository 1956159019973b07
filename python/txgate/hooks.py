"""What a conftest or a plugin says of each worker in pytest_configure_node, under `txgate run`.

    txgate run --configure-node 'python3 -m txgate.hooks' --tx '3*popen//python=python3' tests/

txgate starts this for each gateway, on the machine where txgate itself runs, with what it knows of the
gateway as a JSON object on stdin; the object on stdout is the gateway's workerinput. The arguments are
pytest's: they say which conftests count where the working directory's is not the one. Like pytest-xdist's
controller it calls pytest_configure first, in conftests and in installed plugins, and config has neither
workerinput nor slaveinput. Each gateway has a process of its own here, so the hook is called for gw0, gw1,
... up to that gateway: a list from which every node takes one gives each its own.
"""

import json
import os
import sys
import traceback
from typing import Any, Dict, List, Optional

import pytest

from txgate.harness import declare_xdist_hooks

class Spec:
    """A spec as execnet has it: a key that was not given is None."""

    def __init__(self, text: str) -> None:
        self._spec, self.env = text, {}  # type: str, Dict[str, Any]
        for word in text.split("//"):
            key, equals, value = word.partition("=")
            if key.startswith("env:"):
                self.env[key[4:]] = value
            elif key and not key.startswith("_"):
                setattr(self, key, value if equals else True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return None

    def __str__(self) -> str:
        return self._spec


class Gateway:
    def __init__(self, name: str, spec: Spec) -> None:
        self.id, self.spec = name, spec
        spec.id = name


class Node:
    """As much of pytest-xdist's WorkerController as there is before it starts."""

    def __init__(self, config: pytest.Config, gateway: Gateway, workerinput: Dict[str, Any]) -> None:
        self.config, self.gateway = config, gateway
        self.workerinput = self.slaveinput = workerinput


def number_of(name: str) -> int:
    if name[:2] != "gw" or not name[2:].isdigit():
        raise ValueError("expected a gateway's number in \"gateway\", as gw0, found %r" % name)
    return int(name[2:])


class Hooks:
    """The pytest plugin that does this instead of running tests."""

    def __init__(self, told: Dict[str, Any]) -> None:
        self.told = told
        self.workerinput = None  # type: Optional[Dict[str, Any]]

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: pytest.Config) -> None:
        declare_xdist_hooks(early_config.pluginmanager)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        if hasattr(config.option, "dist"):
            config.option.dist = "no"  # what it says of -n is for pytest-xdist's own workers
        config._do_configure()  # type: ignore[attr-defined]
        try:
            for number in range(number_of(self.told["gateway"]) + 1):
                self.workerinput = self.configure(config, number)
        except Exception as e:
            self.workerinput = None
            at = traceback.extract_tb(e.__traceback__)[-1]
            print("txgate.hooks: pytest_configure_node of gw%d: %s: %s (%s:%d)"
                  % (number, type(e).__name__, e, at.filename, at.lineno or 0), file=sys.stderr)
            return 1
        finally:
            config._ensure_unconfigure()
        return 0

    def configure(self, config: pytest.Config, number: int) -> Dict[str, Any]:
        name = "gw%d" % number
        workerinput = dict(self.told.get("workerinput") or {})
        for key, value in (("workerid", name), ("workercount", self.told.get("workercount")),
                           ("testrunuid", self.told.get("testrunuid")), ("mainargv", sys.argv)):
            workerinput.setdefault(key, value)
        given = dict(workerinput)
        node = Node(config, Gateway(name, Spec(self.told["spec"])), workerinput)
        config.hook.pytest_configure_node(node=node)
        # txgate has its own words for these.
        return {key: value for key, value in node.workerinput.items()
                if key not in given or given[key] != value
                or key in (self.told.get("workerinput") or {})}


def main(args: Optional[List[str]] = None) -> int:
    out = os.dup(1)
    os.dup2(2, 1)  # what a conftest prints is not the answer
    try:
        told = json.load(sys.stdin)
        number_of(told["gateway"]), told["spec"]
    except (ValueError, KeyError, TypeError) as e:
        sys.exit("txgate.hooks: stdin: expected what txgate run --configure-node writes: %s" % e)
    hooks = Hooks(told)
    status = int(pytest.main(sys.argv[1:] if args is None else args, plugins=[hooks]))
    if status or hooks.workerinput is None:
        return status or 1
    try:
        text = json.dumps(hooks.workerinput)
    except (TypeError, ValueError) as e:
        sys.exit("txgate.hooks: workerinput of %s: expected text, numbers, lists and dictionaries "
                 "of them: %s" % (told["gateway"], e))
    with os.fdopen(out, "w") as answer:
        answer.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
