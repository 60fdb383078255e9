"""Floods, counted: of many like entries the first is written at once, and those after it once a minute as a number."""

from __future__ import annotations

import msgspec

from ohmstead.plugins.audit.entry import Entry

WINDOW_S = 60.0
SUBJECTS = 1_000  # told apart at a time; a stranger who makes up more of them finds the rest counted together

Key = tuple[str, str | None, str | None]


class Fold(msgspec.Struct):
    """Like entries since the last one was written: the newest of them, how many, and since when they are counted."""

    newest: Entry
    since_s: float
    count: int = 0


class Folding:
    """Counts entries of one type, subject and person. Times are seconds of any clock that never jumps."""

    def __init__(self) -> None:
        self._folds: dict[Key, Fold] = {}

    def add(self, entry: Entry, now_s: float) -> Entry | None:
        """The entry, when it is the first in a minute and to be written now; else it is counted."""
        key = (entry.type, entry.subject, entry.who)
        if key not in self._folds and len(self._folds) >= SUBJECTS:
            entry = msgspec.structs.replace(entry, subject=None, device=None, who=None)
            key = (entry.type, None, None)
        fold = self._folds.get(key)
        if fold is None:
            self._folds[key] = Fold(entry, now_s)
            return entry
        fold.newest, fold.count = entry, fold.count + 1
        return None

    def due(self, now_s: float) -> list[Entry]:
        """What was counted for a minute, as entries; counting goes on for what still comes."""
        found: list[Entry] = []
        for key, fold in list(self._folds.items()):
            if now_s - fold.since_s < WINDOW_S:
                continue
            if fold.count:
                found.append(_counted(fold))
                self._folds[key] = Fold(fold.newest, now_s)
            else:
                del self._folds[key]
        return found

    def rest(self) -> list[Entry]:
        """All that was counted and not yet written."""
        folds, self._folds = self._folds, {}
        return [_counted(fold) for fold in folds.values() if fold.count]


def _counted(fold: Fold) -> Entry:
    return msgspec.structs.replace(fold.newest, data={**fold.newest.data, "count": fold.count})
