"""--configure-node: a program that is asked for each gateway's workerinput."""

import json
import os

import pytest

TEST = "echo ipadr=$TXGATE_INPUT_IPADR uart=$TXGATE_INPUT_UART; exit 1"


@pytest.fixture
def node(tmp_path):
    """Keeps what it was asked in asked/<gateway>, then does as `body` says with the object in `n`."""
    def write(body):
        (tmp_path / "asked").mkdir(exist_ok=True)
        path = tmp_path / "node.py"
        path.write_text("#!/usr/bin/python3\nimport json, os, sys, time\nn = json.load(sys.stdin)\n"
                        "open(%r + '/' + n['gateway'], 'w').write(json.dumps(n))\n%s\n"
                        % (str(tmp_path / "asked"), body))
        path.chmod(0o755)
        return str(path)
    return write


def inputs(result):
    return sorted(line for line in result.out.splitlines() if line.startswith("ipadr="))


def test_its_answer_lies_over_the_fleets_workerinput(txgate, script, node, tmp_path):
    script("t", TEST)
    (tmp_path / "txgate.yaml").write_text(
        "gateways:\n"
        "- {id: board-a, tx: popen, labels: [imx6, can], workerinput: {ipadr: 10.0.0.11, uart: a}}\n"
        "- {tx: popen, workerinput: {ipadr: 10.0.0.12}}\n")
    ask = node("print(json.dumps({'uart': ['x', n['workercount']], 'n': None}))")
    r = txgate("run", "--configure-node", ask, "--dist", "each", "t", cwd=tmp_path)
    assert r.code == 1
    assert inputs(r) == ['ipadr=10.0.0.11 uart=["x", 2]', 'ipadr=10.0.0.12 uart=["x", 2]']
    asked = [json.loads((tmp_path / "asked" / g).read_text()) for g in ("gw0", "gw1")]
    assert asked[0].pop("testrunuid") == asked[1].pop("testrunuid") != ""
    assert asked == [
        {"gateway": "gw0", "spec": "popen", "device": "board-a", "labels": ["imx6", "can"],
         "workercount": 2, "workerinput": {"ipadr": "10.0.0.11", "uart": "a"}},
        {"gateway": "gw1", "spec": "popen", "device": None, "labels": [], "workercount": 2,
         "workerinput": {"ipadr": "10.0.0.12"}}]


def test_in_the_file_it_runs_beside_the_file(txgate, script, tmp_path):
    script("t", TEST)
    script("node.sh", "cat >/dev/null\necho \"{\\\"ipadr\\\": \\\"$1\\\"}\"\n")
    (tmp_path / "txgate.yaml").write_text("configure_node: ./node.sh 10.0.0.9\n")
    (tmp_path / "below").mkdir()
    r = txgate("run", "../t", cwd=tmp_path / "below")
    assert inputs(r) == ["ipadr=10.0.0.9 uart="]


def test_a_replacement_has_its_predecessors(txgate, script, node, tmp_path):
    script("t", '[ -e %s/once ] || { >%s/once; kill -9 $PPID; sleep 5; }\n%s'
           % (tmp_path, tmp_path, TEST))
    script("u", TEST)
    ask = node("print(json.dumps({'ipadr': n['gateway']}))")
    r = txgate("run", "--configure-node", ask, "--tx", "popen", "--dist", "load", "t", "u",
               cwd=tmp_path)
    assert "replacing crashed worker gw0" in r.out
    assert inputs(r) == ["ipadr=gw0 uart="] and os.listdir(tmp_path / "asked") == ["gw0"]


@pytest.mark.parametrize("body, words", [
    ("sys.exit(3)", "for gw0 (popen): ended with status 3"),
    ("os.kill(os.getpid(), 6)", "for gw0 (popen): was killed by signal 6 (Aborted)"),
    ("time.sleep(50)", "for gw0 (popen): no answer within 2 s (--connect-timeout)"),
    ("print('{')", "for gw0 (popen): its answer on stdout: line 2 column 0: this is not JSON: "),
    ("print([1])", "for gw0 (popen): its answer on stdout: expected an object such as "
                   '{"ipadr": "10.0.0.11"}'),
    ("print('{\"a b\": 1}')", "for gw0 (popen): its answer on stdout: 'a b': expected a name of "),
    ("print('{\"a\": 1, \"a\": 2}')", "duplicate object key"),
    ("print('{\"a\": ' + '[' * 40 + ']' * 40 + '}')",
     "lists and objects are at most 16 levels deep"),
    ("sys.stdout.buffer.write(b'{\"a\": \"\\xff\"}')", "this is not JSON: unable to decode byte"),
    ("print('x' * 600000)", "its answer on stdout has more than 524288 bytes"),
])
def test_what_fails_is_told_before_anything_starts(txgate, node, tmp_path, body, words):
    r = txgate("run", "--connect-timeout", "2", "--configure-node", node(body), "/bin/true",
               cwd=tmp_path)
    assert r.code == 4 and r.out == ""
    assert r.err.startswith("txgate run: --configure-node '")
    assert words in r.err


def test_one_that_fails_ends_the_others(txgate, node, tmp_path):
    ask = node("print('bus is', n['gateway'], file=sys.stderr, flush=True)\n"
               "if n['gateway'] == 'gw5': time.sleep(1); sys.exit(1)\n"
               "time.sleep(50)")
    r = txgate("list", "-n", "20", "--configure-node", ask, "/bin/true", cwd=tmp_path)
    assert r.code == 4 and r.seconds < 20
    assert "[gw5] bus is gw5\n" in r.err
    assert r.err.endswith("txgate list: --configure-node '%s' for gw5 (popen): ended with status 1\n"
                          % ask)


def test_what_it_leaves_behind_holds_up_nobody(txgate, script, tmp_path):
    """It reads nothing of what it is told either."""
    script("t", TEST)
    script("node.sh", 'sleep 4 &\necho "{\\"ipadr\\": 1}"\n')
    r = txgate("run", "--configure-node", "./node.sh", "t", cwd=tmp_path)
    assert inputs(r) == ["ipadr=1 uart="] and r.seconds < 3.5


def test_no_such_program(txgate, tmp_path):
    r = txgate("run", "--configure-node", "./nothing here", "/bin/true", cwd=tmp_path)
    assert (r.code, r.err) == (4, "txgate run: --configure-node './nothing here' for gw0 (popen): "
                                  "no such file or directory\n")
    r = txgate("run", "--configure-node", " ", "/bin/true", cwd=tmp_path)
    assert "expected a program and its arguments" in r.err
