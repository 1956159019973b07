"""kill -9 of the controller at 200 seeded moments: whatever it had started is gone within 5 s.

The moments are spread from fork to exit of a run of short tests, and half of them over its first
30 ms, where gateways are being started. TXG_SEED repeats a series, TXG_KILLS sets another count.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, os.path.join(os.environ["TXG_SRCDIR"], "tests/lib"))

import processes  # noqa: E402

TXGATE = os.path.join(os.environ["TXG_BUILDDIR"], "txgate")
SUITE = {
    "quick": "exit 0\n",
    "slow": "sleep 0.1\n",
    "stubborn": "trap '' TERM INT HUP\nsleep 30 & wait\n",
    "daemon": "setsid sh -c 'sleep 30' </dev/null >/dev/null 2>&1 &\nsleep 0.05\n",
    "loud": "while :; do echo x; done | head -c 3000000\n",
}


def start(folder, mark):
    env = dict(os.environ, **{processes.MARK: mark})
    return subprocess.Popen(
        [TXGATE, "run", "-q", "--tx", "4*popen", "--dist", "each", "--timeout", "1s", *SUITE],
        cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)


def main():
    seed = int(os.environ.get("TXG_SEED") or random.SystemRandom().randrange(1 << 31))
    kills = int(os.environ.get("TXG_KILLS", "200"))
    print("TXG_SEED=%d repeats these %d moments" % (seed, kills))
    rng = random.Random(seed)
    failed, worst, with_children = 0, 0.0, 0
    with tempfile.TemporaryDirectory(prefix="txgate-kill-") as folder:
        for name, text in SUITE.items():
            with open(os.path.join(folder, name), "w") as f:
                f.write("#!/bin/sh\n" + text)
            os.chmod(f.name, 0o755)
        for i in range(kills):
            mark = uuid.uuid4().hex
            moment = rng.uniform(0, 0.03 if i % 2 else 1.2)
            child = start(folder, mark)
            time.sleep(moment)
            with_children += len(processes.marked(mark)) > 1
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed = time.monotonic()
            left = processes.wait_for_none(mark, 5)
            worst = max(worst, time.monotonic() - killed)
            if left:
                failed += 1
                print("killed after %.4f s, still there 5 s later: %s" % (moment, left))
                processes.kill(left)
    print("the last process was gone %.2f s after the kill at worst; %d of %d kills met a run "
          "that had started others" % (worst, with_children, kills))
    if not with_children:
        failed += 1
    print("%d passed, %d failed" % (kills - failed, failed))
    return 1 if failed else 0


sys.exit(main())
