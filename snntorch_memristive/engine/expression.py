"""Formulas recorded by calling the package's own torch functions with symbols.

A :class:`Symbol` stands where a tensor would. Arithmetic and torch's functions on it build a
formula instead of a number, so the equations that the solvers run are also what the kernels are
made of, and nothing is stated twice.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch


class UntraceableError(TypeError):
    """A function did something to a symbol for which there is no formula."""


class Symbol:
    """One value in a formula: a named input, or an operation on other values."""

    __slots__ = ("args", "op")

    def __init__(self, op: str, *args: Any) -> None:
        self.op = op
        self.args = args

    @classmethod
    def named(cls, name: str) -> Any:
        """An input called ``name``: it goes wherever a tensor does."""
        return cls("input", name)

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    def __radd__(self, other: Any) -> Any:
        return add(other, self)

    def __sub__(self, other: Any) -> Any:
        return sub(self, other)

    def __rsub__(self, other: Any) -> Any:
        return sub(other, self)

    def __mul__(self, other: Any) -> Any:
        return mul(self, other)

    def __rmul__(self, other: Any) -> Any:
        return mul(other, self)

    def __truediv__(self, other: Any) -> Any:
        return div(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return div(other, self)

    def __pow__(self, exponent: Any) -> Any:
        return power(self, exponent)

    def __rpow__(self, base: Any) -> Any:
        return power(base, self)

    def __neg__(self) -> Any:
        return mul(-1.0, self)

    def __lt__(self, other: Any) -> Any:
        return apply("less", self, other)

    def __gt__(self, other: Any) -> Any:
        return apply("less", other, self)

    def __le__(self, other: Any) -> Any:
        return apply("not_greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return apply("not_greater", other, self)

    def __abs__(self) -> Any:
        return where(self < 0.0, -self, where(self > 0.0, self, 0.0))

    def __bool__(self) -> bool:
        raise UntraceableError(
            "Expected no decision on the value of a state; torch.where makes one."
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = FUNCTIONS.get(name)
        if function is None:
            raise UntraceableError(_unknown(f"Tensor.{name}"))
        return lambda *args, **kwargs: function(self, *args, **kwargs)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        function = FUNCTIONS.get(getattr(func, "__name__", ""))
        if function is None:
            raise UntraceableError(_unknown(getattr(func, "__name__", repr(func))))
        return function(*args, **(kwargs or {}))


def _unknown(function: str) -> str:
    return f"Expected a function that kernels know ({', '.join(KNOWN)}), but got {function}."


UNARY: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "atan": math.atan,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "reciprocal": lambda z: 1 / z,
    "reciprocal_within": lambda z: 1 / z,
    "exp2": lambda y: 2.0**y,  # Python 3.10 has no math.exp2
    "exp2_within": lambda y: 2.0**y,
    "exp2m1": lambda z: math.expm1(z * math.log(2)),
}
"""Operations with one argument, and what they make of a number."""


_DERIVED = ContextVar("derived", default=False)

_LOCK = threading.RLock()

OWN_DERIVATIVE = (
    "Expected equations whose derivative is that of what they compute, but they use "
    "torch.no_grad or an autograd.Function."
)


@contextmanager
def to_be_derived() -> Iterator[None]:
    """Formulas recorded inside are refused if torch would not derive them as they stand."""
    with _LOCK:  # while this is another one
        functions = torch.autograd.Function
        apply_of_torch = vars(functions)["apply"]

        def function(cls: Any, *args: Any, **kwargs: Any) -> Any:
            if any(isinstance(value, Symbol) for value in (*args, *kwargs.values())):
                raise UntraceableError(OWN_DERIVATIVE)
            return apply_of_torch.__func__(cls, *args, **kwargs)

        before = _DERIVED.set(True)
        setattr(functions, "apply", classmethod(function))  # noqa: B010 (as types forbid it)
        try:
            with torch.enable_grad():
                yield
        finally:
            setattr(functions, "apply", apply_of_torch)  # noqa: B010
            _DERIVED.reset(before)


def apply(op: str, *args: Any) -> Any:
    """The operation ``op`` on symbols and numbers; a number if there are only numbers."""
    if _DERIVED.get() and not torch.is_grad_enabled():
        raise UntraceableError(OWN_DERIVATIVE)
    args = tuple(a if isinstance(a, Symbol) else _number(a) for a in args)
    if op in UNARY and isinstance(args[0], float):
        return UNARY[op](args[0])
    return Symbol(op, *args)


def _number(value: Any) -> float:
    if isinstance(value, torch.Tensor) and value.dim() == 0 and not value.requires_grad:
        value = value.item()
    if isinstance(value, (int, float)):
        return float(value)
    raise UntraceableError(f"Expected a number beside a symbol, but got {type(value).__name__}.")


def _all_numbers(*values: Any) -> bool:
    return not any(isinstance(value, Symbol) for value in values)


def add(a: Any, b: Any) -> Any:
    """``a + b``."""
    if _all_numbers(a, b):
        return a + b
    if _all_numbers(a) and a == 0.0:
        return b
    if _all_numbers(b) and b == 0.0:
        return a
    if _has_factor(a) and _has_factor(b) and a.args[0] == b.args[0]:
        return mul(a.args[0], add(a.args[1], b.args[1]))
    return apply("add", a, b)


LARGEST_FACTOR = 1e15
"""Up to here, and down to 1 over it, numbers are moved in products, all of one together. Without a
larger one, what it multiplies could leave the range of float32."""


HIGHEST_POWER = 4
"""Of a factor, whose number is moved out of it: what is left of a higher one could leave that range
as well."""


def is_movable(number: float) -> bool:
    """May ``number`` multiply something else than it did?"""
    return number == 0.0 or 1 / LARGEST_FACTOR <= abs(number) <= LARGEST_FACTOR


def _has_factor(value: Any) -> bool:
    return isinstance(value, Symbol) and value.op == "mul" and _all_numbers(value.args[0])


def sub(a: Any, b: Any) -> Any:
    """``a - b``."""
    if _all_numbers(a, b):
        return a - b
    if _all_numbers(b) and b == 0.0:
        return a
    if _all_numbers(a) and a == 0.0:
        return mul(-1.0, b)
    if _has_factor(a) and _has_factor(b) and a.args[0] == b.args[0]:
        return mul(a.args[0], sub(a.args[1], b.args[1]))
    return apply("sub", a, b)


def mul(a: Any, b: Any) -> Any:
    """``a * b``."""
    if _all_numbers(a, b):
        return a * b
    for number, other in ((a, b), (b, a)):
        if _all_numbers(number):
            if number == 0.0:
                return 0.0
            if number == 1.0:
                return other
            if _has_factor(other) and is_movable(number * other.args[0]):
                return mul(number * other.args[0], other.args[1])
            return apply("mul", number, other)
    (number, a_), (other, b_) = _split(a), _split(b)
    is_high = max(_count(a_, b_), _count(b_, a_)) >= HIGHEST_POWER
    if not is_high and all(map(is_movable, (number, other, number * other))):
        return mul(number * other, apply("mul", a_, b_))
    return apply("mul", a, b)


def _count(factor: Any, product: Any) -> int:
    """How often ``factor`` is in ``product``."""
    if isinstance(product, Symbol) and product.op == "mul":
        return sum(_count(factor, part) for part in product.args)
    return int(product is factor)


def _split(value: Any) -> tuple[float, Any]:
    """All numbers that ``value`` is multiplied by, and what is."""
    if not _has_factor(value):
        return 1.0, value
    number, rest = _split(value.args[1])
    return value.args[0] * number, rest


def div(a: Any, b: Any) -> Any:
    """``a / b``."""
    if _all_numbers(b):
        return a / b if _all_numbers(a) else mul(a, 1 / _number(b))
    return mul(a, apply("reciprocal", b))


def power(base: Any, exponent: Any) -> Any:
    """``base`` to the power of a whole number or 0.5; or a positive number to that of a symbol."""
    if isinstance(exponent, Symbol):
        if isinstance(base, Symbol) or _number(base) <= 0:
            raise UntraceableError(
                "Expected a positive number to the power of a state; x**p of a positive x is "
                "torch.exp(p * torch.log(x))."
            )
        return apply("exp", mul(math.log(_number(base)), exponent))
    number = _number(exponent)
    if number == 0.5:
        return apply("sqrt", base)
    if not (number.is_integer() and 1 <= abs(number) <= 16):
        raise UntraceableError(
            f"Expected a whole power up to 16, or 0.5, but got {number:g}; x**p of a positive x "
            "is torch.exp(p * torch.log(x))."
        )
    if number < 0:
        return apply("reciprocal", power(base, -number))
    return base if number == 1 else mul(base, power(base, number - 1))


def where(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where ``condition`` holds, else ``b``."""
    if _all_numbers(a, b) and a == b:
        return a
    return apply("where", condition, a, b)


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """``x`` inside [min, max]; the derivative is 1 on both bounds, as torch's."""
    if min is not None:
        x = where(apply("less", x, min), min, x)
    if max is not None:  # last, as torch does where min > max
        x = where(apply("less", max, x), max, x)
    return x


