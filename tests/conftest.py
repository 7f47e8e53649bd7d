"""Fixtures that every room's tests share."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import botocore.session
import pytest
from hypothesis import settings

# The same examples in every run: a change is red for what it does, never by luck, nor on a busy machine.
# `--hypothesis-profile=search` looks further.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000)
settings.load_profile("same")

pytest_plugins = ["tests.sandbox_fixture"]


@pytest.fixture(scope="session", autouse=True)
def one_loader() -> Iterator[None]:
    """Read the API models once for all of boto3's sessions: a store takes 0.02 s of CPU then, not 0.18 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield
