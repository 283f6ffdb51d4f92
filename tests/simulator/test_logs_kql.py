"""KQL as operators type it: answered, or refused in Kusto's words with the place of the mistake."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.logs.kql.functions import rewrite_calls
from simulator.logs.kql.tokens import parse_query, string_value, tokenize
from simulator.names import WORKSPACE_CUSTOMER_ID
from simulator.network import HttpRequest
from simulator.world import World
from tests.simulator.monitoring_world import ask, gateway_call, logs_room, make_world, rows

LOGS = "ApiManagementGatewayLogs | "


@cache
def busy_world() -> World:
    """Twenty minutes: thirty requests a minute in turn to three accounts, every fifth refused. Read only."""
    world = make_world()
    accounts = ("swc-ptu", "swc", "wus")
    for number in range(600):
        world.advance(2)
        status = 429 if number % 5 == 0 else 200
        world.telemetry.gateway_call(gateway_call(world.now, status, number=number, account=accounts[number % 3]))
    world.advance(40)
    return world


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LOGS + "count", [[600]]),
        (LOGS + "summarize n = countif(ResponseCode == 429), all = count()", [[120, 600]]),
        (
            LOGS + "summarize n = count() by Host = tostring(parse_url(BackendUrl).Host) | order by Host asc",
            [
                ["aoai-contoso-swc-ptu.openai.azure.com", 200],
                ["aoai-contoso-swc.openai.azure.com", 200],
                ["aoai-contoso-wus.openai.azure.com", 200],
            ],
        ),
        (LOGS + "take 1 | extend p = parse_url(BackendUrl) | project tostring(p.Scheme), tostring(p.Port)",
         [["https", ""]]),
        (LOGS + "summarize dcount(BackendUrl), percentile(TotalTime, 50)", [[3, 1299]]),
        (LOGS + "summarize percentiles(TotalTime, 50, 95) by ApiId", [["azure-openai", 1299, 1569]]),
        (LOGS + "summarize (a, b) = percentiles(TotalTime, 50, 95)", [[1299, 1569]]),
        (LOGS + "summarize count_distinct(BackendUrl)", [[3]]),
        (LOGS + "summarize make_list(ApiId, 2), make_set(Method, 5)",
         [['["azure-openai","azure-openai"]', '["POST"]']]),
        (
            LOGS + "join kind=inner (ApiManagementGatewayLlmLog | where SequenceNumber == 0) on CorrelationId "
            "| summarize n = count(), tokens = sum(TotalTokens) by ModelName",
            [["gpt-4o-2024-11-20", 480, 67_200]],
        ),
        (LOGS + "extend k = case(ResponseCode == 429, 'refused', 'ok') | summarize count() by k | order by k asc",
         [["ok", 480], ["refused", 120]]),
        (LOGS + "extend x = iff(ResponseCode in (200, 201), 1, 0) | summarize sum(x)", [[480]]),
        (LOGS + "where Url has 'openai' and BackendUrl contains '-PTU' and Method startswith 'po' | count", [[200]]),
        (LOGS + "where TimeGenerated between (ago(10m) .. now()) | count", [[280]]),
        (LOGS + "summarize arg_max(TimeGenerated, ResponseCode) by ApiId | project ResponseCode", [[200]]),
        ("let window = 10m; let T = " + LOGS + "where TimeGenerated > ago(window); T | count", [[280]]),
        ("union withsource = T ApiManagementGatewayLogs, ApiManagementGatewayLlmLog "
         "| summarize count() by T | order by T asc",
         [["ApiManagementGatewayLlmLog", 1440], ["ApiManagementGatewayLogs", 600]]),
        (LOGS + "top 2 by TotalTime desc | project TotalTime", [[1599], [1598]]),
        (LOGS + "distinct Method, ResponseCode | order by ResponseCode asc", [["POST", 200], ["POST", 429]]),
        (LOGS + "where ResponseCode == 429 | take 1 | project tostring(Errors[0].reason), LastErrorMessage",
         [["BackendError", "it's full"]]),
        ("print t = toint('7'), s = tostring(dynamic({'a': 1})), d = 90m, r = 1.5", [[7, '{"a":1}', "01:30:00", 1.5]]),
        (LOGS + "sample 5 | count", [[5]]),
        (LOGS + "sample-distinct 2 of BackendUrl | count", [[2]]),
        (LOGS + "project-keep Method, ResponseC* | take 1 | project-reorder ResponseCode", [[429, "POST"]]),
        (LOGS + "order by TimeGenerated asc | serialize n = row_number() "
         "| extend p = prev(n), q = next(n) | take 2 "
         "| project n, p, q", [[1, None, 2], [2, 1, 3]]),
        (LOGS + "order by TotalTime asc | serialize s = row_cumsum(1) | take 2 | project s", [[1], [2]]),
        (LOGS + "summarize n = count() by t = bin_at(TimeGenerated, 1h, datetime(2026-11-18T11:30:00Z)) "
         "| project n", [[600]]),
        (LOGS + "take 1 | project a = column_ifexists('Nope', 'none'), b = column_ifexists('Method', '')",
         [["none", "POST"]]),
        (LOGS + "search 'BackendError' | count", [[120]]),
        ("search in (ApiManagementGatewayLogs) 'full' and ResponseCode == 429 | count", [[120]]),
        (LOGS + "top-nested 1 of Method by count(), top-nested 2 of ResponseCode by count()",
         [["POST", 600, 200, 480], ["POST", 600, 429, 120]]),
        (LOGS + "top-hitters 1 of ResponseCode", [[200, 480]]),
        (LOGS + "partition by ResponseCode (top 1 by TotalTime) | project ResponseCode, TotalTime "
         "| order by ResponseCode asc",
         [[200, 1599], [429, 1595]]),
        (LOGS + "evaluate pivot(ResponseCode, count(), Method)", [["POST", 480, 120]]),
        ("print d = dynamic({'a': 1, 'b': 'x'}) | evaluate bag_unpack(d)", [[1, "x"]]),
        (LOGS + "mv-expand Errors | where isnotempty(tostring(Errors.reason)) | count", [[120]]),
        (LOGS + "take 1 | getschema | where ColumnName == 'TotalTime' | project ColumnType", [["long"]]),
        (LOGS + "summarize avg(ingestion_time() - TimeGenerated) | project ok = avg_ between (5s .. 17s)", [[True]]),
        (LOGS + "count | render table", [[600]]),
        (LOGS + "summarize last = max(TotalTime), first = min(TotalTime) by kind = Method | where last > first",
         [["POST", 1599, 1000]]),
    ],
)  # fmt: skip
def test_what_operators_type_is_answered(text: str, expected: list[list[Any]]) -> None:
    assert rows(busy_world(), text) == expected


def test_a_series_is_even_and_its_gaps_are_filled() -> None:
    [row] = rows(
        busy_world(),
        "let start = datetime(2026-11-18T11:00:00Z); "
        + LOGS
        + "make-series n = count() default = 0, avg(TotalTime) default = -1.0 "
        "on TimeGenerated from start to start + 40m step 10m by Method",
    )
    assert row[0] == "POST"
    assert json.loads(row[1]) == [80, 300, 220, 0]
    assert json.loads(row[2])[3] == -1.0
    assert [stamp[11:16] for stamp in json.loads(row[3])] == ["11:00", "11:10", "11:20", "11:30"]


def test_bins_start_where_kusto_starts_them() -> None:
    found = rows(busy_world(), LOGS + "summarize n = count() by bin(TimeGenerated, 10m) | order by TimeGenerated asc")
    assert found == [["2026-11-18T11:00:00Z", 80], ["2026-11-18T11:10:00Z", 300], ["2026-11-18T11:20:00Z", 220]]
    days = rows(busy_world(), LOGS + "summarize n = count() by bin(TimeGenerated, 1d)")
    assert days == [["2026-11-18T00:00:00Z", 600]]


@pytest.mark.parametrize(
    ("text", "outer", "code", "said", "place"),
    [
        (LOGS + "frob x", "SyntaxError", "SYN0002", "could not be parsed at 'frob' on line [1,27]", (1, 27, "frob")),
        (LOGS + "summarize last = max(TotalTime) | where Foo == 1", "SemanticError", "SEM0100", "named 'Foo'", None),
        (LOGS + "\nwhere ResponseCode = 5", "SyntaxError", "SYN0002", "'=' on line [2,19]", (2, 19, "=")),
        (LOGS + "where", "SyntaxError", "SYN0002", "end of input", (1, 32, "<EOF>")),
        (LOGS + "where Foo == 3", "SemanticError", "SEM0100",
         "'where' operator: Failed to resolve column or scalar expression named 'Foo'", (1, 33, "Foo")),
        ("Nope | take 3", "SemanticError", "SEM0100",
         "'take' operator: Failed to resolve table or column expression named 'Nope'", (1, 0, "Nope")),
        (LOGS + "summarize foo(TotalTime)", "SemanticError", "SEM0260", "Unknown function: 'foo'.", (1, 37, "foo")),
        (LOGS + "where Method > 3", "SemanticError", "SEM0064", "Cannot compare values of types string and long", None),
        (LOGS + "mv-apply e = Errors on (take 1)", "SemanticError", "SEM0001", "'mv-apply' operator", (1, 27, "mv")),
        (LOGS + "evaluate python('x')", "SemanticError", "SEM0001", "the plugin 'python'", (1, 36, "python")),
        (LOGS + "project-keep Nope", "SemanticError", "SEM0100", "'project-keep' operator", (1, 40, "Nope")),
        (LOGS + "join (Nope) on CorrelationId", "SemanticError", "SEM0100", "named 'Nope'", (1, 33, "Nope")),
        (".set X <| print 1", "SemanticError", "SEM0001", "", None),
        ("// only a comment", "SyntaxError", "SYN0001", "The query is empty.", None),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_kustos_words_with_their_place(
    text: str, outer: str, code: str, said: str, place: tuple[int, int, str] | None
) -> None:
    status, answer = ask(busy_world(), text)
    assert status == 400, answer
    error = answer["error"]
    assert (error["code"], error["message"]) == ("BadArgumentError", "The request had some invalid properties")
    assert error["innererror"]["code"] == outer
    inner = error["innererror"]["innererror"]
    assert inner["code"] == code
    assert said in inner["message"]
    assert place is None or (inner["line"], inner["pos"], inner["token"]) == place


def send(
    world: World, method: str, path: str, query: str = "", body: bytes = b"", **headers: str
) -> tuple[int, Any, dict[str, str]]:
    """A request to the query API as it is."""
    request = HttpRequest(
        method, "api.loganalytics.io", path, query, {k.replace("_", "-"): v for k, v in headers.items()}, body
    )
    response = world.run(world.network.send(request))
    return response.status, json.loads(response.body) if response.body else None, response.headers


PATH = f"/v1/workspaces/{WORKSPACE_CUSTOMER_ID}/query"


def test_a_query_can_be_sent_by_get() -> None:
    status, answer, _ = send(busy_world(), "GET", PATH, "query=print%20x%20%3D%201&timespan=PT1H")
    assert (status, answer["tables"][0]["rows"]) == (200, [[1]])


def test_a_post_that_is_not_json_gets_an_empty_answer() -> None:
    status, answer, _ = send(busy_world(), "POST", PATH, body=b'{"query":"print 1"}', content_type="text/plain")
    assert (status, answer) == (200, None)


def test_statistics_and_visualization_come_when_preferred() -> None:
    body = json.dumps({"query": LOGS + "summarize count() by Method | render timechart"}).encode()
    prefer = "wait=30,include-statistics=true,include-render=true"
    _, answer, _ = send(busy_world(), "POST", PATH, body=body, content_type="application/json", prefer=prefer)
    assert answer["statistics"]["query"]["datasetStatistics"][0]["tableRowCount"] == 1
    assert answer["render"]["visualization"] == "timechart"


def test_an_unknown_path_and_a_broken_body_are_told_apart() -> None:
    assert send(busy_world(), "GET", "/v1/nothing")[0] == 404
    assert send(busy_world(), "POST", PATH, body=b"{", content_type="application/json")[0] == 400
    assert send(busy_world(), "POST", PATH, body=b"{}", content_type="application/json")[0] == 400


def test_a_batch_answers_each_request_under_its_own_id() -> None:
    requests = [
        {
            "id": "a",
            "method": "POST",
            "path": "/query",
            "workspace": WORKSPACE_CUSTOMER_ID,
            "body": {"query": "print x = 1"},
        },
        {"id": "b", "method": "POST", "path": "/query", "workspace": WORKSPACE_CUSTOMER_ID, "body": {"query": "Nope"}},
        {"id": "c", "method": "POST", "path": "/query", "workspace": "unknown", "body": {"query": "print 1"}},
    ]
    body = json.dumps({"requests": requests}).encode()
    _, answer, _ = send(busy_world(), "POST", "/v1/$batch", body=body, content_type="application/json")
    by_id = {one["id"]: one for one in answer["responses"]}
    assert {key: one["status"] for key, one in by_id.items()} == {"a": 200, "b": 400, "c": 400}
    assert by_id["a"]["body"]["tables"][0]["rows"] == [[1]]


def test_two_hundred_queries_in_half_a_minute_are_enough() -> None:
    world = make_world()
    logs_room(world).settings.requests_per_window = 3
    body = json.dumps({"query": "print 1"}).encode()
    statuses = [send(world, "POST", PATH, body=body, content_type="application/json")[0] for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    _, refused, headers = send(world, "POST", PATH, body=body, content_type="application/json")
    assert refused["error"]["code"] == "ThrottledError"
    assert headers["retry-after"] == "30"
    world.advance(31)
    assert send(world, "POST", PATH, body=body, content_type="application/json")[0] == 200


def test_faults_of_the_query_service_are_felt_as_often_as_set() -> None:
    world = make_world()
    settings = logs_room(world).settings
    settings.partial_errors = settings.timed_out_queries = settings.throttled_queries = 1
    assert [ask(world, "print 1")[0] for _ in range(3)] == [429, 504, 200]
    settings.partial_errors = 1
    status, answer = ask(world, "print 1")
    assert (status, answer["error"]["code"]) == (200, "PartialError")
    assert "error" not in ask(world, "print 1")[1]


def test_rows_beyond_the_limit_are_cut_and_said_to_be() -> None:
    world = busy_world()
    settings = logs_room(world).settings
    limit = settings.row_limit
    settings.row_limit = 10
    try:
        _, answer = ask(world, LOGS + "project TotalTime")
    finally:
        settings.row_limit = limit
    assert len(answer["tables"][0]["rows"]) == 10
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in answer["error"]["details"][0]["innererror"]["message"]


def test_calls_are_rewritten_only_where_they_are_calls() -> None:
    text = "T | extend percentiles = 'percentiles(x, 1)', host = tostring(parse_url(U).Host) // percentiles(x, 2)"
    assert (
        rewrite_calls(text) == "T | extend percentiles = 'percentiles(x, 1)', host = __url_host(U) // percentiles(x, 2)"
    )


def test_bars_and_semicolons_in_strings_and_comments_part_nothing() -> None:
    query = parse_query("let a = 'x;y|z'; // no; bar |\nT | where b == \"c|d\" | join (U | take 1) on k")
    assert [stage.operator for stage in query.stages] == ["T", "where", "join"]
    assert query.preamble == "let a = 'x;y|z';"


@given(st.text(max_size=80))
def test_any_text_is_tokenized_without_loss_of_place(text: str) -> None:
    for token in tokenize(text):
        assert text[token.start : token.end] == token.text
        assert text.split("\n")[token.line - 1][token.column :].startswith(token.text.split("\n")[0])


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\r\n\t"), max_size=30))
def test_a_quoted_string_says_what_was_put_in(value: str) -> None:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    [token] = tokenize(f"'{escaped}'")
    assert string_value(token) == value
