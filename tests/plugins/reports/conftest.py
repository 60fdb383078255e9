"""Databases for the exports."""

from __future__ import annotations

from tests.fakes.databases import postgres, postgres_url, sqlite_url, storage_url

__all__ = ["postgres", "postgres_url", "sqlite_url", "storage_url"]
