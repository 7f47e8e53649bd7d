"""Who is told what, and what is done with a new version: the rules of these keys."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from roundtruth.operation_settings import OCCASIONS, Notification, Training


def test_a_notifier_is_called_on_every_occasion_unless_the_file_says_when() -> None:
    assert Notification(notifier="some.package.Notifier").when == OCCASIONS
    assert Notification.model_validate({"notifier": "a.B", "when": ["late"]}).when == ("late",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"notifier": "Slack"}, "must be the import path"),
        ({"notifier": "a b.C"}, "must be the import path"),
        ({"notifier": "a.B", "when": []}, "at least 1 item"),
        ({"notifier": "a.B", "when": ["success"]}, "Input should be 'failure'"),
        ({"notifier": "a.B", "argument": {}}, "Extra inputs"),
    ],
    ids=["no module", "no path", "never", "another occasion", "another key"],
)
def test_a_notification_keeps_its_rules(content: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Notification.model_validate(content)


def test_a_training_command_is_a_list_of_arguments() -> None:
    training = Training.model_validate({"command": ["yolo", "train", "data={folder}/data.yaml", "{{a}}"]})
    assert training.command == ("yolo", "train", "data={folder}/data.yaml", "{{a}}")
    assert Training().command == ()


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("{model}", "holds {model}"),
        ("{}", "holds {}"),
        ('{"a": 1}', "double a brace"),
        ("{folder", "double a brace"),
    ],
)
def test_a_training_command_has_no_other_fields(argument: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Training.model_validate({"command": ["train", argument]})
