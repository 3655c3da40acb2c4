#!/usr/bin/env python3
"""A training step of the date translator: heed beside PyTorch, the same model, batch and lengths, in one run.

    python3 -m venv bench/venv && bench/venv/bin/pip install torch==2.13.0
    bench/venv/bin/python bench/train_dates.py build/heed

The model is that of the recipe gru-attention: embeddings, a bidirectional GRU, a GRU that starts from its final states,
additive attention after the step, a tanh layer and a softmax; Adam with the gradient cut to length 1. PyTorch gets what it
does best here: nn.GRU on whole sequences, no masks, no padding. The two take turns, and the best of each is compared.
"""
import argparse
import json
import subprocess
import time

import torch
from torch import nn


class Translator(nn.Module):
    def __init__(self, source, target, embedding=64, target_embedding=32, units=128, output=128):
        super().__init__()
        self.source = nn.Embedding(source, embedding)
        self.target = nn.Embedding(target, target_embedding)
        self.encoder = nn.GRU(embedding, units, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(target_embedding, 2 * units, batch_first=True)
        self.scale = nn.Parameter(torch.randn(2 * units) * 0.1)
        self.combine = nn.Linear(4 * units, output)
        self.output = nn.Linear(output, target)

    def forward(self, source, target):
        memory, state = self.encoder(self.source(source))
        state = torch.cat([state[0], state[1]], dim=-1).unsqueeze(0)
        written, _ = self.decoder(self.target(target), state)
        scores = (torch.tanh(written.unsqueeze(2) + memory.unsqueeze(1)) * self.scale).sum(-1)
        context = torch.softmax(scores, dim=-1) @ memory
        return self.output(torch.tanh(self.combine(torch.cat([written, context], dim=-1))))


def make_pytorch_step(a):
    torch.manual_seed(1)
    model = Translator(a.vocabulary, a.target_vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    source = torch.randint(4, a.vocabulary, (a.batch, a.length))
    given = torch.randint(4, a.target_vocabulary, (a.batch, a.target_length))
    answer = torch.randint(4, a.target_vocabulary, (a.batch, a.target_length))

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(source, given).flatten(0, 1), answer.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return model, step


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heed", help="the program, e.g. build/heed")
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--length", type=int, default=16)
    p.add_argument("--target-length", type=int, default=11)
    p.add_argument("--vocabulary", type=int, default=1000)
    p.add_argument("--target-vocabulary", type=int, default=15)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=20)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    model, step = make_pytorch_step(a)
    command = [a.heed, "bench", "train", "--recipe", "gru-attention", "--json", "--threads", str(a.threads), "--batch", str(a.batch),
               "--length", str(a.length), "--target-length", str(a.target_length), "--vocabulary", str(a.vocabulary),
               "--target-vocabulary", str(a.target_vocabulary), "--steps", str(a.steps)]
    ours, theirs = [], []
    for _ in range(3):
        step()
    for _ in range(a.rounds):
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ours.append(result["ms"])
        for _ in range(a.steps):
            start = time.perf_counter()
            step()
            theirs.append(1e3 * (time.perf_counter() - start))
    print(f"batch {a.batch}, lengths {a.length} and {a.target_length}, {a.threads} threads, PyTorch {torch.__version__}")
    print(f"weights: heed {result['weights']}, PyTorch {sum(w.numel() for w in model.parameters())}")
    print(f"heed     {min(ours):8.2f} ms a step")
    print(f"PyTorch  {min(theirs):8.2f} ms a step")
    print(f"ratio    {min(theirs) / min(ours):8.2f}")


if __name__ == "__main__":
    main()
