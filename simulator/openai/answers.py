"""The bodies Azure OpenAI answers with: completions, embeddings, responses, server-sent events, errors.

Source: Azure OpenAI data-plane inference specification 2024-10-21, and the error bodies its users have published.
The text of an answer is filler: its length is what matters.
"""

from __future__ import annotations

import json
from random import Random

from simulator.network import HttpResponse

_FILLER = (
    "Here is what the gateway would bring back from a model: a few sentences of plain filler, long enough to weigh "
    "what an answer of this many tokens weighs, and dull enough that nobody mistakes it for knowledge. It says nothing "
    "about anyone. "
) * 80


def filler(tokens: int) -> str:
    """Text of about `tokens` tokens (four characters each), free of characters that JSON would escape."""
    wanted = tokens * 4
    return _FILLER[:wanted] if wanted <= len(_FILLER) else (_FILLER * (wanted // len(_FILLER) + 1))[:wanted]


def _usage(prompt: int, completion: int) -> str:
    return (
        f'{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{prompt + completion},'
        '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
        '"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
        '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
    )


def chat_body(call_id: str, created: int, model: str, prompt: int, completion: int, *, cut: bool) -> bytes:
    """A `chat.completion`. `cut`: the answer stopped at max_tokens."""
    return (
        f'{{"id":"chatcmpl-{call_id}","object":"chat.completion","created":{created},"model":"{model}",'
        f'"system_fingerprint":"fp_embedded","prompt_filter_results":[],"choices":[{{"index":0,"finish_reason":'
        f'"{"length" if cut else "stop"}","logprobs":null,"content_filter_results":{{}},"message":{{"role":"assistant",'
        f'"refusal":null,"content":"{filler(completion)}"}}}}],"usage":{_usage(prompt, completion)}}}'
    ).encode()


def completions_body(call_id: str, created: int, model: str, prompt: int, completion: int, *, cut: bool) -> bytes:
    """A `text_completion`."""
    return (
        f'{{"id":"cmpl-{call_id}","object":"text_completion","created":{created},"model":"{model}",'
        f'"choices":[{{"index":0,"finish_reason":"{"length" if cut else "stop"}","logprobs":null,'
        f'"text":"{filler(completion)}"}}],"usage":{_usage(prompt, completion)}}}'
    ).encode()


def response_body(call_id: str, created: int, model: str, prompt: int, completion: int) -> bytes:
    """A `response` of the Responses API."""
    return json.dumps(_response_object(call_id, created, model, prompt, completion), separators=(",", ":")).encode()


def _response_object(call_id: str, created: int, model: str, prompt: int, completion: int) -> dict[str, object]:
    return {
        "id": f"resp_{call_id}",
        "object": "response",
        "created_at": created,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "output": [
            {
                "id": f"msg_{call_id}",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": filler(completion), "annotations": []}],
            }
        ],
        "usage": {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": completion,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + completion,
        },
    }


_EMBEDDINGS: dict[int, str] = {}


def embeddings_body(model: str, prompt: int, inputs: int, dimensions: int) -> bytes:
    """A list of embedding vectors (the same short pattern every time, of the model's own length)."""
    vector = _EMBEDDINGS.get(dimensions)
    if vector is None:
        vector = _EMBEDDINGS[dimensions] = ",".join(f"{((i * 37) % 101 - 50) / 2500:.4f}" for i in range(dimensions))
    data = ",".join(f'{{"object":"embedding","index":{i},"embedding":[{vector}]}}' for i in range(inputs))
    return (
        f'{{"object":"list","data":[{data}],"model":"{model}",'
        f'"usage":{{"prompt_tokens":{prompt},"total_tokens":{prompt}}}}}'
    ).encode()


def chat_chunks(
    call_id: str,
    created: int,
    model: str,
    prompt: int,
    completion: int,
    *,
    cut: bool,
    include_usage: bool,
    seconds: float,
    pieces: int = 20,
) -> list[tuple[float, bytes]]:
    """Server-sent events of a streamed chat completion: (seconds after the headers, bytes). Ends with `[DONE]`.

    Usage comes in a last chunk without choices, when asked for.
    """
    head = (
        f'{{"id":"chatcmpl-{call_id}","object":"chat.completion.chunk","created":{created},"model":"{model}",'
        '"system_fingerprint":"fp_embedded",'
    )

    def event(rest: str) -> bytes:
        return f"data: {head}{rest}}}\n\n".encode()

    def delta(content: str, finish: str) -> str:
        return f'"choices":[{{"index":0,"delta":{content},"logprobs":null,"finish_reason":{finish}}}]'

    text = filler(completion)
    size = max(len(text) // pieces, 4)
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    chunks = [(0.0, event('"prompt_filter_results":[],"choices":[]'))]
    chunks.append((0.0, event(delta('{"role":"assistant","content":"","refusal":null}', "null"))))
    for number, part in enumerate(parts, 1):
        chunks.append((seconds * number / len(parts), event(delta(f'{{"content":"{part}"}}', "null"))))
    chunks.append((seconds, event(delta("{}", '"length"' if cut else '"stop"'))))
    if include_usage:
        chunks.append((seconds, event(f'"choices":[],"usage":{_usage(prompt, completion)}')))
    chunks.append((seconds, b"data: [DONE]\n\n"))
    return chunks


def response_chunks(
    call_id: str, created: int, model: str, prompt: int, completion: int, *, seconds: float, pieces: int = 12
) -> list[tuple[float, bytes]]:
    """Server-sent events of a streamed response (Responses API): created, text deltas, completed."""
    final = _response_object(call_id, created, model, prompt, completion)
    begun = {**final, "status": "in_progress", "output": [], "usage": None}
    item = f"msg_{call_id}"
    number = 0

    def event(kind: str, **rest: object) -> bytes:
        nonlocal number
        body = json.dumps({"type": kind, "sequence_number": number, **rest}, separators=(",", ":"))
        number += 1
        return f"event: {kind}\ndata: {body}\n\n".encode()

    text = filler(completion)
    size = max(len(text) // pieces, 4)
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    place = {"item_id": item, "output_index": 0, "content_index": 0}
    chunks = [(0.0, event("response.created", response=begun))]
    shell = {"id": item, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
    chunks.append((0.0, event("response.output_item.added", output_index=0, item=shell)))
    empty = {"type": "output_text", "text": "", "annotations": []}
    chunks.append((0.0, event("response.content_part.added", **place, part=empty)))
    for index, part in enumerate(parts, 1):
        chunks.append((seconds * index / len(parts), event("response.output_text.delta", **place, delta=part)))
    chunks.append((seconds, event("response.output_text.done", **place, text=text)))
    output = final["output"]
    assert isinstance(output, list)
    chunks.append((seconds, event("response.content_part.done", **place, part=output[0]["content"][0])))
    chunks.append((seconds, event("response.output_item.done", output_index=0, item=output[0])))
    chunks.append((seconds, event("response.completed", response=final)))
    return chunks


def error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> HttpResponse:
    """An Azure OpenAI error: `{"error": {"code", "message"}}`."""
    body = json.dumps({"error": {"code": code, "message": message}}, separators=(",", ":")).encode()
    return HttpResponse(status, {"content-type": "application/json", **(headers or {})}, body)


def fresh_id(chance: Random) -> str:
    """An opaque id for one answer."""
    return f"{chance.getrandbits(120):030x}"
