"""The work team, workforce and tag operations of the SageMaker API."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from roundtruth.sandbox.constants import ACCOUNT, PUBLIC_ACCOUNT, REGION, WORKFORCE_NAME, WORKTEAM_NAME
from roundtruth.sandbox.paging import page
from roundtruth.sandbox.protocol import Body, ServiceError, invalid

_MAX_WORKTEAMS = 25  # an account and region (developer guide, input-data-limits)
_WORKFORCE_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:workforce/{WORKFORCE_NAME}"
_USER_POOL = f"{REGION}_RoundSbox"
_KEPT = (
    "WorkteamName",
    "MemberDefinitions",
    "Description",
    "NotificationConfiguration",
    "WorkerAccessConfiguration",
)


class Workteams:
    """Private work teams of the one workforce; the team of the sandbox is there from the start."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._teams: dict[str, Body] = {}
        self._tags: dict[str, dict[str, str]] = {}
        if path is not None and path.is_file():
            saved = json.loads(path.read_bytes())
            self._teams, self._tags = saved["teams"], saved["tags"]
        if WORKTEAM_NAME not in self._teams:
            member = {"UserPool": _USER_POOL, "UserGroup": WORKTEAM_NAME, "ClientId": "roundtruth"}
            self.create_workteam(
                {
                    "WorkteamName": WORKTEAM_NAME,
                    "Description": "Simulated workers of the Roundtruth sandbox",
                    "MemberDefinitions": [{"CognitoMemberDefinition": member}],
                }
            )

    def exists(self, arn: str) -> bool:
        """Whether jobs may be given to the work team: an own one, or Mechanical Turk's."""
        if arn == f"arn:aws:sagemaker:{REGION}:{PUBLIC_ACCOUNT}:workteam/public-crowd/default":
            return True
        return any(team["WorkteamArn"] == arn for team in self._teams.values())

    def create_workteam(self, request: Body) -> Body:
        """CreateWorkteam."""
        name = request["WorkteamName"]
        with self._lock:
            if name in self._teams:
                raise ServiceError("ResourceInUse", f"Work team {name} already exists.")
            if len(self._teams) >= _MAX_WORKTEAMS:
                raise ServiceError(
                    "ResourceLimitExceeded", f"An account may have {_MAX_WORKTEAMS} work teams."
                )
            if any(len(member) != 1 for member in request["MemberDefinitions"]):
                raise invalid("Each member definition must be of Cognito or of OIDC.")
            now = time.time()
            team = {field: request[field] for field in _KEPT if field in request}
            team |= {
                "WorkteamArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:workteam/private-crowd/{name}",
                "WorkforceArn": _WORKFORCE_ARN,
                "SubDomain": f"sandbox.labeling.{REGION}.sagemaker.aws",
                "CreateDate": now,
                "LastUpdatedDate": now,
            }
            self._teams[name] = team
            self._add_tags(team["WorkteamArn"], request.get("Tags", []))
            self._save()
            return {"WorkteamArn": team["WorkteamArn"]}

    def describe_workteam(self, request: Body) -> Body:
        """DescribeWorkteam; AWS models no ResourceNotFound here, an unknown name is a ValidationException."""
        return {"Workteam": self._team(request["WorkteamName"])}

    def update_workteam(self, request: Body) -> Body:
        """UpdateWorkteam."""
        with self._lock:
            team = self._team(request["WorkteamName"])
            team |= {field: request[field] for field in _KEPT if field in request}
            team["LastUpdatedDate"] = time.time()
            self._save()
            return {"Workteam": team}

    def delete_workteam(self, request: Body) -> Body:
        """DeleteWorkteam."""
        with self._lock:
            team = self._team(request["WorkteamName"])
            del self._teams[team["WorkteamName"]]
            self._save()
            return {"Success": True}

    def list_workteams(self, request: Body) -> Body:
        """ListWorkteams."""
        part = request.get("NameContains", "")
        teams = [team for team in self._teams.values() if part in team["WorkteamName"]]
        keys = {"Name": lambda team: team["WorkteamName"], "CreateDate": lambda team: team["CreateDate"]}
        found, token = page(request, teams, keys)
        return {"Workteams": found, "NextToken": token}

    def describe_workforce(self, request: Body) -> Body:
        """DescribeWorkforce: there is one, `default`."""
        if request["WorkforceName"] != WORKFORCE_NAME:
            raise invalid(f"Workforce {request['WorkforceName']} does not exist.")
        return {"Workforce": self._workforce()}

    def list_workforces(self, request: Body) -> Body:
        """ListWorkforces."""
        shown = request.get("NameContains", "") in WORKFORCE_NAME
        return {"Workforces": [self._workforce()] if shown else []}

    def add_tags(self, request: Body) -> Body:
        """AddTags, to a resource of any kind."""
        with self._lock:
            self._add_tags(request["ResourceArn"], request["Tags"])
            self._save()
            return self.list_tags(request)

    def list_tags(self, request: Body) -> Body:
        """ListTags."""
        tags = self._tags.get(request["ResourceArn"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}

    def _add_tags(self, arn: str, tags: list[dict[str, str]]) -> None:
        kept = {**self._tags.get(arn, {}), **{tag["Key"]: tag["Value"] for tag in tags}}
        if len(kept) > 50:
            raise invalid("A resource may have 50 tags.")
        if kept:
            self._tags[arn] = kept

    def _team(self, name: str) -> Body:
        if name not in self._teams:
            raise invalid(f"Work team {name} does not exist.")
        return self._teams[name]

    def _workforce(self) -> dict[str, Any]:
        return {
            "WorkforceName": WORKFORCE_NAME,
            "WorkforceArn": _WORKFORCE_ARN,
            "SubDomain": f"sandbox.labeling.{REGION}.sagemaker.aws",
            "CognitoConfig": {"UserPool": _USER_POOL, "ClientId": "roundtruth"},
            "Status": "Active",
        }

    def _save(self) -> None:
        if self._path is None:
            return
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps({"teams": self._teams, "tags": self._tags}, sort_keys=True))
        part.replace(self._path)
