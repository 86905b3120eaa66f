"""How the generators in this folder write their files."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def write(name: str, vector: dict[str, Any]) -> None:
    """``vector`` stands in ``name``.json, its bytes as hexadecimal."""
    (HERE / f"{name}.json").write_text(text(vector))


def text(vector: dict[str, Any]) -> str:
    """The file's text for ``vector``."""
    return json.dumps(vector, indent=1, default=bytes.hex) + "\n"
