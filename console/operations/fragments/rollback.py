"""Going back: to what stood before a run, to a version of the journal, or to a pulled folder. Same guards as a deploy.

A rollback is planned from what stands now. What somebody else changed since is never overwritten unasked.
"""

from __future__ import annotations

from collections.abc import Sequence

from console.errors import NotFound
from console.operations.fragments.deployed import Deployed
from console.operations.fragments.documents import Place, same_text
from console.operations.fragments.history import DEPLOY, SHORT_ID, History, Run, Version
from console.operations.fragments.plan import DeployPlan, Wanted, plan_deploy


def last_deployment(history: History, deployed: Deployed) -> Run:
    """The newest deployment that left something other than before it; else the newest that never came to its end.

    Raises:
        NotFound: there is neither.
    """
    undone = {run.undoes for run in history.runs if run.is_complete and run.undoes}
    runs = [r for r in reversed(history.runs) if r.operation == DEPLOY and r.writes and r.run_id not in undone]
    for run in runs:
        if any(not _is_back(run, path, deployed) for path in run.planned):
            return run
    for run in runs:
        if not run.is_complete:
            return run
    raise NotFound(
        "The journal holds no deployment that stands on this gateway",
        remedy="Go back to a pulled folder with --to FOLDER.",
    )


def _is_back(run: Run, path: str, deployed: Deployed) -> bool:
    """Whether what stood before a run stands again, or the run never came to this path."""
    write = next((w for w in run.writes if w.path == path), None)
    if write is None or write.place is None:
        return True
    standing = deployed.at_path(path)
    return same_text(None if standing is None else standing.text, write.before, write.place.kind)


def plan_rollback(run: Run, deployed: Deployed, history: History, *, read_only_text: str = "") -> DeployPlan:
    """Take back what a run wrote. Places where it never arrived, or which are back already, stay as they are."""
    wanted: dict[Place, Wanted] = {}
    expected: dict[Place, str | None] = {}
    for write in run.writes:
        place = write.place
        standing = deployed.at_path(write.path)
        if standing is not None:
            place = standing.place
        if place is None or place in wanted:
            continue
        text = None if standing is None else standing.text
        if write.outcome != "done" and not same_text(text, write.after, place.kind):
            continue  # it never arrived
        wanted[place] = Wanted(place, write.before, f"as before {run.run_id[:SHORT_ID]}")
        expected[place] = _last_text(run, write.path)
    return plan_deploy(
        list(wanted.values()), deployed, history, read_only_text=read_only_text, undoes=run.run_id, expected=expected
    )


def _last_text(run: Run, path: str) -> str | None:
    return next(w.after for w in reversed(run.writes) if w.path == path)


def version_before(history: History, place: Place, standing: str | None) -> Version:
    """The newest known version of a place that means something else than what stands there.

    Raises:
        NotFound: the journal knows none.
    """
    for version in history.versions(place):
        if not same_text(version.text, standing, place.kind):
            return version
    raise NotFound(
        f"The journal holds no other version of {place.words}",
        remedy="Go back to a pulled folder with --to FOLDER.",
    )


def plan_versions(
    versions: Sequence[Version], deployed: Deployed, history: History, *, read_only_text: str = ""
) -> DeployPlan:
    """Put versions of the journal back."""
    wanted = [Wanted(v.place, v.text, f"version of {v.at:%Y-%m-%d %H:%M}Z, {v.run_id[:SHORT_ID]}") for v in versions]
    return plan_deploy(wanted, deployed, history, read_only_text=read_only_text, undoes="", expected={})


def plan_folder(
    wanted: Sequence[Wanted], deployed: Deployed, history: History, *, read_only_text: str = ""
) -> DeployPlan:
    """Put a folder's texts back, whoever changed the gateway since: that is what going back to a folder means."""
    return plan_deploy(list(wanted), deployed, history, read_only_text=read_only_text, undoes="", expected={})
