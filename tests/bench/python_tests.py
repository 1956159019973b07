"""Python tests, beside pytest and pytest-xdist."""

import os

from measure import BUILDDIR, ROUNDS, TXGATE, controller_cpu, goal, names_of, released, results, rounds, run


def python(where):
    """10,000 trivial tests: Python's by two pytests side by side, by txgate run and by xdist; native
    ones under xdist, with txgate-worker in the place of its Python."""
    pytest, count = released("pytest"), 10000
    if not pytest:
        return
    for half in "ab":
        with open(os.path.join(where, "test_%s.py" % half), "w") as f:
            f.write("import pytest\n@pytest.mark.parametrize('i', range(%d))\n"
                    "def test_it(i): pass\n" % (count // 2))
    names_of("pass", count, where)
    options = ["-q", "-p", "no:cacheprovider"]
    tests = ["test_a.py", "test_b.py"]
    ours = [TXGATE, "run", "-q", "--tx", "2*popen//python=%s" % released("python"), "--dist",
            "load", *tests]
    theirs = [pytest, *options, "-n", "2", *tests]
    native = [pytest, *options, "--tx", "2*popen//python=%s" % os.path.join(BUILDDIR, "txgate-worker"),
              "--dist", "load", "pass%d" % count]
    side_by_side = "%s %s test_a.py & %s %s test_b.py; wait" % (pytest, " ".join(options), pytest,
                                                              " ".join(options))
    out = rounds("10,000 trivial tests in two interpreters", {
        "two pytests side by side": lambda: run(side_by_side, cwd=where),
        "txgate run --tx 2*popen//python=": lambda: run(ours, cwd=where),
        "pytest -n 2": lambda: run(theirs, cwd=where),
        "pytest -n 2, native, txgate-worker": lambda: run(native, cwd=where),
    }, min(ROUNDS, 3))
    wall = {name: row["wall"] for name, row in out.items()}
    used = {name: controller_cpu(command, cwd=where) / count * 1e6
            for name, command in (("txgate run", ours), ("pytest -n 2", theirs),
                                  ("pytest -n 2, native", native))}
    for name, us in used.items():
        print("  %-44s %8.1f us of the controller's CPU for a test" % (name, us))
    results["controller cpu, us for a test"] = used
    goal("Python tests: txgate over xdist, wall", wall["txgate run --tx 2*popen//python="]
         / wall["pytest -n 2"], 1 / 1.8)
    goal("Python tests: txgate over two pytests side by side",
         out["txgate run --tx 2*popen//python="]["ratio"], 1.05)
    goal("us of txgate's CPU for a Python test", used["txgate run"], 10)
