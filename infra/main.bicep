// A GenAI gateway: API Management in front of Azure OpenAI endpoints, and everything that makes it observable.
targetScope = 'subscription'

@description('Who deploys. Names are derived from it, so each username has one gateway in a subscription; it is kept as a tag.')
@minLength(1)
@maxLength(256)
param username string

@description('Region of every resource.')
param location string

@description('Azure OpenAI endpoint with provisioned throughput, for example https://contoso-ptu.openai.azure.com')
param ptuEndpoint1 string

@description('First pay-as-you-go Azure OpenAI endpoint.')
param paygEndpoint1 string

@description('Second pay-as-you-go Azure OpenAI endpoint.')
param paygEndpoint2 string

@description('The fragment that the policy of the inference API includes.')
@allowed([
  'simple-round-robin'
  'weighted-round-robin'
  'simple-round-robin-pool'
  'weighted-round-robin-pool'
  'retry-with-payg'
  'retry-with-payg-pool'
  'resilient-pool'
  'latency-routing'
  'prioritization-calculating'
  'prioritization-tracking'
  'token-limits'
  'usage-tracking'
  'managed-identity'
  'throttling-events'
])
param policyFragment string

@description('Tier of API Management. The Consumption tier has no circuit breakers and is not offered.')
@allowed([
  'Developer'
  'Basic'
  'Standard'
  'Premium'
  'BasicV2'
  'StandardV2'
])
param sku string = 'Developer'

@description('Scale units.')
@minValue(1)
@maxValue(31)
param skuCapacity int = 1

@description('Resource ids of the Azure OpenAI accounts behind the endpoints. The gateway is given access to them.')
param accountResourceIds array = []

@description('Backends that get no new requests: names separated by commas, or none. Pass the current value on when redeploying.')
param drainedBackends string = 'none'

@description('Also deploy one API for each capability, under its own path.')
param capabilityApis bool = false

@description('Name shown as the publisher of the APIs.')
@minLength(1)
@maxLength(100)
param publisherName string = 'GenAI gateway'

@description('Where API Management sends its notifications.')
@minLength(1)
@maxLength(100)
param publisherEmail string = 'genai-gateway@contoso.com'

@description('Resource group, created if it is not there.')
param resourceGroupName string = 'rg-genaigw-${uniqueString(subscription().id, username)}'

@description('What the alert rules call: a list of objects like { actionGroupId: resource id of an action group }.')
param alertActions array = []

@description('Create the custom role for operators of the console. Needs the right to write role definitions.')
param deployOperatorRole bool = true

var subscriptionId = subscription().id

var suffix = uniqueString(subscriptionId, username)

// Names are made here, not handed over as outputs: so a what-if can tell every resource before anything runs.
var serviceName = 'apim-genaigw-${suffix}'
var workspaceName = 'log-genaigw-${suffix}'
var applicationInsightsName = 'appi-genaigw-${suffix}'
var eventHubNamespaceName = 'evhns-genaigw-${suffix}'
var eventHubName = 'genai-usage'

var tags = {
  'genaigw-username': username
}

var policyFragments = [
  'simple-round-robin'
  'weighted-round-robin'
  'simple-round-robin-pool'
  'weighted-round-robin-pool'
  'retry-with-payg'
  'retry-with-payg-pool'
  'resilient-pool'
  'latency-routing'
  'prioritization-calculating'
  'prioritization-tracking'
  'token-limits'
  'usage-tracking'
  'managed-identity'
  'throttling-events'
]

