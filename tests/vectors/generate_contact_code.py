"""Writes contact-code.json: codes that say who and under which key, and codes that say nothing."""

import base64
import hashlib
from typing import Any

from nightlight.protocol.codec import write_vector
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.ids import UserUri
from tests.vectors.writing import write

ADA = ContactCode(UserUri("mimi://courier.example/u/ada"), bytes(range(32)))
BEN = ContactCode(UserUri("mimi://gallery.example/u/ben"), bytes(range(224, 256)))
BODY = write_vector(ADA.user.encode()) + ADA.account_key


def code(body: bytes, label: bytes = b"NLF1 contact code") -> str:
    """A code with a checksum that holds, if the label is right."""
    checksum = hashlib.sha256(label + body).digest()[:4]
    return "nightlight:" + base64.urlsafe_b64encode(body + checksum).rstrip(b"=").decode()


def vector() -> dict[str, Any]:
    """All of contact-code.json."""
    whole = ADA.encode()
    refused = {
        "nothing": ("", "NL-341"),
        "an address": ("ada@courier.example", "NL-341"),
        "one letter changed": (whole[:20] + ("A" if whole[20] != "A" else "B") + whole[21:], "NL-341"),
        "the end is missing": (whole[:-1], "NL-341"),
        "something follows": (whole + "A", "NL-341"),
        "padded": (whole + "=", "NL-341"),
        "bits left over in the last letter": (whole[:-1] + chr(ord(whole[-1]) + 1), "NL-341"),
        "spaces inside": (whole[:30] + " " + whole[30:], "NL-341"),
        "another label": (code(BODY, b"NLF1 another thing"), "NL-341"),
        "a key too short": (code(BODY[:-1]), "NL-101"),
        "a key too long": (code(BODY + b"\x00"), "NL-103"),
        "the URI of a device": (code(write_vector(b"mimi://courier.example/d/ada/phone") + bytes(32)), "NL-001"),
        "a URI that is no text": (code(write_vector(b"\xff") + bytes(32)), "NL-104"),
    }
    return {
        "source": "made by generate_contact_code.py after docs/protocol.md, Contact code",
        "codes": [
            {
                "user": each.user,
                "account_key": each.account_key,
                "code": each.encode(),
                "also": [
                    f"  {each.encode()}\n",
                    each.encode().partition(":")[2],
                    f"https://courier.example/#/contact/{each.encode().partition(':')[2]}",
                ],
            }
            for each in (ADA, BEN)
        ],
        "refused": [{"name": name, "code": text, "check": check} for name, (text, check) in refused.items()],
    }


if __name__ == "__main__":
    write("contact-code", vector())
