"""The command line."""

from __future__ import annotations

from .commands import cli

__all__ = ["cli"]
