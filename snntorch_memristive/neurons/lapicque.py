"""The memristive twin of ``snn.Lapicque``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import snntorch as snn
import torch
from torch import Tensor

from ..circuits import Circuit, MIFCircuit
from .listing import list_weakly
from .neuron import MemristiveNeuron, as_float_tensor, check_settings, decay, held_decay


class LapicqueMIF(MemristiveNeuron, snn.Lapicque):
    r"""Memristive neuron of a given resistance and capacitance, in the place of ``snn.Lapicque``.

    :class:`~snntorch_memristive.MIF` in Lapicque's terms: ``R C`` over ``time_step`` is the
    membrane's memory, and a constant input settles at ``R`` times its value. ``snn.Lapicque``
    follows the RC circuit by Euler's method, and its step is what the circuit is set to, so that,
    as long as the memristors have not moved,

    .. math::
        mem' = \left(1 - \frac{T}{R C}\right) mem + \frac{T}{C}\, input, \qquad
        \beta = e^{-T / (R C)}

    exactly. The membrane therefore forgets by :math:`1 - T / (R C) = 1 + \ln \beta` per step, and
    not by ``beta``; where that is not above 0, Euler's method oscillates and no circuit does.

    Args:
        beta: decay of the RC circuit per step, above 1/e; a number or one per neuron.
        R, C, time_step: resistance, capacitance and length of a step, in units of which a volt,
            an ampere and a second are made, as for ``snn.Lapicque``: they are snnTorch's numbers,
            and ``circuit`` has those in SI units. Either ``beta`` (then R is 1), or two of
            ``beta``, ``R`` and ``C``.
        learn_beta: train ``beta``. ``R`` stays, and the buffer ``C`` is that of the start.
        threshold ... output: as in :class:`~snntorch_memristive.MIF`.
        circuit, dt, substeps, solver, spike, learn_device, engine: as in
            :class:`~snntorch_memristive.MIF`.

    Shapes:
        - **input_**, **mem**: any, both the same.
        - returns **spk** and **mem**, as ``input_``; **spk** alone with ``init_hidden`` and
          not ``output``.

    Raises:
        ValueError: if neither ``beta`` nor both ``R`` and ``C`` are given, or all three; if
            ``R C`` is not above ``time_step``; or as :class:`~snntorch_memristive.MIF`.
        TypeError: if ``mem`` is handed in with ``init_hidden=True``.

    >>> neuron = LapicqueMIF(R=5, C=2)
    >>> round(float(neuron.beta), 3)
    0.905
    """

    _per_neuron: ClassVar[tuple[str, ...]] = (*MemristiveNeuron._per_neuron, "R", "C", "time_step")

    def __init__(
        self,
        beta: float | Tensor | bool = False,
        R: float | Tensor | bool = False,  # noqa: N803 (snnTorch's name)
        C: float | Tensor | bool = False,  # noqa: N803 (snnTorch's name)
        time_step: float | Tensor = 1,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Any = False,
        output: bool = False,
        *,
        circuit: Circuit = MIFCircuit(),  # noqa: B008 (frozen)
        dt: float = 1e-6,
        substeps: int = 4,
        solver: str = "magnus",
        spike: str = "rectified",
        learn_device: Iterable[str] | Mapping[str, tuple[int, ...]] = (),
        engine: str = "auto",
    ) -> None:
        check_settings(threshold, dt, substeps, solver, spike, reset_mechanism)
        beta, R, C = rc_circuit(beta, R, C, time_step)  # noqa: N806
        super().__init__(
            beta,
            R,
            C,
            time_step,
            threshold,
            spike_grad,
            surrogate_disable,
            init_hidden,
            inhibition,
            learn_beta,
            learn_threshold,
            reset_mechanism,
            state_quant,
            output,
        )
        list_weakly(self)
        self._init_circuit(circuit, dt, substeps, solver, spike, learn_device, spike_grad, engine)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """One time step; see the class for shapes and errors."""
        self._check_hidden(mem is not None)
        return self._returned(*self._forward_step(input_, mem=mem))

    def _lapicque_cases(self, time_step: Any, beta: Tensor, R: Tensor, C: Tensor) -> None:  # noqa: N803
        for name, value in (("time_step", time_step), ("R", R), ("C", C)):
            self.register_buffer(name, as_float_tensor(value))

    def _held_beta(self, dtype: torch.dtype) -> Tensor:
        """What is left of the membrane after one of snnTorch's steps."""
        return held_decay(1 + self.beta.to(dtype).log())

    def _computed_coefficients(self, dtype: torch.dtype) -> dict[str, Tensor]:
        coefficients = super()._computed_coefficients(dtype)
        # A constant input settles at R times its value.
        steady = self.R.to(dtype) * (1 - self._held_beta(dtype))
        return coefficients | {"amperes": coefficients["amperes"] * steady}


def rc_circuit(beta: Any, R: Any, C: Any, time_step: Any) -> tuple[Tensor, Tensor, Tensor]:  # noqa: N803
    """``beta``, ``R`` and ``C`` from those of them that are given, as tensors.

    Raises:
        ValueError: if they do not fit together, or describe no circuit; see LapicqueMIF.
    """
    rc = {"beta": beta, "R": R, "C": C}
    rc = {name: as_float_tensor(v) for name, v in rc.items() if v is not False and v is not None}
    if list(rc) not in (["beta"], ["beta", "R"], ["beta", "C"], ["R", "C"]):
        raise ValueError(
            "Expected `beta`, or two of `beta`, `R` and `C`, "
            f"but got {' and '.join(rc) or 'none of them'}."
        )
    step = as_float_tensor(time_step)
    for name, value in {**rc, "time_step": step}.items():
        if not bool(((value > 0) & value.isfinite()).all()):
            raise ValueError(f"Expected `{name}` > 0 and finite, but got {value.tolist()}.")
    # Time steps that the membrane remembers.
    memory = -1 / decay("beta", beta).log() if "beta" in rc else rc["R"] * rc["C"] / step
    if not bool((memory > 1).all()):
        raise ValueError(
            "Expected `R` `C` > `time_step`, or `beta` > 0.368, as a step of snn.Lapicque is that "
            f"of a circuit only then, but got R C = {memory.tolist()} time steps."
        )
    if list(rc) == ["beta"]:
        rc["R"] = torch.ones(())
    rc.setdefault("beta", (-1 / memory).exp())
    if "C" in rc:
        rc.setdefault("R", memory * step / rc["C"])
    else:
        rc["C"] = memory * step / rc["R"]
    return rc["beta"], rc["R"], rc["C"]
