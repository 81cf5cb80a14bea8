"""Being found by snnTorch without being kept alive by it.

snnTorch 1.0 appends every neuron to ``SpikingNeuron.instances``, where ``utils.reset`` looks
for them. A strong reference there keeps each neuron, its last state and its graph for ever
(snntorch issue 328), so ours stand in the list as weak proxies.
"""

import weakref

from snntorch import SpikingNeuron


def list_weakly(neuron: SpikingNeuron) -> None:
    """Let ``neuron`` stand in snnTorch's list once, as a weak proxy; drop empty places."""
    others = [n for n in SpikingNeuron.instances if n is not None and n is not neuron]
    SpikingNeuron.instances[:] = [*others, weakref.proxy(neuron, _leave_the_list)]


def _leave_the_list(proxy: weakref.ProxyType) -> None:
    # snnTorch may be walking the list by index, so the place stays.
    for place, listed in enumerate(SpikingNeuron.instances):
        if listed is proxy:
            SpikingNeuron.instances[place] = None
