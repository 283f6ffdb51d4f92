"""What a deployment would write, in which order, whom it concerns, and whether it should be done. Pure.

Named values come before the fragments that use them, fragments before the policies that include them; what is taken
away goes the other way round. A refused guard means exit code 3 unless forced with a typed reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from console.errors import NotFound, UsageError
from console.operations import guards
from console.operations.fragments.compare import SyncState, digest, summarize, sync_state
from console.operations.fragments.deployed import Deployed, is_operated
from console.operations.fragments.documents import (
    FRAGMENT_LIMIT_BYTES,
    DeployedDocument,
    Kind,
    LocalDocument,
    Place,
    place_of_handle,
    same_text,
)
from console.operations.fragments.history import History, base_of
from console.operations.fragments.inspect import UNREADABLE, FileFinding, inspect
from console.operations.fragments.local import LocalCatalogue
from console.operations.fragments.references import affected, includers, names_in, users_of_named_value
from console.operations.guards import Guard, GuardVerdict


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should stand at a place; `text` None: nothing. `file` names where the text comes from."""

    place: Place
    text: str | None
    file: str
    description: str = ""

    @property
    def local(self) -> LocalDocument:
        """As a local document."""
        return LocalDocument(self.place, self.text or "", self.file, self.description)


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One write. `before` None: nothing stands there; `text` None: it is taken away. `concerns`: whom, in words."""

    place: Place
    path: str
    before: DeployedDocument | None
    text: str | None
    file: str
    description: str
    summary: tuple[str, ...]
    concerns: tuple[str, ...]

    @property
    def action(self) -> str:
        """ "create", "change" or "delete"."""
        if self.text is None:
            return "delete"
        return "create" if self.before is None else "change"

    @property
    def before_text(self) -> str | None:
        """What stands there, None when nothing does."""
        return None if self.before is None else self.before.text


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """Everything a dialog shows and an execution needs."""

    writes: tuple[PlannedWrite, ...]
    unchanged: tuple[Place, ...]
    findings: tuple[FileFinding, ...]
    guards: tuple[Guard, ...]
    undoes: str | None = None

    @property
    def is_rollback(self) -> bool:
        """Whether it goes back: `undoes` names the run, "" when it goes back to a version or a folder."""
        return self.undoes is not None

    @property
    def concerns(self) -> tuple[str, ...]:
        """Whom all of it concerns, each once."""
        return tuple(dict.fromkeys(who for write in self.writes for who in write.concerns))

    @property
    def refusals(self) -> tuple[Guard, ...]:
        """The guards that say no."""
        return guards.refusals_of(self.guards)

    @property
    def can_be_forced(self) -> bool:
        """Whether a typed reason would be enough."""
        return guards.can_be_forced(self.guards)

    def require_permission(self, *, force_reason: str | None) -> None:
        """Go on only when no guard refuses, or all that do may be overruled and a reason is given.

        Raises:
            GuardRefusal: says which guards refuse and whether force would help.
        """
        guards.require_permission(self.guards, refused="Nothing is deployed", force_reason=force_reason)


def wanted_from(
    catalogue: LocalCatalogue,
    handles: Sequence[str],
    *,
    templates: Sequence[tuple[str, str]] = (),
    named_values: Sequence[tuple[str, str]] = (),
    deletions: Sequence[str] = (),
) -> list[Wanted]:
    """What a command asks for. No handle at all means every document of a pulled folder.

    Args:
        templates: (API, template) pairs: the template becomes the API's policy.
        named_values: (display name, value) pairs to create or change.
        deletions: handles of what should go.

    Raises:
        NotFound: no such document or template; names the closest one.
        UsageError: nothing is asked for.
    """
    wanted: dict[Place, Wanted] = {}
    if not handles and not templates and not named_values and not deletions:
        if not catalogue.is_pulled:
            raise UsageError("Nothing is named to deploy", where=str(catalogue.folder), remedy="Name fragments.")
        handles = [place.handle for place in catalogue.documents if not is_operated(place.name)]
    for handle in handles:
        document = find_local(catalogue, handle)
        wanted[document.place] = Wanted(document.place, document.text, document.file, document.description)
    for api, name in templates:
        found = catalogue.templates.get(name)
        if found is None:
            raise _unknown("policy template", name, catalogue.templates, catalogue)
        place = Place(Kind.POLICY, f"api {api}")
        wanted[place] = Wanted(place, found.text, found.file)
    for name, value in named_values:
        place = Place(Kind.NAMED_VALUE, name)
        wanted[place] = Wanted(place, value, "--named-value")
    for handle in deletions:
        place = place_of_handle(handle)
        wanted[place] = Wanted(place, None, "--delete")
    return list(wanted.values())


def find_local(catalogue: LocalCatalogue, handle: str) -> LocalDocument:
    """The local document that a command line names; case does not count.

    Raises:
        NotFound: there is none; names the closest one.
    """
    place = place_of_handle(handle)
    for known, document in catalogue.documents.items():
        if known.kind is place.kind and known.name.lower() == place.name.lower():
            return document
    raise _unknown("local document", handle, [p.handle for p in catalogue.documents], catalogue)


def _unknown(what: str, name: str, known: Iterable[str], catalogue: LocalCatalogue) -> NotFound:
    names = list(known)
    close = get_close_matches(name.lower(), [n.lower() for n in names], n=1)
    right = next((n for n in names if close and n.lower() == close[0]), None)
    remedy = f"Did you mean {right}?" if right else f"There are: {', '.join(sorted(names)[:12]) or 'none'}."
    return NotFound(f"There is no {what} {name!r}", where=str(catalogue.folder), remedy=remedy)


def plan_deploy(
    wanted: Sequence[Wanted],
    deployed: Deployed,
    history: History,
    *,
    read_only_text: str = "",
    undoes: str | None = None,
    expected: dict[Place, str | None] | None = None,
) -> DeployPlan:
    """Plan what to write so that what is wanted stands.

    Args:
        read_only_text: why nothing may be written, "" when it may.
        undoes: the run that a rollback takes back.
        expected: what should stand now (a rollback's own writes); anything else there is somebody's newer edit.
    """
    writes, unchanged = [], []
    texts = _texts_afterwards(wanted, deployed)
    for want in wanted:
        standing = deployed.find(want.place)
        before = None if standing is None else standing.text
        if (want.text is None and standing is None) or (
            standing is not None and want.text is not None and same_text(before, want.text, want.place.kind)
        ):
            unchanged.append(want.place)
            continue
        writes.append(_write(want, standing, deployed, texts))
    ordered = sorted((w for w in writes if w.text is not None), key=lambda w: w.place.order)
    ordered += sorted((w for w in writes if w.text is None), key=lambda w: w.place.order, reverse=True)
    coming = [want.local for want in wanted if want.text is not None]
    changing = {write.place for write in ordered if write.text is not None}
    findings = inspect([d for d in coming if d.place in changing], deployed, coming)
    guards = [
        *_access_guards(read_only_text),
        *_text_guards(ordered, findings),
        *_name_guards(ordered, deployed, texts),
        *_edit_guards(ordered, history, expected),
    ]
    return DeployPlan(tuple(ordered), tuple(unchanged), tuple(findings), tuple(guards), undoes)


def _texts_afterwards(wanted: Sequence[Wanted], deployed: Deployed) -> dict[Place, str]:
    """Every text of the gateway as it will be."""
    texts = {p: d.text for p, d in deployed.documents.items() if d.text is not None and p.kind is not Kind.NAMED_VALUE}
    for want in wanted:
        if want.place.kind is Kind.NAMED_VALUE:
            continue
        if want.text is None:
            texts.pop(want.place, None)
        else:
            texts[want.place] = want.text
    return texts


def _write(
    want: Wanted, standing: DeployedDocument | None, deployed: Deployed, texts: dict[Place, str]
) -> PlannedWrite:
    before = None if standing is None else standing.text
    now = {p: d.text for p, d in deployed.documents.items() if d.text is not None}
    place = want.place if standing is None else standing.place
    concerns = tuple(dict.fromkeys((*affected(place, texts), *affected(place, now))))
    path = want.place.path if standing is None else standing.path
    summary = summarize(before, want.text, place.kind)
    return PlannedWrite(place, path, standing, want.text, want.file, want.description, summary, concerns)


# -- guards ------------------------------------------------------------------------------------------------------------


def _access_guards(read_only_text: str) -> list[Guard]:
    if not read_only_text:
        return []
    return [Guard("read-only", GuardVerdict.REFUSED, read_only_text, is_forceable=False)]


def _text_guards(writes: Sequence[PlannedWrite], findings: Sequence[FileFinding]) -> list[Guard]:
    guards: list[Guard] = []
    for write in writes:
        own = [f for f in findings if f.place == write.place]
        broken = next((f for f in own if f.finding.rule_id in UNREADABLE), None)
        if broken is not None:
            guards.append(Guard("syntax", GuardVerdict.REFUSED, broken.line, is_forceable=False))
            continue
        size = len((write.text or "").encode())
        if write.place.kind is Kind.FRAGMENT and size > FRAGMENT_LIMIT_BYTES:
            text = f"{write.file} has {size} bytes: a fragment holds at most {FRAGMENT_LIMIT_BYTES}; split it"
            guards.append(Guard("size", GuardVerdict.REFUSED, text, is_forceable=False))
        errors = [f for f in own if f.is_error]
        if errors:
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            guards.append(Guard("lint", GuardVerdict.REFUSED, f"{errors[0].line}{more}"))
        warnings = sum(f.finding.severity == "warning" for f in own)
        if warnings:
            text = f"{write.file}: {warnings} warning{'s' if warnings > 1 else ''} of the linter"
            guards.append(Guard("lint", GuardVerdict.WARNING, text))
        if write.before is not None and write.before.is_secret:
            text = f"{write.place.words} is secret on the gateway: this console neither reads nor writes secrets"
            guards.append(Guard("secret", GuardVerdict.REFUSED, text, is_forceable=False))
    if not any(
        g.name in ("syntax", "size") or (g.name == "lint" and g.verdict is GuardVerdict.REFUSED) for g in guards
    ):
        guards.insert(0, Guard("lint", GuardVerdict.PASSED, "API Management should accept every text"))
    return guards


def _name_guards(
    writes: Sequence[PlannedWrite],
    deployed: Deployed,
    texts: dict[Place, str],
) -> list[Guard]:
    guards: list[Guard] = []
    for write in writes:
        if write.place.kind is Kind.NAMED_VALUE and is_operated(write.place.name) and write.before is not None:
            text = f"{write.place.name} is kept by drain and restore: it is not deployed"
            guards.append(Guard("operated", GuardVerdict.REFUSED, text, is_forceable=False))
        if write.text is None:
            holders = _holders(write.place, texts)
            if holders:
                held = ", ".join(p.words for p in holders)
                text = f"{write.place.words} cannot go: it is held by {held}"
                guards.append(Guard("references", GuardVerdict.REFUSED, text, is_forceable=False))
        level, _, name = write.place.name.partition(" ")
        api = name.partition("/")[0]
        known = None if deployed.api_names is None else {n.lower() for n in deployed.api_names}
        has_api = write.place.kind is Kind.POLICY and level in ("api", "operation")
        if has_api and known is not None and api.lower() not in known:
            close = get_close_matches(api.lower(), sorted(known), n=1)
            hint = f"; there is {close[0]}" if close else ""
            guards.append(Guard("names", GuardVerdict.REFUSED, f"there is no API {api}{hint}", is_forceable=False))
    return guards


def _holders(place: Place, texts: dict[Place, str]) -> list[Place]:
    if place.kind is Kind.FRAGMENT:
        return includers(texts, place.name)
    return users_of_named_value(texts, place.name) if place.kind is Kind.NAMED_VALUE else []


def _edit_guards(
    writes: Sequence[PlannedWrite], history: History, expected: dict[Place, str | None] | None
) -> list[Guard]:
    guards: list[Guard] = []
    for write in writes:
        if expected is not None:
            if write.place in expected and not same_text(write.before_text, expected[write.place], write.place.kind):
                text = f"{write.place.words} was changed by somebody else since: going back would lose that"
                guards.append(Guard("edits", GuardVerdict.REFUSED, text))
            continue
        base = base_of(history, write.place)
        if write.before_text is None or base is None:
            continue
        if sync_state(write.text, write.before_text, base, write.place.kind) in (
            SyncState.CHANGED_THERE,
            SyncState.CHANGED_BOTH,
        ):
            text = f"{write.place.words} was changed on the gateway since it was last pulled or deployed from here"
            guards.append(Guard("edits", GuardVerdict.REFUSED, f"{text}: look at the diff"))
    return guards


def missing_named_values(wanted: Sequence[Wanted], deployed: Deployed) -> tuple[str, ...]:
    """Named values that the wanted texts use and that neither stand on the gateway nor are wanted."""
    known = {d.place.name.lower() for d in deployed.of_kind(Kind.NAMED_VALUE)}
    known |= {w.place.name.lower() for w in wanted if w.place.kind is Kind.NAMED_VALUE}
    used = (n for w in wanted if w.text and w.place.kind is not Kind.NAMED_VALUE for n in names_in(w.text).named_values)
    return tuple(dict.fromkeys(name for name in used if name.lower() not in known))


def digest_of(document: DeployedDocument) -> str | None:
    """The digest of what stands at a place; None for secrets."""
    return None if document.text is None else digest(document.text, document.place.kind)
