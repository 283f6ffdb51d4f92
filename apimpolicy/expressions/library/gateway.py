"""The member tables of `context` and everything below it, but for bodies and tokens."""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any

from apimpolicy.expressions.context import (
    Api,
    Authorization,
    BasicCredentials,
    Body,
    Certificate,
    Deployment,
    Group,
    Jwt,
    LastError,
    MultiMap,
    Operation,
    PolicyContext,
    Product,
    Request,
    Response,
    Subscription,
    Url,
    User,
    UserIdentity,
    Workspace,
)
from apimpolicy.expressions.dates import DateTime, TimeSpan, from_datetime
from apimpolicy.expressions.defaults import default_of
from apimpolicy.expressions.errors import CsException, argument_null
from apimpolicy.expressions.library.bodies import unbox_as
from apimpolicy.expressions.library.values_of_system import Guid, parse_guid
from apimpolicy.expressions.runtime_types import CLASSES
from apimpolicy.expressions.text import TEXT
from apimpolicy.expressions.types import (
    OBJECT,
    STRING,
    CType,
    define,
    define_enum,
    make,
)
from apimpolicy.expressions.values import CsArray, CsList

CLASSES.update(
    IProxyRequestContext=PolicyContext,
    IRequest=Request,
    IResponse=Response,
    IMessageBody=Body,
    IUrl=Url,
    IApi=Api,
    IOperation=Operation,
    IProduct=Product,
    ISubscription=Subscription,
    IUser=User,
    IDeployment=Deployment,
    ILastError=LastError,
    IGroup=Group,
    IUserIdentity=UserIdentity,
    Jwt=Jwt,
    Authorization=Authorization,
    BasicAuthCredentials=BasicCredentials,
    X509Certificate2=Certificate,
    IWorkspace=Workspace,
)
TEXT[Url] = str


def variable(variables: dict[str, Any], name: str | None) -> Any:
    if name is None:
        raise argument_null("key")
    try:
        return variables[name]
    except KeyError:
        raise CsException(
            "KeyNotFoundException", f"The given key '{name}' was not present in the dictionary."
        ) from None


def _variable_or_default(variables: dict[str, Any], name: str) -> Any:
    return variables.get(name)


def _variable_as(types: tuple[CType, ...], variables: dict[str, Any], name: str) -> Any:
    return unbox_as(variables[name], types[0]) if name in variables else default_of(types[0])


def _variable_as_or(types: tuple[CType, ...], variables: dict[str, Any], name: str, fallback: Any) -> Any:
    return unbox_as(variables[name], types[0]) if name in variables else fallback


def _try_variable(variables: dict[str, Any], name: str) -> tuple[bool, Any]:
    return name in variables, variables.get(name)


_MAP: dict[str, Any] = {
    "V this[string]": variable,
    "int Count": len,
    "bool ContainsKey(string)": lambda m, k: k in m,
    "bool TryGetValue(string, out V)": _try_variable,
    "V GetValueOrDefault(string)": _variable_or_default,
    "IEnumerable<string> Keys": lambda m: CsList(m, STRING),
    "IEnumerable<V> Values": lambda m: CsList(m.values(), OBJECT),
}


def _map_table(value_type: str) -> dict[str, Any]:
    return {
        key.replace("V ", f"{value_type} ")
        .replace("out V)", f"out {value_type})")
        .replace("<V>", f"<{value_type}>"): value
        for key, value in _MAP.items()
    }


define(
    "VariableDictionary",
    namespace="",
    bases=["IEnumerable<KeyValuePair<string, object>>"],
    members={
        **_map_table("object"),
        "^T GetValueOrDefault<T>(string)": _variable_as,
        "^T GetValueOrDefault<T>(string variableName, T defaultValue)": _variable_as_or,
    },
)
define(
    "ParameterDictionary",
    namespace="",
    bases=["IEnumerable<KeyValuePair<string, string>>"],
    members={**_map_table("string"), "string GetValueOrDefault(string, string)": lambda m, k, d: m.get(k, d)},
)
define(
    "CertificateDictionary",
    namespace="",
    bases=["IEnumerable<KeyValuePair<string, X509Certificate2>>"],
    members=_map_table("X509Certificate2"),
)


def _multi_get(values: MultiMap, name: str) -> CsArray:
    found = values.values(name)
    if found is None:
        raise CsException("KeyNotFoundException", f"The given key '{name}' was not present in the dictionary.")
    return CsArray(found, STRING)


def _multi_try(values: MultiMap, name: str) -> tuple[bool, Any]:
    found = values.values(name)
    return found is not None, None if found is None else CsArray(found, STRING)


