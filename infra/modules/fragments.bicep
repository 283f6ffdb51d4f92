// Every policy fragment. They come after the named values and backends they name, and before the policies that include them.
param serviceName string

var fragments = [
  {
    name: 'latency-routing'
    value: loadTextContent('../../policies/latency-routing/latency-routing.fragment.xml')
  }
  {
    name: 'simple-round-robin-pool'
    value: loadTextContent('../../policies/load-balancing/simple-round-robin-pool.fragment.xml')
  }
  {
    name: 'simple-round-robin'
    value: loadTextContent('../../policies/load-balancing/simple-round-robin.fragment.xml')
  }
  {
    name: 'weighted-round-robin-pool'
    value: loadTextContent('../../policies/load-balancing/weighted-round-robin-pool.fragment.xml')
  }
  {
    name: 'weighted-round-robin'
    value: loadTextContent('../../policies/load-balancing/weighted-round-robin.fragment.xml')
  }
  {
    name: 'retry-with-payg-pool'
    value: loadTextContent('../../policies/manage-spikes-with-payg/retry-with-payg-pool.fragment.xml')
  }
  {
    name: 'retry-with-payg'
    value: loadTextContent('../../policies/manage-spikes-with-payg/retry-with-payg.fragment.xml')
  }
  {
    name: 'managed-identity'
    value: loadTextContent('../../policies/managed-identity/managed-identity.fragment.xml')
  }
  {
    name: 'prioritization-calculating'
    value: loadTextContent('../../policies/prioritization/prioritization-calculating.fragment.xml')
  }
  {
    name: 'prioritization-tracking-record'
    value: loadTextContent('../../policies/prioritization/prioritization-tracking-record.fragment.xml')
  }
  {
    name: 'prioritization-tracking'
    value: loadTextContent('../../policies/prioritization/prioritization-tracking.fragment.xml')
  }
  {
    name: 'resilient-pool'
    value: loadTextContent('../../policies/resilient-pool/resilient-pool.fragment.xml')
  }
  {
    name: 'throttling-events'
    value: loadTextContent('../../policies/throttling-events/throttling-events.fragment.xml')
  }
  {
    name: 'token-limits'
    value: loadTextContent('../../policies/token-limits/token-limits.fragment.xml')
  }
  {
    name: 'usage-tracking-record'
    value: loadTextContent('../../policies/usage-tracking/usage-tracking-record.fragment.xml')
  }
  {
    name: 'usage-tracking'
    value: loadTextContent('../../policies/usage-tracking/usage-tracking.fragment.xml')
  }
]

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

@batchSize(1)
resource fragment 'Microsoft.ApiManagement/service/policyFragments@2024-05-01' = [for item in fragments: {
  parent: service
  name: item.name
  properties: {
    description: 'See policies in the repository'
    format: 'rawxml'
    value: item.value
  }
}]
