// Pain and its forerunner: callers that get 429, and provisioned throughput that is nearly used up.
param suffix string
param tags object
param serviceName string
param accountResourceIds array
param actions array

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource callerThrottled 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'genaigw-caller-429-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'More than ten requests in five minutes were answered with 429 to the caller.'
    severity: 2
    enabled: true
    autoMitigate: true
    scopes: [
      service.id
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    targetResourceType: 'Microsoft.ApiManagement/service'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'caller-429'
          metricNamespace: 'Microsoft.ApiManagement/service'
          metricName: 'Requests'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 10
          dimensions: [
            {
              name: 'GatewayResponseCode'
              operator: 'Include'
              values: [
                '429'
              ]
            }
          ]
        }
      ]
    }
    actions: actions
  }
}

// Accounts without provisioned throughput never send this metric: their rule stays silent.
resource ptuUtilization 'Microsoft.Insights/metricAlerts@2018-03-01' = [for (accountId, index) in accountResourceIds: {
  name: 'genaigw-ptu-utilization-${index}-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Provisioned throughput of ${split(accountId, '/')[8]} was over 90 percent for five minutes: it is about to refuse requests.'
    severity: 3
    enabled: true
    autoMitigate: true
    scopes: [
      accountId
    ]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    targetResourceType: 'Microsoft.CognitiveServices/accounts'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'ptu-utilization'
          metricNamespace: 'Microsoft.CognitiveServices/accounts'
          metricName: 'AzureOpenAIProvisionedManagedUtilizationV2'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: 90
          skipMetricValidation: true
        }
      ]
    }
    actions: actions
  }
}]
