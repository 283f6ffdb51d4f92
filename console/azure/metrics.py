"""Azure OpenAI's own metrics, per model deployment and minute: what the models did and what they refused.

One batch call per region and kind of question; where batch is not allowed, account by account. Source:
metrics:getBatch and
Microsoft.Insights/metrics, api-version 2024-02-01; supported metrics of Microsoft.CognitiveServices/accounts. The
service
returns ten series unless asked for more, writes dimension names in lower case, and leaves out minutes without data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from console.azure.arm import decode
from console.azure.session import AzureSession
from console.domain.gateway import Account
from console.domain.load import ModelLoad, Series, Window
from console.errors import ConsoleError, NotAllowed, SignInError, Unreachable

if TYPE_CHECKING:
    from azure.monitor.querymetrics import MetricsQueryResult

NAMESPACE = "Microsoft.CognitiveServices/accounts"
REQUESTS = "AzureOpenAIRequests"
UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
TOKENS = "TokenTransaction"
SERIES_LIMIT = 1000
"""The service cuts off silently after `top` series a resource, ten by default."""
BATCH_SIZE = 50
SETTLE_SECONDS = 60.0
"""A minute is read when it has been over for this long. Source: the newest minutes are often incomplete."""
SINGLE_API_VERSION = "2024-02-01"
BATCH_ROLE = "Ask for the role Monitoring Reader on the subscription: batch metrics need it there."
SINGLE_ROLE = "Ask for the role Monitoring Reader on the accounts."


@dataclass(frozen=True, slots=True)
class Question:
    """Metrics that can be asked together, because they share dimensions and aggregations."""

    metrics: tuple[str, ...]
    aggregations: tuple[str, ...]
    filter: str


QUESTIONS = (
    Question((REQUESTS,), ("Total",), "ModelDeploymentName eq '*' and StatusCode eq '*' and IsSpillover eq '*'"),
    Question((UTILIZATION, TOKENS), ("Average", "Total"), "ModelDeploymentName eq '*'"),
)


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """One time series as either API gives it. `points`: minute start -> (average, total); dimensions in lower case."""

    account_id: str
    metric: str
    dimensions: Mapping[str, str]
    points: Mapping[datetime, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class MetricsReading:
    """What could be read, and what could not: `errors` by region."""

    window: Window
    loads: tuple[ModelLoad, ...]
    errors: Mapping[str, ConsoleError] = field(default_factory=dict)
    notes: tuple[ConsoleError, ...] = ()
    answered_accounts: frozenset[str] = frozenset()


class MetricsReader:
    """Reads metrics of accounts; remembers for which regions batch is refused, and asks again after a while."""

    def __init__(self, session: AzureSession) -> None:
        self._session = session
        self._single_until: dict[str, float] = {}

    async def fetch(self, accounts: Sequence[Account], window: Window) -> MetricsReading:
        """Loads of every model deployment of the accounts over whole minutes. A region that fails is in `errors`."""
        regions: dict[str, list[Account]] = {}
        for account in accounts:
            regions.setdefault(account.region, []).append(account)
        outcomes = await asyncio.gather(*(self._region(r, members, window) for r, members in sorted(regions.items())))
        errors: dict[str, ConsoleError] = {}
        notes: list[ConsoleError] = []
        series: list[MetricSeries] = []
        answered: set[str] = set()
        for region, (found, note, error) in zip(sorted(regions), outcomes, strict=True):
            series += found
            if note is not None:
                notes.append(note)
            if error is not None:
                errors[region] = error
            else:
                answered |= {account.resource_id.lower() for account in regions[region]}
        ids = {account.resource_id.lower(): account.resource_id for account in accounts}
        loads = parse_loads(series, ids, window)
        return MetricsReading(window, loads, errors, tuple(notes), frozenset(answered))

    async def _region(
        self, region: str, accounts: Sequence[Account], window: Window
    ) -> tuple[list[MetricSeries], ConsoleError | None, ConsoleError | None]:
        """(series, a note when batch was refused, an error when nothing could be read)."""
        try:
            if self._single_until.get(region, 0.0) > self._session.clock.monotonic():
                return await self._one_by_one(accounts, window), None, None
            try:
                return await self._batch(region, accounts, window), None, None
            except (NotAllowed, Unreachable) as refusal:
                if isinstance(refusal, SignInError):
                    raise
                series = await self._one_by_one(accounts, window)
                self._single_until[region] = self._session.clock.monotonic() + 600
                return series, refusal, None
        except ConsoleError as error:
            return [], None, error

    async def _batch(self, region: str, accounts: Sequence[Account], window: Window) -> list[MetricSeries]:
        ids = [account.resource_id for account in accounts]
        chunks = [ids[start : start + BATCH_SIZE] for start in range(0, len(ids), BATCH_SIZE)]
        asked = [self._ask_batch(region, chunk, question, window) for chunk in chunks for question in QUESTIONS]
        return [series for answer in await asyncio.gather(*asked) for series in answer]

    async def _ask_batch(
        self, region: str, ids: Sequence[str], question: Question, window: Window
    ) -> list[MetricSeries]:
        results = await self._session.call(
            self._session.metrics(region).query_resources(
                resource_ids=ids,
                metric_namespace=NAMESPACE,
                metric_names=question.metrics,
                timespan=(window.start_at, window.end_at),
                granularity=timedelta(minutes=1),
                aggregations=question.aggregations,
                max_results=SERIES_LIMIT,
                filter=question.filter,
            ),
            what=f"The metrics of {region} cannot be read",
            where=self._session.cloud.metrics_host(region),
            remedy=BATCH_ROLE,
        )
        return [series for result in results for series in parse_batch(result)]

    async def _one_by_one(self, accounts: Sequence[Account], window: Window) -> list[MetricSeries]:
        gate = asyncio.Semaphore(6)

        async def ask(account: Account, question: Question) -> list[MetricSeries]:
            async with gate:
                body = await self._session.get_arm(
                    f"{account.resource_id}/providers/Microsoft.Insights/metrics",
                    api_version=SINGLE_API_VERSION,
                    what=f"The metrics of {account.name} cannot be read",
                    remedy=SINGLE_ROLE,
                    query={
                        "metricnamespace": NAMESPACE,
                        "metricnames": ",".join(question.metrics),
                        "aggregation": ",".join(question.aggregations),
                        "timespan": f"{_stamp(window.start_at)}/{_stamp(window.end_at)}",
                        "interval": "PT1M",
                        "$filter": question.filter,
                        "top": str(SERIES_LIMIT),
                    },
                )
            return parse_single(body, account.resource_id)

        answers = await asyncio.gather(*(ask(account, q) for account in accounts for q in QUESTIONS))
        return [series for answer in answers for series in answer]


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def settled_end(now: datetime) -> datetime:
    """The end of the newest minute that is worth reading."""
    return (now - timedelta(seconds=SETTLE_SECONDS)).replace(second=0, microsecond=0)


# -- wire to series --------------------------------------------------------------------------------------------


def parse_batch(result: MetricsQueryResult) -> Iterable[MetricSeries]:
    """Series of one resource of a batch answer. The client drops the resource's id; a metric's own id still
    holds it.
    """
    for metric in result.metrics:
        account_id = _account_of(str(metric.id))
        for element in metric.timeseries:
            yield MetricSeries(
                account_id=account_id,
                metric=str(metric.name),
                dimensions={str(k).lower(): str(v) for k, v in (element.metadata_values or {}).items()},
                points={
                    value.timestamp.astimezone(UTC): (value.average, value.total)
                    for value in element.data
                    if value.average is not None or value.total is not None
                },
            )


class _Name(msgspec.Struct):
    value: str


class _Metadata(msgspec.Struct):
    name: _Name
    value: str


class _Point(msgspec.Struct, rename="camel"):
    time_stamp: datetime
    average: float | None = None
    total: float | None = None


class _TimeSeries(msgspec.Struct):
    metadatavalues: list[_Metadata] = []
    data: list[_Point] = []


class _Metric(msgspec.Struct):
    id: str
    name: _Name
    timeseries: list[_TimeSeries] = []


class _SingleAnswer(msgspec.Struct):
    value: list[_Metric] = []


def parse_single(body: bytes, account_id: str) -> list[MetricSeries]:
    """Series of a single-resource answer.

    Raises:
        UnreadableAnswer: it has another shape.
    """
    answer = decode(body, _SingleAnswer, what="The metrics cannot be read", where=account_id)
    return [
        MetricSeries(
            account_id=account_id.lower(),
            metric=metric.name.value,
            dimensions={m.name.value.lower(): m.value for m in series.metadatavalues},
            points={
                point.time_stamp.astimezone(UTC): (point.average, point.total)
                for point in series.data
                if point.average is not None or point.total is not None
            },
        )
        for metric in answer.value
        for series in metric.timeseries
    ]


def _account_of(metric_id: str) -> str:
    return metric_id.lower().partition("/providers/microsoft.insights/metrics")[0]


# -- series to loads -------------------------------------------------------------------------------------------


def parse_loads(series: Iterable[MetricSeries], ids: Mapping[str, str], window: Window) -> tuple[ModelLoad, ...]:
    """Loads per account and model deployment. `ids`: account id lower-case -> as the account list writes it.

    Minutes in which Azure reported no request at all stay None; where it reported some, what it did not report is 0.
    """
    grouped: dict[tuple[str, str], list[MetricSeries]] = {}
    for one in series:
        deployment = one.dimensions.get("modeldeploymentname", "")
        if deployment and one.account_id in ids:
            grouped.setdefault((one.account_id, deployment), []).append(one)
    return tuple(
        _parse_load(ids[account_id], deployment, members, window)
        for (account_id, deployment), members in sorted(grouped.items())
    )


def _parse_load(account_id: str, deployment: str, series: Sequence[MetricSeries], window: Window) -> ModelLoad:
    counts = [s for s in series if s.metric == REQUESTS]
    requests = _sum(counts, window)

    def answered(*, low: int, high: int) -> Series:
        chosen = [s for s in counts if low <= _status(s) <= high]
        return _known_where(requests, _sum(chosen, window))

    denied = _known_where(requests, _sum([s for s in counts if _status(s) in (401, 403)], window))
    spilled = [s for s in counts if s.dimensions.get("isspillover", "").lower() == "true"]
    utilization = [s for s in series if s.metric == UTILIZATION and s.points]
    return ModelLoad(
        account_id=account_id,
        deployment_name=deployment,
        requests=requests,
        throttled=answered(low=429, high=429),
        failed=answered(low=500, high=599),
        denied=denied,
        missing=answered(low=404, high=404),
        tokens=_sum([s for s in series if s.metric == TOKENS], window),
        utilization=_average_percent(utilization, window) if utilization else None,
        spilled_in=_known_where(requests, _sum(spilled, window)) if spilled else None,
    )


def _status(series: MetricSeries) -> int:
    text = series.dimensions.get("statuscode", "")
    return int(text) if text.isdigit() else 0


def _minutes(window: Window) -> list[datetime]:
    return [window.start_at + timedelta(minutes=index) for index in range(round(window.minutes))]


def _sum(series: Sequence[MetricSeries], window: Window) -> Series:
    values: list[float | None] = []
    for minute in _minutes(window):
        known = [t for s in series if (t := s.points.get(minute, (None, None))[1]) is not None]
        values.append(sum(known) if known else None)
    return Series(window.start_at, tuple(values))


def _known_where(requests: Series, counts: Series) -> Series:
    return Series(
        requests.start_at,
        tuple(
            None if whole is None else (part or 0.0) for whole, part in zip(requests.values, counts.values, strict=True)
        ),
    )


def _average_percent(series: Sequence[MetricSeries], window: Window) -> Series:
    values: list[float | None] = []
    for minute in _minutes(window):
        known = [a for s in series if (a := s.points.get(minute, (None, None))[0]) is not None]
        values.append(max(known) / 100 if known else None)
    return Series(window.start_at, tuple(values))
