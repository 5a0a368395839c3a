"""What parts of one's own owe to the others: shapes, seen at their first call, while nothing is trained yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from datamodules.errors import UserError
from lightning_modules.layers.attention import Attention
from lightning_modules.layers.bridge import Bridge
from lightning_modules.layers.decoder import Decoder
from lightning_modules.layers.encoder import Encoder
from lightning_modules.layers.pooling import Pooling
from lightning_modules.layers.state import DecoderState, Memory, StateShape

Size = int | str
"""Size of a dimension: a number, or the name of one that is free."""


def check_first_calls(model: nn.Module) -> None:
    """Has the first call of each part checked whose class is not of this project: later ones cost nothing.

    Args:
        model: Holds the parts, at any depth.

    Raises:
        UserError: From the first call: a method of a part returns what its base class does not say. The message has
            the class, the method, what was expected and what came.
    """
    for part in model.modules():
        if _is_ours(type(part)):
            continue
        if isinstance(part, Attention):
            _check_scores(part)
            _check_first(part, _attention_outputs)
        elif isinstance(part, Encoder):
            _check_first(part, _encoder_outputs)
        elif isinstance(part, Pooling):
            _check_first(part, _pooling_outputs)
        elif isinstance(part, Decoder):
            _check_first(part, _decoder_outputs)
            _check_first_step(part)
    bridge, decoder = getattr(model, "bridge", None), getattr(model, "decoder", None)
    if isinstance(bridge, Bridge) and isinstance(decoder, Decoder) and not _is_ours(type(bridge)):
        shape = decoder.state_shape
        _check_first(bridge, lambda _, inputs, output: _states("state", output, shape, inputs[0][0]))


Checks = Iterator[tuple[str, object, tuple[Size, ...]]]
"""What a method returns: for each value its name, the value, and the shape that it has to have."""


def _encoder_outputs(part: Any, inputs: tuple[Any, ...], output: Any) -> Checks:  # noqa: ANN401 - unknown yet
    embedded = inputs[0]
    memory, state = _pair(part, output, "memory", "state")
    yield "memory", memory, (*embedded.shape[:2], part.memory_size)
    yield from _states("state", state, part.state_shape, embedded.transpose(0, 1))


def _states(name: str, state: object, shape: StateShape, like: Tensor) -> Checks:
    """A recurrent state, of as many sequences as another one ``(layers, batch, size)``."""
    if not isinstance(state, tuple | list) or len(state) != shape.parts:
        yield name, state, (f"a tuple of {shape.parts}",)
        return
    for number, each in enumerate(state):
        yield f"{name}[{number}]", each, (shape.layers, like.shape[1], shape.size)


def _attention_outputs(part: Any, inputs: tuple[Any, ...], output: Any) -> Checks:  # noqa: ANN401 - likewise
    query, _, memory, _ = inputs
    context, weights = _pair(part, output, "context", "weights")
    yield "context", context, (*query.shape[:2], part.context_size)
    yield "weights", weights, (len(query), "heads", query.shape[1], memory.shape[1])


def _pooling_outputs(part: Any, inputs: tuple[Any, ...], output: object) -> Checks:  # noqa: ANN401 - likewise
    yield "output", output, (len(inputs[0]), part.output_size)


def _decoder_outputs(part: Any, inputs: tuple[Any, ...], output: Any) -> Checks:  # noqa: ANN401 - likewise
    embedded, memory = inputs[0], inputs[1]
    outputs, weights = _pair(part, output, "outputs", "weights", "state")
    batch, length = embedded.shape[:2]
    yield "outputs", outputs, (batch, length, part.output_size)
    yield "weights", weights, (batch, "heads", length, memory.mask.shape[1])


def _pair(part: nn.Module, output: object, *names: str) -> tuple[Any, Any]:
    """The first two of what a method has to return."""
    if not isinstance(output, tuple | list) or len(output) != len(names):
        raise _unfit(part, "forward", "", output, (f"a tuple of {', '.join(names)}",))
    return output[0], output[1]


def _check_first(part: nn.Module, outputs: Callable[[Any, tuple[Any, ...], Any], Checks]) -> None:
    def check(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        handle.remove()
        for name, value, shape in outputs(module, inputs, output):
            _check(module, "forward", name, value, shape)

    handle = part.register_forward_hook(check)


def _check_scores(part: Attention) -> None:
    """Checks what an attention makes of memory and query, before its base class goes on with it."""

    def check(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        handle.remove()
        query, keys, memory, _ = inputs
        _check(module, "project", "keys", keys, (*memory.shape[:2], "key_size"))
        if type(module).forward is Attention.forward:
            scores = part.score(query, keys)
            _check(module, "score", "scores", scores, (len(query), "heads", query.shape[1], memory.shape[1]))
            if scores.dtype == torch.float64 != memory.dtype:
                raise UserError(
                    f"{_method(module, 'score')} returns scores of {scores.dtype}, but the memory is of "
                    f"{memory.dtype}: {_documented(module, 'score')}"
                )

    handle = part.register_forward_pre_hook(check)


def _check_first_step(part: Decoder) -> None:
    """Checks the first step; it takes its own place on the decoder until then."""
    step = part.step

    def check(
        embedded: Tensor, memory: Memory, state: DecoderState, rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, DecoderState]:
        del part.__dict__["step"]
        output, weights, state = step(embedded, memory, state, rows)
        count = len(embedded if rows is None else rows)
        _check(part, "step", "output", output, (count, part.output_size))
        _check(part, "step", "weights", weights, (count, "heads", memory.mask.shape[1]))
        return output, weights, state

    part.__dict__["step"] = check


def _check(part: nn.Module, method: str, name: str, value: object, shape: tuple[Size, ...]) -> None:
    if not isinstance(value, Tensor) or not _fits(value, shape):
        raise _unfit(part, method, name, value, shape)


def _fits(value: Tensor, shape: tuple[Size, ...]) -> bool:
    sizes = zip(value.shape, shape, strict=False)
    return value.dim() == len(shape) and all(isinstance(size, str) or size == got for got, size in sizes)


def _unfit(part: nn.Module, method: str, name: str, value: object, shape: tuple[Size, ...]) -> UserError:
    came = f"of shape {_words(tuple(value.shape))}" if isinstance(value, Tensor) else f"as a {type(value).__name__}"
    if not name:
        came = f"a tensor {came}" if isinstance(value, Tensor) else came.removeprefix("as ")
    expected = shape[0] if len(shape) == 1 and isinstance(shape[0], str) else f"a tensor of shape {_words(shape)}"
    told = f"{_method(part, method)} returns {f'{name} {came}'.lstrip()}, but {expected} is expected"
    return UserError(f"{told}: {_documented(part, method)}")


def _method(part: nn.Module, name: str) -> str:
    """A method as a person finds it in their code."""
    return f"{type(part).__module__}.{type(part).__qualname__}.{name}"


def _documented(part: nn.Module, method: str) -> str:
    """Where a method is described that a part of one's own replaces."""
    base = next(each for each in reversed(type(part).__mro__) if _is_ours(each) and method in vars(each))
    return f"see {base.__module__}.{base.__name__}.{method}"


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "lightning_modules"


def _words(shape: tuple[Size, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
