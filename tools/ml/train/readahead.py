#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Train the model for mm/readahead from recorded episodes.

A request holds the features of the episode that has ended, a decision the
window for the next one, and its feedback what that cost. So the rows are
(features, window) -> log2(wall time per page consumed), recorded with windows
drawn at random. A small network learns that cost; the model that is exported
evaluates it for each candidate window and takes the cheapest. Differences
below a tolerance are noise: there the smaller window is taken.
"""
import argparse
import json
import sys

import numpy as np
import torch
from torch import nn


def load(prefix):
    meta = json.load(open(prefix + ".json"))
    req = np.load(prefix + "-requests.npy")
    dec = np.load(prefix + "-decisions.npy")
    fb = np.load(prefix + "-feedback.npy")
    by_cookie = {}
    for i, c in enumerate(req["cookie"]):
        by_cookie[int(c)] = i
    decided = {int(c): i for i, c in enumerate(dec["cookie"])}
    rows = [(by_cookie[int(f["cookie"])], decided[int(f["cookie"])], i)
            for i, f in enumerate(fb)
            if int(f["cookie"]) in by_cookie and int(f["cookie"]) in decided]
    if not rows:
        sys.exit(f"{prefix}: no request has both a decision and feedback: "
                 "record again with 'make record'")
    r, d, b = (np.array(x) for x in zip(*rows))
    req, dec, fb = req[r], dec[d], fb[b]
    # The window that was drawn must have been in force.
    ok = (fb["arm"] == 1) & (fb["units"] > 0) & (fb["cost"] > 0)
    return meta, req[ok], dec[ok], fb[ok]


class Cost(nn.Module):
    """log2 of the cost of a window, relative to the episode before."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.net = nn.Sequential(nn.Linear(len(mean) + 2, 48), nn.SiLU(),
                                 nn.Linear(48, 48), nn.SiLU(),
                                 nn.Linear(48, 1))

    def forward(self, x, w):
        z = torch.clamp((x - self.mean) / self.std, -4.0, 4.0)
        w = (w - 4.5) / 3.0
        return self.net(torch.cat([z, w, w * w], 1))[:, 0]


class Policy(nn.Module):
    """Features to window: the cheapest candidate."""

    def __init__(self, cost, windows, tolerance):
        super().__init__()
        self.cost = cost
        self.tolerance = tolerance
        self.register_buffer("windows", windows)
        self.register_buffer("log_windows", torch.log2(windows))

    def forward(self, x):
        n, k = x.shape[0], self.windows.shape[0]
        xs = x.unsqueeze(1).expand(n, k, x.shape[1]).reshape(n * k, -1)
        ws = self.log_windows.unsqueeze(0).expand(n, k).reshape(n * k, 1)
        cost = self.cost(xs, ws).reshape(n, k)
        best = cost.min(1, keepdim=True)[0]
        good = (cost <= best + self.tolerance).to(torch.int64)
        return self.windows[good.argmax(1)].unsqueeze(1)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("data", help="prefix of the recording, like "
                   "data/readahead/readahead")
    p.add_argument("model", help="TorchScript file to write")
    p.add_argument("--epochs", type=int, default=300)
    p.add_argument("--tolerance", type=float, default=0.03,
                   help="log2 of cost that counts as noise [%(default)s]")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    meta, req, dec, fb = load(args.data)
    fields = meta["features"]
    names = [f["name"] for f in fields]
    x = np.stack([req[f["name"]] / f["scale"] for f in fields], 1)
    w = np.log2(dec["out0"].astype(np.float64))
    page_time = x[:, names.index("page_time")]
    y = np.log2(fb["cost"] / fb["units"]) - page_time
    y = np.clip(y, -8, 8)

    # Held out: every fifth object, so that no file is in both parts.
    objects = np.unique(req["object"])
    held = np.isin(req["object"], np.random.RandomState(args.seed)
                   .permutation(objects)[:max(len(objects) // 5, 1)])
    t = [torch.tensor(a, dtype=torch.float32) for a in (x, w[:, None], y)]
    train, test = torch.tensor(~held), torch.tensor(held)
    mean = t[0][train].mean(0)
    std = t[0][train].std(0).clamp(min=0.05)

    cost = Cost(mean, std)
    opt = torch.optim.AdamW(cost.parameters(), lr=3e-3, weight_decay=1e-2)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, args.epochs)
    xs, ws, ys = (a[train] for a in t)
    for epoch in range(args.epochs):
        for idx in torch.randperm(len(ys)).split(256):
            opt.zero_grad()
            loss = nn.functional.smooth_l1_loss(cost(xs[idx], ws[idx]),
                                                ys[idx])
            loss.backward()
            opt.step()
        sched.step()
        if sys.stderr.isatty():
            print(f"\repoch {epoch + 1}/{args.epochs} loss {loss:.4f}", end="",
                  file=sys.stderr)
    windows = torch.tensor(sorted(set(dec["out0"].tolist())),
                           dtype=torch.float32)
    policy = Policy(cost, windows, args.tolerance).eval()
    with torch.no_grad():
        xt, wt, yt = (a[test] for a in t)
        err = cost(xt, wt) - yt
        r2 = 1 - (err ** 2).mean() / yt.var()
        chosen = policy(xt)[:, 0]
        # What the choice would have cost, from the rows that happened to draw
        # it (each window was drawn with the same probability).
        same = torch.isclose(chosen.log2(), wt[:, 0])
        gain = yt[same].mean() - yt.mean()
    print(f"{len(ys)} rows to train, {len(yt)} held out, of {len(objects)} "
          f"files; held-out R2 {r2:.3f}; cost of chosen against random "
          f"windows {2 ** gain:.3f} ({int(same.sum())} rows)")

    extra = {"ml_lib.json": json.dumps({
        "proxy": meta["proxy"], "schema_hash": meta["schema_hash"],
        "version": 1, "features": names,
        "outputs": [f["name"] for f in meta["outputs"]]})}
    torch.jit.script(policy).save(args.model, _extra_files=extra)
    print(f"wrote {args.model}")


if __name__ == "__main__":
    main()
