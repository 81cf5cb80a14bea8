"""Training in the array: gradients become programming pulses, and the cells hold the weights.

A weight is a differential pair of cells, as in ``snntorch_memristive.crossbar``, but here the
conductances are what is kept and the parameter is what they stand for. A pulse moves a cell by a
step that is neither the same in both directions nor the same at every conductance, and never out
of its window. States are shares of the window: 0 at ``r_off``, 1 at ``r_on``.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from .checks import check_choice, check_not_negative
from .crossbar import from_pair
from .devices import RRAM

RULES = ("stochastic", "sign")
"""How a wanted change becomes a number of pulses; see :class:`PulsedSGD`."""

SATURATED = 0.9
"""A pair is refreshed once both of its cells are beyond this state, or both below 1 - this."""

SPAN = 2.0
"""Default ``w_max``, in units of the largest initial weight."""

LINEAR = 1e-9
"""Nonlinearity below which all steps are alike to within double precision."""


@dataclass(frozen=True)
class Pulses:
    r"""How a cell answers to a programming pulse.

    A pulse is one of two, of fixed height and length: one raises the conductance, one lowers it.
    With the state :math:`x` (0 at ``r_off``, 1 at ``r_on``), a raising pulse is the flow

    .. math:: \dot x = k\, e^{-\beta x}, \qquad k = (e^{\beta s} - 1) / \beta

    over a unit time, where :math:`s` is ``step_on`` and :math:`\beta` is ``nonlinearity_on``: the
    first step from ``r_off`` is exactly :math:`s`, and the last one, below ``r_on``, close to
    :math:`s e^{-\beta}`. A lowering pulse is its mirror image: :math:`1 - x`, ``step_off``,
    ``nonlinearity_off``. Every step also varies from pulse to pulse.

    Source: steps that shrink exponentially with the conductance are those of D. Querlioz,
    O. Bichler, P. Dollfus and C. Gamrat, "Immunity to device variations in a spiking neural
    network with memristive nanodevices", IEEE Trans. Nanotechnology 12 (2013) 288,
    doi:10.1109/TNANO.2013.2250995, there as a map and here as the flow of which it is the first
    order, so that n pulses have a closed form. NeuroSim (P.-Y. Chen, X. Peng, S. Yu, IEEE TCAD
    37 (2018) 3067, doi:10.1109/TCAD.2018.2789723) is similar and not the same: its conductance is
    exponential in the *number* of pulses, so its steps shrink linearly with the conductance; its
    nonlinearity labels are on another scale and cannot be put in here.

    Raises:
        ValueError: if a step is outside (0, 1], or a nonlinearity or the spread is negative or
            not finite.
    """

    step_on: Annotated[float, "1"]
    """First step of a raising pulse, from ``r_off``, as a fraction of the window."""
    step_off: Annotated[float, "1"]
    """First step of a lowering pulse, from ``r_on``, likewise."""
    nonlinearity_on: Annotated[float, "1"] = 0.0
    """Logarithm of how many times a raising step is smaller at ``r_on`` than at ``r_off``."""
    nonlinearity_off: Annotated[float, "1"] = 0.0
    """Logarithm of how many times a lowering step is smaller at ``r_off`` than at ``r_on``."""
    spread: Annotated[float, "1"] = 0.0
    """Cycle to cycle: standard deviation of a pulse's step, as a fraction of that step."""

    def __post_init__(self) -> None:
        for name in ("step_on", "step_off"):
            step = getattr(self, name)
            if not 0 < step <= 1:
                raise ValueError(f"Expected `{name}` in (0, 1], but got {step:g}.")
        check_not_negative(
            nonlinearity_on=self.nonlinearity_on,
            nonlinearity_off=self.nonlinearity_off,
            spread=self.spread,
        )

    @property
    def pair_step(self) -> float:
        """How far one pulse moves a pair whose cells are both in the middle, in windows.

        Both cells get it, the one up and the other down.
        """
        middle, once = torch.full((1,), 0.5, dtype=torch.float64), torch.ones(1)
        up = _climb(middle, once, self.step_on, self.nonlinearity_on)
        down = _climb(middle, once, self.step_off, self.nonlinearity_off)
        return float(up + down)


