"""`roundtruth round`: look at a labeling round before it is started, import finished jobs as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roundtruth.cli import round_import
from roundtruth.cli.console import endpoint_option, json_option, notes, open_storage, print_json
from roundtruth.errors import RoundError
from roundtruth.project_files import load_project

if TYPE_CHECKING:
    from roundtruth.project import Project
    from roundtruth.rounds.plan import Draft

SHOWN_UNREADABLE = 20
SHOWN_CATEGORIES = 5


@click.group(name="round")
def command() -> None:
    """Plan a labeling round without starting it; import finished jobs as a round."""


command.add_command(round_import.command)


@command.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--round", "round_key", required=True, metavar="KEY", help="The round, such as 2026-11-16.")
@endpoint_option
@json_option
def plan(file: Path, round_key: str, endpoint_url: str | None, as_json: bool) -> None:
    """Show images, jobs and price of a round; write nothing.

    FILE is the project file. A round that was planned before is planned anew here: as it would be without
    its own plan.
    """
    from roundtruth.rounds.folder import round_folder
    from roundtruth.rounds.plan import draft_plan  # imports pandas
    from roundtruth.rounds.planned import read_plan

    project = load_project(file)
    storage = open_storage(endpoint_url)
    existing = read_plan(storage, round_folder(project, round_key))
    if existing is not None and existing.imported:
        raise RoundError(
            f"Round {round_key!r} of project {project.project!r} was imported from {len(existing.jobs)} "
            "finished jobs: nothing is labeled in it; plan a round of another key."
        )
    with notes.status(f"Looking at the images under {project.images_uri} …"):
        draft = draft_plan(storage, project, round_key)
    if as_json:
        print_json(_summary(project, draft))
    else:
        _show(project, draft)


def _summary(project: Project, draft: Draft) -> dict[str, Any]:
    made = draft.plan
    return {
        "project": made.project,
        "round": made.round,
        "images": made.images,
        "new": made.new,
        "carried_over": made.carried_over,
        "unreadable": _unreadable(draft),
        "left_out": made.left_out,
        "gold": len(made.gold),
        "starts": made.new >= project.images.minimum,
        "minimum": project.images.minimum,
        "jobs": msgspec.to_builtins(made.jobs),
        "price_usd": {
            "labeling": made.labeling_usd,
            "relabel_at_most": made.relabel_usd,
            "at_most": round(made.labeling_usd + made.relabel_usd, 2),
            "budget": project.budget_usd,
        },
    }


def _unreadable(draft: Draft) -> list[dict[str, str]]:
    rows = draft.images[draft.images["unreadable"] != ""]
    return [
        {"image": str(ref), "reason": str(reason)}
        for ref, reason in zip(rows["source_ref"], rows["unreadable"], strict=True)
    ]


def _show(project: Project, draft: Draft) -> None:
    from roundtruth.rounds.cost import price_terms  # imports pandas

    made, summary = draft.plan, _summary(project, draft)
    click.echo(
        f"{made.images} images: {made.new} new, {made.carried_over} carried over from earlier rounds, "
        f"{made.unreadable} unreadable; {made.left_out} left out by the selection"
    )
    if made.gold:
        click.echo(
            f"{len(made.gold)} gold images are mixed in: their truth is known, workers are judged by it"
        )
    for entry in summary["unreadable"][:SHOWN_UNREADABLE]:
        click.echo(f"  unreadable: {entry['image']}: {entry['reason']}")
    more = made.unreadable - SHOWN_UNREADABLE
    if more > 0:
        click.echo(f"  and {more} more unreadable images (all of them with --json)")
    if not summary["starts"]:
        click.echo(f"The round would not start: images.minimum is {project.images.minimum} new images.")
    if made.jobs and not summary["starts"]:
        click.echo("If it started:")
    if made.jobs:
        Console().print(_jobs_table(draft))
    price = summary["price_usd"]
    budget = "" if price["budget"] is None else f" (budget {price['budget']:.2f} USD)"
    if made.jobs:
        click.echo(f"Prices: {price_terms(project)}")
    what = "Price" if summary["starts"] else "Price if it started"
    click.echo(
        f"{what}: {price['labeling']:.2f} USD, up to {price['relabel_at_most']:.2f} USD more for relabeling"
        f"{budget}"
    )


def _jobs_table(draft: Draft) -> Table:
    shown = Table("job", "images", "workers", "categories")
    for job in draft.plan.jobs:
        shown.add_row(job.name, str(job.images), str(job.workers), escape(_first(job.categories)))
    return shown


def _first(categories: tuple[str, ...]) -> str:
    named, more = ", ".join(categories[:SHOWN_CATEGORIES]), len(categories) - SHOWN_CATEGORIES
    return f"{named} and {more} more" if more > 0 else named
