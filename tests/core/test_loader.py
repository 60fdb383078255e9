from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from ohmstead.core.bus import Bus
from ohmstead.core.errors import PluginError
from ohmstead.core.events import PluginQuarantined
from ohmstead.core.loader import BLOCKS_ALLOWED, USER_PACKAGE, Loader
from ohmstead.core.plugin import Hooks, Integration, hookimpl
from ohmstead.core.route import Route

GOOD = """
from ohmstead.core import Integration, hookimpl

@hookimpl
def ohmstead_integrations():
    return Integration("good", {})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    return tmp_path / "plugins"


def load(folder: Path) -> tuple[Loader, list[PluginQuarantined]]:
    bus, gone = Bus(), []
    bus.subscribe(PluginQuarantined, gone.append)
    loader = Loader(bus)
    loader.discover(folder)
    return loader, gone


class BuiltIn:
    @hookimpl
    def ohmstead_integrations(self) -> list[Integration]:
        return [Integration("one", {}), Integration("two", {})]

    @hookimpl
    def ohmstead_routes(self, hub: object) -> tuple[Route, ...]:
        async def hello(call: object) -> str:
            return "hello"

        return (Route("GET", "/hello", hello, "read", "Say hello"),)

    @hookimpl
    def ohmstead_started(self, hub: object) -> None:
        """Nothing to do."""


def test_built_ins_use_the_same_hooks(folder: Path) -> None:
    loader, _ = load(folder)
    loader.add("built", BuiltIn())
    assert [item.type for _, item in loader.collect("ohmstead_integrations")] == ["one", "two"]
    loader.collect("ohmstead_routes", hub=None)
    loader.collect("ohmstead_started", hub=None)
    plugin = loader.get("built")
    assert plugin.declared == {"ohmstead_integrations": ["one", "two"], "ohmstead_routes": ["GET /hello"], "ohmstead_started": []}
    assert plugin.origin == "built-in"


def test_a_file_is_a_plugin_and_shadows_nothing(folder: Path) -> None:
    (folder / "asyncio.py").write_text(GOOD)
    loader, gone = load(folder)
    (plugin,) = loader
    assert plugin.origin == str(folder / "asyncio.py")
    assert plugin.module.__name__ == f"{USER_PACKAGE}.asyncio"
    assert sys.modules["asyncio"] is not plugin.module
    assert loader.owner(str(folder / "asyncio.py")) == "asyncio"
    assert loader.owner("/elsewhere.py") is None
    assert not gone


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('boom')", "import failed: RuntimeError: boom"),
        ("raise ValueError", "import failed: ValueError"),
        ("import sys; sys.exit(3)", "import failed: SystemExit: 3"),
        ("def broken(:", "import failed: SyntaxError"),
        ("x = 1", "implements none of ohmstead_integrations"),
        (GOOD + "def ohmstead_integratons(): ...", "unknown hook ohmstead_integratons; there are ohmstead_integrations"),
        (GOOD.replace("()", "(wrong_argument)"), "import failed: PluginValidationError"),
    ],
)
def test_a_bad_import_is_quarantined_by_name(folder: Path, source: str, reason: str) -> None:
    (folder / "bad.py").write_text(source)
    (folder / "good.py").write_text(GOOD)
    loader, gone = load(folder)
    assert [event.plugin for event in gone] == ["bad"]
    assert reason in gone[0].reason
    assert loader.get("bad").quarantined == gone[0].reason
    assert [item.type for _, item in loader.collect("ohmstead_integrations")] == ["good"]
    assert f"{USER_PACKAGE}.good" in sys.modules


def test_a_raising_hook_is_quarantined_once(folder: Path) -> None:
    (folder / "bad.py").write_text(GOOD.replace("return", "raise KeyError  #"))
    loader, gone = load(folder)
    stopped = []
    loader.on_quarantine.append(stopped.append)
    assert loader.collect("ohmstead_integrations") == []
    assert loader.collect("ohmstead_integrations") == []
    loader.quarantine(loader.get("bad"), "again")
    assert [event.reason.split(":")[0] for event in gone] == ["ohmstead_integrations failed"]
    assert stopped == [loader.get("bad")]


def test_our_own_mistakes_raise(folder: Path) -> None:
    class Broken:
        @hookimpl
        def ohmstead_integrations(self) -> None:
            raise KeyError("ours")

    loader, _ = load(folder)
    loader.add("broken", Broken())
    with pytest.raises(KeyError, match="ours"):
        loader.collect("ohmstead_integrations")


def test_names_that_are_taken_or_no_names_are_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "taken.py").write_text(GOOD)
    (folder / "no name.py").write_text(GOOD)
    bus = Bus()
    loader = Loader(bus)
    module = types.ModuleType("ours")
    module.ohmstead_integrations = hookimpl(lambda: Integration("ours", {}))
    loader.add("taken", module)
    loader.discover(folder)
    assert "the name is taken by the one from built-in" in caplog.text
    assert "letters, digits" in loader.get("no name").quarantined
    assert [item.type for _, item in loader.collect("ohmstead_integrations")] == ["ours"]


def test_blocking_three_times_is_quarantine(folder: Path) -> None:
    (folder / "sleepy.py").write_text(GOOD)
    loader, gone = load(folder)
    loader.add("built", BuiltIn())
    for _ in range(BLOCKS_ALLOWED):
        assert not gone
        loader.blocked("sleepy", "sleepy.py", 12)
        loader.blocked("built", "x.py", 1)
        loader.blocked(None, "x.py", 1)
    assert gone[0].reason == "it blocked the event loop 3 times, last at sleepy.py:12"


def test_a_missing_folder_is_no_plugins(tmp_path: Path) -> None:
    loader, _ = load(tmp_path / "nowhere")
    assert [plugin for plugin in loader if "/" in plugin.origin] == []


def test_every_hook_documents_itself() -> None:
    for name, hook in vars(Hooks).items():
        if name.startswith("ohmstead_"):
            assert all(part in hook.__doc__ for part in ("Called", "Returns", "Example: `"))
            assert "raises" in hook.__doc__
    with pytest.raises(PluginError):
        raise PluginError("named")
