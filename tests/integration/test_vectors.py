"""The vectors of tests/vectors, said by the second implementation in tests/lib/wire.py."""

import json
import re

import wire
from conftest import SRCDIR

VECTORS = SRCDIR / "tests/vectors"


def test_messages_in_both_implementations():
    seen = set()
    for line in wire.read_vectors(VECTORS / "messages.txt"):
        name, channel, data, kwargs = line.split(" ", 3)
        said = wire.frame(int(channel), wire.message(name, **json.loads(kwargs)))
        assert said.hex() == data, name
        seen.add(name)
    shapes = (SRCDIR / "gateway/wire/fields.c").read_text()
    assert seen == set(re.findall(r'\[TXG_MSG_\w+\] = \{"(\w+)"', shapes))


def test_protocol_text_names_every_message_and_key():
    text = (SRCDIR / "docs/protocol.md").read_text()
    for line in wire.read_vectors(VECTORS / "messages.txt"):
        name, _, _, kwargs = line.split(" ", 3)
        assert "`%s`" % name in text, name
        for key in json.loads(kwargs):
            assert re.search(r"\b%s\b" % key, text), (name, key)
