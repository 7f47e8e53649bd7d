"""Pascal VOC: one XML file an image.

Format: VOC devkit documentation: coordinates count from 1, and xmax, ymax are the last pixel inside, which is
the far edge counted from 0. Fractional coordinates stay fractional (VOC2011 itself has some).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from roundtruth.datasets.boxes import PixelBox
from roundtruth.errors import DatasetError

_OBJECT = """\
  <object>
    <name>{name}</name>
    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>0</difficult>
    <bndbox>
      <xmin>{xmin}</xmin>
      <ymin>{ymin}</ymin>
      <xmax>{xmax}</xmax>
      <ymax>{ymax}</ymax>
    </bndbox>
  </object>
"""
_DOCUMENT = """\
<annotation>
  <folder>{folder}</folder>
  <filename>{file_name}</filename>
  <size>
    <width>{width}</width>
    <height>{height}</height>
    <depth>3</depth>
  </size>
  <segmented>0</segmented>
{objects}</annotation>
"""


def encode_image(
    boxes: Iterable[PixelBox], names: Sequence[str], *, file_name: str, folder: str, width: int, height: int
) -> bytes:
    """The XML file of an image of this size (pixels); boxes sorted, none for a negative."""
    objects = "".join(
        _OBJECT.format(
            name=escape(names[box.class_id]),
            xmin=_number(box.left + 1),
            ymin=_number(box.top + 1),
            xmax=_number(box.left + box.width),
            ymax=_number(box.top + box.height),
        )
        for box in sorted(boxes)
    )
    return _DOCUMENT.format(
        folder=escape(folder), file_name=escape(file_name), width=width, height=height, objects=objects
    ).encode()


def decode_image(data: bytes, names: Sequence[str], *, file: str) -> tuple[PixelBox, ...]:
    """The boxes of a VOC file, in its order, in pixels.

    :raises DatasetError: when the file is no VOC XML, or has a class that ``names`` lacks.
    """
    ids = {name: class_id for class_id, name in enumerate(names)}
    try:
        root = ElementTree.fromstring(data)  # noqa: S314  # expat fetches no external entity
        return tuple(_decode_object(element, ids) for element in root.iter("object"))
    except ElementTree.ParseError as error:
        raise DatasetError(f"{file} is not XML: {error}.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{file} has an object that cannot be read: {error}.") from error


def _decode_object(element: ElementTree.Element, ids: dict[str, int]) -> PixelBox:
    xmin, ymin, xmax, ymax = (
        float(element.findtext(f"bndbox/{edge}") or "") for edge in ("xmin", "ymin", "xmax", "ymax")
    )
    class_id = ids[element.findtext("name") or ""]
    return PixelBox(class_id, xmin - 1, ymin - 1, xmax - xmin + 1, ymax - ymin + 1)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
