// The inference API: the operations of Azure OpenAI under one path, with the policy it is given, its logs, a product and a subscription.
param serviceName string
param apiName string
param displayName string
param path string
param policyText string

var deploymentParameter = [
  {
    name: 'deployment-id'
    description: 'Name of the model deployment'
    type: 'string'
    required: true
  }
]

var operations = [
  {
    name: 'chat-completions'
    displayName: 'Chat completions'
    urlTemplate: '/deployments/{deployment-id}/chat/completions'
    templateParameters: deploymentParameter
  }
  {
    name: 'completions'
    displayName: 'Completions'
    urlTemplate: '/deployments/{deployment-id}/completions'
    templateParameters: deploymentParameter
  }
  {
    name: 'embeddings'
    displayName: 'Embeddings'
    urlTemplate: '/deployments/{deployment-id}/embeddings'
    templateParameters: deploymentParameter
  }
  {
    name: 'responses'
    displayName: 'Responses'
    urlTemplate: '/responses'
    templateParameters: []
  }
  {
    name: 'v1-chat-completions'
    displayName: 'Chat completions (v1)'
    urlTemplate: '/v1/chat/completions'
    templateParameters: []
  }
  {
    name: 'v1-completions'
    displayName: 'Completions (v1)'
    urlTemplate: '/v1/completions'
    templateParameters: []
  }
  {
    name: 'v1-embeddings'
    displayName: 'Embeddings (v1)'
    urlTemplate: '/v1/embeddings'
    templateParameters: []
  }
  {
    name: 'v1-responses'
    displayName: 'Responses (v1)'
    urlTemplate: '/v1/responses'
    templateParameters: []
  }
]

var embeddingOperations = [
  'embeddings'
  'v1-embeddings'
]

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource azureMonitorLogger 'Microsoft.ApiManagement/service/loggers@2024-05-01' existing = {
  parent: service
  name: 'azuremonitor'
}

resource applicationInsightsLogger 'Microsoft.ApiManagement/service/loggers@2024-05-01' existing = {
  parent: service
  name: 'applicationinsights'
}

resource api 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: apiName
  properties: {
    displayName: displayName
    path: path
    protocols: [
      'https'
    ]
    subscriptionRequired: true
    // The clients of Azure OpenAI send their key in this header: here it is the key of the gateway.
    subscriptionKeyParameterNames: {
      header: 'api-key'
      query: 'subscription-key'
    }
  }
}

@batchSize(1)
resource operation 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for item in operations: {
  parent: api
  name: item.name
  properties: {
    displayName: item.displayName
    method: 'POST'
    urlTemplate: item.urlTemplate
    templateParameters: item.templateParameters
  }
}]

resource policy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: api
  name: 'policy'
  properties: {
    format: 'rawxml'
    value: policyText
  }
  dependsOn: [
    operation
  ]
}

@batchSize(1)
resource embeddingsPolicy 'Microsoft.ApiManagement/service/apis/operations/policies@2024-05-01' = [for name in embeddingOperations: {
  name: '${serviceName}/${apiName}/${name}/policy'
  properties: {
    format: 'rawxml'
    value: loadTextContent('../../policies/resilient-pool/embeddings.policy.xml')
  }
  dependsOn: [
    policy
  ]
}]

// LLM logs came after 2024-05-01; without them ApiManagementGatewayLlmLog stays empty. Counts only: no message text is kept.
resource llmLogs 'Microsoft.ApiManagement/service/apis/diagnostics@2024-06-01-preview' = {
  parent: api
  name: 'azuremonitor'
  properties: {
    loggerId: azureMonitorLogger.id
    alwaysLog: 'allErrors'
    logClientIp: true
    sampling: {
      samplingType: 'fixed'
      percentage: 100
    }
    largeLanguageModel: {
      logs: 'enabled'
    }
  }
  dependsOn: [
    embeddingsPolicy
  ]
}

resource metrics 'Microsoft.ApiManagement/service/apis/diagnostics@2024-05-01' = {
  parent: api
  name: 'applicationinsights'
  properties: {
    loggerId: applicationInsightsLogger.id
    alwaysLog: 'allErrors'
    metrics: true
    sampling: {
      samplingType: 'fixed'
      percentage: 100
    }
  }
  dependsOn: [
    llmLogs
  ]
}

resource product 'Microsoft.ApiManagement/service/products@2024-05-01' = {
  parent: service
  name: '${apiName}-product'
  properties: {
    displayName: displayName
    description: 'Calls to the models through the gateway'
    subscriptionRequired: true
    approvalRequired: true
    subscriptionsLimit: 100
    state: 'published'
  }
  dependsOn: [
    metrics
  ]
}

resource productApi 'Microsoft.ApiManagement/service/products/apis@2024-05-01' = {
  parent: product
  name: apiName
}

resource subscriptionOfTheProduct 'Microsoft.ApiManagement/service/subscriptions@2024-05-01' = {
  parent: service
  name: '${apiName}-subscription'
  properties: {
    displayName: '${displayName}: first consumer'
    scope: product.id
    state: 'active'
    allowTracing: false
  }
  dependsOn: [
    productApi
  ]
}
