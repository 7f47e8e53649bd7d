"""Where the real data lies, and the mark for tests that read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("ROUNDTRUTH_REAL_DATA", Path(__file__).parents[2] / "shared" / "real"))

needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real data (../shared/real) is not here")
