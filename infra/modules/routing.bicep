// Named values, then backends, then pools. One after the other: the service refuses parallel writes now and then.
param serviceName string
param ptuEndpoint1 string
param paygEndpoint1 string
param paygEndpoint2 string
param drainedBackends string

var namedValues = [
  {
    name: 'drained-backends'
    // a named value cannot be empty
    value: empty(drainedBackends) ? 'none' : drainedBackends
  }
  {
    name: 'low-priority-subscriptions'
    value: 'none'
  }
  {
    name: 'prioritization-tokens-per-minute'
    value: '100000'
  }
  {
    name: 'prioritization-reserve-percent'
    value: '30'
  }
  {
    name: 'token-limit-tokens-per-minute'
    value: '10000'
  }
  {
    name: 'token-limit-monthly-quota'
    value: '10000000'
  }
  {
    name: 'usage-tracking-streams'
    value: 'pass-through'
  }
]

var backends = [
  {
    name: 'ptuEndpoint1'
    description: 'Provisioned throughput'
    endpoint: ptuEndpoint1
  }
  {
    name: 'paygEndpoint1'
    description: 'Pay-as-you-go'
    endpoint: paygEndpoint1
  }
  {
    name: 'paygEndpoint2'
    description: 'Pay-as-you-go'
    endpoint: paygEndpoint2
  }
]

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

@batchSize(1)
resource namedValue 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [for item in namedValues: {
  parent: service
  name: item.name
  properties: {
    displayName: item.name
    value: item.value
    secret: false
  }
}]

// Only scheme and host of an endpoint are taken: a closing slash does not matter.
@batchSize(1)
resource backend 'Microsoft.ApiManagement/service/backends@2024-05-01' = [for item in backends: {
  parent: service
  name: item.name
  properties: {
    type: 'Single'
    description: item.description
    url: format('{0}//{1}/openai', split(item.endpoint, '/')[0], split(item.endpoint, '/')[2])
    protocol: 'http'
    // One refusal is enough to leave a backend alone for as long as its Retry-After says; errors, which say nothing, for ten seconds.
    circuitBreaker: {
      rules: [
        {
          name: 'refusals-and-errors'
          failureCondition: {
            count: 1
            interval: 'PT10S'
            statusCodeRanges: [
              {
                min: 429
                max: 429
              }
              {
                min: 500
                max: 599
              }
            ]
            errorReasons: [
              'Server errors'
              'Timeout'
              'BackendConnectionFailure'
            ]
          }
          tripDuration: 'PT10S'
          acceptRetryAfter: true
        }
      ]
    }
    tls: {
      validateCertificateChain: true
      validateCertificateName: true
    }
  }
  dependsOn: [
    namedValue
  ]
}]

resource chatPool 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'chat-pool'
  properties: {
    type: 'Pool'
    description: 'Provisioned throughput first, pay-as-you-go when its breaker is open'
    pool: {
      services: [
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'ptuEndpoint1')
          priority: 1
          weight: 100
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint1')
          priority: 2
          weight: 50
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint2')
          priority: 2
          weight: 50
        }
      ]
    }
  }
  dependsOn: [
    backend
  ]
}

resource roundRobinPool 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'round-robin-pool'
  properties: {
    type: 'Pool'
    description: 'Every endpoint in turn'
    pool: {
      services: [
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'ptuEndpoint1')
          priority: 1
          weight: 1
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint1')
          priority: 1
          weight: 1
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint2')
          priority: 1
          weight: 1
        }
      ]
    }
  }
  dependsOn: [
    chatPool
  ]
}

resource weightedPool 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'weighted-pool'
  properties: {
    type: 'Pool'
    description: 'Every endpoint by weight'
    pool: {
      services: [
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'ptuEndpoint1')
          priority: 1
          weight: 60
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint1')
          priority: 1
          weight: 30
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint2')
          priority: 1
          weight: 10
        }
      ]
    }
  }
  dependsOn: [
    roundRobinPool
  ]
}

resource embeddingsPool 'Microsoft.ApiManagement/service/backends@2024-05-01' = {
  parent: service
  name: 'embeddings-pool'
  properties: {
    type: 'Pool'
    description: 'Pay-as-you-go endpoints, where the embedding models are'
    pool: {
      services: [
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint1')
          priority: 1
          weight: 50
        }
        {
          id: resourceId('Microsoft.ApiManagement/service/backends', serviceName, 'paygEndpoint2')
          priority: 1
          weight: 50
        }
      ]
    }
  }
  dependsOn: [
    weightedPool
  ]
}
