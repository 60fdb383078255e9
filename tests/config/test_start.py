"""A house that stands by loads nothing it does not need."""

import subprocess
import sys

LATER = {"zeroconf", "pymodbus", "aiomqtt", "paho", "alembic", "cryptography", "asyncpg", "prometheus_client", "amqtt", "tqdm", "voluptuous_openapi",
         "apprise", "pywebpush", "py_vapid", "requests"}


def test_what_is_only_needed_later_is_imported_later() -> None:
    code = f"import sys, ohmstead.config.service; print(sorted({LATER!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
