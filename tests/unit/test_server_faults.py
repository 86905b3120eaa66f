"""Every transaction of the server can be crashed before and after, and a misspelt point does not go unnoticed."""

import re
import subprocess
import sys
from pathlib import Path

import nightlight.server
from nightlight.server.faults import EXIT_STATUS, POINTS, TRANSACTIONS, VARIABLE

ROOT = Path(nightlight.server.__path__[0])
SOURCE = "".join(file.read_text() for file in ROOT.rglob("*.py"))


def test_every_transaction_of_the_services_has_its_row() -> None:
    labels = set(re.findall(r"store\.write\(\"(\w+)\"", SOURCE)) | {"handshake", "batch", "migrate"}
    assert labels == set(TRANSACTIONS)


def test_every_point_that_the_code_names_is_in_the_list() -> None:
    assert set(re.findall(r"crash_point\(\"([\w.]+)\"\)", SOURCE)) <= set(POINTS)


def test_the_process_ends_at_the_point_that_the_environment_names_and_at_no_other() -> None:
    program = "from nightlight.server.faults import crash_point; crash_point('batch.received'); print('alive')"
    for armed, status in (("batch.received", EXIT_STATUS), ("ack.before_commit", 0), ("", 0)):
        ended = subprocess.run([sys.executable, "-c", program], env={VARIABLE: armed}, capture_output=True, check=False)
        assert ended.returncode == status
