"""The command line: every step of a round and a release, without Airflow."""

from __future__ import annotations

import importlib
from typing import Any

import click

from roundtruth import __version__

# Command name -> module under roundtruth.cli that defines a click command `command`, and its one-line help.
# Modules are imported when their command runs, so that `roundtruth --help` answers at once.
COMMANDS = {
    "check": "The quality report of manifests or datasets.",
    "consensus": "Fuse the workers' answers of Ground Truth jobs into labels.",
    "convert": "Turn output manifests into a dataset: YOLO, VOC, COCO or CSV.",
    "dataset": "Published dataset versions: list, show, pull, verify, diff, rollback, export, explain.",
    "project": "Validate project files.",
    "round": "Plan a labeling round without starting it; import finished jobs as a round.",
    "sandbox": "Run S3 and Ground Truth on this machine, with simulated workers.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"roundtruth.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        from roundtruth.cli.console import report_errors

        with report_errors():
            return super().main(*args, **kwargs)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Labeling rounds in, training sets out.

    Exit codes: 0 done; 1 a critical check failed or a dataset does not verify; 2 wrong usage or input.
    """
