"""The elements API Management has: where each may stand, its attributes, its children. One table for lint and gateway.

Written from the policy reference (Microsoft Learn, "API Management policy reference" and the page of each policy) and
checked against the policy toolkit's authoring classes. Where the pages disagree with Microsoft's own samples the table
is lenient: an attribute documented as required but missing in a sample is `advised`. Nothing here decides what the
simulator models.

Attributes are written as words: `name!` is required, `name?` advised, `name:bool`, `name:int`, `name:number` typed,
`name=a|b` one of, a leading `-` says that no expression is allowed there, a leading `@` that one is documented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Section = Literal["inbound", "backend", "outbound", "on-error"]
Scope = Literal["global", "workspace", "product", "api", "operation"]
Content = Literal["none", "text", "literal"]
Children = Literal["none", "policies", "listed", "literal"]

SECTIONS: Final[tuple[str, ...]] = ("inbound", "backend", "outbound", "on-error")
SCOPES: Final[tuple[str, ...]] = ("global", "workspace", "product", "api", "operation")
RESOLVER_ROOTS: Final = frozenset({"http-data-source", "sql-data-source", "cosmosdb-data-source"})
_WORD: Final = re.compile(r"^([-@]?)([A-Za-z][\w\-]*)([!?]?)(?::(bool|int|number))?(?:=(.+))?$")


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute. `expression` is None where the reference does not say whether one is allowed."""

    name: str
    type: Literal["string", "bool", "int", "number", "enum"] = "string"
    required: Literal["yes", "advised", "no"] = "no"
    expression: bool | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ElementSpec:
    """One element. `sections` and `scopes` are empty for an element that is only ever a child of another.

    `firm_sections`: the gateway is known to refuse it elsewhere; otherwise the reference merely lists these.
    `open_attributes`, `open_children`: the reference lags behind the product, so that an unknown name is no error.
    `one_of`: groups of attributes of which one must be present. `once`: at most once in a section.
    """

    name: str
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)
    sections: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    children: Children = "none"
    child_names: frozenset[str] = frozenset()
    text: Content = "none"
    firm_sections: bool = False
    open_attributes: bool = False
    open_children: bool = False
    one_of: tuple[tuple[str, ...], ...] = ()
    once: bool = False
    is_policy: bool = True


def _attributes(words: str) -> dict[str, AttributeSpec]:
    specs: dict[str, AttributeSpec] = {}
    for word in words.split():
        match = _WORD.match(word)
        if match is None:
            raise ValueError(f"not an attribute word: {word}")
        mark, name, need, kind, values = match.groups()
        specs[name] = AttributeSpec(
            name,
            "enum" if values else (kind or "string"),  # type: ignore[arg-type]
            {"!": "yes", "?": "advised"}.get(need, "no"),  # type: ignore[arg-type]
            {"-": False, "@": True}.get(mark),
            tuple(values.split("|")) if values else (),
        )
    return specs


_ALL: Final = "inbound backend outbound on-error"
_POLICIES: Final[dict[str, ElementSpec]] = {}
_PARTS: Final[dict[tuple[str, str], ElementSpec]] = {}


def _policy(
    name: str,
    sections: str,
    words: str = "",
    *,
    children: str = "",
    text: Content = "none",
    scopes: str = "global workspace product api operation",
    firm: bool = False,
    open_attributes: bool = False,
    open_children: bool = False,
    one_of: tuple[tuple[str, ...], ...] = (),
    once: bool = False,
) -> None:
    kind: Children = "none"
    if children in ("policies", "literal"):
        kind = "policies" if children == "policies" else "literal"
    elif children:
        kind = "listed"
    _POLICIES[name] = ElementSpec(
        name,
        _attributes("id " + words) if " id" not in f" {words}" else _attributes(words),
        frozenset(sections.split()),
        frozenset(scopes.split()),
        kind,
        frozenset(children.split()) if kind == "listed" else frozenset(),
        text,
        firm,
        open_attributes,
        open_children,
        one_of,
        once,
    )


def _part(
    path: str, words: str = "", *, children: str = "", text: Content = "none", open_children: bool = False
) -> None:
    """A child that is no policy by itself: `parent/name`, or `parent,parent/name`."""
    parents, name = path.split("/")
    kind: Children = "none"
    if children in ("policies", "literal"):
        kind = "policies" if children == "policies" else "literal"
    elif children:
        kind = "listed"
    for parent in parents.split(","):
        _PARTS[parent, name] = ElementSpec(
            name,
            _attributes(words),
            children=kind,
            child_names=frozenset(children.split()) if kind == "listed" else frozenset(),
            text=text,
            open_children=open_children,
            is_policy=False,
        )


# -- control flow ------------------------------------------------------------------------------------------------
_policy("base", _ALL, firm=False)
_policy("choose", _ALL, children="when otherwise")
_part("choose/when", "@condition!", children="policies")
_part("choose/otherwise", children="policies")
_policy(
    "retry",
    _ALL,
    "@condition! @count!:int @interval!:number @max-interval:number @delta:number @first-fast-retry:bool",
    children="policies",
)
_policy("wait", "inbound backend outbound", "@for=all|any", children="send-request cache-lookup-value choose")
_policy("limit-concurrency", _ALL, "@key! -max-count!:int", children="policies")
_policy("include-fragment", _ALL, "-fragment-id!")
_policy(
    "return-response", _ALL, "response-variable-name", children="set-status set-header set-body", open_children=True
)
_policy("mock-response", "inbound outbound on-error", "status-code:int content-type index")

# -- routing -----------------------------------------------------------------------------------------------------
_policy(
    "forward-request",
    "backend",
    "@timeout:number @timeout-ms:number @continue-timeout:number @http-version=1|2|2or1 @follow-redirects:bool "
    "@buffer-request-body:bool @buffer-response:bool @fail-on-error-status-code:bool",
    firm=True,
)
_policy(
    "set-backend-service",
    "inbound backend",
    "@base-url @backend-id @sf-resolve-condition @sf-service-instance-name @sf-partition-key @sf-listener-name "
    "sf-replica-type dapr-app-id dapr-method dapr-namespace",
    one_of=(("base-url", "backend-id"),),
)
_policy("proxy", "inbound", "@url! @username @password")

# -- limits ------------------------------------------------------------------------------------------------------
_RATE: Final = (
    "retry-after-header-name retry-after-variable-name remaining-calls-header-name remaining-calls-variable-name "
    "total-calls-header-name"
)
_policy(
    "rate-limit",
    "inbound",
    f"@calls!:int @renewal-period!:int {_RATE}",
    children="api",
    scopes="product api operation",
    firm=True,
)
_policy(
    "rate-limit-by-key",
    "inbound",
    f"@calls!:int @renewal-period!:int @counter-key! @increment-condition @increment-count:int {_RATE}",
    firm=True,
)
_policy(
    "quota",
    "inbound",
    "calls:int bandwidth:int renewal-period!:int",
    children="api",
    scopes="product",
    firm=True,
    one_of=(("calls", "bandwidth"),),
)
_policy(
    "quota-by-key",
    "inbound",
    "calls:int bandwidth:int renewal-period!:int @increment-condition @increment-count:int @counter-key! "
    "first-period-start",
    firm=True,
    one_of=(("calls", "bandwidth"),),
)
_part("rate-limit,quota/api", "name id calls:int bandwidth:int renewal-period:int", children="operation")
_part("api/operation", "name id calls:int bandwidth:int renewal-period:int")
_TOKENS: Final = (
    "@counter-key! @tokens-per-minute:int @token-quota:int @token-quota-period=Hourly|Daily|Weekly|Monthly|Yearly "
    "@estimate-prompt-tokens?:bool retry-after-header-name retry-after-variable-name "
    "remaining-quota-tokens-header-name remaining-quota-tokens-variable-name remaining-tokens-header-name "
    "remaining-tokens-variable-name tokens-consumed-header-name tokens-consumed-variable-name"
)
for _name in ("llm-token-limit", "azure-openai-token-limit"):
    _policy(_name, "inbound", _TOKENS, open_attributes=True, one_of=(("tokens-per-minute", "token-quota"),))

# -- language models ---------------------------------------------------------------------------------------------
for _name in ("llm-emit-token-metric", "azure-openai-emit-token-metric"):
    _policy(_name, "inbound", "namespace", children="dimension", open_attributes=True)
    _part(f"{_name}/dimension", "name! @value")
for _name in ("llm-semantic-cache-lookup", "azure-openai-semantic-cache-lookup"):
    _policy(
        _name,
        "inbound",
        "@score-threshold!:number embeddings-backend-id! embeddings-backend-auth? ignore-system-messages:bool "
        "max-message-count:int",
        children="vary-by",
        open_attributes=True,
    )
    _part(f"{_name}/vary-by", text="text")
for _name in ("llm-semantic-cache-store", "azure-openai-semantic-cache-store"):
    _policy(_name, "outbound", "@duration!:number", open_attributes=True)
