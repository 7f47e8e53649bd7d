"""What pages read while nobody waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from roundtruth.errors import RoundtruthError

log = logging.getLogger(__name__)
BACKGROUND_THREAD = "rounds-in-background"


def run_in_background(action: Callable[[], None]) -> None:
    """Run an action in a thread of its own; what S3 refuses, the next request that waits for it tells."""

    def run() -> None:
        try:
            action()
        except RoundtruthError as error:
            log.warning("The rounds could not be read in the background: %s", error)

    threading.Thread(target=run, name=BACKGROUND_THREAD, daemon=True).start()
