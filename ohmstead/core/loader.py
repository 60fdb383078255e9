"""Loads plugins: built-in ones, packages that announce themselves by entry point, and files in <config folder>/plugins.

Every hook is called for one plugin at a time. A plugin that raises, hangs or declares nonsense is quarantined by name;
the house goes on without it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from ohmstead.core.bus import Bus
from ohmstead.core.errors import PluginError
from ohmstead.core.events import PluginQuarantined
from ohmstead.core.isolation import in_thread
from ohmstead.core.model import is_slug
from ohmstead.core.plugin import PROJECT, Hooks

log = logging.getLogger(__name__)

IMPORT_LIMIT_S = 10.0
HOOK_LIMIT_S = 5.0
BLOCKS_ALLOWED = 3
USER_PACKAGE = "ohmstead_user"


class Plugin:
    """One loaded plugin: its name, where it is from, what it declared, and why it was quarantined if it was."""

    __slots__ = ("blocks", "declared", "files", "module", "name", "origin", "quarantined", "shipped")

    def __init__(self, name: str, module: object, origin: str, shipped: bool, files: tuple[str, ...] = ()) -> None:
        self.name = name
        self.module = module
        self.origin = origin
        self.shipped = shipped
        self.files = files  # source files or folders that are its own
        self.declared: dict[str, list[str]] = {}
        self.quarantined: str | None = None
        self.blocks = 0


class _Hooks(pluggy.PluginManager):
    """Hooks are known by their names; whatever else a plugin's module holds is not looked at."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        return super().parse_hookimpl_opts(plugin, name) if name.startswith("ohmstead_") else None


