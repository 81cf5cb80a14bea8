"""A memristive layer learns handwritten digits: the example of the landing page."""

import torch
from sklearn.datasets import load_digits

from snntorch_memristive import MIF, RRAMLinear, reset, run

images, labels = map(torch.tensor, load_digits(return_X_y=True))
net = torch.nn.Sequential(RRAMLinear(64, 10), MIF(0.9, init_hidden=True, output=True))
adam = torch.optim.Adam(net.parameters(), lr=0.02)
for _ in range(20):
    reset(net), adam.zero_grad()
    spk, mem = run(net, (images.float() / 16).expand(10, -1, -1))  # 10 time steps
    torch.nn.functional.cross_entropy(mem.sum(0), labels).backward()
    adam.step()
print("training accuracy", (mem.sum(0).argmax(1) == labels).float().mean())
