"""What a network's layers get and send while it runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..crossbar import Crossbar
from ..neurons import MemristiveNeuron
from ..reset import reset

PASSING = (nn.Flatten, nn.Identity, nn.modules.dropout._DropoutNd)
"""Layers that pass on the values that they get (dropout in ``eval``): no part of a circuit."""


class Stage(NamedTuple):
    """A layer and what it did in the run."""

    name: str
    """In the network, as ``named_modules`` has it."""
    module: Any  # a layer, of whatever class
    input_: Tensor  # shape: (time, *in)
    output: Tensor  # shape: (time, *out)
    mem: Tensor | None  # shape: (time, *out), of a neuron
    """Membranes, in snnTorch's numbers."""


def watch(net: nn.Module, input_: Tensor) -> list[Stage]:
    """The layers of ``net`` in their order, in a run from rest on one sample.

    Afterwards ``net`` is at rest, and torch's random numbers go on as if there had been no run.

    Raises:
        ValueError: if ``input_`` is no single sample or has no time step, or the layers are not
            called one after the other, each once in every time step, with nothing in between.
    """
    if isinstance(net, nn.Sequential) and (input_.dim() == 0 or len(input_) == 0):
        raise ValueError(f"Expected `input_` of shape (time, 1, ...), got {tuple(input_.shape)}.")
    names = {module: name or type(net).__name__ for name, module in net.named_modules()}
    calls: dict[nn.Module, list[tuple[Tensor, ...]]] = {}
    reset(net)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), _listening(net, calls, names):
            if isinstance(net, nn.Sequential):
                for current in input_:
                    net(current)
            else:
                net(input_)
    finally:
        reset(net)
    _check_calls(calls, names)
    stages = [_stage(names[module], module, called) for module, called in calls.items()]
    for before, after in pairwise(stages):
        if not torch.equal(before.output.flatten(1), after.input_.flatten(1)):
            raise ValueError(
                f"Expected {after.name!r} to get what {before.name!r} sends and nothing else, but "
                f"something happens in between. Operations have to be layers of their own."
            )
    return stages


@contextmanager
def _listening(
    net: nn.Module, calls: dict[nn.Module, list], names: dict[nn.Module, str]
) -> Iterator[None]:
    def about_to(module: MemristiveNeuron, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        handed = given.get("mem", args[-1] if len(args) > 1 else None)
        mem = module.mem if handed is None else handed
        before = calls[module][-1][-1] if module in calls else torch.zeros_like(mem)
        if not torch.equal(mem, before):
            raise ValueError(
                f"Expected {names[module]!r} to start from rest and go on from the membrane that "
                "it returned, but it was given another one."
            )

    def heard(module: nn.Module, args: tuple[Any, ...], given: dict[str, Any], output: Any) -> None:
        input_ = args[0] if args else next(iter(given.values()))
        spk = output[0] if isinstance(output, tuple) else output
        mem = (module.mem.detach(),) if isinstance(module, MemristiveNeuron) else ()
        calls.setdefault(module, []).append((input_.detach(), spk.detach(), *mem))

    with ExitStack() as stack:
        for module in _layers(net):
            if module._forward_hooks or module._forward_pre_hooks:
                raise ValueError(f"Expected layers without hooks, but {names[module]!r} has one.")
            hook = module.register_forward_hook(heard, with_kwargs=True)
            stack.callback(hook.remove)
            if isinstance(module, MemristiveNeuron):
                hook = module.register_forward_pre_hook(about_to, with_kwargs=True)
                stack.callback(hook.remove)
        yield


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """Neurons, crossbars and what has no parts of its own and does something."""
    changing = nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm
    if isinstance(module, changing) and module.training:
        raise ValueError(
            f"Expected a network in eval(), but its {type(module).__name__} is in training."
        )
    if isinstance(module, (MemristiveNeuron, Crossbar)) or not list(module.children()):
        if not isinstance(module, PASSING):
            yield module
    else:
        for child in module.children():
            yield from _layers(child)


def _check_calls(calls: dict[nn.Module, list], names: dict[nn.Module, str]) -> None:
    if not any(isinstance(module, MemristiveNeuron) for module in calls):
        raise ValueError(
            "Expected `net` to call a memristive neuron step by step (not by `sequence`), "
            "but no neuron was called."
        )
    steps = {names[module]: len(called) for module, called in calls.items()}
    if len(set(steps.values())) > 1:
        listed = ", ".join(f"{name!r} {count} times" for name, count in steps.items())
        raise ValueError(f"Expected every layer once in every time step, but called were {listed}.")
    for module, called in calls.items():
        batch = called[0][0].shape[:1]
        if batch != (1,):
            raise ValueError(
                f"Expected one sample, a batch of 1, but {names[module]!r} got an input of shape "
                f"{tuple(called[0][0].shape)}."
            )


def _stage(name: str, module: nn.Module, called: list[tuple[Tensor, ...]]) -> Stage:
    input_, output, *mem = (torch.stack(part)[:, 0].double() for part in zip(*called, strict=True))
    return Stage(name, module, input_, output, mem[0] if mem else None)
