"""From a digital snnTorch network to its memristive twin."""

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import snntorch as snn
import torch
from torch import Tensor, nn

from .circuits import Circuit, MIFCircuit
from .crossbar import Array, Crossbar, RRAMConv2d, RRAMLinear
from .devices import RRAM
from .neurons import (
    MIF,
    RMIF,
    AlphaMIF,
    LapicqueMIF,
    MemristiveNeuron,
    SynapticMIF,
)
from .neurons.neuron import held_decay


def convert(
    net: nn.Module,
    *,
    rram: RRAM = RRAM(),  # noqa: B008 (frozen)
    array: Array = Array(),  # noqa: B008 (frozen)
    circuit: Circuit = MIFCircuit(),  # noqa: B008 (frozen)
    **neuron_settings: Any,
) -> nn.Module:
    """The memristive twin of ``net``, which stays as it is.

    At any depth, ``snn.Leaky`` becomes :class:`~snntorch_memristive.MIF`, ``snn.RLeaky``
    :class:`~snntorch_memristive.RMIF`, ``snn.Lapicque``
    :class:`~snntorch_memristive.LapicqueMIF`, ``snn.Synaptic``
    :class:`~snntorch_memristive.SynapticMIF`, ``snn.Alpha``
    :class:`~snntorch_memristive.AlphaMIF`, ``nn.Linear``
    :class:`~snntorch_memristive.RRAMLinear` and ``nn.Conv2d``
    :class:`~snntorch_memristive.RRAMConv2d`, with their weights, decays, threshold and flags.
    Subclasses of these are left alone: what they add would be lost. Hooks
    on replaced modules are not carried over.

    Args:
        net: any module.
        rram: the device of every crossbar.
        array: tiles, wires and read-out of every crossbar but those inside ``RMIF``.
        circuit: the circuit of every neuron; behind their synapses those of ``SynapticMIF`` and
            ``AlphaMIF`` want a plain ``MIFCircuit``.
        **neuron_settings: ``dt``, ``substeps``, ``solver``, ``spike`` or ``learn_device`` of
            every neuron.

    Returns:
        The twin. Its attribute ``left_digital`` maps the name of every module with parameters
        or buffers that was left digital to its class name.

    Raises:
        ValueError, TypeError: if a neuron's settings have no memristive twin.

    Warns:
        UserWarning: if a snnTorch neuron without a memristive twin was left as it is.

    >>> twin = convert(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), snn.Leaky(beta=0.9)))
    >>> [type(module).__name__ for module in twin]
    ['RRAMLinear', 'BatchNorm1d', 'MIF']
    >>> twin.left_digital
    {'1': 'BatchNorm1d'}
    """
    neuron_settings = {"circuit": circuit, **neuron_settings}
    # A state that still has its graph cannot be copied; its value can.
    memo = {id(state): state.detach().clone() for state in _states_with_graph(net)}
    crossbar_settings = {"rram": rram, "array": array}
    twin: Any = _twin(copy.deepcopy(net, memo), crossbar_settings, neuron_settings, done={})
    twin.left_digital = dict(_left_digital(twin))
    neurons = [n for n, m in twin.named_modules() if _is_foreign_neuron(m)]
    if neurons:
        named = ", ".join(neurons)
        warnings.warn(f"Left digital, as they have no memristive twin: {named}.", stacklevel=2)
    return twin


def _twin(
    module: nn.Module,
    crossbar: dict[str, Any],
    settings: dict[str, Any],
    done: dict[int, nn.Module],
) -> nn.Module:
    """``module``, or what takes its place, with everything below it replaced."""
    if id(module) not in done:
        twin = _replaced(module, crossbar, settings)
        done[id(module)] = twin
        if twin is module:
            for name, child in module._modules.items():
                if child is not None:
                    module._modules[name] = _twin(child, crossbar, settings, done)
    return done[id(module)]


