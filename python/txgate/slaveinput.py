"""pytest plugin, loaded where txgate is installed: workerinput under its names of old and new.

`config.slaveinput` is config.workerinput, `node.slaveinput` is node.workerinput (pytest-xdist before 2.0
called them so), and the fixture `workerinput` is that dictionary, empty where no gateway has one.
"""

from typing import Any, Dict

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", None)
    if given is not None and not hasattr(config, "slaveinput"):
        config.slaveinput = given  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    if not hasattr(node, "slaveinput"):
        node.slaveinput = node.workerinput


@pytest.fixture(scope="session")
def workerinput(request: pytest.FixtureRequest) -> Dict[str, Any]:
    """What this gateway was told: its device's address, and whatever else the fleet says."""
    return getattr(request.config, "workerinput", {})
