"""Ask a person about a release: publish it, send doubtful images back, or discard it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLBranchOperator
from airflow.sdk import Param, get_current_context

from labeling.notifications import release_waits
from roundtruth.project import Project

PUBLISH, SEND_BACK, DISCARD = "Publish", "Send doubtful images back", "Discard"
_DEFAULTS = {"publish": PUBLISH, "send-back": SEND_BACK, "discard": DISCARD}
_ANSWER = "answer"


class ReleaseApprovalOperator(HITLBranchOperator):
    """A branch that a person chooses; keeps who chose and why, where the base class returns tasks alone."""

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Go the chosen way."""
        # Before the base class does its part: it skips the other ways by raising DownstreamTasksSkipped.
        if "error" not in event:
            user = event["responded_by_user"] or {}
            answer = {"why": (event["params_input"] or {}).get("why", ""), "by": user.get("name", "")}
            context["ti"].xcom_push(key=_ANSWER, value=answer)
        return super().execute_complete(context, event)


def approval(project: Project, *, body: str, ways: dict[str, str]) -> ReleaseApprovalOperator:
    """The task that asks; without an answer in time the project file decides.

    :param body: Markdown. (templated)
    :param ways: the task of each option.
    """
    return ReleaseApprovalOperator(
        task_id="approve_version",
        subject=f"Publish the next version of dataset {project.dataset.name}?",
        body=body,
        options=list(ways),
        options_mapping=ways,
        defaults=_DEFAULTS[project.dataset.approval_default],
        params={"why": Param("", type="string", title="Why", description="Kept beside the candidate.")},
        response_timeout=timedelta(hours=project.dataset.approval_hours),
        notifiers=release_waits(project),
    )


def answer_given() -> dict[str, str]:
    """``why`` and ``by`` of the answer, both empty when nobody gave one and the default was taken."""
    answer: dict[str, str] | None = get_current_context()["ti"].xcom_pull(
        task_ids="approve_version", key=_ANSWER
    )
    return answer or {"why": "", "by": ""}
