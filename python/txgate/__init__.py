"""txgate's Python side: no compiled code, nothing needed but pytest.

txgate.harness     pytest as a harness of txgate (docs/harness.md)
txgate.hooks       pytest_configure_node under `txgate run`
txgate.plugin      `pytest -p txgate.plugin`: pytest-xdist over txgate's gateways
txgate.slaveinput  config.slaveinput and the workerinput fixture
"""

__version__ = "0.1.0"
