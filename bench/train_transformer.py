#!/usr/bin/env python3
"""A training step of the translating Transformer: heed beside PyTorch, the same model, batch and lengths, in one run.

    python3 -m venv bench/venv && bench/venv/bin/pip install torch==2.13.0
    bench/venv/bin/python bench/train_transformer.py build/heed

The model is that of the recipe transformer, by default as large as a published one (Wu et al. 2021): one table of
tokens for source, target and output, sinusoidal positions, four layers that read, whose tokens see their neighbours,
and four that write, dropout, label smoothing, Adam. PyTorch gets what it does best here: whole sequences, no masks
but the causal one, scaled_dot_product_attention, queries, keys and values from one product, the fused Adam; and
nothing is padding. The two take turns, and the best of each is compared.
"""
import argparse
import json
import math
import subprocess
import time

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads, self.size = heads, size
        self.inputs = nn.Linear(size, 3 * size)
        self.output = nn.Linear(size, size)

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, memory=None, causal=False):
        if memory is None:
            q, k, v = self.inputs(x).chunk(3, dim=-1)
        else:
            weight, bias = self.inputs.weight, self.inputs.bias
            q = F.linear(x, weight[:self.size], bias[:self.size])
            k, v = F.linear(memory, weight[self.size:], bias[self.size:]).chunk(2, dim=-1)
        y = F.scaled_dot_product_attention(self.split(q), self.split(k), self.split(v), is_causal=causal)
        return self.output(y.transpose(1, 2).flatten(2))


class Convolution(nn.Conv1d):
    """Over (batch, steps, channels)."""

    def __init__(self, size, units, kernel_size):
        super().__init__(size, units, kernel_size, padding="same")

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    """Attention to itself, to the memory where there is one, and a feed-forward layer, each added to what it was given."""

    def __init__(self, size, heads, inner, kernel_size, dropout, before, decodes):
        super().__init__()
        self.before, self.decodes = before, decodes
        self.own = Attention(size, heads)
        self.other = Attention(size, heads) if decodes else None
        self.inner = Convolution(size, inner, kernel_size) if kernel_size > 1 else nn.Linear(size, inner)
        self.outer = nn.Linear(inner, size)
        self.norms = nn.ModuleList(nn.LayerNorm(size, eps=1e-6) for _ in range(3 if decodes else 2))
        self.dropout = nn.Dropout(dropout)

    def add(self, x, norm, part):
        if self.before:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))

    def forward(self, x, memory=None):
        x = self.add(x, self.norms[0], lambda y: self.own(y, causal=self.decodes))
        if self.decodes:
            x = self.add(x, self.norms[1], lambda y: self.other(y, memory))
        return self.add(x, self.norms[-1], lambda y: self.outer(F.relu(self.inner(y))))


class Transformer(nn.Module):
    def __init__(self, a, layers=4, dropout=0.3):
        super().__init__()
        size, heads, inner, before = a.size, a.heads, a.feed_forward, a.normalize == "before"
        self.scale = math.sqrt(size)
        self.tokens = nn.Embedding(a.vocabulary, size)
        nn.init.normal_(self.tokens.weight, std=1 / self.scale)
        place = torch.arange(max(a.length, a.target_length)).unsqueeze(1)
        angle = place / 10000 ** (torch.arange(0, size, 2) / size)
        self.register_buffer("places", torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1))
        self.encoder = nn.ModuleList(Block(size, heads, inner, a.kernel_size, dropout, before, False) for _ in range(layers))
        self.decoder = nn.ModuleList(Block(size, heads, inner, 1, dropout, before, True) for _ in range(layers))
        self.ends = nn.ModuleList(nn.LayerNorm(size, eps=1e-6) if before else nn.Identity() for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def embed(self, ids):
        return self.dropout(self.tokens(ids) * self.scale + self.places[:ids.shape[1]])

    def forward(self, source, target):
        x, y = self.embed(source), self.embed(target)
        for block in self.encoder:
            x = block(x)
        x = self.ends[0](x)
        for block in self.decoder:
            y = block(y, x)
        return F.linear(self.ends[1](y), self.tokens.weight)


def make_pytorch_step(a):
    torch.manual_seed(1)
    model = Transformer(a)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), fused=True)
    source = torch.randint(4, a.vocabulary, (a.batch, a.length))
    given = torch.randint(4, a.vocabulary, (a.batch, a.target_length))
    answer = torch.randint(4, a.vocabulary, (a.batch, a.target_length))

    def step():
        optimizer.zero_grad()
        logits = model(source, given)
        F.cross_entropy(logits.flatten(0, 1), answer.flatten(), label_smoothing=0.1).backward()
        optimizer.step()

    return model, step


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heed", help="the program, e.g. build/heed")
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--length", type=int, default=16)
    p.add_argument("--target-length", type=int, default=16)
    p.add_argument("--vocabulary", type=int, default=10000)
    p.add_argument("--size", type=int, default=128)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--feed-forward", type=int, default=256)
    p.add_argument("--kernel-size", type=int, default=3)
    p.add_argument("--normalize", choices=("before", "after"), default="before")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=10)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    model, step = make_pytorch_step(a)
    settings = {"normalize": a.normalize, "size": a.size, "heads": a.heads, "feed_forward": a.feed_forward,
                "kernel_size": a.kernel_size}
    command = [a.heed, "bench", "train", "--recipe", "transformer", "--json",
               *(word for name, value in settings.items() for word in ("--set", f"{name}={value}")),
               "--threads", str(a.threads), "--batch", str(a.batch), "--length", str(a.length),
               "--target-length", str(a.target_length), "--vocabulary", str(a.vocabulary),
               "--target-vocabulary", str(a.vocabulary), "--steps", str(a.steps)]
    ours, theirs = [], []
    for _ in range(3):
        step()
    for _ in range(a.rounds):
        ours.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        for _ in range(a.steps):
            start = time.perf_counter()
            step()
            theirs.append(1e3 * (time.perf_counter() - start))
    best, tokens = min(ours, key=lambda run: run["ms"]), a.batch * a.target_length
    shares = ", ".join(f"{work} {100 * best[work]:.1f} %" for work in ("products", "attention", "output", "rest"))
    print(f"batch {a.batch}, lengths {a.length} and {a.target_length}, {a.threads} threads, PyTorch {torch.__version__}")
    trained = sum(w.numel() for w in model.parameters())
    print(f"weights: heed {best['weights']} with its two tables of positions, PyTorch {trained} trained")
    print(f"heed     {best['ms']:8.1f} ms a step, {1e3 * tokens / best['ms']:8.0f} target tokens a second; {shares}")
    print(f"PyTorch  {min(theirs):8.1f} ms a step, {1e3 * tokens / min(theirs):8.0f} target tokens a second")
    print(f"ratio    {min(theirs) / best['ms']:8.2f}")


if __name__ == "__main__":
    main()
