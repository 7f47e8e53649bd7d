"""The form of a round that is started by hand, and what was filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from roundtruth.project import Project
from roundtruth.rounds.requested import RoundRequest

WHICH = "Which images"


def round_parameters(project: Project) -> dict[str, Param]:
    """The parameters of a project's labeling round; a scheduled run leaves all of them as they are."""
    folder = project.images_uri
    return {
        "round": Param(
            None,
            type=["null", "string"],
            title="Round",
            maxLength=28,
            description="Name of a round that is started by hand, such as 2026-11-21-extra: lower-case "
            "letters, digits and single hyphens. Leave it empty when the run has a partition key.",
        ),
        "why": Param(
            None,
            type=["null", "string"],
            title="Why",
            description="The reason for this round; it is kept in plan.json and round.json.",
        ),
        "prefix": Param(
            None,
            type=["null", "string"],
            title="Images under",
            description=f"A path below {folder} that the keys of the images begin with, such as aisle-4/.",
            section=WHICH,
        ),
        "keys": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="These images",
            description=f"One image a line: its path below {folder}, or its S3 URI.",
            section=WHICH,
        ),
        "where": Param(
            None,
            type=["null", "string"],
            title="Images where",
            description="An SQL condition over the image table: source_ref, etag, bytes, last_modified, "
            "width, height, orientation, carried_over. Example: width >= 1920 AND source_ref LIKE '%night%'.",
            section=WHICH,
        ),
        "max_images": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="At most",
            description="How many images at most; those that wait since an earlier round come first.",
            section=WHICH,
        ),
        "relabel": Param(
            False,
            type="boolean",
            title="Label a recorded round over again",
            description="New labeling jobs for the same images, to be paid again. Without it a recorded "
            "round is only made again from the answers that are in S3.",
            section="Over again",
        ),
    }


def request_of(params: Mapping[str, Any]) -> RoundRequest:
    """What a run was started with, as the planner takes it; empty for a scheduled run."""
    return RoundRequest(
        prefix=(params.get("prefix") or "").strip(),
        keys=tuple(key.strip() for key in params.get("keys") or () if key.strip()),
        where=(params.get("where") or "").strip(),
        max_images=params.get("max_images"),
        why=(params.get("why") or "").strip(),
    )


def relabel_run(context: Mapping[str, Any]) -> str | None:
    """The id of the run when it wants its round labeled over again."""
    return str(context["dag_run"].run_id) if context["params"].get("relabel") else None
