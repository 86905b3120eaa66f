"""What a person sees when a command fails: one line, and an exit code."""

from __future__ import annotations

from cyclopts import CycloptsError

from nightlight.cli.plain import neutralise
from nightlight.errors import (
    PROBLEMS,
    NightlightError,
    RefusedError,
    RemoteProtocolError,
    UnavailableError,
    VerificationError,
)

NOT_DONE = 1
"""The server cannot be reached, something unexpected happened, or a check found what it should not."""
BAD_INPUT = 2
"""What was asked for is malformed, is not there, or is refused."""
INTERRUPTED = 130
TERMINATED = 143


class InputError(NightlightError):
    """What the person typed, or a file they named, cannot be used; the text is the line they see."""


def explain(error: Exception) -> tuple[str, int]:
    """The line for ``error`` and the exit code; of several, the first counts.

    Unknown errors give their class alone: a text may hold anything.
    """
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    match error:
        case InputError() | CycloptsError():
            line, code = str(error), BAD_INPUT
        case RefusedError():
            line, code = f"refused: {PROBLEMS[error.problem].title}", BAD_INPUT
        case RemoteProtocolError() | VerificationError():
            line, code = f"the other side broke rule {error.check}: {error.reason}", BAD_INPUT
        case UnavailableError():
            line, code = f"not available now: {error.reason}", NOT_DONE
        case NightlightError():
            line, code = str(error), BAD_INPUT
        case OSError(strerror=str(reason), filename=str(name)):
            line, code = f"{name}: {reason}", BAD_INPUT
        case _:
            line, code = f"something unexpected happened on our side ({type(error).__name__})", NOT_DONE
    return neutralise(" ".join(line.split())), code
