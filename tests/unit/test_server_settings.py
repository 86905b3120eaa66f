"""Settings: one file, every mistake one line that names file and key."""

from pathlib import Path

import pytest

from nightlight.server.settings import DEMO, Settings, SettingsError, load_settings

GOOD = 'hub = "mimi://hub.example"\nproviders = ["ring.example"]\n'


def written(folder: Path, text: str) -> Path:
    """A settings file."""
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_the_demonstration_has_three_apps_in_one_network() -> None:
    settings = load_settings(DEMO)
    assert settings.providers == ["courier.example", "gallery.example", "ring.example"]


def test_folder_and_port_from_the_command_line_go_first(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + 'data = "elsewhere"\nport = 1\n')
    settings = load_settings(path, data=tmp_path, port=0)
    assert (settings.data, settings.port) == (tmp_path, 0)
    assert load_settings(path).data == Path("elsewhere")


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, GOOD))
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + "colour = 1\n", "unknown key `colour`"),
        ('hub = "mimi://hub.example"\n', "missing key `providers`"),
        (GOOD + "port = 70000\n", "port: "),
        (GOOD + 'port = "high"\n', "port: "),
        (GOOD + "room_members_max = 1\n", "room_members_max: "),
        (GOOD + "room_members_max = 501\n", "room_members_max: "),
        (GOOD + "batch_max = 0\n", "batch_max: "),
        (GOOD.replace("mimi://hub.example", "hub.example"), "hub: "),
        (GOOD.replace('"ring.example"', ""), "providers: "),
        (GOOD.replace("ring.example", "Ring!"), "providers[0]: "),
        (GOOD + 'origins = ["ring.example"]\n', "origins"),
        (GOOD + "data = 1\n", "data: "),
        (GOOD + 'log_level = "loud"\n', "log_level: "),
        (GOOD + "port = \n", "not TOML"),
        ("\udcff", "not TOML"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file_and_the_key(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SettingsError) as mistake:
        load_settings(path)
    assert str(mistake.value).startswith(f"{path}: {named}")
    assert "\n" not in str(mistake.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "nowhere.toml")


def test_every_setting_stands_in_the_operations_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    assert [name for name in Settings.__struct_fields__ if f"| `{name}` |" not in page] == []
