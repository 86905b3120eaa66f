"""Reads the vector files of this folder."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def read(name: str) -> dict[str, Any]:
    """The content of ``name``.json."""
    vector: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return vector
