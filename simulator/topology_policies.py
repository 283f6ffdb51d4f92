"""The policy documents and fragments of the demonstration gateway, as raw policy text."""

from __future__ import annotations

GLOBAL_POLICY = """\
<policies>
    <inbound />
    <backend>
        <forward-request />
    </backend>
    <outbound />
    <on-error />
</policies>
"""

API_POLICY = """\
<policies>
    <inbound>
        <base />
        <include-fragment fragment-id="authenticate-to-models" />
        <set-backend-service backend-id="chat-pool" />
    </inbound>
    <backend>
        <include-fragment fragment-id="spill-to-payg" />
    </backend>
    <outbound>
        <base />
    </outbound>
    <on-error>
        <base />
    </on-error>
</policies>
"""

EMBEDDINGS_POLICY = """\
<policies>
    <inbound>
        <base />
        <set-backend-service backend-id="embeddings-pool" />
    </inbound>
    <backend>
        <base />
    </backend>
    <outbound>
        <base />
    </outbound>
    <on-error>
        <base />
    </on-error>
</policies>
"""

LEGACY_POLICY = """\
<policies>
    <inbound>
        <base />
        <include-fragment fragment-id="authenticate-to-models" />
        <include-fragment fragment-id="old-route" />
    </inbound>
    <backend>
        <base />
    </backend>
    <outbound>
        <base />
    </outbound>
    <on-error>
        <base />
    </on-error>
</policies>
"""

AUTHENTICATE_FRAGMENT = """\
<fragment>
    <set-header name="api-key" exists-action="delete" />
    <authentication-managed-identity resource="https://cognitiveservices.azure.com" />
</fragment>
"""

SPILL_FRAGMENT = """\
<fragment>
    <!-- The first attempt goes where inbound pointed; what that refuses is tried on pay-as-you-go. -->
    <retry condition="@(context.Response.StatusCode == 429 || context.Response.StatusCode >= 500)"
           count="2" interval="0" first-fast-retry="true">
        <choose>
            <when condition="@(context.Response != null
                && (context.Response.StatusCode == 429 || context.Response.StatusCode >= 500))">
                <set-backend-service backend-id="payg-pool" />
            </when>
        </choose>
        <forward-request buffer-request-body="true" />
    </retry>
</fragment>
"""

OLD_ROUTE_FRAGMENT = """\
<fragment>
    <!-- First release: one backend, chosen here and not by a pool. -->
    <set-backend-service backend-id="payg-legacy" />
</fragment>
"""
