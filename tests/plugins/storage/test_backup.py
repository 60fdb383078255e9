"""A backup brings back the whole house, on either engine, and nothing that does not belong."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from ohmstead.core.clock import ManualClock
from ohmstead.core.errors import ConfigError
from ohmstead.plugins.storage.backup import House, backup, restore
from ohmstead.plugins.storage.engine import locate
from ohmstead.plugins.storage.package import MAGIC, Entry, Manifest
from tests.fakes.stored_house import StoredHouse

T0 = 1_794_000_000_000
CLOCK = ManualClock()


def a_house(url: str, folder: Path) -> House:
    data = folder / "data"
    return House(locate(url, data), folder / "config", data)


@pytest.fixture
def home(storage_url: str, tmp_path: Path) -> House:
    home = a_house(storage_url, tmp_path)
    (home.config_dir / "plugins").mkdir(parents=True)
    (home.config_dir / "configuration.yaml").write_text("home: {}\n")
    (home.config_dir / "secrets.yaml").write_text("a: b\n")
    (home.config_dir / "plugins" / "mine.py").write_text("# mine\n")
    home.data_dir.mkdir(exist_ok=True)
    (home.data_dir / "owner_token").write_text("secret")
    (home.data_dir / "archive" / "readings").mkdir(parents=True, exist_ok=True)
    (home.data_dir / "archive" / "readings" / "1.parquet").write_bytes(b"raw")
    (home.data_dir / "archive" / "readings" / ".draft").write_bytes(b"half")
    (home.data_dir / "lock").write_text("1")
    return home


async def fill(home: House, url: str, count: int = 3000) -> None:
    async with StoredHouse(url, home.data_dir, CLOCK) as house:
        await house.store([("d", "power", i / 3, T0 - i * 86_400_000 // 10) for i in range(count)])
        await house.store([("d", "mode", "eco", T0)])
        await house.storage.rollups.derive(lambda device: "Europe/Berlin", T0 * 2)
        batch = house.ingest.batch("test", "test")
        batch.refuse("no", b"\x00\xff")
        await house.ingest.store(batch)


async def contents(home: House, url: str) -> tuple[object, ...]:
    async with StoredHouse(url, home.data_dir, CLOCK) as house:
        await house.store([("later", "power", 1.0, T0)])  # it can be written to
        letters = await house.storage.letters.list()
        return await house.raw("d", "power"), await house.raw("d", "mode"), [kept.letter.raw for kept in letters]


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
async def test_a_house_comes_back(home: House, storage_url: str, tmp_path: Path, passphrase: str | None) -> None:
    await fill(home, storage_url)
    manifest = await backup(home, tmp_path / "b", CLOCK, passphrase)
    assert manifest.rows["readings"] == 3000
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
    before = await contents(home, storage_url)
    (home.config_dir / "configuration.yaml").write_text("broken")
    (home.data_dir / "archive" / "readings" / "1.parquet").unlink()
    kept = await restore(home, tmp_path / "b", CLOCK, passphrase)
    assert (home.data_dir / "archive" / "readings" / "1.parquet").read_bytes() == b"raw"
    assert await contents(home, storage_url) == before
    assert (home.config_dir / "configuration.yaml").read_text() == "home: {}\n"
    assert (home.config_dir / "secrets.yaml").stat().st_mode & 0o777 == 0o600
    assert "before-restore" in kept.database
    assert next(home.config_dir.rglob("before-restore-*/configuration.yaml")).read_text() == "broken"


async def test_it_is_taken_while_the_house_runs(home: House, storage_url: str, tmp_path: Path) -> None:
    async with StoredHouse(storage_url, home.data_dir, CLOCK) as house:
        await house.store([("d", "power", 1.0, T0)])
        manifest = await backup(home, tmp_path / "b", CLOCK)
    assert manifest.rows["readings"] == 1
    names = {entry.name for entry in manifest.files}
    assert names == {
        "database.sqlite", "config/configuration.yaml", "config/secrets.yaml", "config/plugins/mine.py", "data/owner_token",
        "data/archive/readings/1.parquet",
    }  # fmt: skip


async def test_it_moves_between_engines(home: House, storage_url: str, sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    await fill(home, storage_url)
    await backup(home, tmp_path / "b", CLOCK)
    before = await contents(home, storage_url)
    other_url = sqlite_url.replace("ohmstead.db", "other.db") if "postgres" in storage_url else postgres_url
    other = a_house(other_url, tmp_path / "elsewhere")
    await restore(other, tmp_path / "b", CLOCK)
    assert await contents(other, other_url) == before


async def test_a_wrong_passphrase_changes_nothing(home: House, storage_url: str, tmp_path: Path) -> None:
    await fill(home, storage_url, 10)
    await backup(home, tmp_path / "b", CLOCK, "right")
    for wrong in ("wrong", None):
        with pytest.raises(ConfigError, match="passphrase"):
            await restore(home, tmp_path / "b", CLOCK, wrong)
    assert not list(home.data_dir.rglob("*before-restore*"))
    assert b"owner_token" not in (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("passphrase", [None, "p"])
async def test_damage_is_noticed(home: House, storage_url: str, tmp_path: Path, passphrase: str | None) -> None:
    await fill(home, storage_url, 10)
    await backup(home, tmp_path / "b", CLOCK, passphrase)
    whole = (tmp_path / "b").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for broken in (whole[: len(whole) // 2], bytes(flipped), b"something else", b""):
        (tmp_path / "broken").write_bytes(broken)
        with pytest.raises(ConfigError):
            await restore(home, tmp_path / "broken", CLOCK, passphrase)
    assert not list(home.data_dir.rglob("*before-restore*"))


async def test_a_backup_overwrites_nothing(home: House, storage_url: str, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("precious")
    with pytest.raises(ConfigError, match="exists"):
        await backup(home, tmp_path / "b", CLOCK)


@pytest.mark.parametrize("name", ["../evil", "config/../../evil", "/etc/evil", "data/..", "evil", "config//evil", "config\\..\\evil"])
async def test_a_forged_path_is_refused(tmp_path: Path, name: str) -> None:
    forge(tmp_path / "forged", name, tarfile.REGTYPE)
    home = a_house("sqlite:///x.db", tmp_path / "home")
    with pytest.raises(ConfigError, match="does not belong"):
        await restore(home, tmp_path / "forged", CLOCK)
    assert not list(tmp_path.rglob("evil"))


async def test_a_forged_link_is_refused(tmp_path: Path) -> None:
    forge(tmp_path / "forged", "config/link", tarfile.SYMTYPE)
    with pytest.raises(ConfigError, match="does not belong"):
        await restore(a_house("sqlite:///x.db", tmp_path / "home"), tmp_path / "forged", CLOCK)


def forge(path: Path, name: str, kind: bytes) -> None:
    """A backup whose hashes are right and whose one file wants to be elsewhere."""
    data = b"" if kind == tarfile.SYMTYPE else b"evil"
    manifest = msgspec.json.encode(Manifest("now", "sqlite", {}, [Entry(name, len(data), hashlib.sha256(data).hexdigest())]))
    with path.open("wb") as file:
        file.write(MAGIC + b"\0")
        with gzip.GzipFile(fileobj=file, mode="wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
            for each, content, type_ in (("manifest.json", manifest, tarfile.REGTYPE), (name, data, kind)):
                info = tarfile.TarInfo(each)
                info.size, info.type, info.linkname = len(content), type_, "/etc/passwd"
                tar.addfile(info, io.BytesIO(content))
