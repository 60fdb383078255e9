"""Sinks for messages, and databases of each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.http_sink import HttpSink
from tests.fakes.smtp_sink import SmtpSink


@pytest.fixture
async def mail() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


@pytest.fixture
async def hook() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink
