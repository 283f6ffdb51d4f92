"""One valid document for every element of the language: none of them may be called an error."""

from __future__ import annotations

import pytest

from apimpolicy.catalog import PARTS, POLICIES, RESOLVER_ROOTS, SECTIONS, find_element
from apimpolicy.document import canonical, parse, print_document
from apimpolicy.lint import lint

EXAMPLES: dict[str, str] = {
    "cache-value": """<cache-value key="@("k" + context.Api.Id)" variable-name="v" expires-after="60"
        refresh-after="30"><value><set-variable name="v" value="@(1 + 1)" /></value></cache-value>""",
    "invoke-request": '<invoke-request url="https://contoso.example/" method="GET" response-variable-name="r" />',
    "base": "<base />",
    "choose": """<choose><when condition="@(context.Request.Method == "GET")"><base /></when>
        <when condition="{{switch}}"><base /></when><otherwise><base /></otherwise></choose>""",
    "retry": """<retry condition="@(context.Response.StatusCode == 503)" count="3" interval="1"
        max-interval="10" delta="2"
        first-fast-retry="true"><forward-request buffer-request-body="true" /></retry>""",
    "wait": """<wait for="all"><cache-lookup-value key="k" variable-name="v" /><send-request response-variable-name="r">
        <set-url>https://contoso.example</set-url></send-request></wait>""",
    "limit-concurrency": '<limit-concurrency key="@(context.Api.Id)" max-count="3"><base /></limit-concurrency>',
    "include-fragment": '<include-fragment fragment-id="shared" />',
    "return-response": """<return-response response-variable-name="r"><set-status code="429" reason="Slow down" />
        <set-header name="Retry-After" exists-action="override"><value>5</value></set-header>
        <set-body>{"a": "b & c"}</set-body></return-response>""",
    "mock-response": '<mock-response status-code="200" content-type="application/json" />',
    "forward-request": """<forward-request timeout="120" http-version="2or1" follow-redirects="false"
        buffer-request-body="true" buffer-response="false" fail-on-error-status-code="false" />""",
    "set-backend-service": """<set-backend-service backend-id="@((string)context.Variables["pool"])" />
        <set-backend-service base-url="https://contoso.example/api" />""",
    "proxy": '<proxy url="http://proxy.contoso.example:8080" username="u" password="{{proxy-password}}" />',
    "rate-limit": """<rate-limit calls="20" renewal-period="90" remaining-calls-variable-name="left">
        <api name="a" calls="1" renewal-period="60"><operation name="o" calls="1" renewal-period="60" /></api>
        </rate-limit>""",
    "rate-limit-by-key": """<rate-limit-by-key calls="10" renewal-period="60" counter-key="@(context.Request.IpAddress)"
        increment-condition="@(context.Response.StatusCode == 200)" increment-count="2" />""",
    "quota": '<quota calls="10000" bandwidth="40000" renewal-period="3600" />',
    "quota-by-key": '<quota-by-key calls="10" renewal-period="300" counter-key="@(context.Subscription.Id)" />',
    "llm-token-limit": """<llm-token-limit counter-key="@(context.Subscription.Id)" token-quota="1000"
        token-quota-period="Daily" estimate-prompt-tokens="true" remaining-quota-tokens-variable-name="left" />""",
    "azure-openai-token-limit": """<azure-openai-token-limit counter-key="@(context.Subscription.Id)"
        tokens-per-minute="500" estimate-prompt-tokens="false" remaining-tokens-header-name="x-left"
        tokens-consumed-header-name="x-used" retry-after-header-name="x-wait" />""",
    "llm-emit-token-metric": """<llm-emit-token-metric namespace="genai"><dimension name="API ID" />
        <dimension name="Team" value="@(context.Subscription.Name)" /></llm-emit-token-metric>""",
    "azure-openai-emit-token-metric": """<azure-openai-emit-token-metric namespace="genai">
        <dimension name="Subscription ID" /></azure-openai-emit-token-metric>""",
    "llm-semantic-cache-lookup": """<llm-semantic-cache-lookup score-threshold="0.05" embeddings-backend-id="embeddings"
        embeddings-backend-auth="system-assigned"><vary-by>@(context.Subscription.Id)</vary-by>
        </llm-semantic-cache-lookup>""",
    "azure-openai-semantic-cache-lookup": """<azure-openai-semantic-cache-lookup score-threshold="0.8"
        embeddings-backend-id="embeddings" embeddings-backend-auth="system-assigned" ignore-system-messages="true"
        max-message-count="10" />""",
    "llm-semantic-cache-store": '<llm-semantic-cache-store duration="60" />',
    "azure-openai-semantic-cache-store": '<azure-openai-semantic-cache-store duration="60" />',
    "llm-content-safety": """<llm-content-safety backend-id="safety" shield-prompt="true">
        <categories output-type="EightSeverityLevels"><category name="Hate" threshold="4" /></categories>
        <blocklists><id>words</id></blocklists></llm-content-safety>""",
    "check-header": """<check-header name="X-Id" failed-check-httpcode="401" failed-check-error-message="No"
        ignore-case="false"><value>a</value></check-header>""",
    "ip-filter": """<ip-filter action="allow"><address>198.51.100.1</address>
        <address-range from="198.51.100.2" to="198.51.100.9" /></ip-filter>""",
    "get-authorization-context": """<get-authorization-context provider-id="p" authorization-id="a"
        context-variable-name="auth" identity-type="managed" ignore-error="false" />""",
    "validate-azure-ad-token": """<validate-azure-ad-token tenant-id="{{tenant}}" output-token-variable-name="jwt">
        <client-application-ids><application-id>{{client}}</application-id></client-application-ids>
        <audiences><audience>@(context.Request.OriginalUrl.Host)</audience></audiences>
        <required-claims><claim name="roles" match="any"><value>reader</value></claim></required-claims>
        </validate-azure-ad-token>""",
    "validate-jwt": """<validate-jwt header-name="Authorization" failed-validation-httpcode="401"
        require-scheme="Bearer"
        require-expiration-time="true" clock-skew="60" output-token-variable-name="jwt">
        <openid-config url="https://login.contoso.example/.well-known/openid-configuration" />
        <issuer-signing-keys><key id="k">{{signing-key}}</key></issuer-signing-keys>
        <audiences><audience>api</audience></audiences><issuers><issuer>https://contoso.example</issuer></issuers>
        <required-claims><claim name="scp" match="all" separator=" "><value>read</value></claim></required-claims>
        </validate-jwt>""",
    "validate-client-certificate": """<validate-client-certificate validate-revocation="true" validate-trust="true"
        validate-not-before="true" validate-not-after="true" ignore-error="false">
        <identities><identity thumbprint="AB" issuer-subject="CN=contoso" /></identities>
        </validate-client-certificate>""",
    "authentication-basic": '<authentication-basic username="u" password="{{password}}" />',
    "authentication-certificate": '<authentication-certificate thumbprint="{{thumbprint}}" />',
    "authentication-managed-identity": """<authentication-managed-identity
        resource="https://cognitiveservices.azure.com"
        client-id="{{identity}}" output-token-variable-name="token" ignore-error="false" />""",
    "set-method": "<set-method>POST</set-method>",
    "set-status": '<set-status code="202" reason="Accepted" />',
    "set-variable": '<set-variable name="n" value="@(context.Variables.GetValueOrDefault<int>("n", 0) + 1)" />',
    "set-body": """<set-body template="liquid">{"name": "{{body.name}}", "ok": {% if a<b %}1{% endif %}}</set-body>
        <set-body><order xmlns="urn:contoso"><id>@(1 < 2)</id></order></set-body>
        <set-body>@(context.Request.Body.As<string>(preserveContent: true))</set-body>""",
    "set-header": """<set-header name="x-a" exists-action="append"><value>@("a" + "b")</value><value>c</value>
        </set-header>
        <set-header name="x-b" exists-action="delete" />""",
    "set-query-parameter": """<set-query-parameter name="api-version" exists-action="skip"><value>2024-10-21</value>
        </set-query-parameter>""",
    "rewrite-uri": '<rewrite-uri template="/v2/{id}?q=@(context.RequestId)" copy-unmatched-params="false" />',
    "json-to-xml": '<json-to-xml apply="always" consider-accept-header="false" parse-date="false" />',
    "xml-to-json": '<xml-to-json kind="direct" apply="content-type-xml" consider-accept-header="false" />',
    "find-and-replace": '<find-and-replace from="http://" to="https://" />',
    "redirect-content-urls": "<redirect-content-urls />",
    "xsl-transform": """<xsl-transform><xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
        <xsl:template match="@*|node()"><xsl:if test="a &lt; 3"><xsl:copy /></xsl:if></xsl:template>
        </xsl:stylesheet></xsl-transform>""",
    "cors": """<cors allow-credentials="true" terminate-unmatched-request="false"><allowed-origins><origin>*</origin>
        </allowed-origins><allowed-methods preflight-result-max-age="300"><method>GET</method></allowed-methods>
        <allowed-headers><header>*</header></allowed-headers><expose-headers><header>x-a</header>
        </expose-headers></cors>""",
    "cross-domain": "<cross-domain><cross-domain-policy /></cross-domain>",
    "jsonp": '<jsonp callback-parameter-name="cb" />',
    "cache-lookup": """<cache-lookup vary-by-developer="false" vary-by-developer-groups="false" caching-type="internal"
        downstream-caching-type="none" must-revalidate="true"><vary-by-header>Accept</vary-by-header>
        <vary-by-query-parameter>version</vary-by-query-parameter></cache-lookup>""",
    "cache-store": '<cache-store duration="60" />',
    "cache-lookup-value": """<cache-lookup-value key="@("k" + context.Api.Id)" variable-name="v" default-value="none"
        caching-type="prefer-external" />""",
    "cache-store-value": '<cache-store-value key="k" value="@(context.RequestId.ToString())" duration="@(60 * 2)" />',
    "cache-remove-value": '<cache-remove-value key="k" caching-type="internal" />',
    "send-request": """<send-request mode="new" response-variable-name="r" timeout="10" ignore-error="true">
        <set-url>@($"https://{{host}}/x?y={context.RequestId}")</set-url><set-method>POST</set-method>
        <set-header name="Content-Type" exists-action="override"><value>application/json</value></set-header>
        <set-body>@("{}")</set-body><authentication-managed-identity resource="https://contoso.example" />
        </send-request>""",
    "send-one-way-request": """<send-one-way-request mode="copy" timeout="5"><set-url>https://contoso.example</set-url>
        <set-method>POST</set-method></send-one-way-request>""",
    "log-to-eventhub": """<log-to-eventhub logger-id="hub" partition-id="0">@{
            // it's counted by region
            return new JObject(new JProperty("region", context.Deployment.Region)).ToString();
        }</log-to-eventhub>""",
    "trace": """<trace source="gateway" severity="information"><message>@("at " + context.Api.Id)</message>
        <metadata name="who" value="@(context.Subscription?.Id ?? "none")" /></trace>""",
    "emit-metric": """<emit-metric name="calls" value="1" namespace="genai"><dimension name="API ID" />
        <dimension name="Team" value="contoso" /></emit-metric>""",
    "publish-to-dapr": '<publish-to-dapr pubsub-name="p" topic="t" timeout="5">@("x")</publish-to-dapr>',
    "invoke-dapr-binding": """<invoke-dapr-binding name="b" operation="create"><metadata><item key="k">v</item>
        </metadata>
        <data>@("x")</data></invoke-dapr-binding>""",
    "send-service-bus-message": """<send-service-bus-message queue-name="q" namespace="ns"><message-properties>
        <message-property name="a">b</message-property></message-properties><payload>@("x")</payload>
        </send-service-bus-message>""",
    "validate-content": """<validate-content unspecified-content-type-action="prevent" max-size="102400"
        size-exceeded-action="detect" errors-variable-name="e">
        <content-type-map missing-content-type-value="application/json">
        <type from="application/hal+json" to="application/json" /></content-type-map>
        <content type="application/json" validate-as="json" action="detect" /></validate-content>""",
    "validate-parameters": """<validate-parameters specified-parameter-action="prevent"
        unspecified-parameter-action="ignore"><headers specified-parameter-action="detect"
        unspecified-parameter-action="detect"><parameter name="Host" action="ignore" /></headers>
        </validate-parameters>""",
    "validate-headers": """<validate-headers specified-header-action="ignore" unspecified-header-action="ignore">
        <header name="x" action="detect" /></validate-headers>""",
    "validate-status-code": """<validate-status-code unspecified-status-code-action="prevent">
        <status-code code="404" action="ignore" /></validate-status-code>""",
    "validate-graphql-request": """<validate-graphql-request error-variable-name="e" max-size="102400" max-depth="4">
        <authorize><rule path="/__*" action="reject" /></authorize></validate-graphql-request>""",
    "validate-odata-request": '<validate-odata-request error-variable-name="e" max-size="1000" />',
}

RESOLVERS: dict[str, str] = {
    "http-data-source": """<http-data-source><http-request><set-method>GET</set-method>
        <set-url>https://contoso.example</set-url></http-request><backend><forward-request /></backend>
        <http-response><set-body template="liquid">[{% JSONArrayFor e in body %}{"n": "{{e.n}}"}{%
        endJSONArrayFor %}]</set-body>
        <publish-event><targets><graphql-subscription id="s" /></targets></publish-event></http-response>
        </http-data-source>""",
    "sql-data-source": """<sql-data-source><connection-info><connection-string use-managed-identity="true">Server=x
        </connection-string></connection-info><request single-result="true"><sql-statement>SELECT 1 WHERE @a = 2
        </sql-statement></request><response /></sql-data-source>""",
    "cosmosdb-data-source": """<cosmosdb-data-source><connection-info><database-name>d</database-name></connection-info>
        <read-request><id>1</id></read-request></cosmosdb-data-source>""",
}


def placed(name: str) -> str:
    """A whole policy with the example in the first section that may hold it."""
    spec = POLICIES[name]
    section = next(section for section in SECTIONS if section in spec.sections)
    if "backend" in spec.sections and "<forward-request" in EXAMPLES[name]:
        section = "backend"
    return f"<policies>\n  <{section}>\n    {EXAMPLES[name]}\n  </{section}>\n</policies>\n"