def _extreme(a: Any, b: Any, is_a: Any) -> Any:
    """``a`` if ``is_a``, else ``b``; a tie has half the derivative of each, as torch's."""
    return where(is_a, a, where(apply("equal", a, b), (a + b) * 0.5, b))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow."""
    return apply("log1p", apply("exp", -abs(x))) + _extreme(x, 0.0, apply("less", 0.0, x))


def _unary(op: str) -> Callable[[Any], Any]:
    return lambda x: apply(op, x)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{op: _unary(op) for op in UNARY if not op.startswith("exp2") and "_within" not in op},
    "exp2": lambda x: power(2.0, x),
    "cosh": lambda x: (apply("exp", x) + apply("exp", -x)) * 0.5,
    "softplus": softplus,
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "true_divide": div,
    "neg": lambda x: -x,
    "abs": abs,
    "pow": power,
    "square": lambda x: x * x,
    "sinh": lambda x: (apply("expm1", x) - apply("expm1", -x)) * 0.5,
    "ones_like": lambda x: 1.0,
    "zeros_like": lambda x: 0.0,
    "where": where,
    "clamp": clamp,
    "relu": lambda x: where(apply("less", 0.0, x), x, 0.0),
    "minimum": lambda a, b: _extreme(a, b, apply("less", a, b)),
    "maximum": lambda a, b: _extreme(a, b, apply("less", b, a)),
    "lt": lambda a, b: apply("less", a, b),
    "gt": lambda a, b: apply("less", b, a),
    "le": lambda a, b: apply("not_greater", a, b),
    "ge": lambda a, b: apply("not_greater", b, a),
}
"""What kernels can do, by the name of torch's function."""

