// The small API that reads and sets the order in which latency-routing tries the backends.
// It has a subscription of its own and belongs to no product: callers of the models must not be able to turn the traffic.
param serviceName string

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource api 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'latency-order'
  properties: {
    displayName: 'Latency order'
    path: 'latency-order'
    protocols: [
      'https'
    ]
    subscriptionRequired: true
  }
}

resource readOrder 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = {
  parent: api
  name: 'read-order'
  properties: {
    displayName: 'Read the order'
    method: 'GET'
    urlTemplate: '/order'
  }
}

resource setOrder 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = {
  parent: api
  name: 'set-order'
  properties: {
    displayName: 'Set the order'
    method: 'PUT'
    urlTemplate: '/order'
  }
  dependsOn: [
    readOrder
  ]
}

resource policy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: api
  name: 'policy'
  properties: {
    format: 'rawxml'
    value: loadTextContent('../../policies/latency-routing/latency-order.policy.xml')
  }
  dependsOn: [
    setOrder
  ]
}

resource operatorSubscription 'Microsoft.ApiManagement/service/subscriptions@2024-05-01' = {
  parent: service
  name: 'latency-order-operator'
  properties: {
    displayName: 'Latency order: operators'
    scope: api.id
    state: 'active'
    allowTracing: false
  }
  dependsOn: [
    policy
  ]
}
