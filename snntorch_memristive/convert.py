"""From a digital snnTorch network to its memristive twin."""

import copy
import warnings
from typing import Any

import snntorch as snn
from torch import nn

from .circuits import Circuit, MIFCircuit
from .crossbar import RRAMConv2d, RRAMLinear
from .devices import RRAM
from .neurons import MIF, RMIF


def convert(
    net: nn.Module,
    *,
    rram: RRAM = RRAM(),  # noqa: B008 (frozen)
    circuit: Circuit = MIFCircuit(),  # noqa: B008 (frozen)
    **neuron_settings: Any,
) -> nn.Module:
    """The memristive twin of ``net``, which stays as it is.

    At any depth, ``snn.Leaky`` becomes :class:`~snntorch_memristive.MIF`, ``snn.RLeaky``
    :class:`~snntorch_memristive.RMIF`, ``nn.Linear`` :class:`~snntorch_memristive.RRAMLinear`
    and ``nn.Conv2d`` :class:`~snntorch_memristive.RRAMConv2d`, with their weights, beta,
    threshold and flags. Subclasses of these are left alone: what they add would be lost.

    Args:
        net: any module.
        rram: the device of every crossbar.
        circuit: the circuit of every neuron.
        **neuron_settings: ``dt``, ``substeps``, ``solver``, ``spike`` or ``learn_device`` of
            every neuron.

    Returns:
        The twin. Its attribute ``left_digital`` maps the name of every module with parameters
        or buffers that was left digital to its class name.

    Warns:
        UserWarning: if a snnTorch neuron without a memristive twin was left as it is.

    >>> twin = convert(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), snn.Leaky(beta=0.9)))
    >>> [type(module).__name__ for module in twin]
    ['RRAMLinear', 'BatchNorm1d', 'MIF']
    >>> twin.left_digital
    {'1': 'BatchNorm1d'}
    """
    neuron_settings = {"circuit": circuit, **neuron_settings}
    twin = _twin(copy.deepcopy(net), rram, neuron_settings, done={})
    twin.left_digital = dict(_left_digital(twin))
    neurons = [n for n, m in twin.named_modules() if _is_foreign_neuron(m)]
    if neurons:
        named = ", ".join(neurons)
        warnings.warn(f"Left digital, as they have no memristive twin: {named}.", stacklevel=2)
    return twin


def _twin(
    module: nn.Module, rram: RRAM, settings: dict[str, Any], done: dict[int, nn.Module]
) -> nn.Module:
    """``module``, or what takes its place, with everything below it replaced."""
    if id(module) not in done:
        twin = _replaced(module, rram, settings)
        done[id(module)] = twin
        if twin is module:
            for name, child in module._modules.items():
                if child is not None:
                    module._modules[name] = _twin(child, rram, settings, done)
    return done[id(module)]


def _replaced(module: nn.Module, rram: RRAM, settings: dict[str, Any]) -> nn.Module:
    if type(module) is nn.Linear:
        return RRAMLinear.from_linear(module, rram=rram)
    if type(module) is nn.Conv2d:
        return RRAMConv2d.from_conv2d(module, rram=rram)
    if type(module) is snn.Leaky:
        graded = {
            "graded_spikes_factor": module.graded_spikes_factor,
            "learn_graded_spikes_factor": _is_learned(module, "graded_spikes_factor"),
        }
        return _adopt(MIF(**_flags(module), **graded, **settings), module)
    if type(module) is snn.RLeaky:
        neuron = RMIF(**_flags(module), **_recurrence(module), rram=rram, **settings)
        neuron.recurrent.load_state_dict(module.recurrent.state_dict())
        return _adopt(neuron, module)
    return module


def _flags(neuron: Any) -> dict[str, Any]:
    """The arguments that ``snn.Leaky`` and ``snn.RLeaky`` share, read back from a neuron."""
    plain = ("init_hidden", "inhibition", "output", "surrogate_disable", "spike_grad")
    plain += ("state_quant", "reset_mechanism", "reset_delay")
    return {name: getattr(neuron, name) for name in plain} | {
        "beta": neuron.beta,
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


def _adopt(twin: nn.Module, digital: nn.Module) -> nn.Module:
    return twin.to(digital.threshold.device).train(digital.training)


def _is_learned(neuron: nn.Module, name: str) -> bool:
    return isinstance(getattr(neuron, name), nn.Parameter)


def _is_foreign_neuron(module: nn.Module) -> bool:
    return isinstance(module, snn.SpikingNeuron) and not isinstance(module, (MIF, RMIF))


def _left_digital(net: nn.Module) -> Any:
    ours = (RRAMLinear, RRAMConv2d, MIF, RMIF)
    inside: tuple[str, ...] = ()
    for name, module in net.named_modules():
        if isinstance(module, ours):
            inside += (f"{name}.",)
        elif not name.startswith(inside) and (module._parameters or module._buffers):
            yield name, type(module).__name__
