"""What comes over the wire re-encodes to the same bytes, or is refused as theirs: never anything else."""

import importlib
import inspect
import os
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType

import msgspec
import pytest

from nightlight import protocol
from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol import messages
from tests.fuzz.decoders import DECODERS, Decoder
from tests.fuzz.mutate import mutants

ROUNDS = int(os.environ.get("NIGHTLIGHT_FUZZ_ROUNDS", "4000"))
SEED = 20_261_123


def accepted(decoder: Decoder, data: bytes) -> bool:
    try:
        value = decoder.decode(data)
    except (RemoteProtocolError, VerificationError):
        return False
    assert decoder.encode is None or decoder.encode(value) == data
    return True


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_damaged_bytes_are_read_as_they_are_or_refused(decoder: Decoder) -> None:
    assert any(accepted(decoder, sample) for sample in decoder.samples)
    answers = [accepted(decoder, data) for data in mutants(decoder.samples, ROUNDS, SEED)]
    assert not all(answers)


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_bytes_of_no_kind_are_refused(decoder: Decoder) -> None:
    for data in (b"", b"\xff" * 100, b"\x81" * 100_000, b"\x5f" * 1000, bytes(70_000)):
        assert accepted(decoder, data) == (decoder.empty and not data)


# --- no decoder is left out -------------------------------------------------------------------------------


def test_every_answer_is_in_the_table() -> None:
    answers = {
        name
        for name, member in vars(messages).items()
        if inspect.isclass(member) and issubclass(member, msgspec.Struct) and member is not msgspec.Struct
        if not member.__struct_config__.array_like and not member.__struct_config__.forbid_unknown_fields
    }
    parts = {"PendingRecovery", "RoomMember", "RoomParticipant"}
    table = " ".join(decoder.name for decoder in DECODERS)
    assert {name for name in answers if f"[{name}]" not in table} == parts


def modules() -> Iterator[ModuleType]:
    for module in pkgutil.iter_modules(protocol.__path__):
        yield importlib.import_module(f"{protocol.__name__}.{module.name}")


def functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """The public functions of ``module``, and the static methods of its classes."""
    short = module.__name__.rpartition(".")[2]
    for name, member in vars(module).items():
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if isinstance(member, FunctionType):
            yield f"{short}.{name}", member
        elif inspect.isclass(member):
            for method, static in vars(member).items():
                if isinstance(static, staticmethod) and isinstance(static.__func__, FunctionType):
                    yield f"{short}.{name}.{method}", static.__func__


def takes_bytes_off_the_wire(name: str, function: FunctionType) -> bool:
    last = name.rpartition(".")[2]
    if last == "decode" or last.startswith(("read_", "parse_")):
        return True
    raw = any(parameter.annotation in {"bytes", "str"} for parameter in inspect.signature(function).parameters.values())
    return raw and "``RemoteProtocolError``" in (function.__doc__ or "")


def test_every_decoder_of_the_package_is_in_the_table() -> None:
    found = {
        name for module in modules() for name, function in functions(module) if takes_bytes_off_the_wire(name, function)
    }
    # Take what a decoder here has read already, or make what they return.
    not_off_the_wire = {"part.read_body", "ids.user_uri", "ids.device_uri", "ids.room_uri"}
    assert found - not_off_the_wire == {decoder.name.partition("[")[0] for decoder in DECODERS}
    assert len(found) > len(not_off_the_wire)
