"""What the hub must remember of its session at the broker: its client id, and the filters it subscribed there."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from pathlib import Path


class Session:
    """Two small files in `data/`. A broker keeps the session of a client id, and with it every filter, for years."""

    def __init__(self, folder: Path, name: str = "mqtt") -> None:
        self._id_file = folder / f"{name}_client_id"
        self._filters_file = folder / f"{name}_filters.json"

    def client_id(self) -> str:
        """The id this hub has at every broker; made on first use."""
        try:
            known = self._id_file.read_text().strip()
        except FileNotFoundError:
            known = ""
        if not known:
            known = f"ohmstead-{secrets.token_hex(6)}"
            _write(self._id_file, known + "\n")
        return known

    def filters(self, broker: str) -> set[str]:
        """The filters that may be subscribed at that broker; another broker than last time has none."""
        try:
            kept = json.loads(self._filters_file.read_text())
        except (FileNotFoundError, ValueError):
            return set()
        if not isinstance(kept, dict) or kept.get("broker") != broker:
            return set()
        return set(kept.get("filters", ()))

    def keep(self, broker: str, filters: Iterable[str]) -> None:
        """Write down the filters, before they are subscribed there."""
        _write(self._filters_file, json.dumps({"broker": broker, "filters": sorted(filters)}, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
