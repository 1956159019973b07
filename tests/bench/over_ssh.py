"""Gateways over SSH, beside OpenSSH's client and execnet."""

import os
import shutil
import sys

from measure import TXGATE, goal, names_of, released, rounds, run, to_first_test

import sshd


EXECNET = """
import execnet, sys
group = execnet.Group()
gateways = [group.makegateway(sys.argv[1]) for _ in range(int(sys.argv[2]))]
channels = [g.remote_exec('''
import struct, time
now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
with open(channel.receive(), "ab") as f:
    f.write(struct.pack("=q", now))
''') for g in gateways]
for c in channels:
    c.send(sys.argv[3])
for c in channels:
    c.waitclose(60)
group.terminate(5)
"""


def ssh(where):
    """From the command to the first test over one sshd, the worker and the tests being there; beside
    one login of OpenSSH's client, which must agree on the same key exchange, and execnet's gateways."""
    if not sshd.find("sshd") or not shutil.which("ssh"):
        print("\nssh: no sshd or no ssh here (Debian: openssh-server, openssh-client)")
        return
    folder = os.path.join(where, "server")
    os.mkdir(folder)
    client = sshd.Client(os.path.join(where, "home"))
    server = sshd.Sshd(folder, extra="KexAlgorithms curve25519-sha256\nMaxStartups 100\n")
    client.may_log_in(server)
    client.knows(server)
    words = "-F none -i %s/id_ed25519 -o UserKnownHostsFile=%s -p %d %s@127.0.0.1" % (
        client.ssh, client.known_hosts, server.port, sshd.USER)
    stamps = os.path.join(where, "stamps")
    server.start()
    try:
        rows = {"ssh host true": lambda: run(["ssh", *words.split(), "true"], env=client.env)}
        for count in (1, 16):
            tests = os.path.relpath(names_of("stamp", count, where), where)
            rows["txgate, %d on one sshd" % count] = lambda n=count, t=tests: to_first_test(
                [TXGATE, "run", "-q", "--tx", "%d*%s//env:TXG_BENCH_STAMPS=%s" % (n, server.spec, stamps),
                 "--dist", "load", t], stamps, cwd=where, env=client.env)
        python = released("python")
        if python:
            for count in (1, 16):
                rows["execnet, %d on one sshd" % count] = lambda n=count: to_first_test(
                    [python, "-c", EXECNET, "ssh=%s//python=%s" % (words, sys.executable), str(n), stamps], stamps,
                    env=client.env)
        for measure in rows.values():
            measure()  # what is not there yet is taken there
        out = rounds("command to first test over SSH, warm", rows)
    finally:
        server.stop()
    for count, limit in ((1, 1.0), (16, 1.2)):
        goal("first test on %d gateways over SSH, of one `ssh host true`" % count,
             out["txgate, %d on one sshd" % count]["ratio"], limit)
