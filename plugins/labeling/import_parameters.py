"""The form of an import: finished labeling jobs, and the round that they become."""

from __future__ import annotations

from airflow.sdk import Param

from roundtruth.project import Project


def import_parameters(project: Project) -> dict[str, Param]:
    """The parameters of a project's imports."""
    return {
        "round": Param(
            None,
            type=["null", "string"],
            title="Round",
            maxLength=28,
            description="Name of the round that the jobs become, best the day they were labeled, such as "
            "2024-03-01: of an image in several rounds the labels of the newest round by name count.",
        ),
        "jobs": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Finished jobs",
            description="One job a line: its name, the S3 URI of its output folder "
            "(<S3OutputPath>/<job name>), or of an output manifest.",
        ),
        "label_categories": Param(
            None,
            type=["null", "string"],
            title="Label category config",
            description="S3 URI of the list of categories, for jobs whose folder holds none; without it only "
            "the categories that they used count as asked for.",
        ),
        "consolidated": Param(
            False,
            type="boolean",
            title="Ground Truth's own boxes",
            description="Take them also where workers' answers are there; nothing is disputed then.",
        ),
        "moved": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Moved images",
            description="Images that were copied since, one beginning of their URIs a line: "
            f"s3://old-bucket/={project.images_uri}",
        ),
    }
