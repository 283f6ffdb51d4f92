"""Where each Azure cloud keeps its endpoints and for whom it issues tokens. Constants; no I/O.

Source: azure-mgmt-core (ARM scopes), azure-monitor-query and azure-monitor-querymetrics read-me (audiences per cloud),
`az cloud list`.
Assumed: the Cognitive Services audiences of the sovereign clouds follow their DNS suffix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Cloud:
    """One Azure cloud. Hosts are names, audiences are URLs without a trailing slash."""

    name: str
    authority_host: str
    arm_host: str
    logs_host: str
    metrics_suffix: str
    models_audience: str
    models_suffixes: tuple[str, ...]

    @property
    def arm_scope(self) -> str:
        """Token scope of Resource Manager."""
        return f"https://{self.arm_host}/.default"

    @property
    def logs_scope(self) -> str:
        """Token scope of the logs query service."""
        return f"https://{self.logs_host}/.default"

    @property
    def metrics_scope(self) -> str:
        """Token scope of the metrics batch service."""
        return f"https://{self.metrics_suffix}/.default"

    @property
    def models_scope(self) -> str:
        """Token scope of Azure OpenAI's data plane."""
        return f"{self.models_audience}/.default"

    def metrics_host(self, region: str) -> str:
        """The metrics batch host of a region (`Sweden Central` and `swedencentral` alike)."""
        return f"{region.replace(' ', '').lower()}.{self.metrics_suffix}"

    def is_models_host(self, host: str) -> bool:
        """Whether a host is one Azure OpenAI accounts answer on in this cloud."""
        return host.endswith(self.models_suffixes)


CLOUDS: Mapping[str, Cloud] = MappingProxyType(
    {
        cloud.name: cloud
        for cloud in (
            Cloud(
                name="AzureCloud",
                authority_host="login.microsoftonline.com",
                arm_host="management.azure.com",
                logs_host="api.loganalytics.io",
                metrics_suffix="metrics.monitor.azure.com",
                models_audience="https://cognitiveservices.azure.com",
                models_suffixes=(".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"),
            ),
            Cloud(
                name="AzureUSGovernment",
                authority_host="login.microsoftonline.us",
                arm_host="management.usgovcloudapi.net",
                logs_host="api.loganalytics.us",
                metrics_suffix="metrics.monitor.azure.us",
                models_audience="https://cognitiveservices.azure.us",
                models_suffixes=(".openai.azure.us", ".cognitiveservices.azure.us"),
            ),
            Cloud(
                name="AzureChinaCloud",
                authority_host="login.chinacloudapi.cn",
                arm_host="management.chinacloudapi.cn",
                logs_host="api.loganalytics.azure.cn",
                metrics_suffix="metrics.monitor.azure.cn",
                models_audience="https://cognitiveservices.azure.cn",
                models_suffixes=(".openai.azure.cn", ".cognitiveservices.azure.cn"),
            ),
        )
    }
)
"""Cloud by the name Azure CLI gives it."""