KNOWN = tuple(sorted(FUNCTIONS))
"""Their names, without those of operators."""

for _operator in ("add", "sub", "mul"):
    FUNCTIONS[f"__{_operator}__"] = FUNCTIONS[_operator]
FUNCTIONS |= {
    "__radd__": lambda b, a: add(a, b),
    "__rsub__": lambda b, a: sub(a, b),
    "rsub": lambda b, a: sub(a, b),
    "__rmul__": lambda b, a: mul(a, b),
    "__rpow__": lambda exponent, base: power(base, exponent),
    "__truediv__": div,
    "__rtruediv__": lambda b, a: div(a, b),
}


def gradients(outputs: dict[Symbol, Any], inputs: list[Symbol]) -> list[Any]:
    """Derivatives with respect to ``inputs`` of the sum of ``outputs`` times their values.

    Reverse mode: one sweep from the outputs back, each formula's derivative times what arrived.
    """
    arrived: dict[Symbol, Any] = dict(outputs)
    for symbol in reversed(ordered(list(outputs))):
        if symbol not in arrived or symbol.op == "input":
            continue
        for argument, part in _parts(symbol, arrived[symbol]):
            if isinstance(argument, Symbol):
                arrived[argument] = _together(arrived.get(argument, 0.0), part)
    return [arrived.get(symbol, 0.0) for symbol in inputs]


def _together(a: Any, b: Any) -> Any:
    """``a + b``; if it depends on a condition which of them there are, both rounded before, as two
    may cancel exactly then."""
    if not _all_numbers(a) and not _all_numbers(b) and (_is_choice(a) or _is_choice(b)):
        return apply("added", a, b)
    return add(a, b)


def _is_choice(value: Any) -> bool:
    if not isinstance(value, Symbol):
        return False
    return value.op == "where" or (value.op == "mul" and any(map(_is_choice, value.args)))


def _parts(y: Symbol, g: Any) -> list[tuple[Any, Any]]:
    """Arguments of ``y``, and what ``g``, the derivative by ``y``, adds to those by them."""
    match y.op, y.args:
        case "add" | "added", (a, b):
            return [(a, g), (b, g)]
        case "sub" | "subtracted", (a, b):
            return [(a, g), (b, mul(-1.0, g))]
        case "mul", (a, Symbol(op="reciprocal") as b):
            return [(a, mul(g, b)), (b.args[0], mul(-1.0, mul(mul(g, b), y)))]
        case "mul", (a, b):
            return [(a, mul(g, b)), (b, mul(g, a))]
        case "reciprocal", (x,):
            return [(x, mul(mul(-1.0, g), mul(y, y)))]
        case "exp", (x,):
            return [(x, mul(g, y))]
        case "expm1", (x,):
            return [(x, mul(g, add(y, 1.0)))]
        case "log", (x,):
            return [(x, div(g, x))]
        case "log1p", (x,):
            return [(x, div(g, add(x, 1.0)))]
        case "sqrt", (x,):
            return [(x, div(mul(0.5, g), y))]
        case "tanh", (x,):
            return [(x, mul(g, sub(1.0, mul(y, y))))]
        case "atan", (x,):
            return [(x, div(g, add(mul(x, x), 1.0)))]
        case "sigmoid", (x,):
            return [(x, mul(g, mul(y, sub(1.0, y))))]
        case "where", (condition, a, b):
            return [(a, where(condition, g, 0.0)), (b, where(condition, 0.0, g))]
        case "less" | "not_greater" | "equal", _:
            return []
    raise UntraceableError(f"Expected an operation with a derivative, but got {y.op}.")


def remade(symbol: Symbol, renewed: Mapping[Symbol, Any]) -> Symbol:
    """``symbol`` with arguments that are ``renewed``; an input as it is."""
    if symbol.op == "input":
        return symbol
    return Symbol(symbol.op, *(renewed[a] if isinstance(a, Symbol) else a for a in symbol.args))


def ordered(roots: list[Any]) -> list[Symbol]:
    """Every symbol that ``roots`` are made of, arguments before what uses them."""
    order: dict[Symbol, None] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        symbol, is_ready = stack.pop()
        if not isinstance(symbol, Symbol) or symbol in order:
            continue
        if is_ready:
            order[symbol] = None
        else:
            stack.append((symbol, True))
            stack.extend((argument, False) for argument in reversed(symbol.args))
    return list(order)