class Loader:
    """The plugins of this house."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._hooks = _Hooks(PROJECT)
        self._hooks.add_hookspecs(Hooks)
        self._plugins: dict[str, Plugin] = {}
        self.on_quarantine: list[Callable[[Plugin], None]] = []

    def __iter__(self) -> Iterator[Plugin]:
        return iter(self._plugins.values())

    def get(self, name: str) -> Plugin | None:
        """The plugin of that name."""
        return self._plugins.get(name)

    def add(self, name: str, module: object) -> None:
        """Take in a plugin that ships with Ohmstead; its mistakes are ours and raise."""
        self._register(Plugin(name, module, "built-in", shipped=True))

    def discover(self, folder: Path) -> None:
        """Load the installed packages and the files of `folder` that are plugins."""
        for entry in importlib.metadata.entry_points(group=PROJECT):
            origin = f"package {entry.dist.name} {entry.dist.version}" if entry.dist else "package"
            self._load(entry.name, origin, entry.load)
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else ():
            self._load(path.stem, str(path), lambda path=path: _load_file(path))  # type: ignore[misc]

    def _load(self, name: str, origin: str, load: Callable[[], object]) -> None:
        plugin = Plugin(name, None, origin, shipped=False)
        if name in self._plugins:
            log.warning("plugin %s from %s is left out: the name is taken by the one from %s", name, origin, self._plugins[name].origin)
            return
        self._plugins[name] = plugin
        try:
            plugin.module = in_thread(load, IMPORT_LIMIT_S, f"import of plugin {name}")
            plugin.files = _files(plugin.module)
            self._register(plugin)
            log.info("plugin %s is loaded from %s", name, origin)
        except (Exception, SystemExit) as error:  # whatever an import does, the house goes on
            self.quarantine(plugin, f"import failed: {_tell(error)}", error)

    def _register(self, plugin: Plugin) -> None:
        if not plugin.shipped and not any(hasattr(plugin.module, name) for name in _hook_names()):
            raise PluginError(f"it implements none of {', '.join(_hook_names())}")
        unknown = [name for name in vars(plugin.module) if name.startswith("ohmstead_") and name not in _hook_names()]
        if unknown and isinstance(plugin.module, ModuleType):
            raise PluginError(f"unknown hook {unknown[0]}; there are {', '.join(_hook_names())}")
        self._hooks.register(plugin.module, plugin.name)
        self._plugins[plugin.name] = plugin

    def collect(self, hook: str, **arguments: Any) -> list[tuple[Plugin, Any]]:
        """What every plugin returns for `hook`, as single things with the plugin they are from, in order of loading."""
        found: list[tuple[Plugin, Any]] = []
        for plugin in list(self._plugins.values()):
            if plugin.quarantined is None and hasattr(plugin.module, hook):
                things = self._call(plugin, hook, arguments)
                plugin.declared[hook] = [_title(thing) for thing in things]
                found += [(plugin, thing) for thing in things]
        return found

    def _call(self, plugin: Plugin, hook: str, arguments: dict[str, Any]) -> list[Any]:
        if not plugin.shipped and "hub" in arguments:
            arguments = {**arguments, "hub": arguments["hub"].visitor(plugin.name)}
        caller = self._hooks.subset_hook_caller(hook, self._hooks.get_plugins() - {plugin.module})

        def call() -> list[Any]:
            return [thing for result in caller(**arguments) for thing in _many(result)]

        if plugin.shipped:
            return call()
        try:
            return in_thread(call, HOOK_LIMIT_S, f"hook {hook} of plugin {plugin.name}")
        except (Exception, SystemExit) as error:  # a foreign hook may raise anything
            self.quarantine(plugin, f"{hook} failed: {_tell(error)}", error)
            return []

    def quarantine(self, plugin: Plugin, reason: str, error: BaseException | None = None) -> None:
        """Take a plugin out of the house until the next start; logged once, with the traceback of `error`."""
        if plugin.quarantined is not None:
            return
        plugin.quarantined = reason
        log.error("plugin %s (%s) is quarantined: %s", plugin.name, plugin.origin, reason, exc_info=error)
        if self._hooks.is_registered(plugin.module):
            self._hooks.unregister(plugin.module)
        for told in self.on_quarantine:
            told(plugin)
        self._bus.publish(PluginQuarantined(plugin.name, reason))

    def blocked(self, name: str | None, file: str, line: int) -> None:
        """The watchdog's word that a plugin held its loop; three times is quarantine."""
        plugin = self._plugins.get(name or "")
        if plugin is not None and not plugin.shipped:
            plugin.blocks += 1
            if plugin.blocks >= BLOCKS_ALLOWED:
                self.quarantine(plugin, f"it blocked the event loop {plugin.blocks} times, last at {file}:{line}")

    def owner(self, file: str) -> str | None:
        """The name of the foreign plugin that a source file belongs to."""
        for plugin in self._plugins.values():
            if any(file == own or file.startswith(own + "/") for own in plugin.files):
                return plugin.name
        return None


def _hook_names() -> list[str]:
    return [name for name in vars(Hooks) if name.startswith("ohmstead_")]


def _many(result: Any) -> Iterable[Any]:
    if result is None:
        return ()
    return result if isinstance(result, list | tuple | set | frozenset) or hasattr(result, "__next__") else (result,)


def _title(thing: Any) -> str:
    for name in ("type", "name", "key", "feature"):
        if isinstance(getattr(thing, name, None), str):
            return str(getattr(thing, name))
    return f"{thing.method} {thing.path}" if hasattr(thing, "method") else type(thing).__name__


def _tell(error: BaseException) -> str:
    text = str(error)
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}" if text else type(error).__name__


def _files(module: object) -> tuple[str, ...]:
    file = getattr(module, "__file__", None)
    if file is None:
        return ()
    return (str(Path(file).parent),) if Path(file).name == "__init__.py" else (file,)


def _load_file(path: Path) -> ModuleType:
    """A file as module `ohmstead_user.<name>`; never through sys.path, so that a user's mqtt.py shadows nothing."""
    if not is_slug(path.stem):
        raise PluginError(f"{path.name}: a plugin's file is named with letters, digits, _ and -")
    name = f"{USER_PACKAGE}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
