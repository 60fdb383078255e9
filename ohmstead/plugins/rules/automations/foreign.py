"""Actions of plugins that do not ship with Ohmstead: they run on the second loop, where they hold nobody up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ohmstead.core.errors import ConfigError, Unavailable
from ohmstead.core.isolation import SecondLoop
from ohmstead.core.plugin import RuleKind
from ohmstead.plugins.rules.automations.build import Build, Op
from ohmstead.plugins.rules.automations.kinds import ACTION
from ohmstead.plugins.rules.automations.run import Run

WITHIN_S = 30.0


def elsewhere(kind: RuleKind, second: SecondLoop) -> RuleKind:
    """The same kind, compiled and run over there. ConfigError for what is no action: it would have to be asked in place."""
    if kind.part != ACTION:
        raise ConfigError(f"its {kind.part} {kind.name!r} cannot be taken: plugins may add actions")

    def compile_(options: Mapping[str, Any], build: Build) -> Op:
        async def there(facts: Mapping[str, Any]) -> str:
            try:
                return str(await second.call(lambda: kind.compile(options, None)(facts), WITHIN_S) or "done")
            except TimeoutError:
                raise Unavailable(f"{kind.name} takes longer than {WITHIN_S:.0f} s") from None

        def act(run: Run) -> Any:
            return there(dict(run.facts))

        return act

    return msgspec.structs.replace(kind, compile=compile_)