_MULTI: dict[str, Any] = {
    "string[] this[string]": _multi_get,
    "int Count": len,
    "bool ContainsKey(string)": lambda m, k: k in m,
    "bool TryGetValue(string, out string[])": _multi_try,
    "string GetValueOrDefault(string)": lambda m, k: m.get(k),
    "string GetValueOrDefault(string, string)": lambda m, k, d: m.get(k, d),
    "string[] GetValueOrDefault(string, string[])": lambda m, k, d: _multi_try(m, k)[1] if k in m else d,
    "IEnumerable<string> Keys": lambda m: CsList(m, STRING),
    "IEnumerable<string[]> Values": lambda m: CsList(
        [CsArray(v, STRING) for _, v in m.index.values()], make("[]", STRING)
    ),
}
for _name in ("HeaderDictionary", "QueryDictionary"):
    define(_name, namespace="", bases=["IEnumerable<KeyValuePair<string, string[]>>"], members=_MULTI)


# -- the tree under context --------------------------------------------------------------------------------------


def _moment(name: str) -> Any:
    read = attrgetter(name)

    def get(owner: Any) -> DateTime | None:
        value: datetime | None = read(owner)
        return None if value is None else from_datetime(value)

    return get


def _needed_moment(name: str) -> Any:
    read = _moment(name)
    return lambda owner: read(owner) or DateTime(0)


def _request_id(context: PolicyContext) -> Guid:
    return parse_guid(str(context.request_id))


def _elapsed(context: PolicyContext) -> TimeSpan:
    value = context.elapsed
    span = value() if callable(value) else value
    return TimeSpan((span.days * 86_400 + span.seconds) * 10_000_000 + span.microseconds * 10)


def _trace(context: PolicyContext, message: str) -> None:
    if context.trace is not None:
        context.trace(message)


def _interface(name: str, members: dict[str, Any]) -> None:
    define(name, kind="interface", namespace="", members=members)


