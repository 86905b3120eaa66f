"""Shell completion."""

from __future__ import annotations

import sys
from typing import Literal

from cyclopts import App

from nightlight.cli.arguments import examples

app = App(
    name="completion",
    help_epilogue=examples(
        "nightlight completion bash > ~/.local/share/bash-completion/completions/nightlight",
        "nightlight completion zsh > ~/.zfunc/_nightlight",
        "nightlight completion fish > ~/.config/fish/completions/nightlight.fish",
    ),
)


@app.default
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """The script is on standard output."""
    from nightlight.cli.main import app as nightlight  # noqa: PLC0415  main names this module

    sys.stdout.write(nightlight.generate_completion(prog_name="nightlight", shell=shell))