_policy(
    "llm-content-safety",
    "inbound outbound",
    "@backend-id! @shield-prompt:bool @enforce-on-completions:bool",
    children="categories blocklists",
    open_attributes=True,
    open_children=True,
)
_part("llm-content-safety/categories", "@output-type=FourSeverityLevels|EightSeverityLevels", children="category")
_part("categories/category", "@name! @threshold!:int")
_part("llm-content-safety/blocklists", children="id")
_part("blocklists/id", text="text")

# -- who may call ------------------------------------------------------------------------------------------------
_policy(
    "check-header",
    "inbound",
    "@name! @failed-check-httpcode?:int @failed-check-error-message? @ignore-case?:bool",
    children="value",
    firm=True,
)
_part("check-header/value", text="text")
_policy("ip-filter", "inbound", "@action!=allow|forbid", children="address address-range", firm=True)
_part("ip-filter/address", text="text")
_part("ip-filter/address-range", "@from! @to!")
_policy(
    "get-authorization-context",
    "inbound",
    "@provider-id! @authorization-id! context-variable-name! identity-type=managed|jwt @identity @ignore-error:bool",
)
_TOKEN_SOURCE: Final = (
    "@header-name @query-parameter-name @token-value @failed-validation-httpcode:int @failed-validation-error-message "
    "output-token-variable-name"
)
_policy(
    "validate-azure-ad-token",
    "inbound",
    f"@tenant-id {_TOKEN_SOURCE} @authentication-endpoint @authentication-url",
    children="client-application-ids backend-application-ids audiences required-claims decryption-keys",
    firm=True,
    open_attributes=True,
    open_children=True,
)
_part("validate-azure-ad-token/client-application-ids", children="application-id")
_part("validate-azure-ad-token/backend-application-ids", children="application-id")
_part("client-application-ids,backend-application-ids/application-id", text="text")
_policy(
    "validate-jwt",
    "inbound",
    f"{_TOKEN_SOURCE} @require-expiration-time:bool @require-scheme @require-signed-tokens:bool @clock-skew",
    children="openid-config issuer-signing-keys decryption-keys audiences issuers required-claims",
    firm=True,
    open_attributes=True,
    open_children=True,
)
_JWT: Final = "validate-jwt,validate-azure-ad-token"
_part("validate-jwt/openid-config", "url!")
_part("validate-jwt/issuer-signing-keys", children="key")
_part(f"{_JWT}/decryption-keys", children="key")
_part("issuer-signing-keys,decryption-keys/key", "id certificate-id n e", text="text")
_part(f"{_JWT}/audiences", children="audience")
_part("audiences/audience", text="text")
_part("validate-jwt/issuers", children="issuer")
_part("issuers/issuer", text="text")
_part(f"{_JWT}/required-claims", children="claim")
_part("required-claims/claim", "name! match=all|any separator", children="value")
_part("claim/value", text="text")
_policy(
    "validate-client-certificate",
    "inbound",
    "validate-revocation:bool validate-trust:bool validate-not-before:bool validate-not-after:bool ignore-error:bool",
    children="identities",
    firm=True,
)
_part("validate-client-certificate/identities", children="identity")
_part(
    "identities/identity",
    "thumbprint serial-number common-name subject dns-name issuer-subject issuer-thumbprint issuer-certificate-id",
)

# -- how the gateway calls ---------------------------------------------------------------------------------------
_policy("authentication-basic", "inbound", "@username! @password!")
_policy(
    "authentication-certificate",
    "inbound",
    "@thumbprint @certificate-id @body @password",
    one_of=(("thumbprint", "certificate-id", "body"),),
)
_policy(
    "authentication-managed-identity",
    "inbound",
    "@resource! @client-id output-token-variable-name @ignore-error:bool",
    text="text",
)

# -- transformation ----------------------------------------------------------------------------------------------
_policy("set-method", "inbound backend on-error", text="text")
_policy("set-status", _ALL, "@code!:int @reason", text="text")
_policy("set-variable", _ALL, "@name! @value!", text="text")
_policy(
    "set-body", _ALL, "template=liquid|none @xsi-nil=blank|null @parse-date:bool", children="literal", text="literal"
)
_VALUES: Final = "@name! @exists-action=override|skip|append|delete"
_policy("set-header", _ALL, _VALUES, children="value")
_policy("set-query-parameter", "inbound backend", _VALUES, children="value")
_part("set-header,set-query-parameter/value", text="literal")
_policy("rewrite-uri", "inbound", "@template! @copy-unmatched-params:bool")
_policy(
    "json-to-xml",
    "inbound outbound on-error",
    "@apply!=always|content-type-json @consider-accept-header:bool @parse-date:bool @namespace-separator "
    "@namespace-prefix @attribute-block-name",
)
_policy(
    "xml-to-json",
    "inbound outbound on-error",
    "@kind!=javascript-friendly|direct @apply!=always|content-type-xml @consider-accept-header:bool "
    "@always-array-child-elements:bool",
)
_policy("find-and-replace", _ALL, "@from! @to!")
_policy("redirect-content-urls", "inbound outbound")
_policy("xsl-transform", "inbound outbound", children="literal", text="literal")

