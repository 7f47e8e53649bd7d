"""`python -m roundtruth.sandbox`: a Ground Truth on this machine."""

from __future__ import annotations

import sys

from roundtruth.errors import SandboxError
from roundtruth.sandbox.command import command


def main() -> int:
    """Read the command line and serve until the process is asked to end."""
    try:
        command(prog_name="python -m roundtruth.sandbox")
    except SandboxError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
