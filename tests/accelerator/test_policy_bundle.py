"""The bundle of policies: what each file says about itself is true, and API Management will take it."""

from __future__ import annotations

import re

import pytest

from apimpolicy.lint import BackendFacts, NamedValueFacts, Surroundings, lint
from tests.accelerator.accelerator_files import HEADER_KEYS, POLICIES, PolicyFile, compiled_template, policy_files

FRAGMENTS = policy_files("fragment")
API_POLICIES = policy_files("policy")
BACKENDS = {"ptuEndpoint1", "paygEndpoint1", "paygEndpoint2"}
POOLS = {"chat-pool", "round-robin-pool", "weighted-pool", "embeddings-pool"}
SECTIONS = ("inbound", "backend", "outbound", "on-error")

each_fragment = pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda file: file.name)
each_policy = pytest.mark.parametrize("policy", API_POLICIES, ids=lambda file: file.name)


def surroundings() -> Surroundings:
    """What the template deploys around the policies."""
    routing = next(
        r["properties"]["template"] for r in compiled_template()["resources"] if "genaigw-routing" in str(r["name"])
    )
    backends = {name: BackendFacts("Single", has_breaker=True) for name in BACKENDS}
    for name in POOLS:
        members = tuple(sorted(BACKENDS - {"ptuEndpoint1"} if name == "embeddings-pool" else BACKENDS))
        backends[name] = BackendFacts("Pool", members=members)
    values = {value["name"]: NamedValueFacts() for value in routing["variables"]["namedValues"]}
    return Surroundings({fragment.name: fragment.text for fragment in FRAGMENTS}, backends, values)


def named_values(text: str) -> set[str]:
    return set(re.findall(r"\{\{([\w.-]+)\}\}", text))


def section_of(policy: PolicyFile, section: str) -> str:
    match = re.search(rf"<{section}>(.*?)</{section}>", policy.without_comments, re.DOTALL)
    assert match, f"{policy.name} has no {section}"
    return match[1]


def included(text: str) -> list[str]:
    return re.findall(r'<include-fragment fragment-id="([^"]+)"', text)


@each_fragment
def test_fragment_obeys_the_rules_of_api_management(fragment: PolicyFile) -> None:
    code = fragment.without_comments
    assert re.fullmatch(r"<fragment>.*</fragment>\n", fragment.text, re.DOTALL)
    assert len(fragment.text.encode()) <= 32 * 1024
    assert not re.search(r"<(inbound|backend|outbound|on-error|base)\b", code)
    assert not included(code)
    assert re.fullmatch(r"\w[\w-]{0,78}\w", fragment.name)
    assert "&amp;" not in code, "the bundle is raw text, deployed as rawxml"


@each_fragment
def test_the_linter_has_nothing_against_the_fragment(fragment: PolicyFile) -> None:
    assert [str(finding) for finding in lint(fragment.text, kind="fragment", surroundings=surroundings())] == []


@each_policy
def test_the_linter_has_nothing_against_the_policy(policy: PolicyFile) -> None:
    findings = lint(policy.text, kind="policy", scope="api", surroundings=surroundings())
    # routing is the policy's own: the backend section of the outer scopes would forward a second time
    assert [str(finding) for finding in findings if finding.rule_id != "APIM212"] == []


@each_fragment
def test_fragment_header_uses_only_the_documented_keys(fragment: PolicyFile) -> None:
    header = fragment.header
    assert set(header) <= HEADER_KEYS
    assert set(header["section"]) <= set(SECTIONS)
    assert header["drain-aware"] in (("yes",), ("no",))


@each_fragment
def test_fragment_header_names_exactly_what_the_code_names(fragment: PolicyFile) -> None:
    header, code = fragment.header, fragment.without_comments
    words = set(re.findall(r"[\w-]+", code))
    assert set(header.get("expects-backend", ())) == BACKENDS & words
    assert set(header.get("expects-pool", ())) == POOLS & words
    assert set(header.get("expects-named-value", ())) == named_values(code)
    assert set(header.get("expects-logger", ())) == set(re.findall(r'logger-id="([^"]+)"', code))
    sets = set(re.findall(r'<set-variable name="([^"]+)"', code))
    sets |= set(re.findall(r'remaining-tokens-variable-name="([^"]+)"', code))
    assert set(header.get("sets-variable", ())) <= sets