# -- cross-domain ------------------------------------------------------------------------------------------------
_policy(
    "cors",
    "inbound",
    "@allow-credentials:bool @terminate-unmatched-request:bool",
    children="allowed-origins allowed-methods allowed-headers expose-headers",
    firm=True,
)
_part("cors/allowed-origins", children="origin")
_part("allowed-origins/origin", text="text")
_part("cors/allowed-methods", "@preflight-result-max-age:int", children="method")
_part("allowed-methods/method", text="text")
_part("cors/allowed-headers", children="header")
_part("cors/expose-headers", children="header")
_part("allowed-headers,expose-headers/header", text="text")
_policy("cross-domain", "inbound", children="literal", text="literal", scopes="global", firm=False)
_policy("jsonp", "outbound", "@callback-parameter-name!", firm=True)

# -- caching -----------------------------------------------------------------------------------------------------
_CACHING: Final = "@caching-type=prefer-external|external|internal"
_policy(
    "cache-lookup",
    "inbound",
    f"@vary-by-developer?:bool @vary-by-developer-groups?:bool {_CACHING} "
    "@downstream-caching-type=none|private|public @must-revalidate:bool @allow-private-response-caching:bool",
    children="vary-by-header vary-by-query-parameter",
    firm=True,
    once=True,
)
_part("cache-lookup/vary-by-header", text="text")
_part("cache-lookup/vary-by-query-parameter", text="text")
_policy("cache-store", "outbound", f"@duration!:int @cache-response:bool {_CACHING}", firm=True, once=True)
_policy("cache-lookup-value", _ALL, f"@key! @variable-name! @default-value {_CACHING}")
_policy("cache-store-value", _ALL, f"@key! @value! @duration!:int {_CACHING}")
_policy("cache-remove-value", _ALL, f"@key! {_CACHING}")

_policy(
    "cache-value",
    _ALL,
    f"@key! @variable-name! @expires-after:int @refresh-after:int @default-value {_CACHING}",
    children="value",
    open_attributes=True,
)
_part("cache-value/value", children="policies")

# -- calls and messages ------------------------------------------------------------------------------------------
_REQUEST: Final = (
    "set-url set-method set-header set-body set-query-parameter authentication-certificate "
    "authentication-managed-identity authentication-basic proxy"
)
_policy(
    "send-request",
    _ALL,
    "mode=new|copy response-variable-name? @timeout:number @ignore-error:bool",
    children=_REQUEST,
    open_children=True,
)
_policy(
    "send-one-way-request",
    _ALL,
    "mode=new|copy @timeout:number @ignore-error:bool",
    children=_REQUEST,
    open_children=True,
)
_part("send-request,send-one-way-request,http-request/set-url", text="text")
_policy(
    "invoke-request",
    _ALL,
    "@method @url @backend-id response-variable-name",
    children="set-header set-body",
    open_attributes=True,
    open_children=True,
    one_of=(("url", "backend-id"),),
)
_policy("log-to-eventhub", _ALL, "logger-id! @partition-id @partition-key", text="literal")
_policy("trace", _ALL, "source! severity=verbose|information|error", children="message metadata", text="literal")
_part("trace/message", text="literal")
_part("trace/metadata", "name! @value!")
_policy("emit-metric", _ALL, "name! namespace @value:number", children="dimension")
_part("emit-metric/dimension", "name! @value")
_policy(
    "publish-to-dapr",
    "inbound outbound on-error",
    "pubsub-name @topic! @ignore-error:bool response-variable-name @timeout:int template=liquid content-type",
    children="literal",
    text="literal",
)
_policy(
    "invoke-dapr-binding",
    "inbound outbound on-error",
    "@name! operation ignore-error:bool response-variable-name @timeout:int template=liquid content-type",
    children="metadata data",
)
_part("invoke-dapr-binding/metadata", children="item")
_part("metadata/item", "key!", text="text")
_part("invoke-dapr-binding/data", children="literal", text="literal")
_policy(
    "send-service-bus-message",
    _ALL,
    "@queue-name @topic-name @namespace client-id",
    children="message-properties payload",
    open_attributes=True,
    open_children=True,
)
_part("send-service-bus-message/message-properties", children="message-property")
_part("message-properties/message-property", "name!", text="text")
_part("send-service-bus-message/payload", children="literal", text="literal")