class Counts(NamedTuple):
    """What an array went through: the sums over all cells and pairs."""

    raised: int
    """Pulses that raise a cell."""
    lowered: int
    """Pulses that lower one."""
    refreshed: int
    """Pairs that were programmed anew."""


def apply_pulses(
    g: Tensor,  # shape: (*cells), S
    counts: Tensor,  # shape: (*cells), whole numbers
    pulses: Pulses,
    rram: RRAM,
    generator: torch.Generator | None = None,
) -> Tensor:  # shape: (*cells), S
    """Conductances after ``counts`` pulses per cell: raising ones if positive, else lowering.

    The pulses of one call are of one kind per cell, so they are worked out at once: the steps of
    ``n`` pulses in a row in closed form, and their deviations, which are independent, as one of
    ``spread / sqrt(n)`` of the whole. The result is held inside the window. Cells without a pulse
    are returned bit for bit. Values only; no gradient passes.

    Args:
        g: conductances, inside the window.
        counts: signed numbers of pulses, of any dtype; their shape is that of ``g``.
        pulses: how a cell answers.
        rram: the window.
        generator: source of the spread, on its own device; torch's default one if left out.

    Raises:
        ValueError: if the shapes differ.
    """
    if g.shape != counts.shape:
        raise ValueError(
            f"Expected `counts` of the shape of `g`, {tuple(g.shape)}, "
            f"but got {tuple(counts.shape)}."
        )
    pulsed = g.detach().clone()
    for sign, step, nonlinearity in (
        (1, pulses.step_on, pulses.nonlinearity_on),
        (-1, pulses.step_off, pulses.nonlinearity_off),
    ):
        hit = counts * sign > 0
        n = (counts[hit] * sign).to(g.dtype)
        start = rram.g_off if sign > 0 else rram.g_on
        window = sign * (rram.g_on - rram.g_off)
        x = (pulsed[hit] - start) / window
        moved = _climb(x, n, step, nonlinearity)
        if pulses.spread:
            moved = moved * (1 + _randn(n, generator) * pulses.spread / n.sqrt())
        pulsed[hit] = start + (x + moved) * window
    return pulsed.clamp(rram.g_off, rram.g_on)


def _climb(x: Tensor, n: Tensor, step: float, nonlinearity: float) -> Tensor:
    """How far ``n`` > 0 pulses take the state from ``x``, not held inside the window.

    The flow of :class:`Pulses` makes exp(βx) grow by exp(βs) - 1 per pulse; here in logarithms,
    which do not overflow.
    """
    if nonlinearity < LINEAR:
        return n * step
    growth = nonlinearity * step + math.log(-math.expm1(-nonlinearity * step))
    gain = n.to(x.dtype).log() + growth - nonlinearity * x
    return torch.logaddexp(torch.zeros_like(gain), gain) / nonlinearity


