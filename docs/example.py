"""A memristive layer learns handwritten digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn

import snntorch_memristive as snnm

images, labels = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
shown = (images.float() / 16).expand(10, -1, -1)  # 10 time steps
neuron = snnm.MIF(beta=0.9, init_hidden=True, output=True)
net = nn.Sequential(snnm.RRAMLinear(64, 10), neuron)
adam = torch.optim.Adam(net.parameters(), lr=0.02)
for _ in range(20):
    snnm.reset(net)
    spk, mem = snnm.run(net, shown)
    loss = nn.functional.cross_entropy(mem.sum(0), labels)
    adam.zero_grad(), loss.backward(), adam.step()
print("accuracy", (mem.sum(0).argmax(1) == labels).float().mean())
