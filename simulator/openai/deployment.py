"""One model deployment at work: admission, the time it takes, the answer, and what it tells telemetry.

Knows nothing of keys, paths or gateways: those are the account's.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from simulator.network import HttpResponse
from simulator.openai import answers
from simulator.openai.latency import answer_seconds
from simulator.openai.models import ModelFacts, facts_of
from simulator.openai.prompts import Prompt
from simulator.openai.provisioned import ProvisionedBucket
from simulator.openai.settings import model_settings
from simulator.openai.standard import Refusal, StandardLimits
from simulator.telemetry import ModelCall

if TYPE_CHECKING:
    from simulator.world import World

OPERATIONS = {
    "chat": "ChatCompletions_Create",
    "completions": "Completions_Create",
    "embeddings": "Embeddings_Create",
    "responses": "Responses_Create",
}
REFUSAL_SECONDS = 0.004
"""Time a refusal takes. Assumed."""
SPILLS_ON = (429, 500, 503, 400)
"""What makes a provisioned deployment spill over; of the 400s only a context too long gets this far."""


@dataclass(slots=True)
class Call:
    """One call on its way to a deployment.

    `spilled_from` is the provisioned deployment that refused it first; `spills_to` the standard one that takes it when
    this one will not.
    """

    operation: str
    prompt: Prompt
    api_version: str
    spilled_from: str | None = None
    spill_status: int = 0
    spills_to: str | None = None


class DeploymentState:
    """A deployment's running state: its bucket or its limits, its stream of chance, its faults.

    `failure_status`/`failure_ratio` let a scenario make a share of admitted calls fail inside the service.
    """

    def __init__(self, world: World, account_id: str, region: str, name: str, body: dict[str, Any]) -> None:
        self.world = world
        self.settings = model_settings(world)
        self.account_id = account_id
        self.region = region
        self.name = name
        self.failure_status = 500
        self.failure_ratio = 0.0
        self.chance: Random = world.random(f"model/{account_id.rsplit('/', 1)[1]}/{name}")
        self.bucket: ProvisionedBucket | None = None
        self.limits: StandardLimits | None = None
        self.configure(body)

    def configure(self, body: dict[str, Any]) -> None:
        """Take the deployment's ARM body: model, SKU, capacity, spillover. Running counters survive."""
        properties = body.get("properties", {})
        model = properties.get("model", {})
        sku = body.get("sku") or {}
        self.model: ModelFacts = facts_of(str(model.get("name", "")))
        self.model_name = str(model.get("name", ""))
        self.model_version = str(model.get("version", ""))
        self.served_model = f"{self.model_name}-{self.model_version}" if "-" in self.model_version else self.model_name
        self.sku_name = str(sku.get("name", "Standard"))
        self.capacity = int(sku.get("capacity", 1))
        self.spillover_to: str | None = properties.get("spilloverDeploymentName")
        self.state = str(properties.get("provisioningState", "Succeeded"))
        if "Provisioned" in self.sku_name:
            per_minute = self.capacity * self.model.input_tokens_per_minute_per_ptu
            if self.bucket is None:
                self.bucket = ProvisionedBucket(per_minute)
            self.bucket.tokens_per_minute = per_minute
            self.limits = None
        else:
            fresh = StandardLimits(self.capacity * 1000.0, self.capacity * self.model.requests_per_1000_tokens)
            if self.limits is None:
                self.limits = fresh
            self.limits.tokens_per_minute = fresh.tokens_per_minute
            self.limits.requests_per_window = fresh.requests_per_window
            self.bucket = None

    def answer(self, call: Call) -> Generator[float, None, HttpResponse]:
        """Answer one call: admit or refuse, take the time it takes, publish one `ModelCall`."""
        arrived_at = self.world.now
        prompt = call.prompt
        estimate = self._estimate(prompt)
        refused = self._admit(arrived_at, estimate)
        if refused is not None:
            yield REFUSAL_SECONDS
            self._publish(call, arrived_at, 429, 0, 0.0, 0.0, 0.0)
            return self._refusal(call, refused)
        if prompt.prompt_tokens > self.model.context_tokens:
            yield REFUSAL_SECONDS
            self._settle(-estimate)
            self._publish(call, arrived_at, 400, 0, 0.0, 0.0, 0.0)
            text = (
                f"This model's maximum context length is {self.model.context_tokens} tokens. However, your messages "
                f"resulted in {prompt.prompt_tokens} tokens. Please reduce the length of the messages."
            )
            return answers.error_response(400, "context_length_exceeded", text, self._headers(call))
        if self.failure_ratio and self.chance.random() < self.failure_ratio:
            yield 0.05 + 0.2 * self.chance.random()
            self._settle(-estimate)
            self._publish(call, arrived_at, self.failure_status, 0, 0.0, 0.0, 0.0)
            text = "The server had an error processing your request. Sorry about that!"
            code = "ServiceUnavailable" if self.failure_status == 503 else "InternalServerError"
            return answers.error_response(self.failure_status, code, text, self._headers(call))
        return (yield from self._complete(call, arrived_at, estimate))

    def _complete(self, call: Call, arrived_at: float, estimate: float) -> Generator[float, None, HttpResponse]:
        prompt, world = call.prompt, self.world
        output, cut = self._output_tokens(prompt)
        bucket = self.bucket
        load = bucket.level_ratio(arrived_at) if bucket is not None else self.limits.load_ratio(arrived_at)  # type: ignore[union-attr]
        first, last = answer_seconds(
            self.model,
            prompt_tokens=prompt.prompt_tokens,
            output_tokens=output,
            load_ratio=load,
            provisioned=bucket is not None,
            chance=self.chance,
        )
        factor = self.settings.latency_factor
        if factor != 1.0:
            first, last = first * factor, last * factor
        cost = prompt.prompt_tokens + output * self.model.output_weight if bucket is not None else 0.0

        def finish() -> None:
            if bucket is not None:
                self._settle(cost - estimate)
            self._publish(call, arrived_at, 200, output, first * 1000.0, last * 1000.0, cost)

        headers = self._headers(call)
        call_id = answers.fresh_id(self.chance)
        created = int(arrived_at)
        if prompt.is_stream and call.operation in ("chat", "responses"):
            yield first
            world.call_at(arrived_at + last, finish)
            headers["content-type"] = "text/event-stream; charset=utf-8"
            if call.operation == "chat":
                chunks = answers.chat_chunks(
                    call_id,
                    created,
                    self.served_model,
                    prompt.prompt_tokens,
                    output,
                    cut=cut,
                    include_usage=prompt.include_usage,
                    seconds=last - first,
                )
            else:
                chunks = answers.response_chunks(
                    call_id, created, self.served_model, prompt.prompt_tokens, output, seconds=last - first
                )
            return HttpResponse(200, headers, b"".join([part for _, part in chunks]), "OK", chunks)
        yield last
        finish()
        return HttpResponse(200, headers, self._body(call, call_id, created, output, cut), "OK")

    def _body(self, call: Call, call_id: str, created: int, output: int, cut: bool) -> bytes:
        tokens, model = call.prompt.prompt_tokens, self.served_model
        if call.operation == "chat":
            return answers.chat_body(call_id, created, model, tokens, output, cut=cut)
        if call.operation == "embeddings":
            return answers.embeddings_body(self.model_name, tokens, call.prompt.inputs, self.model.dimensions or 1536)
        if call.operation == "completions":
            return answers.completions_body(call_id, created, model, tokens, output, cut=cut)
        return answers.response_body(call_id, created, model, tokens, output)

    # -- admission -------------------------------------------------------------------------------------------

    def _estimate(self, prompt: Prompt) -> float:
        if self.bucket is not None:
            return prompt.prompt_tokens + prompt.max_tokens * self.model.output_weight
        return float(prompt.prompt_tokens + prompt.max_tokens * prompt.choices)

    def _admit(self, now: float, estimate: float) -> Refusal | None:
        if self.bucket is not None:
            wait = self.bucket.admit(now, estimate)
            return None if wait is None else Refusal("provisioned", wait)
        return self.limits.admit(now, estimate)  # type: ignore[union-attr]

    def _settle(self, difference: float) -> None:
        if self.bucket is not None:
            self.bucket.correct(self.world.now, difference)

    def _output_tokens(self, prompt: Prompt) -> tuple[int, bool]:
        if prompt.max_tokens == 0:
            return 0, False
        draw = self.chance.random()
        if draw < 0.04 and prompt.limit_given:
            return prompt.max_tokens * prompt.choices, True
        return max(int(prompt.max_tokens * (0.2 + 0.6 * draw)), 1) * prompt.choices, False

    # -- answers ---------------------------------------------------------------------------------------------

    def _headers(self, call: Call) -> dict[str, str]:
        request_id = f"{self.chance.getrandbits(128):032x}"
        headers = {
            "content-type": "application/json",
            "x-ms-region": self.region,
            "x-ms-deployment-name": self.name,
            "apim-request-id": request_id,
            "x-request-id": request_id,
        }
        if self.limits is not None:
            headers.update(self.limits.headers(self.world.now))
        if call.spilled_from is not None:
            headers["x-ms-spillover-from-deployment"] = call.spilled_from
            headers["x-ms-spillover-error"] = str(call.spill_status)
        return headers

    def _refusal(self, call: Call, refusal: Refusal) -> HttpResponse:
        milliseconds = max(int(refusal.retry_after_seconds * 1000), 1)
        seconds = max(-(-milliseconds // 1000), 1)
        headers = self._headers(call)
        headers["retry-after-ms"] = str(milliseconds)
        headers["retry-after"] = str(seconds)
        begin = (
            f"Requests to the {OPERATIONS[call.operation]} Operation under Azure OpenAI API version {call.api_version} "
            "have exceeded"
        )
        end = f"Please retry after {seconds} seconds."
        if self.bucket is not None:
            # Assumed: the wording; no published capture of a provisioned refusal was found.
            text = f"{begin} the provisioned throughput of deployment {self.name}. {end}"
        else:
            text = (
                f"{begin} {refusal.what} of your current OpenAI S0 pricing tier. {end} Please go here: "
                "https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
            )
        return answers.error_response(429, "429", text, headers)

    def _publish(
        self, call: Call, arrived_at: float, status: int, output: int, first_ms: float, last_ms: float, cost: float
    ) -> None:
        if call.spills_to is not None and status in SPILLS_ON:
            # Counted once, where it ends: on the standard deployment, as spilled over.
            return
        prompt = call.prompt
        self.world.telemetry.model_call(
            ModelCall(
                arrived_at,
                self.world.now,
                self.account_id,
                self.region,
                self.name,
                self.model_name,
                self.model_version,
                self.sku_name,
                f"Azure OpenAI API version {call.api_version}",
                OPERATIONS[call.operation],
                status,
                prompt.is_stream,
                call.spilled_from is not None,
                prompt.prompt_tokens if status == 200 else 0,
                0,
                output,
                first_ms,
                last_ms,
                cost,
            )
        )
