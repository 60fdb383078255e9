"""Topic filters: what a subscription asks for. Source: MQTT 5.0, section 4.7."""

from __future__ import annotations


def problem(filter: str) -> str | None:  # noqa: A002
    """Why this is no topic filter, or None when it is one."""
    levels = filter.split("/")
    if not filter or len(filter.encode()) > 65_535 or "\0" in filter:
        return "a topic has 1 to 65535 bytes"
    if "#" in levels[:-1] or any("#" in level and level != "#" for level in levels):
        return "# stands alone and last, as in devices/#"
    if any("+" in level and level != "+" for level in levels):
        return "+ stands for a whole level, as in devices/+/status"
    return None


def matches(filter: str, topic: str) -> bool:  # noqa: A002
    """Whether a topic is one the filter asks for. A leading wildcard leaves out topics that begin with $."""
    if filter == topic:
        return True
    if topic.startswith("$") and filter[0] in "+#":
        return False
    wanted, given = filter.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def covers(wide: str, narrow: str) -> bool:
    """Whether every topic that `narrow` asks for is one that `wide` asks for."""
    if narrow.startswith("$") and wide[0] in "+#":
        return False
    outer, inner = wide.split("/"), narrow.split("/")
    for place, level in enumerate(outer):
        if level == "#":
            return True
        if place >= len(inner) or inner[place] == "#" or level not in ("+", inner[place]):
            return False
    return len(outer) == len(inner)
