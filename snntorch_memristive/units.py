"""SI units as types.

Every physical field of a device or a circuit carries one of these, so that plots,
netlists and documentation can print its unit. Nothing is scaled: ohm, volt, second.
"""

from typing import Annotated, TypeVar

from torch import Tensor

Value = float | Tensor
"""A parameter: a number, or a tensor when it is learned or differs between neurons."""

Number = TypeVar("Number", float, Tensor)
"""Either of the two, and the same one throughout a signature."""

Ampere = Annotated[Value, "A"]
Dimensionless = Annotated[Value, "1"]
ElectronVolt = Annotated[Value, "eV"]
Farad = Annotated[Value, "F"]
Hertz = Annotated[Value, "Hz"]
Kelvin = Annotated[Value, "K"]
KelvinPerWatt = Annotated[Value, "K/W"]
Metre = Annotated[Value, "m"]
MetrePerSecond = Annotated[Value, "m/s"]
Ohm = Annotated[Value, "Ω"]
PerSecond = Annotated[Value, "1/s"]
PerVolt = Annotated[Value, "1/V"]
Second = Annotated[Value, "s"]
SquareMetrePerVoltSecond = Annotated[Value, "m²/(V s)"]
Volt = Annotated[Value, "V"]
VoltPerMetre = Annotated[Value, "V/m"]
