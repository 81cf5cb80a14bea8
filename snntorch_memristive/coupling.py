r"""A crossbar's columns tied to the membranes of its neurons, with no circuit in between.

A layer and a neuron by themselves are joined by a virtual ground: an amplifier holds the column at
0 V, reads its current and drives a copy of it, of any gain, into the membrane. Without the
amplifier a column is at the membrane's voltage. Its positive cells are driven by ``v_in``, its
negative ones by ``-v_in``, both measured from a common ``v_zero``, so that

.. math::
    i = \sum g^+ (v_{zero} + v_{in} - v) + \sum g^- (v_{zero} - v_{in} - v)
      = \sum (g^+ - g^-)\, v_{in} - G\, (v - v_{zero}), \qquad G = \sum (g^+ + g^-)

Two things follow. The current of a unit of input is what the cells give,
:math:`(g_{on} - g_{off})\, v_{read} / w_{max}`, and no longer a setting (:func:`matched_window`).
And the column's whole conductance :math:`G` is a leak, another one for every neuron
(:func:`couple`). With a window that is matched to a neuron of gain 1 the leak is, as a multiple of
the conductance :math:`g_{rest}` of a membrane at rest,

.. math::
    \frac{G}{g_{rest}} = \frac{\Delta v}{v_{read}}\, \frac{1}{threshold\,(1 - \beta)}
    \left(\sum |w| + \frac{2\, rows\; w_{max}}{r_{off} / r_{on} - 1}\right)

with :math:`\Delta v` from rest to threshold: only a read voltage far above :math:`\Delta v`, and
cells as resistive as it asks for, make it small.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from .circuits import LoadedMIFCircuit, MIFCircuit
from .crossbar import RRAMLinear
from .devices import RRAM, Ohmic
from .neurons import MIF

FAINT = 1e-6
"""Load, as a multiple of the conductance at rest, of the circuit that loads are counted from."""

SETTINGS = (
    *("beta", "threshold", "spike_grad", "surrogate_disable", "init_hidden", "inhibition"),
    *("reset_mechanism", "state_quant", "output", "graded_spikes_factor", "reset_delay"),
    *("dt", "substeps", "solver", "spike", "engine"),
)
"""Arguments that a coupled neuron takes over."""


def matched_window(layer: RRAMLinear, neuron: MIF) -> RRAM:
    """The cell of ``layer``, its window scaled so that columns can drive ``neuron`` by themselves.

    An input of 1, at the ``v_read`` of the layer's array, then makes as much current as ``neuron``
    takes for it now. ``r_off / r_on`` and all imperfections are as they were. Assigning the result
    to ``layer.rram`` draws a new chip.

    Raises:
        TypeError, ValueError: as :func:`couple`.
    """
    _checked(layer, neuron)
    factor = _unit_current(layer) / float(neuron.amperes(1.0))
    rram = layer.rram
    return replace(rram, r_on=rram.r_on * factor, r_off=rram.r_off * factor)


def couple(layer: RRAMLinear, neuron: MIF, v_zero: float | None = None) -> MIF:
    r"""``neuron`` with the columns of ``layer`` tied to its membranes: a new MIF, at rest.

    Its gain is what the cells of ``layer`` give at the ``v_read`` of its array, and its circuit a
    :class:`~.LoadedMIFCircuit` whose ``r_load``, of shape
    ``(out_features,)``, is the column's resistance; neither is trained. Both are those of the cells
    as they are now: couple ``neuron`` anew when the weights have changed. No gradient of the load
    reaches the weights.

    Capacitor, sources and ``threshold`` are those of ``neuron``, and so are the volts that ``mem``
    stands for: 0 is where it rests without a load, and ``coupled.beta`` what it forgets by without
    one. With a load of :math:`l = G / g_{rest}` and the memristors at rest,

    - it forgets by :math:`\beta^{1 + l}` per step;
    - a constant input moves it by :math:`\frac{1}{1 + l}` of what it did;
    - without input it is pulled from ``v_rest`` to ``v_zero``: ``mem`` settles at
      :math:`\frac{l}{1 + l}\, \frac{v_{zero} - v_{rest}}{\Delta v}` of the threshold.

    Args:
        layer: the crossbar.
        neuron: the neuron behind it.
        v_zero: voltage (V) around which the drivers swing, that of an input of 0; where ``neuron``
            rests if left out, so that its rest stays. With 0 (ground) the default circuit's
            ``mem`` falls by up to 0.2 thresholds.

    Raises:
        TypeError: if ``layer`` is no RRAMLinear, or ``neuron`` no MIF (an RMIF has other columns)
            or its circuit no plain MIFCircuit.
        ValueError: if ``neuron`` trains anything, has a spread (vary the result instead) or has a
            ``beta`` or ``threshold`` per neuron, so that no single window fits it; if ``v_zero``
            is not finite; if the cells are no differential pairs, as subtracting a reference takes
            a circuit, or not ohmic, or behind wires, and so no plain resistors.

    >>> layer, mif = RRAMLinear(20, 3), MIF(0.9)
    >>> layer.rram = matched_window(layer, mif)
    >>> coupled = couple(layer, mif)
    >>> tuple(coupled.circuit.r_load.shape), f"{coupled.gain:.3f}"
    ((3,), '1.000')
    """
    circuit = _checked(layer, neuron)
    plain = replace(circuit, c_mem=MIFCircuit.c_mem)  # beta sets it; kernels are per circuit
    nominal = 1 / (FAINT * plain.leak() * plain.c_mem)
    e_load = plain.rest()["v"] if v_zero is None else v_zero
    coupled = MIF(
        **{name: getattr(neuron, name) for name in SETTINGS},
        circuit=LoadedMIFCircuit(**vars(plain), r_load=nominal, e_load=e_load),
        learn_device={"r_load": (layer.out_features,)},
    )
    g = _column_conductance(layer)
    coupled.learned_r_load = nn.Parameter(-(g * nominal).log(), requires_grad=False)
    coupled.to(neuron.gain.device).train(neuron.training)
    coupled.gain.fill_(_unit_current(layer) / float(coupled.amperes(1.0)))
    return coupled


def _column_conductance(layer: RRAMLinear) -> Tensor:  # shape: (out_features,), S
    with torch.no_grad():
        g = layer.conductances().sum((0, 2))
        return g if layer.bias is None else g + layer.conductances("bias").sum(0)


def _unit_current(layer: RRAMLinear) -> float:
    """Current (A) of an input of 1 through a weight of 1, from complementary drivers."""
    rram = layer.rram
    return (rram.g_on - rram.g_off) * layer.array.v_read / float(layer.w_max())


def _checked(layer: RRAMLinear, neuron: MIF) -> MIFCircuit:
    """The circuit of ``neuron``, if the two can be coupled."""
    if not isinstance(layer, RRAMLinear):
        raise TypeError(f"Expected `layer` to be an RRAMLinear, but got {type(layer).__name__}.")
    if not isinstance(neuron, MIF):
        raise TypeError(f"Expected `neuron` to be a MIF, but got {type(neuron).__name__}.")
    circuit = neuron.circuit
    if type(circuit) is not MIFCircuit:
        name = type(circuit).__name__
        raise TypeError(f"Expected a `neuron` with a MIFCircuit, but got a {name}.")
    trained = [name for name, _ in neuron.named_parameters()]
    if trained:
        raise ValueError(f"Expected a `neuron` that trains nothing, but got {', '.join(trained)}.")
    if neuron.is_varied:
        raise ValueError(
            "Expected a `neuron` without spread: couple it first, then vary the result."
        )
    for name in ("beta", "threshold"):
        shape = tuple(getattr(neuron, name).shape)
        if math.prod(shape) != 1:
            raise ValueError(f"Expected one `{name}` for all neurons, but got shape {shape}.")
    if layer.array.mapping != "differential":  # to subtract a reference takes a circuit
        raise ValueError(f"Expected differential pairs, but got {layer.array.mapping!r} cells.")
    if layer.rram.conduction != Ohmic():
        raise ValueError(f"Expected ohmic cells, but got {layer.rram.conduction}.")
    if not layer.array.wires.ideal:
        raise ValueError(f"Expected an array with ideal wires, but got {layer.array.wires}.")
    return circuit
