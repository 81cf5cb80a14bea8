"""Back to rest."""

import snntorch as snn
from torch import nn


def reset(net: nn.Module) -> None:
    """Return every snnTorch neuron in ``net``, at any depth, to rest, and no other.

    Memristive neurons with their memristors. (``snntorch.utils.reset`` of snnTorch 1.0 works
    too; it looks at direct children only and resets all networks alive.)
    """
    for module in net.modules():
        if isinstance(module, snn.SpikingNeuron):
            module.reset_mem()
