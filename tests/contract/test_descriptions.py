"""The measure itself: official examples pass it, and what the descriptions do not know is caught."""

from __future__ import annotations

import copy
import json

from tests.contract.descriptions import MANAGEMENT, descriptions, needs_descriptions
from tests.contract.official_examples import body_of

pytestmark = needs_descriptions

ENTITIES = ("Backend_", "NamedValue_", "PolicyFragment_", "Policy_", "Subscription_", "Product_", "Deployments_")


def test_official_answers_pass() -> None:
    wrong = [
        (operation.id, example.name, line)
        for operation in descriptions().operations
        if operation.place == MANAGEMENT and operation.id.startswith(ENTITIES)
        for example in operation.examples()
        for status, body in example.responses.items()
        if body is not None
        for line in operation.response_problems(int(status), json.dumps(body).encode())
    ]
    assert wrong == []


def test_an_unknown_property_in_a_request_is_caught() -> None:
    caught = missed = 0
    for operation in descriptions().operations:
        if operation.method != "put" or not operation.id.startswith(ENTITIES):
            continue
        for example in operation.examples():
            body = copy.deepcopy(body_of(operation, example))
            if isinstance(body, dict) and "properties" in body:
                body["properties"]["notKnownToAnybody"] = 1
                lines = operation.body_problems(json.dumps(body).encode())
                caught, missed = (caught + 1, missed) if lines else (caught, missed + 1)
    assert caught > 15
    assert missed == 0


def test_an_operation_is_found_by_its_path_without_case() -> None:
    path = "/subscriptions/0/resourcegroups/g/providers/microsoft.apimanagement/SERVICE/s/backends/b"
    found = descriptions().find(MANAGEMENT, "PUT", path)
    assert found is not None
    assert found.id == "Backend_CreateOrUpdate"
    assert descriptions().find(MANAGEMENT, "PUT", path + "/nothing/x") is None
