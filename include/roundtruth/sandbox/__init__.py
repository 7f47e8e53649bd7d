"""A Ground Truth one can run: SageMaker's labeling API, S3 by moto and simulated workers on one port.

    with Sandbox(SandboxSettings(state=folder)) as sandbox:
        boto3.client("sagemaker", endpoint_url=sandbox.endpoint_url, region_name=REGION)

Importing this package is light; the server (moto, Flask) is loaded with `roundtruth.sandbox.server`.
"""

from __future__ import annotations

from roundtruth.sandbox.constants import ACCOUNT, BUCKET, REGION, ROLE_ARN, WORKTEAM_ARN, WORKTEAM_NAME
from roundtruth.sandbox.settings import SandboxSettings

__all__ = ["ACCOUNT", "BUCKET", "REGION", "ROLE_ARN", "WORKTEAM_ARN", "WORKTEAM_NAME", "SandboxSettings"]
