"""The command ``nightlight``: its subcommands, and how it ends."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError

from nightlight.cli.faults import INTERRUPTED, TERMINATED, explain

app = App(
    name="nightlight",
    help="End-to-end encrypted messaging for families of apps.",
    help_epilogue=(
        "Exit codes: 0 done; 2 bad input, or refused; 1 the server cannot be reached, something unexpected, or a check "
        "that failed; 130 interrupted; 143 told to end."
    ),
    help_format="plaintext",
    version=lambda: version("nightlight"),
    suppress_keyboard_interrupt=False,
    result_action="return_int_as_exit_code_else_zero",
)
_COMMANDS = {
    "register": "Make a new account, with this machine as its first device.",
    "devices": "Your devices: list, link, accept, remove.",
    "recovery": "Your recovery key: make, status, cancel; use it when every device is lost.",
    "notices": "What you have to be told about keys and devices.",
    "contacts": "Whom you may write to: list, request, accept, accept-anew, decline, cancel, block, unblock.",
    "rooms": "Your conversations: list, create, add, remove, expire.",
    "send": "Send a message.",
    "read": "Show the messages of a conversation.",
    "react": "React to a message.",
    "edit": "Let your message say something else.",
    "delete": "Take your message away.",
    "forward": "Send what a message says to others.",
    "settings": "Whether others are told what you have read, and that you are writing.",
    "chat": "Talk with somebody live, in the terminal.",
    "verify": "Make sure that nobody sits between you; check a message's frank.",
    "serve": "Run a server.",
    "demo": "A small community on this machine that you can join.",
    "replay": "Play a real message trace through the whole product, and search the server for its texts.",
    "completion": "Print the completion script of a shell.",
}
for _name, _help in _COMMANDS.items():
    # Imported when used, so that `send` does not wait for a web framework.
    app.command(f"nightlight.cli.{_name}:app", name=_name, help=_help)


def main() -> None:
    """The command line is carried out, and the process ends with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Carries out one command; returns its exit code. What went wrong is one line on standard error."""
    try:
        code: int = app(arguments, print_error=False, exit_on_error=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:
        return TERMINATED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (CycloptsError, Exception) as error:
        if os.environ.get("NIGHTLIGHT_TRACEBACK"):
            raise
        line, code = explain(error)
        sys.stderr.write(f"nightlight: {line}\n")
    return code


if __name__ == "__main__":
    main()
