"""Writes filename.json: names that senders gave their files, and what receivers make of them."""

from typing import Any

from nightlight.protocol.filename import safe_filename
from tests.vectors.writing import write

NAMES = [
    "lake.jpg",
    "the lake, in the morning (2).tar.gz",
    "Übersee 湖.png",
    "/etc/passwd",
    "..\\..\\windows\\lake.jpg",
    "../../.ssh/authorized_keys",
    ".bashrc",
    "..",
    "",
    "/",
    " . ",
    "lake\x00.jpg",
    "lake\r\n.jpg",
    "\x1b[31mlake.jpg",
    "lake\u202egpj.exe",
    "la\u200bke\u2066.jpg\u2069",
    "lake\u2028.jpg",
    "lake\ud800.jpg",
    "lake\ue000.jpg",
    "lake\u00a0now.jpg",
    'a<b>c:d"e|f?g*h.jpg',
    "lake.jpg:stream",
    "CON",
    "nul.txt",
    "LPT1.tar.gz",
    "console.txt",
    "lake.jpg. . ",
    "~lake",
    "-rf",
    "a" * 300 + ".jpg",
    "湖" * 300 + ".jpg",
    "😀" * 300 + ".jpg",
    "lake." + "x" * 300,
    "x. " * 100,
]


def vector() -> dict[str, Any]:
    """All of filename.json."""
    return {
        "source": "made by generate_filename.py; what it must meet is in test_protocol_filename.py",
        "names": [{"name": name, "harmless": safe_filename(name)} for name in NAMES],
    }


if __name__ == "__main__":
    write("filename", vector())