def test_every_policy_of_the_catalog_has_an_example_here() -> None:
    assert set(POLICIES) - set(EXAMPLES) - RESOLVER_ROOTS == {"publish-event"}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_valid_document_prints_back_and_has_no_error(name: str) -> None:
    text = placed(name)
    document = parse(text)
    assert print_document(document) == text
    assert canonical(parse(canonical(document))) == canonical(document)
    scope = "product" if "product" in POLICIES[name].scopes else "global"
    assert [str(f) for f in lint(document, kind="policy", scope=scope) if f.severity == "error"] == []
    assert [f.rule_id for f in lint(document, kind="policy", scope=scope) if f.rule_id.startswith("APIM10")] == []


@pytest.mark.parametrize("name", sorted(RESOLVERS))
def test_a_resolver_is_a_document_of_its_own(name: str) -> None:
    document = parse(RESOLVERS[name])
    assert [str(f) for f in lint(document, kind="policy") if f.severity == "error"] == []


def test_the_same_policies_stand_in_a_fragment() -> None:
    skipped = {"base", "choose", "limit-concurrency", "include-fragment"}  # their examples hold <base /> or include
    inner = "\n".join(text for name, text in EXAMPLES.items() if name not in skipped)
    assert [str(f) for f in lint(f"<fragment>{inner}</fragment>", kind="fragment") if f.severity == "error"] == []


def test_a_part_is_found_by_its_parent_and_a_policy_by_its_name() -> None:
    part = find_element("value", "set-header")
    assert part is not None
    assert not part.is_policy
    policy = find_element("set-header", "inbound")
    assert policy is not None
    assert policy.attributes["name"].required == "yes"
    assert policy.attributes["exists-action"].values == ("override", "skip", "append", "delete")
    assert find_element("value") is None
    assert find_element("send-requests") is None


def test_listed_children_exist() -> None:
    for spec in [*POLICIES.values(), *PARTS.values()]:
        for child in spec.child_names:
            assert find_element(child, spec.name) is not None, (spec.name, child)
