"""What holds for every file of the project."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WALL_LINES = 600


def project_files() -> list[Path]:
    """Every file that belongs to the project: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in sorted(listed.stdout.split("\0")) if name and (ROOT / name).is_file()]


FILES = project_files()
SOURCE = [file for file in FILES if file.suffix in {".py", ".rs", ".pyi", ".sh", ".ts", ".js", ".svelte", ".css"}]
PAGES = [file for file in FILES if file.suffix == ".md"]
ADDRESSES = re.compile(
    r"pythonhosted\.org|pypi\.org/simple|static\.crates\.io|index\.crates\.io|registry\.npmjs\.org"
    r"|\"resolved\": \"http|--index-url|--find-links|proxy\.golang\.org"
)
MACHINE_PATHS = re.compile(r"(?:^|[^\w.~/-])/(?:root|work|farm|home/\w+|Users/\w+)/")


def text(file: Path) -> str:
    """The file's text; empty for a binary file."""
    try:
        return file.read_text()
    except UnicodeDecodeError:
        return ""


def named(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def test_no_source_file_is_over_the_wall() -> None:
    assert named([file for file in SOURCE if len(text(file).splitlines()) > WALL_LINES]) == []


def test_init_files_are_empty() -> None:
    assert named([file for file in ROOT.glob("src/nightlight/**/__init__.py") if file.stat().st_size]) == []


def test_no_file_names_a_registry_s_address() -> None:
    assert named([file for file in FILES if file != Path(__file__) and ADDRESSES.search(text(file))]) == []


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    assert named([file for file in FILES if file != Path(__file__) and MACHINE_PATHS.search(text(file))]) == []


def test_every_requirement_is_pinned_with_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        requirements = re.split(r"\n(?=\S)", (ROOT / name).read_text())
        loose = [
            entry.splitlines()[0]
            for entry in requirements
            if not entry.startswith("#") and not re.match(r"\S+==\S+.*\\\n +--hash=sha256:[0-9a-f]{64}", entry)
        ]
        assert loose == []


def test_every_crate_is_locked_with_a_checksum() -> None:
    packages = (ROOT / "rust" / "Cargo.lock").read_text().split("[[package]]")[1:]
    loose = [package for package in packages if "source = " in package and "checksum = " not in package]
    assert packages
    assert loose == []


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", prose)
    targets = [first or second for first, second in links]
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if target and not (page.parent / target).exists()] == []
