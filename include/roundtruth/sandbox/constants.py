"""The names of the sandbox's own AWS account, and the accounts that AWS documents for Ground Truth.

The AWS accounts are those of botocore's service model (HumanTaskConfig documentation).
"""

from __future__ import annotations

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's default account: S3 and Ground Truth are one account
BUCKET = "ground-truth-data-labeling"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/RoundtruthGroundTruthExecution"
WORKTEAM_NAME = "roundtruth-sandbox"
WORKTEAM_ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:workteam/private-crowd/{WORKTEAM_NAME}"
WORKFORCE_NAME = "default"

# Mechanical Turk's work team, the built-in worker UIs and the auto-labeling algorithms belong to these
# accounts.
PUBLIC_ACCOUNT = "394669845002"
ALGORITHM_ACCOUNT = "027400017018"

LAMBDA_ACCOUNTS = {
    "us-east-1": "432418664414",
    "us-east-2": "266458841044",
    "us-west-2": "081040173940",
    "ca-central-1": "918755190332",
    "eu-west-1": "568282634449",
    "eu-west-2": "487402164563",
    "eu-central-1": "203001061592",
    "ap-northeast-1": "477331159723",
    "ap-northeast-2": "845288260483",
    "ap-south-1": "565803892007",
    "ap-southeast-1": "377565633583",
    "ap-southeast-2": "454466003867",
}

# Tasks whose label attribute must end in `-ref`; no other's may (CreateLabelingJob, LabelAttributeName).
REF_TASKS = frozenset(
    {
        "SemanticSegmentation",
        "AdjustmentSemanticSegmentation",
        "VideoObjectDetection",
        "AdjustmentVideoObjectDetection",
        "VideoObjectTracking",
        "AdjustmentVideoObjectTracking",
        "3DPointCloudSemanticSegmentation",
        "Adjustment3DPointCloudSemanticSegmentation",
        "3DPointCloudObjectTracking",
        "Adjustment3DPointCloudObjectTracking",
    }
)
# Tasks that use HumanTaskUiArn, the rest uses UiTemplateS3Uri; these may also run for 30 days and not on
# MTurk.
LONG_TASKS = frozenset(
    {
        *(f"{kind}VideoObject{what}" for kind in ("", "Adjustment") for what in ("Detection", "Tracking")),
        *(
            f"{kind}3DPointCloud{what}"
            for kind in ("", "Adjustment")
            for what in ("ObjectDetection", "ObjectTracking", "SemanticSegmentation")
        ),
    }
)
TASKS = (
    REF_TASKS
    | LONG_TASKS
    | {
        "BoundingBox",
        "ImageMultiClass",
        "ImageMultiClassMultiLabel",
        "TextMultiClass",
        "TextMultiClassMultiLabel",
        "NamedEntityRecognition",
        "VideoMultiClass",
        "VerificationBoundingBox",
        "VerificationSemanticSegmentation",
        "AdjustmentBoundingBox",
        "PassThrough",
    }
)

# Price steps of one MTurk task in US dollars (PublicWorkforceTaskPrice documentation), smallest first.
_UPPER_PRICES = (0.120, 0.240, 0.360, 0.480, 0.600, 0.720, 0.840, 0.960, 1.080, 1.200)
BOX_PRICES = (0.036, 0.048, 0.060, 0.072, *_UPPER_PRICES)
OTHER_PRICES = (0.012, 0.024, *BOX_PRICES)
SEGMENTATION_PRICES = (0.840, 0.960, 1.080, 1.200)

MAX_OBJECTS = 100_000
MAX_LINE_CHARACTERS = 100_000
MAX_ATTRIBUTE_CHARACTERS = 20_000
MAX_BOX_LABELS = 50
MAX_LABEL_CHARACTERS = 256
MAX_IMAGE_BYTES = 40 * 1024 * 1024
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
