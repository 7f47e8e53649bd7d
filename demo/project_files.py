"""The project file of a demo: the shipped pens project, or one made from a manifest that is replayed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import yaml

from demo.stack import ROOT
from roundtruth.errors import ManifestError
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, LineProblem
from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.rounds.arrivals import IMAGE_SUFFIXES
from roundtruth.sandbox import BUCKET

PENS = ROOT / "include" / "projects" / "pens.yaml"


def write_pens_project(folder: Path) -> Project:
    """Put the shipped project file into a folder, without its schedule: rounds start by hand alone."""
    content = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    return _write(folder, content | {"schedule": None})


def write_replay_project(folder: Path, images: Path, manifest: Path) -> Project:
    """Make a project for a folder of photos, with the categories of a manifest, named after the folder.

    :raises ManifestError: when the manifest holds no box, two names for one class id, or none of the photos.
    """
    name = replay_name(images)
    _require_photos(images, manifest)
    content = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    content |= {
        "project": name,
        "schedule": None,
        "root": f"s3://{BUCKET}/{name}",
        "categories": _categories(manifest),
        "budget_usd": None,
    }
    content["dataset"]["name"] = name
    content["labeling"]["instructions"] = {}
    return _write(folder, content)


def replay_name(images: Path) -> str:
    """A project name from a folder's path; the folder above where its own says nothing (`cigars/images`).

    It ends in a part of the path's digest: `a/cigars` and `b/cigars` are two projects.
    """
    folder = images.resolve()
    source = folder.parent.name if folder.name in {"images", "photos"} else folder.name
    readable = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")[:17].strip("-") or "photos"
    return f"{readable}-{hashlib.sha256(str(folder).encode()).hexdigest()[:6]}"


def _require_photos(images: Path, manifest: Path) -> None:
    photos = {path.name for path in images.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES}
    if not photos:
        raise ManifestError(f"{images} holds no photo ({', '.join(IMAGE_SUFFIXES)}).")
    with manifest.open("rb") as lines:
        records = list(read_output_manifest(lines, file=str(manifest)))
    names = {record.source_ref.rpartition("/")[2] for record in records if record.source_ref}
    if not names & photos:
        problem = next((str(record) for record in records if isinstance(record, LineProblem)), "")
        raise ManifestError(
            f"None of the {len(photos)} photos in {images} is in {manifest} by its file name; "
            f"is it the manifest of another job? {problem}".rstrip()
        )


def _categories(manifest: Path) -> list[str]:
    """The names of all class maps, in order of their ids."""
    names: dict[int, str] = {}
    with manifest.open("rb") as lines:
        for record in read_output_manifest(lines, file=str(manifest)):
            if not isinstance(record, LabeledImage):
                continue
            for class_id, name in record.class_map.items():
                if names.setdefault(class_id, name) != name:
                    raise ManifestError(
                        f"{manifest}:{record.line_number}: class {class_id} is {name!r} here and "
                        f"{names[class_id]!r} above; replay the manifests of one job."
                    )
    if not names:
        raise ManifestError(f"{manifest} holds no box; there is nothing to replay.")
    return [names[class_id].strip() for class_id in sorted(names)]


def _write(folder: Path, content: dict[str, object]) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{content['project']}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return load_project(path)
