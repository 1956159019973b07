"""The wire of docs/protocol.md said a second time, independently of gateway/wire: for the vectors,
and for peers that lie. Only what the protocol uses of msgpack, in its shortest form.

    wire.py seeds FOLDER VECTORS...   writes each vector's bytes into a file, for the fuzzer
"""

import json
import pathlib
import struct
import sys

PROTOCOL = 6
HEADER = struct.Struct(">II")


def pack(value):
    """bytes of one value; {"bin": "ff00"} stands for bytes, as in tests/vectors."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        return pack_head(len(data), (0xA0, 32), (0xD9, ">B"), (0xDA, ">H"), (0xDB, ">I")) + data
    if isinstance(value, dict) and list(value) == ["bin"]:
        data = bytes.fromhex(value["bin"])
        return pack_head(len(data), None, (0xC4, ">B"), (0xC5, ">H"), (0xC6, ">I")) + data
    if isinstance(value, dict):
        head = pack_head(len(value), (0x80, 16), (0xDE, ">H"), (0xDF, ">I"))
        return head + b"".join(pack(k) + pack(v) for k, v in value.items())
    return pack_head(len(value), (0x90, 16), (0xDC, ">H"), (0xDD, ">I")) + b"".join(map(pack, value))


def pack_head(count, short, *forms):
    if short and count < short[1]:
        return bytes([short[0] | count])
    for tag, form in forms:
        if count < 256 ** struct.calcsize(form):
            return bytes([tag]) + struct.pack(form, count)
    raise ValueError(count)


def pack_int(value):
    if -32 <= value < 128:
        return struct.pack("b" if value < 0 else "B", value)
    forms = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"))
    if value < 0:
        forms = ((0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))
    for tag, form in forms:
        bits = 8 * struct.calcsize(form)
        if value < 2**bits if value >= 0 else -value <= 2 ** (bits - 1):
            return bytes([tag]) + struct.pack(form, value)
    raise ValueError(value)


def message(name, **kwargs):
    return pack([name, kwargs])


def frame(channel, payload):
    return HEADER.pack(len(payload), channel) + payload


def read_vectors(path):
    """The lines of a vector file, comments and empty ones left out."""
    for line in pathlib.Path(path).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line


def main(folder, *paths):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        for i, line in enumerate(read_vectors(path)):
            data = next((bytes.fromhex(w) for w in line.split() if len(w) > 1 and is_hex(w)), b"")
            (folder / ("%s-%03d" % (pathlib.Path(path).stem, i))).write_bytes(data)


def is_hex(word):
    return all(c in "0123456789abcdef" for c in word)


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[1] != "seeds":
        sys.exit(__doc__)
    main(*sys.argv[2:])
