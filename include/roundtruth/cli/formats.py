"""The label formats that commands take."""

from __future__ import annotations

# As dataset_settings.Format, which needs pydantic: too slow to load for a command's help.
FORMATS = ("yolo", "voc", "coco", "csv", "manifest")
