"""What the hub writes about itself."""

from __future__ import annotations

import io
import json
import logging

from ohmstead.config import log


def written(options: dict[str, str], secrets: tuple[str, ...] = ()) -> list[str]:
    out = io.StringIO()
    log.set_up(options, secrets, out)
    logging.getLogger("ohmstead.core.hub").info("the password is %s", "hunter22")
    logging.getLogger("ohmstead.access").info("%s", '{"url": "/x"}')
    logging.getLogger("ohmstead.core.hub").debug("detail")
    logging.getLogger("alembic").info("chatter")
    try:
        raise ValueError("hunter22")
    except ValueError:
        logging.getLogger("ohmstead.x").exception("it failed")
    return out.getvalue().splitlines()


def test_lines_for_people_without_secrets() -> None:
    first, access, *failure = written({"level": "info"}, ("hunter2", "hunter22"))
    assert first.endswith("INFO    hub: the password is •••")
    assert access == '{"url": "/x"}'
    assert failure[0].endswith("ERROR   x: it failed")
    assert failure[-1] == "ValueError: •••"


def test_json_for_machines() -> None:
    first, access, failure = (json.loads(line) for line in written({"format": "json", "level": "info"}, ("hunter22",)))
    assert (first["level"], first["message"], first["service"], first["logger"]) == ("info", "the password is •••", "ohmstead", "ohmstead.core.hub")
    assert first["timestamp"].endswith("Z")
    assert access == {"url": "/x"}
    assert failure["exception"].endswith("ValueError: •••")


def test_levels() -> None:
    assert len(written({"level": "error"})) > 1
    assert any(line.endswith("detail") for line in written({"level": "debug"}))
