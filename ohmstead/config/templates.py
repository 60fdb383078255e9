"""Reads the YAML device templates that an integration names as data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ohmstead.config.yaml_file import read_file
from ohmstead.core.errors import ConfigError

MODEL, TEMPLATE = "model", "template"  # the option that names the file, and the one that its content is handed in as


def with_template(folder: Path | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` with the content of `<folder>/<model>.yaml` as `template`, for an integration that has templates.

    ConfigError when the model has none, or when its file is wrong.
    """
    model = options.get(MODEL)
    if folder is None or model is None:
        return dict(options)
    path = folder / f"{model}.yaml"
    if path.parent != folder or not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise ConfigError(f"there is no template for {model!r}; there are {known}")
    document = read_file(path)
    if document.problems:
        raise ConfigError([str(problem) for problem in document.problems])
    return {**options, TEMPLATE: document.data}