// One API policy for each fragment an API can be built on.
var apiPolicies = {
  'simple-round-robin': loadTextContent('../policies/load-balancing/simple-round-robin.policy.xml')
  'weighted-round-robin': loadTextContent('../policies/load-balancing/weighted-round-robin.policy.xml')
  'simple-round-robin-pool': loadTextContent('../policies/load-balancing/simple-round-robin-pool.policy.xml')
  'weighted-round-robin-pool': loadTextContent('../policies/load-balancing/weighted-round-robin-pool.policy.xml')
  'retry-with-payg': loadTextContent('../policies/manage-spikes-with-payg/retry-with-payg.policy.xml')
  'retry-with-payg-pool': loadTextContent('../policies/manage-spikes-with-payg/retry-with-payg-pool.policy.xml')
  'resilient-pool': loadTextContent('../policies/resilient-pool/resilient-pool.policy.xml')
  'latency-routing': loadTextContent('../policies/latency-routing/latency-routing.policy.xml')
  'prioritization-calculating': loadTextContent('../policies/prioritization/prioritization-calculating.policy.xml')
  'prioritization-tracking': loadTextContent('../policies/prioritization/prioritization-tracking.policy.xml')
  'token-limits': loadTextContent('../policies/token-limits/token-limits.policy.xml')
  'usage-tracking': loadTextContent('../policies/usage-tracking/usage-tracking.policy.xml')
  'managed-identity': loadTextContent('../policies/managed-identity/managed-identity.policy.xml')
  'throttling-events': loadTextContent('../policies/throttling-events/throttling-events.policy.xml')
}

var capabilityApiNames = capabilityApis ? policyFragments : []

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'genaigw-monitoring-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceName: workspaceName
    applicationInsightsName: applicationInsightsName
    eventHubNamespaceName: eventHubNamespaceName
    eventHubName: eventHubName
  }
}

module gateway 'modules/gateway.bicep' = {
  name: 'genaigw-gateway-${suffix}'
  scope: group
  params: {
    location: location
    tags: tags
    serviceName: serviceName
    sku: sku
    skuCapacity: skuCapacity
    publisherName: publisherName
    publisherEmail: publisherEmail
    workspaceName: workspaceName
    applicationInsightsName: applicationInsightsName
    eventHubNamespaceName: eventHubNamespaceName
    eventHubName: eventHubName
  }
  dependsOn: [
    monitoring
  ]
}

// The accounts may live in other resource groups and subscriptions. One after the other: an account takes one write at a time.
@batchSize(1)
module accountAccess 'modules/account-access.bicep' = [for (accountId, index) in accountResourceIds: {
  name: 'genaigw-access-${index}-${suffix}'
  scope: resourceGroup(split(accountId, '/')[2], split(accountId, '/')[4])
  params: {
    accountName: split(accountId, '/')[8]
    principalId: gateway.outputs.principalId
  }
}]

module routing 'modules/routing.bicep' = {
  name: 'genaigw-routing-${suffix}'
  scope: group
  params: {
    serviceName: serviceName
    ptuEndpoint1: ptuEndpoint1
    paygEndpoint1: paygEndpoint1
    paygEndpoint2: paygEndpoint2
    drainedBackends: drainedBackends
  }
  dependsOn: [
    gateway
  ]
}

module fragments 'modules/fragments.bicep' = {
  name: 'genaigw-fragments-${suffix}'
  scope: group
  params: {
    serviceName: serviceName
  }
  dependsOn: [
    routing
  ]
}

module inferenceApi 'modules/inference-api.bicep' = {
  name: 'genaigw-inference-${suffix}'
  scope: group
  params: {
    serviceName: serviceName
    apiName: 'azure-openai'
    displayName: 'Azure OpenAI'
    path: 'openai'
    policyText: apiPolicies[policyFragment]
  }
  dependsOn: [
    fragments
  ]
}

module latencyOrderApi 'modules/latency-order-api.bicep' = {
  name: 'genaigw-latency-order-${suffix}'
  scope: group
  params: {
    serviceName: serviceName
  }
  dependsOn: [
    inferenceApi
  ]
}

// On request: the same operations under /<capability>/openai, each with the policy of its capability.
@batchSize(1)
module capabilityApi 'modules/inference-api.bicep' = [for name in capabilityApiNames: {
  name: 'genaigw-api-${name}'
  scope: group
  params: {
    serviceName: serviceName
    apiName: 'capability-${name}'
    displayName: 'Azure OpenAI: ${name}'
    path: '${name}/openai'
    policyText: apiPolicies[name]
  }
  dependsOn: [
    latencyOrderApi
  ]
}]

