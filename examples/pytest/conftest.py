"""Every worker tests a device of its own: the controller hands out what devices.json lists.

Written for pytest-xdist 1, which said slave where pytest-xdist says worker since 2.0.
"""

import json
import os

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def pytest_configure(config):
    if not hasattr(config, "slaveinput"):  # the controller
        with open(os.path.join(HERE, "devices.json")) as devices:
            config.devices = json.load(devices)


def pytest_configure_node(node):
    """On the controller, for each worker before it starts."""
    node.slaveinput["ipadr"] = node.config.devices.pop(0)


@pytest.fixture(scope="session")
def device(request):
    """The address of this worker's device."""
    if hasattr(request.config, "slaveinput"):
        return request.config.slaveinput["ipadr"]
    return request.config.devices[0]
