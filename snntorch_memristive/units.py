"""SI units as types.

Every physical field of a device or a circuit carries one of these, so that plots,
netlists and documentation can print its unit. Nothing is scaled: ohm, volt, second.
"""

from typing import Annotated

from torch import Tensor

Value = float | Tensor
"""A parameter: a number, or a tensor when it is learned or differs between neurons."""

Ampere = Annotated[Value, "A"]
Dimensionless = Annotated[Value, "1"]
ElectronVolt = Annotated[Value, "eV"]
Farad = Annotated[Value, "F"]
Hertz = Annotated[Value, "Hz"]
Kelvin = Annotated[Value, "K"]
Ohm = Annotated[Value, "Ω"]
PerVolt = Annotated[Value, "1/V"]
Second = Annotated[Value, "s"]
Volt = Annotated[Value, "V"]
