"""A snnTorch notebook runs on memristors after its class names are changed, and nothing else."""

import matplotlib
import pytest

matplotlib.use("agg")

NOTEBOOK = """
import matplotlib.pyplot as plt
import snntorch as snn
import torch
from snntorch import backprop, utils
from snntorch import functional as SF
from snntorch import spikeplot as splt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from snntorch_memristive.data import load

torch.manual_seed(0)
num_steps, beta = 8, 0.8
digits = load("digits")
train_set = TensorDataset(digits.train_images.flatten(1), digits.train_labels)
train_loader = DataLoader(train_set, batch_size=128, shuffle=True)
data, targets = next(iter(train_loader))


# Tutorial 5: a network with a loop of its own, the loss on its membranes
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.lif1 = snn.Leaky(beta=beta)
        self.fc2 = nn.Linear(32, 10)
        self.lif2 = snn.Leaky(beta=beta)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for step in range(num_steps):
            cur1 = self.fc1(x)
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec), torch.stack(mem2_rec)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
loss = nn.CrossEntropyLoss()
loop_losses = []
for epoch in range(2):
    for x, y in train_loader:
        spk_rec, mem_rec = net(x)
        loss_val = sum(loss(mem_rec[step], y) for step in range(num_steps)) / num_steps
        optimizer.zero_grad()
        loss_val.backward()
        optimizer.step()
        loop_losses.append(loss_val.item())

spk_rec, mem_rec = net(data)
accuracy = SF.accuracy_rate(mem_rec, targets)
fig, ax = plt.subplots()
points = splt.raster(spk_rec[:, 0].detach(), ax, s=10)
animation = splt.animator(digits.test_images[:num_steps, 0], fig, ax)
animation._init_draw()


# Tutorial 6: nn.Sequential with hidden states, utils.reset and losses of snntorch.functional
net = nn.Sequential(
    nn.Linear(64, 32),
    snn.Leaky(beta=beta, init_hidden=True),
    nn.Linear(32, 10),
    snn.Leaky(beta=beta, init_hidden=True, output=True),
)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)


def forward_pass(net, data):
    utils.reset(net)
    spk_rec, mem_rec = [], []
    for step in range(num_steps):
        spk_out, mem_out = net(data)
        spk_rec.append(spk_out)
        mem_rec.append(mem_out)
    return torch.stack(spk_rec), torch.stack(mem_rec)


loss_fn = SF.ce_max_membrane_loss()
sequential_losses = []
for x, y in train_loader:
    spk_rec, mem_rec = forward_pass(net, x)
    loss_val = loss_fn(mem_rec, y)
    optimizer.zero_grad()
    loss_val.backward()
    optimizer.step()
    sequential_losses.append(loss_val.item())


# The same network, trained on by backprop.BPTT
spikes_loss = SF.ce_count_loss()
bptt_losses = [
    float(
        backprop.BPTT(
            net, train_loader, optimizer=optimizer, criterion=spikes_loss,
            num_steps=num_steps, time_var=False, device="cpu",
        )
    )
    for epoch in range(2)
]
spk_rec, mem_rec = forward_pass(net, data)
spike_accuracy = SF.accuracy_rate(spk_rec, targets)
"""

IMPORT = "import snntorch_memristive as snnm\n"
SWAP = {"snn.Leaky": "snnm.MIF", "nn.Linear": "snnm.RRAMLinear"}


def swapped(text):
    for digital, memristive in SWAP.items():
        text = text.replace(digital, memristive)
    return IMPORT + text


@pytest.mark.parametrize(
    ("text", "kinds"),
    [(NOTEBOOK, ["Linear", "Leaky"]), (swapped(NOTEBOOK), ["RRAMLinear", "MIF"])],
    ids=["snntorch", "memristive"],
)
def test_the_notebook_runs_and_learns(text, kinds):
    cells = {}
    exec(text, cells)
    assert [type(layer).__name__ for layer in cells["net"]] == 2 * kinds
    for losses in (cells["loop_losses"], cells["sequential_losses"]):
        assert sum(losses[-3:]) < 0.95 * sum(losses[:3])
    assert cells["bptt_losses"][-1] < cells["bptt_losses"][0]
    assert cells["accuracy"] > 0.5
    assert cells["spike_accuracy"] > 0.3
    assert len(cells["points"].get_offsets()) > 0
    matplotlib.pyplot.close("all")
