"""The project file of a demo: the shipped pens project, or one made from a manifest that is replayed."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from demo.stack import ROOT
from roundtruth.errors import ManifestError
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage
from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.sandbox import BUCKET

PENS = ROOT / "include" / "projects" / "pens.yaml"


def write_pens_project(folder: Path, *, scheduled: bool) -> Project:
    """Put the shipped project file into a folder; without its schedule, rounds start by hand alone."""
    content = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    if not scheduled:
        content["schedule"] = None
    return _write(folder, content)


def write_replay_project(folder: Path, images: Path, manifest: Path) -> Project:
    """Make a project for a folder of photos, with the categories of a manifest, named after the folder.

    :raises ManifestError: when the manifest holds no box, or two names for one class id.
    """
    name = replay_name(images)
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
    """A project name from a folder's name; the folder above where its own says nothing (`cigars/images`)."""
    folder = images.resolve()
    source = folder.parent.name if folder.name in {"images", "photos"} else folder.name
    return re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")[:24].strip("-") or "photos"


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
