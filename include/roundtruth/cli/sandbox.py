"""`roundtruth sandbox`: S3 and Ground Truth on this machine; the command is the sandbox's own."""

from __future__ import annotations

from roundtruth.sandbox.command import command

__all__ = ["command"]
