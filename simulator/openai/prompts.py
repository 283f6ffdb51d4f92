"""Reads what a call asks for: how many tokens it brings, how many it may produce, whether it streams.

Assumed: four characters make a token, and a message costs four tokens more; no tokenizer is at work here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

CHARACTERS_PER_TOKEN = 4
DEFAULT_MAX_TOKENS = 400
"""What the service guesses when a call names no limit. Assumed."""


class MalformedCall(Exception):
    """The body is no JSON object, or lacks what the operation needs. The message is for the caller."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one call asks for. `max_tokens` is the caller's limit, or the service's guess when `limit_given` is
    False."""

    prompt_tokens: int
    max_tokens: int
    limit_given: bool
    is_stream: bool
    include_usage: bool
    model: str
    inputs: int = 1
    choices: int = 1


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_characters(item) for item in value)
    if isinstance(value, dict):
        return sum(_characters(value[key]) for key in ("text", "content", "arguments", "input_text") if key in value)
    return 0


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


@lru_cache(maxsize=2048)
def read_prompt(body: bytes, operation: str) -> Prompt:
    """Read a request body.

    Args:
        body: the JSON bytes.
        operation: "chat", "completions", "embeddings" or "responses".

    Raises:
        MalformedCall: not JSON, or the operation's input is missing.
    """
    try:
        call = json.loads(body)
    except ValueError as error:
        raise MalformedCall("We could not parse the JSON body of your request.") from error
    if not isinstance(call, dict):
        raise MalformedCall("We could not parse the JSON body of your request: an object is expected.")
    inputs = 1
    if operation == "chat":
        messages = call.get("messages")
        if not isinstance(messages, list) or not messages:
            raise MalformedCall("Missing required parameter: 'messages'.")
        prompt = sum(_tokens(_characters(message)) + 4 for message in messages) + 3
    elif operation == "completions":
        if "prompt" not in call:
            raise MalformedCall("Missing required parameter: 'prompt'.")
        prompt = _tokens(_characters(call["prompt"]))
    else:
        if "input" not in call:
            raise MalformedCall("Missing required parameter: 'input'.")
        given = call["input"]
        if operation == "embeddings" and isinstance(given, list) and given:
            numbers = all(isinstance(item, int) for item in given)
            inputs = 1 if numbers else len(given)
            prompt = (
                len(given)
                if numbers
                else sum(len(i) if isinstance(i, list) else _tokens(_characters(i)) for i in given)
            )
        else:
            prompt = _tokens(_characters(given)) + _tokens(_characters(call.get("instructions")))
    limit = next(
        (
            call[key]
            for key in ("max_completion_tokens", "max_tokens", "max_output_tokens")
            if isinstance(call.get(key), int)
        ),
        None,
    )
    options = call.get("stream_options")
    return Prompt(
        prompt_tokens=max(prompt, 1),
        max_tokens=0 if operation == "embeddings" else (DEFAULT_MAX_TOKENS if limit is None else max(limit, 1)),
        limit_given=limit is not None,
        is_stream=call.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        model=str(call.get("model") or ""),
        inputs=inputs,
        choices=call["n"] if isinstance(call.get("n"), int) and call["n"] > 0 else 1,
    )
