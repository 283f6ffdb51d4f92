"""Policy documents and fragments on the wire: two formats, never quite as written, refused in the service's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from apimpolicy.document import parse, same_meaning
from simulator.apim.policy_text import from_escaped, serialise
from tests.simulator.arm_world import SERVICE, VERSION, Http, arm_server

POLICIES = sorted((Path(__file__).parents[2] / "policies").rglob("*.xml"))
POLICY = f"{SERVICE}/apis/azure-openai/policies/policy?{VERSION}"
TEXT = """<policies>
    <inbound>
        <base />
        <!-- who calls -->
        <set-header name='x-who' exists-action="override">
            <value>@(context.Subscription?.Id ?? "nobody" + (1 < 2 ? "a" : "&"))</value>
        </set-header>
    </inbound>
    <backend><base/></backend>
    <outbound/>
    <on-error/>
</policies>"""


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_what_comes_back_means_what_was_written(path: Path) -> None:
    text = path.read_text()
    assert same_meaning(parse(serialise(text, "rawxml")), parse(text))
    assert same_meaning(parse(from_escaped(serialise(text, "xml"))), parse(text))


async def test_a_document_written_raw_is_read_raw_and_escaped() -> None:
    async with arm_server() as server:
        http = Http(server)
        body = {"properties": {"format": "rawxml", "value": TEXT}}
        written = await http("PUT", POLICY, body, headers={"if-match": "*"})
        raw = await http("GET", POLICY + "&format=rawxml")
        escaped = await http("GET", POLICY)
        back = await http("PUT", POLICY, {"properties": {"value": escaped[2]["properties"]["value"], "format": "xml"}})
        again = await http("GET", POLICY + "&format=rawxml")
        strange = await http("GET", POLICY + "&format=yaml")
    assert written[0] == back[0] == 200
    value = raw[2]["properties"]["value"]
    assert value != TEXT
    assert same_meaning(parse(value), parse(TEXT))
    assert '\t\t<set-header name="x-who" exists-action="override">\r\n' in value
    assert "<outbound />" in value
    assert "<!-- who calls -->" in value
    assert '(1 < 2 ? "a" : "&")' in value
    assert "(1 &lt; 2 ?" in escaped[2]["properties"]["value"]
    assert "format" not in escaped[2]["properties"]
    assert again[2]["properties"]["value"] == value
    assert strange[0] == 400


@pytest.mark.parametrize(
    ("line", "target", "words"),
    [
        (
            '<set-backend-service backend-id="nobody" />',
            "set-backend-service",
            "on line 3, column 1: Backend with id 'nobody'",
        ),
        ('<include-fragment fragment-id="none" />', "include-fragment", "Policy fragment with id 'none'"),
        ('<log-to-eventhub logger-id="none">@("x")</log-to-eventhub>', "log-to-eventhub", "Logger not found"),
        (
            '<set-header name="{{missing}}"><value>x</value></set-header>',
            "set-header",
            "Cannot find a property 'missing'",
        ),
        ("<set-header>", "representation", "Line"),
    ],
)
async def test_a_document_that_names_what_is_not_there_is_refused_with_its_place(
    line: str, target: str, words: str
) -> None:
    text = f"<policies>\n<inbound>\n{line}\n</inbound>\n<backend /><outbound /><on-error />\n</policies>"
    async with arm_server() as server:
        http = Http(server)
        status, _, body = await http("PUT", POLICY, {"properties": {"format": "rawxml", "value": text}})
        kept = await http("GET", POLICY + "&format=rawxml")
    assert (status, body["error"]["code"]) == (400, "ValidationError")
    assert body["error"]["message"] == "One or more fields contain incorrect values:"
    detail = body["error"]["details"][0]
    assert detail["target"] == target
    assert words in detail["message"]
    assert "chat-pool" in kept[2]["properties"]["value"]


@pytest.mark.parametrize(
    "text",
    [
        "<policies />",
        "<fragment><base /></fragment>",
        "<fragment><inbound /></fragment>",
        '<fragment><include-fragment fragment-id="old-route" /></fragment>',
        f"<fragment>{'<!-- long -->' * 3000}</fragment>",
        "",
    ],
)
async def test_a_fragment_the_service_would_refuse_is_refused(text: str) -> None:
    async with arm_server() as server:
        path = f"{SERVICE}/policyFragments/mine?{VERSION}"
        status, _, body = await Http(server)("PUT", path, {"properties": {"format": "rawxml", "value": text}})
    assert (status, body["error"]["code"]) == (400, "ValidationError")


async def test_names_that_the_service_does_not_take_are_refused() -> None:
    async with arm_server() as server:
        http = Http(server)
        good = {"properties": {"format": "rawxml", "value": "<fragment />"}}
        fragment = await http("PUT", f"{SERVICE}/policyFragments/-mine?{VERSION}", good)
        policy = await http("PUT", f"{SERVICE}/policies/other?{VERSION}", {"properties": {"value": "<policies />"}})
    assert fragment[0] == policy[0] == 400


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("<made-up />", "Error in element 'made-up' on line 3, column 1:"),
        ('<set-variable name="x" value="@(1 +)" />', "Error in element 'set-variable' on line 3"),
        ("<set-variable />", "Error in element 'set-variable' on line 3, column 1:"),
    ],
)
async def test_a_document_that_is_no_policy_language_is_refused_where_it_goes_wrong(line: str, place: str) -> None:
    text = f"<policies>\n<inbound>\n{line}\n</inbound>\n<backend /><outbound /><on-error />\n</policies>"
    async with arm_server() as server:
        status, _, body = await Http(server)("PUT", POLICY, {"properties": {"format": "rawxml", "value": text}})
    assert status == 400
    assert body["error"]["details"][0]["message"].startswith(place)
