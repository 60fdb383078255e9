"""The whole house in a file: made while the hub runs or not, and put back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ohmstead.config.backups import is_sealed, write
from ohmstead.core.errors import ConfigError
from tests.config.conftest import Write
from tests.config.test_cli import command, run
from tests.config.test_house import READING, ask, running


async def test_made_by_the_hub_and_put_back_elsewhere(folder: Write, tmp_path: Path) -> None:
    there = folder("devices: {D1: {name: Bulb}}\n", secrets_yaml="a: hunter22\n")
    file, elsewhere = tmp_path / "house.backup", tmp_path / "elsewhere"
    async with running(there) as house:
        await ask(house, "POST", "/telemetry", json=READING)
        done = await command(there, "backup", str(file))
        assert "and read it back; it holds secrets" in done.output
        assert [path.name for path in house.hub.data_dir.glob(".backup*")] == []
        with pytest.raises(ConfigError, match="overwrites nothing"):
            await command(there, "backup", str(file))
        with pytest.raises(ConfigError, match="stop it first"):
            await command(there, "restore", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "restored the house of" in (await command(elsewhere, "restore", str(file))).output
    assert (elsewhere / "secrets.yaml").read_text() == "a: hunter22\n"
    async with running(elsewhere) as house:
        (state,) = (await ask(house, "GET", "/states?device=D1"))["data"]
        assert state["value"] == 195.9
        token = (house.hub.data_dir / "owner_token").read_text()
    assert token == (there / "data" / "owner_token").read_text(), "keys come along"


def test_sealed_and_without_the_hub(folder: Write, tmp_path: Path) -> None:
    there, file = folder("devices: {D1: {}}\n"), tmp_path / "sealed"
    run(there, "devices")
    done = run(there, "backup", str(file), "--encrypt", input="open sesame\nopen sesame\n")
    assert "and read it back\n" in done.output
    assert is_sealed(file)
    with pytest.raises(ConfigError, match="wrong passphrase"):
        run(there, "restore", str(file), input="open barley\n")
    found = json.loads(run(there, "restore", str(file), "--json", input="open sesame\n").output.partition("{")[2].join(["{", ""]))
    assert found["rows"]["devices"] == 1
    assert all(Path(kept).exists() for kept in found["kept"])
    assert "what was there before" in run(there, "restore", str(file), input="open sesame\n").output


def test_a_configuration_that_names_another_database(folder: Write, tmp_path: Path) -> None:
    there, file, elsewhere = folder("storage: {url: 'sqlite:///other.db'}\n"), tmp_path / "file", tmp_path / "elsewhere"
    run(there, "devices")
    made = json.loads(run(there, "backup", str(file), "--json").output)
    assert made == {"file": str(file), "bytes": file.stat().st_size, "encrypted": False}
    with pytest.raises(ConfigError, match="restore once more"):
        run(elsewhere, "restore", str(file))
    assert "restored the house" in run(elsewhere, "restore", str(file)).output
    assert (elsewhere / "data" / "other.db").is_file()


def test_what_cannot_be(folder: Write, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        run(tmp_path / "none", "backup", str(tmp_path / "file"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is no backup"):
        run(folder(), "restore", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="cannot be read"):
        is_sealed(tmp_path)
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write(tmp_path / "no" / "where", [b""])
