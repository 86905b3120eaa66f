"""Names that others gave their files are harmless here, and still theirs where they can be."""

import pytest

from nightlight.protocol.filename import FALLBACK, MAX_NAME_BYTES, safe_filename


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("lake.jpg", "lake.jpg"),
        ("the lake, in the morning (2).tar.gz", "the lake, in the morning (2).tar.gz"),
        ("Übersee 湖.png", "Übersee 湖.png"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\windows\\lake.jpg", "lake.jpg"),
        ("../../.ssh/authorized_keys", "authorized_keys"),
        (".bashrc", "bashrc"),
        ("..", FALLBACK),
        ("", FALLBACK),
        ("/", FALLBACK),
        (" . ", FALLBACK),
        ("lake\x00.jpg", "lake.jpg"),
        ("lake\r\n.jpg", "lake.jpg"),
        ("\x1b[31mlake.jpg", "[31mlake.jpg"),
        ("lake\u202egpj.exe", "lakegpj.exe"),
        ("la\u200bke\u2066.jpg\u2069", "lake.jpg"),
        ("lake\u2028.jpg", "lake.jpg"),
        ("lake\ud800.jpg", "lake.jpg"),
        ("lake\ue000.jpg", "lake.jpg"),
        ("lake\u00a0now.jpg", "lake now.jpg"),
        ('a<b>c:d"e|f?g*h.jpg', "a_b_c_d_e_f_g_h.jpg"),
        ("lake.jpg:stream", "lake.jpg_stream"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("LPT1.tar.gz", "_LPT1.tar.gz"),
        ("console.txt", "console.txt"),
        ("lake.jpg. . ", "lake.jpg"),
        ("~lake", "~lake"),
        ("-rf", "-rf"),
    ],
)
def test_a_name_loses_what_could_do_harm(name: str, harmless: str) -> None:
    assert safe_filename(name) == harmless
    assert safe_filename(harmless) == harmless


def test_a_long_name_keeps_its_suffix_and_whole_characters() -> None:
    for name in ("a" * 300 + ".jpg", "湖" * 300 + ".jpg", "😀" * 300 + ".jpg"):
        short = safe_filename(name)
        assert short.endswith(".jpg")
        assert MAX_NAME_BYTES - 3 <= len(short.encode()) <= MAX_NAME_BYTES
        assert name.startswith(short.removesuffix(".jpg"))
    assert safe_filename("lake." + "x" * 300) == "lake." + "x" * (MAX_NAME_BYTES - 5)
