"""The gateway's side: every fragment, policy and named value as raw text with its entity tag. Reads only.

Source: Microsoft.ApiManagement REST, api-version 2024-05-01: `format=rawxml` gives text unescaped; `allPolicies` names
the documents that exist; secret named values come without their value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.azure.apim import POLICY_DOCUMENTS_LIMIT, parse_scope
from console.azure.entities import Entities, RawEntity
from console.errors import ConsoleError, NotAllowed
from console.operations.fragments.documents import DeployedDocument, Kind, Place

CONCURRENT_READS = 6
RECORD_PREFIX = "drain-"
OPERATED = frozenset({"drained-backends"})
"""Named values that commands keep: state of operation, never configuration to deploy or pull."""


class PolicyEntities:
    """`Entities` that read policy documents as raw text, as they are written."""

    def __init__(self, inner: Entities) -> None:
        self._inner = inner

    async def get(self, path: str) -> RawEntity | None:
        """The entity, None when there is none; documents with `format=rawxml`."""
        if "?" in path or not is_document_path(path):
            return await self._inner.get(path)
        entity = await self._inner.get(f"{path}?format=rawxml")
        return None if entity is None else replace(entity, resource_id=entity.resource_id.split("?")[0])

    async def put(self, path: str, body: Mapping[str, Any], *, if_match: str | None) -> str:
        """Write it whole."""
        return await self._inner.put(path, body, if_match=if_match)

    async def delete(self, path: str, *, if_match: str) -> None:
        """Delete it."""
        await self._inner.delete(path, if_match=if_match)

    async def list(self, collection: str) -> tuple[RawEntity, ...]:
        """Every entity of a collection."""
        return await self._inner.list(collection)


def is_document_path(path: str) -> bool:
    """Whether a policy document or a fragment stands there."""
    return path.startswith("policyFragments/") or path.endswith("policies/policy")


@dataclass(frozen=True, slots=True)
class BackendName:
    """A backend as policies may name it: `members` for a pool, `has_breaker` for a single one."""

    name: str
    is_pool: bool
    has_breaker: bool
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployed:
    """All that stands on a gateway and concerns policies. None: it could not be read, `problems` say why."""

    documents: Mapping[Place, DeployedDocument]
    backends: Mapping[str, BackendName] | None
    problems: tuple[ConsoleError, ...] = field(default=())
    api_names: tuple[str, ...] | None = None

    def of_kind(self, kind: Kind) -> list[DeployedDocument]:
        """The documents of one kind, by name."""
        return sorted((d for d in self.documents.values() if d.place.kind is kind), key=lambda d: d.place.order)

    def find(self, place: Place) -> DeployedDocument | None:
        """What stands at a place; names compare without case, as Resource Manager's do."""
        found = self.documents.get(place)
        if found is not None:
            return found
        wanted = place.name.lower()
        same = (d for p, d in self.documents.items() if p.kind is place.kind and p.name.lower() == wanted)
        return next(same, None)

    def at_path(self, path: str) -> DeployedDocument | None:
        """What stands at a path below the service."""
        same = (d for d in self.documents.values() if d.path.lower() == path.lower())
        return next(same, None)


async def fetch_deployed(entities: Entities) -> Deployed:
    """Read everything that concerns policies.

    Raises:
        ConsoleError: the fragments cannot be read. What else cannot be read is said in `problems`.
    """
    raw = PolicyEntities(entities)
    problems: list[ConsoleError] = []
    listed = await raw.list("policyFragments")
    paths = {Place(Kind.FRAGMENT, _name(e)): f"policyFragments/{_name(e)}" for e in listed}
    policies, named, backends, apis = await asyncio.gather(
        _tolerated(raw, "allPolicies", problems),
        _tolerated(raw, "namedValues", problems),
        _tolerated(raw, "backends", problems),
        _tolerated(raw, "apis", problems),
    )
    scopes = [parse_scope(str(entity.properties.get("referencePolicyId") or "")) for entity in policies or ()]
    known = [scope for scope in scopes if scope is not None]
    for scope in known[:POLICY_DOCUMENTS_LIMIT]:
        place = Place(Kind.POLICY, scope.scope)
        paths[place] = place.path
    if len(known) > POLICY_DOCUMENTS_LIMIT:
        text = f"Of {len(known)} policy documents only {POLICY_DOCUMENTS_LIMIT} are read: Resource Manager limits reads"
        problems.append(ConsoleError(text))
    documents = await _read_all(raw, paths)
    for entity in named or ():
        document = parse_named_value(entity)
        documents[document.place] = document
    api_names = None if apis is None else tuple(_name(e) for e in apis if ";rev=" not in _name(e))
    return Deployed(documents, None if backends is None else _parse_backends(backends), tuple(problems), api_names)


async def fetch_document(entities: Entities, place: Place, path: str) -> DeployedDocument | None:
    """One place as it stands now, None when nothing does.

    Raises:
        ConsoleError: Azure refused or nobody answered.
    """
    entity = await PolicyEntities(entities).get(path)
    if entity is None:
        return None
    return parse_named_value(entity) if place.kind is Kind.NAMED_VALUE else parse_document(entity, place, path)


async def _read_all(raw: PolicyEntities, paths: Mapping[Place, str]) -> dict[Place, DeployedDocument]:
    gate = asyncio.Semaphore(CONCURRENT_READS)

    async def read(place: Place, path: str) -> DeployedDocument | None:
        async with gate:
            return await fetch_document(raw, place, path)

    found = await asyncio.gather(*(read(place, path) for place, path in paths.items()))
    return {document.place: document for document in found if document is not None}


async def _tolerated(
    raw: PolicyEntities, collection: str, problems: list[ConsoleError]
) -> tuple[RawEntity, ...] | None:
    try:
        return await raw.list(collection)
    except NotAllowed as error:
        problems.append(error)
        return None


def parse_document(entity: RawEntity, place: Place, path: str) -> DeployedDocument:
    """A fragment or policy from its raw entity, line ends as files have them."""
    text = str(entity.properties.get("value") or "").replace("\r\n", "\n")
    return DeployedDocument(place, path, text, entity.etag, str(entity.properties.get("description") or ""))


def parse_named_value(entity: RawEntity) -> DeployedDocument:
    """A named value; secret ones have no text."""
    properties = entity.properties
    name = str(properties.get("displayName") or _name(entity))
    secret = bool(properties.get("secret") or properties.get("keyVault"))
    value = None if secret or properties.get("value") is None else str(properties["value"])
    return DeployedDocument(
        Place(Kind.NAMED_VALUE, name), f"namedValues/{_name(entity)}", value, entity.etag, is_secret=secret
    )


def is_operated(name: str) -> bool:
    """Whether a named value is state that commands keep (drains)."""
    return name in OPERATED or name.startswith(RECORD_PREFIX)


def _parse_backends(entities: Iterable[RawEntity]) -> dict[str, BackendName]:
    found: dict[str, BackendName] = {}
    for entity in entities:
        pool = entity.properties.get("pool") or {}
        members = tuple(str(s.get("id", "")).rstrip("/").rsplit("/", 1)[-1] for s in pool.get("services") or ())
        rules = (entity.properties.get("circuitBreaker") or {}).get("rules")
        is_pool = str(entity.properties.get("type") or "").lower() == "pool"
        found[_name(entity)] = BackendName(_name(entity), is_pool, bool(rules), members)
    return found


def _name(entity: RawEntity) -> str:
    return str(entity.body.get("name") or entity.resource_id.rstrip("/").rsplit("/", 1)[-1])
