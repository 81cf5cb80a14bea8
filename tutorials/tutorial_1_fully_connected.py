# %% [markdown]
# # A fully memristive network in snnTorch's training loop
#
# You will
# * build a fully connected spiking network of RRAM crossbars and memristive neurons,
# * train it with the loop of snnTorch's tutorial on fully connected networks,
# * look at the voltages and memristor states behind its membrane potentials.

# %%
import snntorch as snn
import torch
from snntorch import functional as SF  # noqa: N812
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import snntorch_memristive as snnm
from snntorch_memristive.data import load

torch.manual_seed(0)
num_steps = 10

# %% [markdown]
# ## 1. Data
# Scikit-learn's handwritten digits, 8 x 8 pixels: nothing to download.

# %%
digits = load("digits")
train_loader = DataLoader(
    TensorDataset(digits.train_images.flatten(1), digits.train_labels), batch_size=128, shuffle=True
)

# %% [markdown]
# ## 2. The network
# Two names differ from the digital network: `RRAMLinear` for `nn.Linear` and `MIF` for `snn.Leaky`.
# The cells have 64 conductance levels, and no two of them are quite alike.

# %%
rram = snnm.RRAM(levels=64, spread=0.05)


class Net(nn.Module):
    """64 inputs, 64 hidden neurons, 10 classes."""

    def __init__(self):
        super().__init__()
        self.fc1, self.mif1 = snnm.RRAMLinear(64, 64, rram=rram), snnm.MIF(beta=0.8)
        self.fc2, self.mif2 = snnm.RRAMLinear(64, 10, rram=rram), snnm.MIF(beta=0.8)

    def forward(self, x):
        """Spikes and membranes of the output layer at every step."""
        mem1, mem2 = self.mif1.reset_mem(), self.mif2.reset_mem()
        spk2_rec, mem2_rec = [], []
        for _ in range(num_steps):
            spk1, mem1 = self.mif1(self.fc1(x), mem1)
            spk2, mem2 = self.mif2(self.fc2(spk1), mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


net = Net()
assert isinstance(net.mif1, snn.Leaky)  # snnTorch's utilities know it

# %% [markdown]
# ## 3. Training
# The loss is on the output membranes, summed over time. Its gradient is exact: nothing on the way
# is thresholded, so there is no surrogate.

# %%
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(6):
    for images, labels in train_loader:
        _, mem_rec = net(images)
        loss = sum(nn.functional.cross_entropy(mem, labels) for mem in mem_rec)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
with torch.no_grad():
    _, mem_rec = net(digits.test_images.flatten(1))
accuracy = SF.accuracy_rate(mem_rec, digits.test_labels)
print(f"test accuracy {accuracy:.1%}")
assert accuracy > 0.9

# %% [markdown]
# ## 4. Behind the membrane
# `mem` is dimensionless, 0 at rest and 1 at threshold. The circuit behind it is in SI units.

# %%
volts, states = net.mif1.volts(net.mif1.mem), net.mif1.states()
print(f"membranes from {1e3 * volts.min():.0f} to {1e3 * volts.max():.0f} mV")
print(f"memristor 1 up to {states['x1'].max():.1%} on, at rest {net.mif1.circuit.rest()['x1']:.1%}")
g = net.fc1.conductances()
print(f"cells from {1e6 * g.min():.0f} to {1e6 * g.max():.0f} uS")
assert states["x1"].max() > 2 * net.mif1.circuit.rest()["x1"]

# %% [markdown]
# ## Conclusion
# A network whose neurons and synapses are memristors learns in the loop you already have.
