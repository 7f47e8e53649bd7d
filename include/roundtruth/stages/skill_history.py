"""Worker skills from round to round: each round starts from what the recorded round before it knew."""

from __future__ import annotations

from roundtruth.consensus.worker_skills import WorkerSkills, decode_skills, encode_skills
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_in_order
from roundtruth.rounds.names import round_order
from roundtruth.rounds.record import read_record, read_recorded
from roundtruth.storage import Storage


def skills_before(storage: Storage, project: Project, folder: RoundFolder) -> WorkerSkills:
    """The skills that a round starts from; its own answers are never in them, or they would count twice.

    The choice is written down at the first call: a round that is measured again, or after another one was
    recorded meanwhile, starts from the same skills and gives the same labels.
    """
    chosen = folder.stage("skills-before.json")
    content = storage.read_if_there(chosen)
    if content is None:
        storage.write_if_absent(chosen, encode_skills(_newest(storage, project, folder)))
        content = storage.read_if_there(chosen)
    return decode_skills(content.data, name=str(chosen)) if content else WorkerSkills()


def _newest(storage: Storage, project: Project, folder: RoundFolder) -> WorkerSkills:
    """The skills of the last recorded round, in order of the keys, before this one."""
    for earlier in reversed(rounds_in_order(storage, project)):
        if round_order(earlier.key) >= round_order(folder.key):
            continue
        record = read_record(storage, earlier)
        # Rounds of old have skills that their record does not name.
        if record and (earlier.skills.name in record.files or storage.head(earlier.skills) is not None):
            content = read_recorded(storage, earlier, earlier.skills.name)
            return decode_skills(content, name=str(earlier.skills))
    return WorkerSkills()