_STATES = define_enum("ProductState", {"NotPublished": 0, "Published": 1}, "").values
_interface(
    "IProxyRequestContext",
    {
        "IApi Api": attrgetter("api"),
        "IDeployment Deployment": attrgetter("deployment"),
        "TimeSpan Elapsed": _elapsed,
        "ILastError LastError": attrgetter("last_error"),
        "IOperation Operation": attrgetter("operation"),
        "IProduct Product": attrgetter("product"),
        "IRequest Request": attrgetter("request"),
        "IResponse Response": attrgetter("response"),
        "Guid RequestId": _request_id,
        "ISubscription Subscription": attrgetter("subscription"),
        "DateTime Timestamp": _needed_moment("timestamp"),
        "bool Tracing": attrgetter("tracing"),
        "IUser User": attrgetter("user"),
        "VariableDictionary Variables": attrgetter("variables"),
        "IWorkspace Workspace": attrgetter("workspace"),
        "void Trace(string)": _trace,
    },
)
_interface(
    "IRequest",
    {
        "IMessageBody Body": attrgetter("body"),
        "X509Certificate2 Certificate": attrgetter("certificate"),
        "HeaderDictionary Headers": attrgetter("headers"),
        "string IpAddress": attrgetter("ip_address"),
        "ParameterDictionary MatchedParameters": attrgetter("matched_parameters"),
        "string Method": attrgetter("method"),
        "IUrl OriginalUrl": lambda r: r.url if r.original_url is None else r.original_url,
        "IUrl Url": attrgetter("url"),
        "IFoundry Foundry": lambda r: r if "deployment-id" in r.matched_parameters else None,
        "IPrivateEndpointConnection PrivateEndpointConnection": attrgetter("private_endpoint"),
    },
)
_interface("IFoundry", {"string Deployment": lambda r: r.matched_parameters["deployment-id"]})
_interface(
    "IPrivateEndpointConnection",
    {
        "string Name": attrgetter("name"),
        "string GroupId": attrgetter("group_id"),
        "string MemberName": attrgetter("member_name"),
    },
)
_interface(
    "IResponse",
    {
        "IMessageBody Body": attrgetter("body"),
        "HeaderDictionary Headers": attrgetter("headers"),
        "int StatusCode": attrgetter("status_code"),
        "string StatusReason": attrgetter("status_reason"),
    },
)
_interface(
    "IUrl",
    {
        "string Host": attrgetter("host"),
        "string Path": attrgetter("path"),
        "int Port": attrgetter("port"),
        "QueryDictionary Query": attrgetter("query"),
        "string QueryString": attrgetter("query_string"),
        "string Scheme": attrgetter("scheme"),
        "string ToString()": str,
    },
)
_interface("IWorkspace", {"string Id": attrgetter("id"), "string Name": attrgetter("name")})
_interface(
    "ISubscriptionKeyParameterNames",
    {"string Header": attrgetter("subscription_key_header"), "string Query": attrgetter("subscription_key_query")},
)
_interface(
    "IApi",
    {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "string Path": attrgetter("path"),
        "string Revision": attrgetter("revision"),
        "string Version": attrgetter("version"),
        "bool IsCurrentRevision": attrgetter("is_current_revision"),
        "IEnumerable<string> Protocols": lambda a: CsList(a.protocols, STRING),
        "IUrl ServiceUrl": attrgetter("service_url"),
        "ISubscriptionKeyParameterNames SubscriptionKeyParameterNames": lambda a: a,
        "IWorkspace Workspace": attrgetter("workspace"),
    },
)
_interface(
    "IOperation",
    {
        "string Id": attrgetter("id"),
        "string Method": attrgetter("method"),
        "string Name": attrgetter("name"),
        "string UrlTemplate": attrgetter("url_template"),
    },
)
_interface("IGroup", {"string Id": attrgetter("id"), "string Name": attrgetter("name")})
_interface("IUserIdentity", {"string Id": attrgetter("id"), "string Provider": attrgetter("provider")})
_interface(
    "IProduct",
    {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "bool ApprovalRequired": attrgetter("approval_required"),
        "bool SubscriptionRequired": attrgetter("subscription_required"),
        "int? SubscriptionLimit": attrgetter("subscription_limit"),
        "int? SubscriptionsLimit": attrgetter("subscription_limit"),
        "ProductState State": lambda p: _STATES["Published" if p.is_published else "NotPublished"],
        "IEnumerable<IGroup> Groups": lambda p: CsList(p.groups, make("IGroup")),
        "IEnumerable<IApi> Apis": lambda p: CsList(p.apis, make("IApi")),
        "IWorkspace Workspace": attrgetter("workspace"),
    },
)
_interface(
    "ISubscription",
    {
        "string Id": attrgetter("id"),
        "string Name": attrgetter("name"),
        "string Key": attrgetter("key"),
        "string PrimaryKey": attrgetter("primary_key"),
        "string SecondaryKey": attrgetter("secondary_key"),
        "DateTime CreatedDate": _needed_moment("created_at"),
        "DateTime? StartDate": _moment("starts_at"),
        "DateTime? EndDate": _moment("ends_at"),
    },
)
_interface(
    "IUser",
    {
        "string Id": attrgetter("id"),
        "string FirstName": attrgetter("first_name"),
        "string LastName": attrgetter("last_name"),
        "string Email": attrgetter("email"),
        "string Note": attrgetter("note"),
        "DateTime RegistrationDate": _needed_moment("registered_at"),
        "IEnumerable<IGroup> Groups": lambda u: CsList(u.groups, make("IGroup")),
        "IEnumerable<IUserIdentity> Identities": lambda u: CsList(u.identities, make("IUserIdentity")),
    },
)
_interface(
    "IGateway",
    {
        "string Id": attrgetter("gateway_id"),
        "string InstanceId": attrgetter("gateway_instance_id"),
        "bool IsManaged": attrgetter("is_managed"),
    },
)
_interface(
    "IDeployment",
    {
        "string Region": attrgetter("region"),
        "string ServiceName": attrgetter("service_name"),
        "string ServiceId": attrgetter("service_id"),
        "string GatewayId": attrgetter("gateway_id"),
        "IGateway Gateway": lambda d: d,
        "CertificateDictionary Certificates": attrgetter("certificates"),
    },
)
_interface(
    "ILastError",
    {
        "string Source": attrgetter("source"),
        "string Reason": attrgetter("reason"),
        "string Message": attrgetter("message"),
        "string Scope": attrgetter("scope"),
        "string Section": attrgetter("section"),
        "string Path": attrgetter("path"),
        "string PolicyId": attrgetter("policy_id"),
    },
)
define(
    "X509Certificate2",
    namespace="System.Security.Cryptography.X509Certificates",
    members={
        "string Thumbprint": attrgetter("thumbprint"),
        "string Subject": attrgetter("subject"),
        "string Issuer": attrgetter("issuer"),
        "string SerialNumber": attrgetter("serial_number"),
        "string FriendlyName": attrgetter("friendly_name"),
        "DateTime NotBefore": _needed_moment("not_before"),
        "DateTime NotAfter": _needed_moment("not_after"),
        "X500DistinguishedName SubjectName": lambda c: c.subject,
        "X500DistinguishedName IssuerName": lambda c: c.issuer,
        "bool Verify()": attrgetter("is_valid"),
        "bool VerifyNoRevocation()": attrgetter("is_valid"),
        "string GetCertHashString()": attrgetter("thumbprint"),
        "string GetSerialNumberString()": attrgetter("serial_number"),
    },
)
define(
    "X500DistinguishedName",
    namespace="System.Security.Cryptography.X509Certificates",
    members={"string Name": lambda t: t},
)