class PulsedSGD(torch.optim.Optimizer):
    """Stochastic gradient descent by programming pulses on the cells that hold the weights.

    Every element of every parameter is a pair of cells that stands for
    ``(g_plus - g_minus) * w_max / (g_on - g_off)``. The parameter is written back from the pairs
    after each step, so it always is what the array stands for; use it in ``nn.Linear`` or in an
    ``RRAMLinear`` with an ideal device. A step wants to change a weight by ``-lr * grad`` and
    knows of the device only :attr:`Pulses.pair_step`, what a pulse does to a pair in the middle
    of the window. It does not look at the cells, as hardware does not: the device's
    nonlinearity, asymmetry, spread and window are what learning has to live with.

    To raise a weight, ``g_plus`` gets raising and ``g_minus`` as many lowering pulses, to lower it
    the other way round, as in M. Prezioso et al., "Training and operation of an integrated
    neuromorphic network based on metal-oxide memristors", Nature 521 (2015) 61,
    doi:10.1038/nature14441. Both directions need room, so pairs are programmed around the middle
    of the window, unlike those of a layer, which leave one cell at ``g_off``. A device that is
    not symmetric drives both cells of a pair to one side; once both are beyond
    ``SATURATED``, the pair is programmed around the middle again, with the same difference
    (the refresh of G. W. Burr et al., IEEE Trans. Electron Devices 62 (2015) 3498,
    doi:10.1109/TED.2015.2439635). Both programmings are exact, and their pulses are not counted.

    What is kept is in ``state[parameter]`` and so in ``state_dict()``: ``"pair"`` (S, shape
    ``(2, *shape)``, at least float32), ``"w_max"`` (a number), and, as int32, ``"raised"`` and
    ``"lowered"`` (pulses of every cell, shape ``(2, *shape)``) and ``"refreshed"`` (shape
    ``(*shape)``). The generator's state is not in it: to resume bit for bit, save and restore it
    (``generator.get_state()``, or ``torch.get_rng_state()`` if none was given). The device is
    not in it, either.

    Args:
        params: parameters or groups of them; a group may have its own ``lr``, ``w_max``,
            ``rule`` and ``max_pulses``.
        lr: learning rate.
        rram: the cells; only their window counts here.
        pulses: how a cell answers to a pulse.
        w_max: weight that the whole window stands for, of every parameter in the group; if left
            out, twice the largest initial weight of each parameter. No weight can leave it.
        rule: "stochastic" for ``lr * abs(grad)`` over the step of a pair as the number of
            pulses, rounded at random so that its mean is right, or "sign" for the Manhattan
            rule: one pulse against the sign of the gradient, wherever at least half a pulse is
            wanted, which is where ``abs(grad) >= pair_step * w_max / (2 * lr)``
            (E. Zamanidoost et al., "Manhattan rule training for memristive crossbar circuit
            pattern classifiers", WISP 2015, and Prezioso et al.).
        max_pulses: most pulses of a cell in one step of the rule "stochastic".
        generator: source of the rounding and of the spread, on its own device; torch's default
            one if left out.

    Raises:
        TypeError: if a parameter is not of real floating-point numbers.
        ValueError: if ``rram`` is not ideal, ``lr`` is negative or not finite, ``w_max`` is not
            above zero, too small for a weight, or left out for a parameter of zeros,
            ``max_pulses`` is not a whole number above zero, or there is no such ``rule``.

    >>> layer = torch.nn.Linear(3, 2)
    >>> pulses = Pulses(step_on=0.01, step_off=0.02, nonlinearity_on=1.0, spread=0.03)
    >>> optimizer = PulsedSGD(layer.parameters(), lr=0.1, pulses=pulses)
    >>> layer(torch.ones(1, 3)).sum().backward()
    >>> optimizer.step()
    >>> tuple(optimizer.state[layer.weight]["pair"].shape)
    (2, 2, 3)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        rram: RRAM = RRAM(),  # noqa: B008 (frozen)
        pulses: Pulses,
        w_max: float | None = None,
        rule: str = "stochastic",
        max_pulses: int = 10,
        generator: torch.Generator | None = None,
    ) -> None:
        if not rram.ideal:
            raise ValueError(
                "Expected an ideal `rram`, of which `pulses` says how it is programmed, "
                f"but got {rram}."
            )
        self.rram, self.pulses, self.generator = rram, pulses, generator
        defaults = {"lr": lr, "w_max": w_max, "rule": rule, "max_pulses": max_pulses}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take up parameters and program their pairs; see the class for what a group may set."""
        _check_group(self.defaults | param_group)
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            for param in group["params"]:
                self._program(param, group["w_max"])
        except (TypeError, ValueError):
            for param in self.param_groups.pop()["params"]:
                self.state.pop(param, None)
            raise

    def program(self) -> None:
        """Program all pairs from the parameters as they are now, as a new optimiser would.

        For parameters that were written since, as ``load_state_dict`` of their module does. The
        counts begin at zero.

        Raises:
            TypeError, ValueError: as the class.
        """
        for group in self.param_groups:
            for param in group["params"]:
                self._program(param, group["w_max"])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One pulse train for every cell whose weight has a gradient.

        Args:
            closure: computes the loss again, with gradients, and returns it.

        Returns:
            What ``closure`` returned; None without one.

        Raises:
            RuntimeError: if a parameter is not what its pairs stand for, because it was written
                by something else, or if its gradient is sparse.
            ValueError: if a gradient is not finite.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        driven = [
            (param, group)
            for group in self.param_groups
            for param in group["params"]
            if param.grad is not None
        ]
        for param, _ in driven:
            self._check_step(param)
        for param, group in driven:
            self._pulse(param, group)
        return loss

    @property
    def counts(self) -> Counts:
        """Pulses and refreshes since the pairs were first programmed, of all parameters."""
        states = [self.state[p] for group in self.param_groups for p in group["params"]]
        return Counts(*(sum(int(s[name].sum()) for s in states) for name in Counts._fields))

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where ``state_dict()`` was called, and write the weights from the pairs.

        Raises:
            ValueError: if it is of other parameters.
        """
        saved = self._matched(state_dict)
        super().load_state_dict(state_dict)
        for param, state in saved:
            # torch has cast every tensor to its parameter's dtype; pairs and counts have their own.
            self.state[param] = {
                name: value.to(param.device, copy=True) if isinstance(value, Tensor) else value
                for name, value in state.items()
            }
            param.copy_(self._weight(param))

    def _matched(self, state_dict: dict[str, Any]) -> list[tuple[Tensor, dict[str, Any]]]:
        """Every parameter with its state in ``state_dict``."""
        own = chain.from_iterable(group["params"] for group in self.param_groups)
        keys = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        saved = [
            (param, state_dict["state"].get(key, {}))
            for param, key in zip(own, keys, strict=False)  # torch says what is missing
        ]
        for param, state in saved:
            if "pair" not in state or state["pair"].shape[1:] != param.shape:
                raise ValueError(
                    f"Expected the pairs of a parameter of shape {tuple(param.shape)} in the "
                    f"state, but got {_described(state)}."
                )
        return saved

    @torch.no_grad()
    def _program(self, param: Tensor, w_max: float | None) -> None:
        if not param.is_floating_point():
            raise TypeError(f"Expected parameters of real numbers, but got one of {param.dtype}.")
        if not param.isfinite().all():
            raise ValueError(f"Expected finite weights of shape {tuple(param.shape)}.")
        weight = param.to(torch.promote_types(param.dtype, torch.float32))
        largest = float(weight.abs().max()) if weight.numel() else 1.0
        w_max = SPAN * largest if w_max is None else w_max
        if not w_max > 0:
            raise ValueError(
                f"Expected `w_max` for a parameter of shape {tuple(param.shape)} whose weights "
                "are all 0, but got None."
            )
        if not largest <= w_max:
            raise ValueError(
                f"Expected weights in [-w_max, w_max] = [{-w_max:g}, {w_max:g}], "
                f"but got one of size {largest:g}: clamp them or give a larger `w_max`."
            )
        pair = self._around_the_middle(weight * ((self.rram.g_on - self.rram.g_off) / w_max))
        self.state[param] = {
            "pair": pair,
            "w_max": w_max,
            "raised": torch.zeros_like(pair, dtype=torch.int32),
            "lowered": torch.zeros_like(pair, dtype=torch.int32),
            "refreshed": torch.zeros_like(param, dtype=torch.int32),
        }
        param.copy_(self._weight(param))

    def _around_the_middle(
        self,
        difference: Tensor,  # shape: (*cells), S
    ) -> Tensor:  # shape: (2, *cells), S
        middle = (self.rram.g_on + self.rram.g_off) / 2
        pair = torch.stack([middle + difference / 2, middle - difference / 2])
        return pair.clamp(self.rram.g_off, self.rram.g_on)

    def _weight(self, param: Tensor) -> Tensor:
        state = self.state[param]
        return from_pair(state["pair"], self.rram, state["w_max"]).to(param.dtype)

    def _check_step(self, param: Tensor) -> None:
        grad = param.grad
        assert grad is not None
        if grad.is_sparse:
            raise RuntimeError("Expected a dense gradient, but got a sparse one.")
        if not grad.isfinite().all():
            raise ValueError(
                f"Expected finite gradients, but got {float(grad.sum())} in one of shape "
                f"{tuple(param.shape)}."
            )
        if not torch.equal(param, self._weight(param)):
            raise RuntimeError(
                f"Expected a parameter of shape {tuple(param.shape)} to be what its pairs stand "
                "for, but something else wrote it: call `program()` after writing parameters."
            )

    def _pulse(self, param: Tensor, group: dict[str, Any]) -> None:
        state = self.state[param]
        assert param.grad is not None
        wanted = param.grad.to(state["pair"].dtype)
        wanted = wanted * (-group["lr"] / (self.pulses.pair_step * state["w_max"]))
        size = wanted.abs()
        if group["rule"] == "sign":
            size = (size >= 0.5).to(size.dtype)
        else:
            size = (size + _rand(size, self.generator)).floor().clamp(max=group["max_pulses"])
        plus = (size * wanted.sign()).to(torch.int32)
        counts = torch.stack([plus, -plus])
        state["pair"] = apply_pulses(state["pair"], counts, self.pulses, self.rram, self.generator)
        state["raised"] += counts.clamp(min=0)
        state["lowered"] -= counts.clamp(max=0)
        self._refresh(state)
        param.copy_(self._weight(param))

    def _refresh(self, state: dict[str, Any]) -> None:
        low, high = (
            self.rram.g_off + share * (self.rram.g_on - self.rram.g_off)
            for share in (1 - SATURATED, SATURATED)
        )
        pair = state["pair"]
        stuck = (pair.amin(0) > high) | (pair.amax(0) < low)
        state["refreshed"] += stuck
        pair[:, stuck] = self._around_the_middle((pair[0] - pair[1])[stuck])

    def __getstate__(self) -> dict[str, Any]:
        own = {"rram": self.rram, "pulses": self.pulses, "generator": self.generator}
        return super().__getstate__() | own


def _check_group(group: dict[str, Any]) -> None:
    check_not_negative(lr=group["lr"])
    w_max = group["w_max"]
    if w_max is not None and not (math.isfinite(w_max) and w_max > 0):
        raise ValueError(f"Expected `w_max` > 0 and finite, but got {w_max:g}.")
    check_choice("rule", group["rule"], RULES)
    max_pulses = group["max_pulses"]
    if not (isinstance(max_pulses, int) and max_pulses >= 1):
        raise ValueError(f"Expected `max_pulses` to be at least 1, but got {max_pulses}.")


def _described(state: dict[str, Any]) -> str:
    return f"those of shape {tuple(state['pair'].shape[1:])}" if "pair" in state else "none"


def _rand(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return _drawn(torch.rand, like, generator)


def _randn(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return _drawn(torch.randn, like, generator)


def _drawn(draw: Any, like: Tensor, generator: torch.Generator | None) -> Tensor:
    device = like.device if generator is None else generator.device
    return draw(like.shape, generator=generator, device=device, dtype=like.dtype).to(like.device)