@each_fragment
def test_only_fragments_that_route_to_pools_may_say_that_they_are_not_drain_aware(fragment: PolicyFile) -> None:
    header = fragment.header
    routes_itself = bool(header.get("expects-backend"))
    assert (header["drain-aware"] == ("no",)) is bool(header.get("expects-pool"))
    if routes_itself:
        assert "drained-backends" in header["expects-named-value"]
        assert '<set-status code="503"' in fragment.text
        assert '{"statusCode": 503, "message": "Every backend of this API is drained' in fragment.text


@each_fragment
def test_a_fragment_for_the_backend_section_is_one_element(fragment: PolicyFile) -> None:
    """API Management takes one policy element in `backend`."""
    if fragment.header["section"] == ("backend",):
        body = fragment.without_comments.removeprefix("<fragment>").strip()
        assert body.startswith("<retry ")
        assert body.endswith("</retry>\n</fragment>")
        assert body.count("<retry ") == 1


@pytest.mark.parametrize("file", [*FRAGMENTS, *API_POLICIES], ids=lambda file: file.path.name)
def test_streams_are_never_buffered_and_repeated_requests_keep_their_body(file: PolicyFile) -> None:
    code = file.without_comments
    forwards = re.findall(r"<forward-request [^>]*>", code)
    assert code.count("<forward-request") == len(forwards) <= 1
    for forward in forwards:
        assert 'buffer-response="false"' in forward
        assert ('buffer-request-body="true"' in forward) == ("<retry" in code)


@each_policy
def test_policy_includes_fragments_that_exist_in_sections_they_are_made_for(policy: PolicyFile) -> None:
    headers = {fragment.name: fragment.header for fragment in FRAGMENTS}
    everything = included(policy.text)
    for section in SECTIONS:
        text = section_of(policy, section)
        for name in included(text):
            assert section in headers[name]["section"], f"{policy.name} includes {name} in {section}"
        if section != "backend":
            assert text.strip().startswith("<base />")
    for name in everything:
        assert set(headers[name].get("expects-fragment", ())) <= set(everything)


@each_policy
def test_policy_calls_the_models_as_the_gateway_and_routes_them(policy: PolicyFile) -> None:
    if policy.name in ("latency-order", "embeddings"):
        assert not included(policy.text)
        return
    assert policy.name in included(policy.text) or policy.name == "managed-identity"
    assert "managed-identity" in included(section_of(policy, "inbound"))
    routed = [f for f in FRAGMENTS if f.name in included(policy.text) and "<set-backend-service" in f.text]
    assert len(routed) + policy.text.count("<set-backend-service") == 1


def test_every_choice_of_the_deployment_has_its_fragment_and_its_policy() -> None:
    choices = set(compiled_template()["parameters"]["policyFragment"]["allowedValues"])
    assert choices <= {fragment.name for fragment in FRAGMENTS}
    assert choices == {policy.name for policy in API_POLICIES} - {"latency-order", "embeddings"}


def test_every_folder_has_a_readme_that_names_its_files_and_what_they_expect() -> None:
    for folder in sorted(path for path in POLICIES.iterdir() if path.is_dir()):
        text = (folder / "README.md").read_text(encoding="utf-8")
        for fragment in (f for f in FRAGMENTS if f.path.parent == folder):
            assert fragment.name in text, folder.name
            for key in ("expects-pool", "expects-named-value", "expects-logger"):
                for name in fragment.header.get(key, ()):
                    assert name in text, f"{folder.name}/README.md does not say that {fragment.name} expects {name}"
        for word in ("**Include", "**Costs", "**See it"):
            assert word in text, f"{folder.name}/README.md lacks {word}"


def test_the_readme_of_the_bundle_lists_every_fragment_and_named_value_with_its_first_value() -> None:
    text = (POLICIES / "README.md").read_text(encoding="utf-8")
    for name in compiled_template()["parameters"]["policyFragment"]["allowedValues"]:
        assert f"| `{name}` |" in text
    for key in HEADER_KEYS:
        assert f"| `{key}` |" in text
    routing = next(
        r["properties"]["template"] for r in compiled_template()["resources"] if "genaigw-routing" in str(r["name"])
    )
    for value in routing["variables"]["namedValues"]:
        first = "none" if value["name"] == "drained-backends" else value["value"]
        assert f"| `{value['name']}` | `{first}` |" in text