def _replaced(module: Any, crossbar: dict[str, Any], settings: dict[str, Any]) -> nn.Module:
    if type(module) is nn.Linear:
        return RRAMLinear.from_linear(module, **crossbar)
    if type(module) is nn.Conv2d:
        return RRAMConv2d.from_conv2d(module, **crossbar)
    if type(module) is snn.Leaky:
        graded = {
            "graded_spikes_factor": module.graded_spikes_factor,
            "learn_graded_spikes_factor": _is_learned(module, "graded_spikes_factor"),
        }
        return _adopt(MIF(**_flags(module, settings), **graded, **settings), module)
    if type(module) is snn.RLeaky:
        rram = crossbar["rram"]
        neuron = RMIF(**_flags(module, settings), **_recurrence(module), rram=rram, **settings)
        neuron.adopt_recurrence(module, rram)
        return _adopt(neuron, module)
    if type(module) is snn.Lapicque:
        rc = {"R": module.R, "time_step": module.time_step}
        return _adopt(LapicqueMIF(**_flags(module, settings), **rc, **settings), module)
    if type(module) in (snn.Synaptic, snn.Alpha):
        twin = SynapticMIF if type(module) is snn.Synaptic else AlphaMIF
        learned = _is_learned(module, "alpha")
        decay: dict[str, Any] = {"alpha": _held(module.alpha), "learn_alpha": learned}
        return _adopt(twin(**_flags(module, settings), **decay, **settings), module)
    return module


def _flags(neuron: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """The arguments that snnTorch's neurons share, read back from one of them."""
    plain = ["init_hidden", "inhibition", "output", "surrogate_disable"]
    plain += ["state_quant", "reset_mechanism"]
    if hasattr(neuron, "reset_delay"):
        plain += ["reset_delay"]
    if settings.get("spike") == "binary":  # snnTorch's default is a closure: not to be pickled
        plain += ["spike_grad"]
    return {name: getattr(neuron, name) for name in plain} | {
        "beta": _held(neuron.beta),
        "threshold": neuron.threshold,
        "learn_beta": _is_learned(neuron, "beta"),
        "learn_threshold": _is_learned(neuron, "threshold"),
    }


def _recurrence(neuron: snn.RLeaky) -> dict[str, Any]:
    return {
        "V": 1.0 if neuron.all_to_all else neuron.V,
        "all_to_all": neuron.all_to_all,
        "linear_features": neuron.linear_features,
        "conv2d_channels": neuron.conv2d_channels,
        "kernel_size": neuron.kernel_size,
        "learn_recurrent": neuron.learn_recurrent,
    }


def _adopt(twin: nn.Module, digital: Any) -> nn.Module:
    for name, parameter in twin.named_parameters(recurse=False):
        if name in digital._parameters:
            parameter.requires_grad_(digital._parameters[name].requires_grad)
    return twin.to(digital.threshold.device).train(digital.training)


def _states_with_graph(net: nn.Module) -> Iterator[Tensor]:
    for module in net.modules():
        for value in (*module._buffers.values(), *vars(module).values()):
            if isinstance(value, Tensor) and value.grad_fn is not None:
                yield value


def _held(decay: Tensor) -> Tensor:
    """``decay`` inside (0, 1): snnTorch clamps it where it is used."""
    dtype = torch.promote_types(decay.dtype, torch.float32)  # which float16 would round to 1
    return held_decay(decay.detach().to(dtype))


def _is_learned(neuron: nn.Module, name: str) -> bool:
    return isinstance(getattr(neuron, name), nn.Parameter)


def _is_foreign_neuron(module: nn.Module) -> bool:
    return isinstance(module, snn.SpikingNeuron) and not isinstance(module, MemristiveNeuron)


def _left_digital(net: nn.Module) -> Iterator[tuple[str, str]]:
    ours = (Crossbar, MemristiveNeuron)
    inside: tuple[str, ...] = ()
    for name, module in net.named_modules():
        if isinstance(module, ours):
            inside += (f"{name}.",)
        elif not name.startswith(inside) and (module._parameters or module._buffers):
            yield name, type(module).__name__
