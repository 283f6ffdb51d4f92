// API Management with its identity, its loggers, and the diagnostics that fill the resource-specific tables.
param location string
param tags object
param serviceName string
param sku string
param skuCapacity int
param publisherName string
param publisherEmail string
param workspaceName string
param applicationInsightsName string
param eventHubNamespaceName string
param eventHubName string

// Azure Event Hubs Data Sender
var eventHubSenderRoleId = '2b629674-e913-4c01-ae53-ef4638d8f975'

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource eventHubNamespace 'Microsoft.EventHub/namespaces@2024-01-01' existing = {
  name: eventHubNamespaceName
}

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: serviceName
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: skuCapacity
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    publisherName: publisherName
    publisherEmail: publisherEmail
  }
}

// Dedicated means the resource-specific tables ApiManagementGatewayLogs and ApiManagementGatewayLlmLog.
resource serviceLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'genaigw-logs'
  scope: service
  properties: {
    workspaceId: workspace.id
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'GatewayLogs'
        enabled: true
      }
      {
        category: 'GatewayLlmLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

// The gateway sends usage records as itself: no key is kept anywhere.
resource eventHubSender 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(eventHubNamespace.id, service.id, eventHubSenderRoleId)
  scope: eventHubNamespace
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventHubSenderRoleId)
    principalId: service.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource azureMonitorLogger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: service
  name: 'azuremonitor'
  properties: {
    loggerType: 'azureMonitor'
    isBuffered: false
  }
}

resource applicationInsightsLogger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: service
  name: 'applicationinsights'
  properties: {
    loggerType: 'applicationInsights'
    description: 'Token metrics and throttling events'
    resourceId: applicationInsights.id
    credentials: {
      instrumentationKey: applicationInsights.properties.InstrumentationKey
    }
  }
  dependsOn: [
    azureMonitorLogger
  ]
}

resource eventHubLogger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: service
  name: 'usage-event-hub'
  properties: {
    loggerType: 'azureEventHub'
    description: 'One usage record for each call'
    credentials: {
      name: eventHubName
      endpointAddress: '${eventHubNamespaceName}.servicebus.windows.net'
      identityClientId: 'SystemAssigned'
    }
  }
  dependsOn: [
    applicationInsightsLogger
    eventHubSender
  ]
}

resource azureMonitorDiagnostic 'Microsoft.ApiManagement/service/diagnostics@2024-05-01' = {
  parent: service
  name: 'azuremonitor'
  properties: {
    loggerId: azureMonitorLogger.id
    alwaysLog: 'allErrors'
    logClientIp: true
    sampling: {
      samplingType: 'fixed'
      percentage: 100
    }
  }
  dependsOn: [
    eventHubLogger
  ]
}

output gatewayUrl string = service.properties.gatewayUrl
output principalId string = service.identity.principalId
