"""Writes the beginning of a plugin: a package that installs, loads and passes its own test before a line is changed."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from ohmstead import __version__
from ohmstead.core.errors import ConfigError

NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")
FILES = {  # template beside this file: where it goes
    "pyproject.toml.tmpl": "pyproject.toml",
    "readme.md.tmpl": "README.md",
    "plugin.py.tmpl": "ohmstead_${name}.py",
    "test_plugin.py.tmpl": "tests/test_${name}.py",
}


def scaffold(name: str, folder: Path) -> Path:
    """Write the plugin `name` into a new folder `ohmstead-<name>` below `folder`, and return that.

    ConfigError for a name that is none, or when the new folder exists.
    """
    if NAME.fullmatch(name) is None:
        raise ConfigError(f"{name!r} cannot name a plugin; take lower-case letters, digits and _, such as heat_pump")
    root = folder / f"ohmstead-{name.replace('_', '-')}"
    if root.exists():
        raise ConfigError(f"{root} exists already; choose another name or folder")
    words = {"name": name, "title": name.replace("_", " ").capitalize(), "package": root.name, "version": __version__}
    for template, place in FILES.items():
        target = root / Template(place).substitute(words)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(_read(template)).substitute(words), encoding="utf-8")
    return root


def _read(template: str) -> str:
    return (Path(__file__).parent / template).read_text(encoding="utf-8")
