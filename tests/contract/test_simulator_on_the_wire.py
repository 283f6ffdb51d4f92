"""What the embedded Azure answers is what Microsoft describes, and Microsoft's own examples work on it."""

from __future__ import annotations

import html
import re

import pytest

from tests.contract.descriptions import needs_descriptions
from tests.contract.official_examples import served_operations
from tests.contract.recording import Exchange
from tests.contract.sessions import ExampleRun
from tests.contract.test_console_on_the_wire import is_link
from tests.simulated_gateway import make_world

pytestmark = [needs_descriptions, pytest.mark.xdist_group("contract")]

CHANGED_BY_THE_SERVICE = {
    "sourceApiId": "says what to copy and is not kept",
    "restore": "says what to do and is not kept",
    "format": "says how the text is written and is not kept",
    "loggerId": "is given back as a full id",
    "password": "is a secret",
    "data": "is a secret",
    "confirmation": "says which mail to send and is not kept",
    "connectionString": "becomes a named value",
    "instrumentationKey": "becomes a named value",
}
"""Properties a service does not give back as they were sent."""
REFUSED_EXAMPLES = {
    r"Api_CreateOrUpdate": r"Import of format '[\w-]+-link(-json)?' is not modelled",
    r"OperationsResults_Get|OperationStatus_Get": r"Operation 'x{8}-.*' not found",
    r"DeletedServices_GetByName": r"deletedservices '.*' not found",
}
"""Examples that cannot work here: they want a document from the web, or an operation or place that only they know."""


def checked(exchanges: list[Exchange]) -> list[Exchange]:
    """Those that a description judges."""
    return [e for e in exchanges if e.operation is not None and not is_link(e)]


def test_every_answer_obeys_its_description(plain_exchanges: list[Exchange]) -> None:
    assert [problem for e in checked(plain_exchanges) for problem in e.response_problems()] == []


def test_the_requests_that_were_accepted_obeyed_theirs(plain_exchanges: list[Exchange]) -> None:
    """The embedded Azure takes nothing that Azure's description refuses."""
    accepted = [e for e in checked(plain_exchanges) if e.response.status < 400]
    assert len(accepted) > 60
    assert [problem for e in accepted for problem in e.request_problems()] == []


def test_errors_of_every_kind_were_among_the_answers(plain_exchanges: list[Exchange]) -> None:
    assert {e.response.status for e in checked(plain_exchanges)} >= {400, 401, 404, 412}


def test_every_answer_to_an_official_example_obeys_its_description(example_run: ExampleRun) -> None:
    assert [problem for e in checked(example_run.exchanges) for problem in e.response_problems()] == []


def test_the_examples_that_were_accepted_obey_their_description(example_run: ExampleRun) -> None:
    accepted = [e for e in checked(example_run.exchanges) if e.response.status < 400]
    assert [problem for e in accepted for problem in e.request_problems()] == []


def test_official_examples_are_accepted(example_run: ExampleRun) -> None:
    unexplained = [
        (operation, *refusal)
        for operation, refusals in example_run.refused.items()
        for refusal in refusals
        if not any(
            re.fullmatch(one, operation) and re.search(reason, refusal[2]) for one, reason in REFUSED_EXAMPLES.items()
        )
    ]
    assert unexplained == []
    assert sum(map(len, example_run.accepted.values())) > 250


def test_what_official_examples_write_is_served_back(example_run: ExampleRun) -> None:
    def is_kept(place: str, sent: str, served: str) -> bool:
        name = place.rsplit(".", 1)[-1]
        if name == "value":  # policies come back as the service writes them: same text, other spacing and escapes
            return _bare(sent) == _bare(served)
        return name in CHANGED_BY_THE_SERVICE

    lost = []
    for operation, example, difference in example_run.not_served_back:
        place, sent, served = re.fullmatch(r"(.*?): sent (.*), served (.*)", difference, re.DOTALL).groups()  # type: ignore[union-attr]
        if not is_kept(place, sent, served):
            lost.append((operation, example, difference))
    assert lost == []


def _bare(text: str) -> str:
    """A document without spacing, escapes and the two ways to write an empty element."""
    bare = re.sub(r"\\[rnt]|\s|'", "", html.unescape(text))
    return re.sub(r"<([\w-]+?)((?:[\w-]+=\"[^\"]*\")*)></[\w-]+>", r"<\1\2/>", bare)


def test_every_operation_it_has_is_shown_to_obey(
    console_exchanges: list[Exchange], plain_exchanges: list[Exchange], example_run: ExampleRun
) -> None:
    """A new route without a request in these sessions would escape the tests above."""
    seen = {
        e.operation.id
        for exchanges in (console_exchanges, plain_exchanges, example_run.exchanges)
        for e in exchanges
        if e.operation is not None
    }
    have = {operation.id for operation in served_operations(make_world())}
    assert have - seen == set()
