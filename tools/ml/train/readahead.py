#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Train the model for mm/readahead from recorded episodes.

A request holds the features of the episode that has ended, a decision the
window for the next one, and its feedback what that cost: so the rows are
(features, window) -> log2(wall time per page of progress, relative to the
episode before), recorded with windows drawn at random.

A window also decides what the next request can tell: only a narrow one shows
how long the records of a random reader are. So what is learned is not the cost
of the next episode alone but

  Q(features, window) = cost + GAMMA * min over windows of Q(next features, .)

by fitted Q iteration (Ernst, Geurts and Wehenkel, "Tree-based batch mode
reinforcement learning", JMLR 6, 2005), with an ensemble of small networks in
place of the trees. What is exported is one network that gives Q of all windows
at once, fitted to the ensemble's mean (Hinton, Vinyals and Dean, "Distilling
the knowledge in a neural network", 2015): a decision takes a small part of the
time. It takes the window with the least Q, but keeps the one in force where a
change promises less than a tolerance: smaller differences are noise, and to
follow them costs more than it wins.
"""
import argparse
import json
import sys

import numpy as np
import torch
from torch import nn

MEMBERS = 5		# of the ensemble
HIDDEN = 48
HIDDEN_POLICY = 64


def load(prefix):
    """Rows as (meta, requests, decisions, feedback, index of the next row)."""
    meta = json.load(open(prefix + ".json"))
    req = np.load(prefix + "-requests.npy")
    dec = np.load(prefix + "-decisions.npy")
    fb = np.load(prefix + "-feedback.npy")
    by_cookie = {}
    for i, c in enumerate(req["cookie"]):
        by_cookie[int(c)] = i
    decided = {int(c): i for i, c in enumerate(dec["cookie"])}
    # The window that was drawn must have been in force.
    rows = [(by_cookie[int(f["cookie"])], decided[int(f["cookie"])], i)
            for i, f in enumerate(fb)
            if int(f["cookie"]) in by_cookie and int(f["cookie"]) in decided
            and f["arm"] == 1 and f["units"] > 0 and f["cost"] > 0]
    if not rows:
        sys.exit(f"{prefix}: no request has both a decision and feedback: "
                 "record again with 'make record'")
    # The request that followed a row's episode: the next one of its object.
    after, last = {}, {}
    for i, o in enumerate(req["object"]):
        if o in last:
            after[last[o]] = i
        last[o] = i
    r, d, b = (np.array(x) for x in zip(*rows))
    return meta, req, r, np.array([after.get(i, -1) for i in r]), dec[d], fb[b]


class Cost(nn.Module):
    """Q of windows, as each member of the ensemble sees it."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

        def weight(fan_in, fan_out):
            return nn.Parameter((torch.rand(MEMBERS, fan_in, fan_out) * 2 - 1)
                                / fan_in ** 0.5)
        # The features are multiplied once, not once for each window.
        self.w_features = weight(len(mean), HIDDEN)
        self.w_window = weight(2, HIDDEN)
        self.b_first = nn.Parameter(torch.zeros(MEMBERS, 1, 1, HIDDEN))
        self.w_second = weight(HIDDEN, HIDDEN)
        self.b_second = nn.Parameter(torch.zeros(MEMBERS, 1, 1, HIDDEN))
        self.w_last = weight(HIDDEN, 1)
        self.b_last = nn.Parameter(torch.zeros(MEMBERS, 1, 1))

    def forward(self, x, w):
        """x: n x features, w: n x windows in log2; members x n x windows."""
        z = torch.clamp((x - self.mean) / self.std, -4.0, 4.0)
        w = (w - 4.5) / 3.0
        h = torch.matmul(z, self.w_features).unsqueeze(2) + self.b_first
        h = h + torch.matmul(torch.stack([w, w * w], 2),
                             self.w_window.unsqueeze(1))
        h = nn.functional.silu(h)
        h = nn.functional.silu(torch.matmul(h, self.w_second.unsqueeze(1)) +
                               self.b_second)
        return torch.matmul(h, self.w_last.unsqueeze(1)).squeeze(3) + self.b_last


class Policy(nn.Module):
    """Features to window: the one with the least Q, or the one in force.

    Few and small operations, because most of a decision's time is calling them.
    """

    def __init__(self, mean, std, windows, current, tolerance):
        super().__init__()
        self.current = current	# the feature that tells the window in force
        self.tolerance = tolerance
        self.register_buffer("low", mean - 4 * std)
        self.register_buffer("high", mean + 4 * std)
        self.register_buffer("windows", windows)
        self.register_buffer("log_windows", torch.log2(windows))
        self.layers = nn.Sequential(
            nn.Linear(len(mean), HIDDEN_POLICY), nn.SiLU(),
            nn.Linear(HIDDEN_POLICY, HIDDEN_POLICY), nn.SiLU(),
            nn.Linear(HIDDEN_POLICY, len(windows)))

    def scale_in(self, mean, std):
        """From normalised features to features: (x - mean) / std."""
        first = self.layers[0]
        with torch.no_grad():
            first.weight /= std
            first.bias -= first.weight @ mean

    def forward(self, x):
        now = x[:, self.current:self.current + 1]
        q = self.layers(torch.clamp(x, self.low, self.high))
        q = torch.add(q, torch.eq(self.log_windows, now), alpha=-self.tolerance)
        return self.windows[q.argmin(1, keepdim=True)]


def fit(cost, x, w, y, follow, x_follow, windows, args):
    """Fitted Q iteration. follow: row has a successor, in x_follow."""
    n = len(y)
    w_all = torch.log2(windows).unsqueeze(0)
    # Each member sees each file's rows or not at all: their spread is doubt.
    share = torch.rand(MEMBERS, n)
    rounds = args.rounds
    for r in range(rounds):
        q = y.clone()
        if r:
            with torch.no_grad():
                best = torch.cat([cost(part, w_all.expand(len(part), -1))
                                  .mean(0).min(1)[0]
                                  for part in x_follow.split(1024)])
            q[follow] += args.gamma * best.clamp(-6, 6)
        opt = torch.optim.AdamW(cost.parameters(), lr=3e-3, weight_decay=1e-3)
        # The first and the last round are what the result rests on.
        epochs = args.epochs // (rounds + 4) * (3 if r in (0, rounds - 1) else 1)
        sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
        for epoch in range(epochs):
            for idx in torch.randperm(n).split(256):
                opt.zero_grad()
                err = nn.functional.smooth_l1_loss(
                    cost(x[idx], w[idx])[:, :, 0],
                    q[idx].expand(MEMBERS, -1), reduction="none")
                loss = (err * (share[:, idx] < 0.8)).mean()
                loss.backward()
                opt.step()
            sched.step()
            if sys.stderr.isatty():
                print(f"\rround {r + 1}/{rounds} epoch {epoch + 1}/{epochs} "
                      f"loss {loss:.4f} ", end="", file=sys.stderr)


def distill(policy, cost, x, windows, epochs):
    """Fit one network to the mean of the ensemble, at the features x.

    To what Q is above its mean over the windows, that is: only that matters.
    """
    z = torch.clamp((x - cost.mean) / cost.std, -4.0, 4.0)
    with torch.no_grad():
        w = torch.log2(windows).unsqueeze(0)
        q = torch.cat([cost(part, w.expand(len(part), -1)).mean(0)
                       for part in x.split(1024)])
        q = q - q.mean(1, keepdim=True)
    opt = torch.optim.AdamW(policy.parameters(), lr=3e-3, weight_decay=1e-4)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
    for _ in range(epochs):
        for idx in torch.randperm(len(x)).split(256):
            opt.zero_grad()
            nn.functional.mse_loss(policy.layers(z[idx]), q[idx]).backward()
            opt.step()
        sched.step()
    policy.scale_in(cost.mean, cost.std)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("data", help="prefix of the recording, like "
                   "data/readahead/readahead")
    p.add_argument("model", help="TorchScript file to write")
    p.add_argument("--epochs", type=int, default=200)
    p.add_argument("--rounds", type=int, default=4,
                   help="rounds of Q iteration [%(default)s]")
    p.add_argument("--gamma", type=float, default=0.5,
                   help="weight of the next episode [%(default)s]")
    p.add_argument("--tolerance", type=float, default=0.05,
                   help="least gain that is worth a change, in log2 of cost "
                   "[%(default)s]")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    meta, req, row, after, dec, fb = load(args.data)
    fields = meta["features"]
    names = [f["name"] for f in fields]
    features = torch.tensor(np.stack([req[f["name"]] / f["scale"]
                                      for f in fields], 1),
                            dtype=torch.float32)
    x = features[row]
    w = torch.tensor(np.log2(dec["out0"].astype(np.float64))[:, None],
                     dtype=torch.float32)
    y = torch.tensor(np.log2(fb["cost"] / fb["units"]), dtype=torch.float32)
    y = (y - x[:, names.index("page_time")]).clamp(-8, 8)
    follow = torch.tensor(after >= 0)
    x_follow = features[after[after >= 0]]
    windows = torch.tensor(sorted(set(dec["out0"].tolist())),
                           dtype=torch.float32)

    # Held out: every fifth object, so that no file is in both parts.
    objects = np.unique(req["object"])
    held = np.isin(req["object"][row], np.random.RandomState(args.seed)
                   .permutation(objects)[:max(len(objects) // 5, 1)])
    test = torch.tensor(held)
    train = ~test
    mean = x[train].mean(0)
    std = x[train].std(0).clamp(min=0.05)

    cost = Cost(mean, std)
    fit(cost, x[train], w[train], y[train], follow[train],
        x_follow[train[follow]], windows, args)
    # Q tells what to do otherwise in one episode: its part of a lasting gain.
    policy = Policy(mean, std, windows, names.index("window"),
                    args.tolerance * (1 - args.gamma))
    distill(policy, cost, torch.cat([x[train], x_follow[train[follow]]]),
            windows, args.epochs)
    policy.eval()
    with torch.no_grad():
        chosen = policy(x[test])[:, 0]
        # What the choice would have cost, from the rows that happened to draw
        # it (each window was drawn with the same probability).
        same = torch.isclose(chosen.log2(), w[test][:, 0])
        gain = y[test][same].mean() - y[test].mean()
    print(f"{int(train.sum())} rows to train, {int(test.sum())} held out, of "
          f"{len(objects)} files; held-out cost of chosen against random "
          f"windows {2 ** gain:.3f} ({int(same.sum())} rows)")

    extra = {"ml_lib.json": json.dumps({
        "proxy": meta["proxy"], "schema_hash": meta["schema_hash"],
        "version": 1, "features": names,
        "outputs": [f["name"] for f in meta["outputs"]]})}
    torch.jit.script(policy).save(args.model, _extra_files=extra)
    print(f"wrote {args.model}")


if __name__ == "__main__":
    main()
