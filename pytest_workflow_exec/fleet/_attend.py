"""Playing one leg at a person's own terminal: for what only a person there can say."""

from __future__ import annotations

from pathlib import Path

from ._database import Database
from ._enrolment import enrolled, host_of
from ._legs import LegEnd
from ._player import play_leg
from ._project import ProjectState
from ._words import release


def attend(
    database: Database, project: ProjectState, submission: str, *, base: Path, said: str, dead_after_s: float
) -> LegEnd:
    """Take a run over and go on with it here, where pytest asks at this terminal, and return how the leg ended.

    Raises:
        FleetError: It can't be taken over.
    """
    host = host_of(database, project, base=base)
    with enrolled(host, "attended"):
        now = release(host, submission, said=said, dead_after_s=dead_after_s, here=True)
        return play_leg(host, submission, now.leg, terminal=True)