# -- validation of content ---------------------------------------------------------------------------------------
_ACTIONS: Final = "ignore|prevent|detect"
_policy(
    "validate-content",
    "inbound outbound on-error",
    f"@unspecified-content-type-action!={_ACTIONS} @max-size!:int @size-exceeded-action!={_ACTIONS} "
    "errors-variable-name",
    children="content-type-map content",
)
_part("validate-content/content-type-map", "any-content-type-value missing-content-type-value", children="type")
_part("content-type-map/type", "from @when to!")
_part(
    "validate-content/content",
    f"type validate-as!=json|xml|soap schema-id schema-ref @action={_ACTIONS} allow-additional-properties:bool",
)
_SPECIFIED: Final = f"@specified-parameter-action={_ACTIONS} @unspecified-parameter-action={_ACTIONS}"
_policy(
    "validate-parameters",
    "inbound",
    f"@specified-parameter-action!={_ACTIONS} @unspecified-parameter-action!={_ACTIONS} errors-variable-name",
    children="headers query path",
    once=True,
)
for _name in ("headers", "query", "path"):
    _part(f"validate-parameters/{_name}", _SPECIFIED, children="parameter")
_part("headers,query,path/parameter", f"name! @action!={_ACTIONS}")
_policy(
    "validate-headers",
    "outbound on-error",
    f"@specified-header-action!={_ACTIONS} @unspecified-header-action!={_ACTIONS} errors-variable-name",
    children="header",
    once=True,
)
_part("validate-headers/header", f"name! @action!={_ACTIONS}")
_policy(
    "validate-status-code",
    "outbound on-error",
    f"@unspecified-status-code-action!={_ACTIONS} errors-variable-name",
    children="status-code",
    once=True,
)
_part("validate-status-code/status-code", f"code!:int @action!={_ACTIONS}")
_policy(
    "validate-graphql-request",
    "inbound",
    "error-variable-name @max-size:int @max-depth:int @max-total-depth:int @max-complexity:int",
    children="authorize",
    open_attributes=True,
)
_part("validate-graphql-request/authorize", children="rule")
_part("authorize/rule", "path! @action")
_policy(
    "validate-odata-request",
    "inbound",
    "error-variable-name default-odata-version min-odata-version max-odata-version @max-size:int",
    open_attributes=True,
)

# -- GraphQL resolvers: roots of their own -----------------------------------------------------------------------
_policy("publish-event", "", children="targets", scopes="")
_part("publish-event/targets", children="graphql-subscription")
_part("targets/graphql-subscription", "id!")
_policy("http-data-source", "", children="http-request backend http-response", scopes="", open_children=True)
_part("http-data-source/http-request", children="policies", open_children=True)
_part("http-data-source/backend", children="policies")
_part("http-data-source/http-response", children="policies", open_children=True)
_policy(
    "sql-data-source", "", children="connection-info include-fragment request response", scopes="", open_children=True
)
_policy(
    "cosmosdb-data-source",
    "",
    children="connection-info query-request read-request delete-request write-request response",
    scopes="",
    open_children=True,
)
_part("sql-data-source,cosmosdb-data-source/connection-info", children="literal")
_part("sql-data-source/request", "@single-result:bool", children="literal")
for _name in ("query-request", "read-request", "delete-request", "write-request"):
    _part(
        f"cosmosdb-data-source/{_name}",
        "enable-low-precision-order-by:bool type consistency-level indexing-directive pre-trigger post-trigger",
        children="literal",
    )
_part("sql-data-source,cosmosdb-data-source/response", children="policies", open_children=True)

POLICIES: Final[Mapping[str, ElementSpec]] = _POLICIES
"""Every policy element by name."""

PARTS: Final[Mapping[tuple[str, str], ElementSpec]] = _PARTS
"""Every other element by (parent, name)."""

KNOWN_NAMES: Final = frozenset(POLICIES) | {name for _, name in PARTS} | {"policies", "fragment", *SECTIONS}


def find_element(name: str, parent: str | None = None) -> ElementSpec | None:
    """What an element is: a part of its parent if that has such a part, else the policy of that name, else None."""
    if parent is not None and (parent, name) in PARTS:
        return PARTS[parent, name]
    return POLICIES.get(name)
