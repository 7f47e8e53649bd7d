"""Fixtures that every room's tests share."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run: a change is red for what it does, never by luck, nor on a busy machine.
# `--hypothesis-profile=search` looks further.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000)
settings.load_profile("same")

pytest_plugins = ["tests.sandbox_fixture"]
