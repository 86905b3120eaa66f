"""Running a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import examples
from nightlight.server import main

Settings = Annotated[Path, Parameter(help="TOML file; without it, the demonstration's.", show_default=False)]
Data = Annotated[Path | None, Parameter(help="Folder of database and keys, instead of the settings'.")]
Port = Annotated[int | None, Parameter(help="Port, instead of the settings'; 0 takes a free one.")]
WhileStdin = Annotated[
    bool, Parameter(negative="", help="Stop when standard input ends, as it does when whoever started this is killed.")
]
app = App(
    name="serve",
    help_epilogue=examples(
        "nightlight serve",
        "nightlight serve --settings /etc/nightlight.toml --data /var/lib/nightlight",
    ),
)


@app.default
def serve(
    *,
    settings: Settings = main.DEMO_SETTINGS,
    data: Data = None,
    port: Port = None,
    while_stdin: WhileStdin = False,
) -> None:
    """The server runs until SIGTERM or Ctrl-C; its log is one JSON object a line, on standard error."""
    main.serve(settings, data=data, port=port, while_stdin=while_stdin)