module alerts 'modules/alerts.bicep' = {
  name: 'genaigw-alerts-${suffix}'
  scope: group
  params: {
    suffix: suffix
    tags: tags
    serviceName: serviceName
    accountResourceIds: accountResourceIds
    actions: alertActions
  }
  dependsOn: [
    gateway
  ]
}

// What the console needs to watch, drain, restore and deploy fragments, and nothing else.
resource operatorRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (deployOperatorRole) {
  name: guid(subscriptionId, 'genaigw-operator', suffix)
  properties: {
    roleName: 'GenAI gateway operator ${suffix}'
    description: 'Watches a GenAI gateway, drains and restores its backends, deploys its policy fragments.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Resources/subscriptions/read'
          'Microsoft.Resources/subscriptions/resourceGroups/read'
          'Microsoft.Resources/deployments/read'
          'Microsoft.Resources/deployments/operations/read'
          'Microsoft.Resources/deployments/whatIf/action'
          'Microsoft.ResourceGraph/resources/read'
          'Microsoft.Authorization/permissions/read'
          'Microsoft.ApiManagement/service/read'
          'Microsoft.ApiManagement/service/backends/read'
          'Microsoft.ApiManagement/service/backends/write'
          'Microsoft.ApiManagement/service/namedValues/read'
          'Microsoft.ApiManagement/service/namedValues/write'
          'Microsoft.ApiManagement/service/namedValues/delete'
          'Microsoft.ApiManagement/service/policyFragments/read'
          'Microsoft.ApiManagement/service/policyFragments/write'
          'Microsoft.ApiManagement/service/policyFragments/delete'
          'Microsoft.ApiManagement/service/policyFragments/listReferences/action'
          'Microsoft.ApiManagement/service/policies/read'
          'Microsoft.ApiManagement/service/policies/write'
          'Microsoft.ApiManagement/service/apis/read'
          'Microsoft.ApiManagement/service/apis/policies/read'
          'Microsoft.ApiManagement/service/apis/policies/write'
          'Microsoft.ApiManagement/service/apis/operations/read'
          'Microsoft.ApiManagement/service/apis/operations/policies/read'
          'Microsoft.ApiManagement/service/apis/operations/policies/write'
          'Microsoft.ApiManagement/service/apis/diagnostics/read'
          'Microsoft.ApiManagement/service/products/read'
          'Microsoft.ApiManagement/service/products/policies/read'
          'Microsoft.ApiManagement/service/products/policies/write'
          'Microsoft.ApiManagement/service/subscriptions/read'
          'Microsoft.ApiManagement/service/loggers/read'
          'Microsoft.ApiManagement/service/diagnostics/read'
          'Microsoft.ApiManagement/service/tenant/operationResults/read'
          'Microsoft.ApiManagement/service/operationresults/read'
          'Microsoft.CognitiveServices/accounts/read'
          'Microsoft.CognitiveServices/accounts/deployments/read'
          'Microsoft.CognitiveServices/accounts/usages/read'
          'Microsoft.Insights/metrics/read'
          'Microsoft.Insights/metricDefinitions/read'
          'Microsoft.Insights/eventtypes/values/read'
          'Microsoft.Insights/diagnosticSettings/read'
          'Microsoft.OperationalInsights/workspaces/read'
          'Microsoft.OperationalInsights/workspaces/query/read'
          'Microsoft.OperationalInsights/workspaces/query/ApiManagementGatewayLogs/read'
          'Microsoft.OperationalInsights/workspaces/query/ApiManagementGatewayLlmLog/read'
          'Microsoft.ResourceHealth/availabilityStatuses/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [
      subscriptionId
    ]
  }
}

output gatewayUrl string = gateway.outputs.gatewayUrl
output apimServiceName string = serviceName
output resourceGroupName string = group.name
output workspaceId string = monitoring.outputs.workspaceId
