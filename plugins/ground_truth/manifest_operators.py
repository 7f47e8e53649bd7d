"""Operator: write the input manifest of a labeling job to S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from ground_truth.input_manifest import manifest_bytes, read_rows
from ground_truth.manifest_upload import object_count, put_manifest

if TYPE_CHECKING:
    from airflow.sdk import Context


class GroundTruthBuildManifestOperator(AwsBaseOperator[S3Hook]):
    """Write the input manifest of a labeling job to S3.

    The rows are checked against the limits of Ground Truth. When the same manifest lies there already
    nothing is written; another one is not replaced unless asked for, since a job may have been created from
    it.

    :param manifest_uri: The S3 URI to write to. (templated)
    :param rows: What to label, an entry an object: its S3 URI, or a mapping with ``source-ref`` and further
        attributes that Ground Truth passes through. Exactly one of ``rows`` and ``images_uri``. (templated)
    :param images_uri: The S3 URI of a JSON array or of JSON Lines that hold such rows. (templated)
    :param replace: Whether to replace another manifest of the same name. (default: False)
    :param kms_key_id: The KMS key to encrypt the manifest with; the bucket's own encryption when absent.
        (templated)
    :param aws_conn_id: The Airflow connection used for AWS credentials; the default boto3 behaviour if
        ``None``.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates. See:
        https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html
    :param botocore_config: Configuration dictionary (key-values) for botocore client. See:
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    aws_hook_class = S3Hook
    template_fields: Sequence[str] = aws_template_fields("manifest_uri", "rows", "images_uri", "kms_key_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"rows": "json"}

    def __init__(
        self,
        *,
        manifest_uri: str,
        rows: Sequence[str | Mapping[str, Any]] | None = None,
        images_uri: str | None = None,
        replace: bool = False,
        kms_key_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest_uri = manifest_uri
        self.rows = rows
        self.images_uri = images_uri
        self.replace = replace
        self.kms_key_id = kms_key_id

    def execute(self, context: Context) -> str:
        """Write the manifest and return its S3 URI."""
        if (self.rows is None) == (self.images_uri is None):
            raise ValueError("Exactly one of rows and images_uri has to be given.")
        rows = self.rows if self.images_uri is None else self._read(self.images_uri)
        content = manifest_bytes(rows or [])
        if put_manifest(
            self.hook, self.manifest_uri, content, replace=self.replace, kms_key_id=self.kms_key_id
        ):
            self.log.info(
                "Wrote %s: %s objects, %s bytes", self.manifest_uri, object_count(content), len(content)
            )
        else:
            self.log.info("%s holds this manifest already: nothing written", self.manifest_uri)
        return self.manifest_uri

    def _read(self, uri: str) -> list[str | dict[str, Any]]:
        bucket, key = S3Hook.parse_s3_url(uri)
        return read_rows(self.hook.conn.get_object(Bucket=bucket, Key=key)["Body"].read(), name=uri)
