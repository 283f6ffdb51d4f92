// Where the gateway's logs, metrics and usage records go.
param location string
param suffix string
param tags object

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-genaigw-${suffix}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-genaigw-${suffix}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    // Without it the dimensions of custom metrics (token metrics, throttling events) are dropped.
    CustomMetricsOptedInType: 'WithDimensions'
  }
}

resource eventHubNamespace 'Microsoft.EventHub/namespaces@2024-01-01' = {
  name: 'evhns-genaigw-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
    capacity: 1
  }
  properties: {
    minimumTlsVersion: '1.2'
    disableLocalAuth: true
  }
}

resource eventHub 'Microsoft.EventHub/namespaces/eventhubs@2024-01-01' = {
  parent: eventHubNamespace
  name: 'genai-usage'
  properties: {
    partitionCount: 4
    messageRetentionInDays: 7
  }
}

output workspaceName string = workspace.name
output workspaceId string = workspace.properties.customerId
output applicationInsightsName string = applicationInsights.name
output eventHubNamespaceName string = eventHubNamespace.name
output eventHubName string = eventHub.name
