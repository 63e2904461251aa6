#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Train the model for mm/readahead from recorded episodes.

A request holds the features of the episode that has ended, a decision the
window for the next one, and its feedback what that cost: so the rows are
(features, window) -> log2(wall time per page of progress, relative to the
episode before), recorded with windows drawn at random.

An ensemble of small networks learns that. What is exported is one network that
gives the costs of all windows at once, fitted to the ensemble's mean (Hinton,
Vinyals and Dean, "Distilling the knowledge in a neural network", 2015): a
decision takes a small part of the time.

The decision trusts what was measured more than what was learned. The client
remembers what each window has cost the file, and of the difference to what the
network expects TRUST parts count. For windows that were not tried that difference
is extrapolated, and they get a BONUS. So a file that is like none of the recorded
ones finds its window, too: wrong tries take an episode each. Where a mapping jumps,
the narrowest window is tried early (PROBE): through wider ones records of one page
look like those of many. What it does not use of a wider one is read at the expense
of others, which its own cost does not tell, so that wider ones have to be better by
WASTE. Of all windows the cheapest is taken, but the one in force is
kept where a change promises less than a tolerance: smaller differences are noise, and
to follow them costs more than it wins.
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

# What the client gives for the cost of a window that it does not know.
NEVER = 64

# Not learned from: how far jumps go is told by jump, without a threshold. With
# this one a stride of 64 pages looks like those of 16, and not like one of 100.
UNUSED = ["near"]

EXPLORED = 2	# ML_LIB_DECISION_EXPLORE, and nothing else

REPLAY = 5	# seconds
STRETCHES = 50	# of the recording
# Of a window, to tell how fast a file is read with it.
EPISODES = 6


def load(prefix):
    """Rows as (meta, requests, index of each row's request, decisions,
    feedback)."""
    meta = json.load(open(prefix + ".json"))
    req = np.load(prefix + "-requests.npy")
    dec = np.load(prefix + "-decisions.npy")
    fb = np.load(prefix + "-feedback.npy")
    by_cookie = {}
    for i, c in enumerate(req["cookie"]):
        by_cookie[int(c)] = i
    decided = {int(c): i for i, c in enumerate(dec["cookie"])}
    # Of files that share a disk, one with a wider window than the others gets more
    # of it at their expense, and all together get nothing more: where there are
    # blocks in which the windows of all were drawn as one, only they tell.
    block_ns = meta.get("explore_block_ms", 0) * 1000000
    shared = (dec["time_ns"] // block_ns % 2 == 1 if block_ns
              else np.ones(len(dec), bool))
    # The window must have been drawn at random, not chosen for the features, and
    # been in force: what came late or was not applied leaves the one before.
    rows = [(by_cookie[int(f["cookie"])], decided[int(f["cookie"])], i)
            for i, f in enumerate(fb)
            if int(f["cookie"]) in by_cookie and int(f["cookie"]) in decided
            and dec["flags"][decided[int(f["cookie"])]] == EXPLORED
            and shared[decided[int(f["cookie"])]]
            and f["applied0"] == dec["out0"][decided[int(f["cookie"])]]
            and f["arm"] == 1 and f["units"] > 0 and f["cost"] > 0]
    if not rows:
        sys.exit(f"{prefix}: no request has both a decision that was drawn and "
                 "applied, and feedback: record again, with ml-agent --explore and "
                 "mlctl record --explore")
    r, d, b = (np.array(x) for x in zip(*rows))
    return meta, req, r, dec[d], fb[b]


def load_all(prefixes):
    """The same, of several recordings."""
    parts = [load(prefix) for prefix in prefixes]
    meta = parts[0][0]
    for prefix, part in zip(prefixes, parts):
        if part[0]["schema_hash"] != meta["schema_hash"]:
            sys.exit(f"{prefix}: recorded with another schema than {prefixes[0]}: "
                     "record both again")
    first = np.cumsum([0] + [len(part[1]) for part in parts])
    req, row, dec, fb = (np.concatenate(columns)
                         for columns in list(zip(*parts))[1:])
    row += np.repeat(first[:-1], [len(part[2]) for part in parts])
    return meta, req, row, dec, fb


class Cost(nn.Module):
    """Cost of windows, as each member of the ensemble sees it."""

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
        self.b_first = nn.Parameter(torch.zeros(MEMBERS, 1, HIDDEN))
        self.w_second = weight(HIDDEN, HIDDEN)
        self.b_second = nn.Parameter(torch.zeros(MEMBERS, 1, HIDDEN))
        self.w_last = weight(HIDDEN, 1)
        self.b_last = nn.Parameter(torch.zeros(MEMBERS, 1, 1))

    def forward(self, x, w):
        """x: n x features, w: n x windows in log2; members x n x windows."""
        z = torch.clamp((x - self.mean) / self.std, -4.0, 4.0)
        w = (w - 4.5) / 3.0
        # A member's rows are all windows of the first x, of the second, ...
        shape = MEMBERS, len(x), w.shape[1]
        h = torch.matmul(z, self.w_features) + self.b_first
        h = h.unsqueeze(2).expand(*shape, HIDDEN).reshape(MEMBERS, -1, HIDDEN)
        per_window = torch.stack([w, w * w], 2).reshape(-1, 2)
        h = nn.functional.silu(h + torch.matmul(per_window, self.w_window))
        h = nn.functional.silu(torch.baddbmm(self.b_second, h, self.w_second))
        return torch.baddbmm(self.b_last, h, self.w_last).view(shape)


class Policy(nn.Module):
    """Features to window: the cheapest, or the one in force.

    Few and small operations, because most of a decision's time is calling them.
    """

    def __init__(self, mean, std, windows, names, args):
        super().__init__()
        self.window = names.index("window")
        self.mapped = names.index("mapped")
        self.sequential = names.index("sequential")
        self.trust, self.bonus, self.probe = args.trust, args.bonus, args.probe
        self.tolerance, self.waste = args.tolerance, args.waste
        self.narrow_run = names.index("narrow_run")
        self.never = NEVER
        self.register_buffer("low", mean - 4 * std)
        self.register_buffer("high", mean + 4 * std)
        self.register_buffer("windows", windows)
        self.register_buffer("log_windows", torch.log2(windows))
        self.register_buffer("narrowest", torch.eq(windows, windows[0]))
        self.register_buffer("inputs", torch.tensor(learned_from(names)))
        # Where the client gives what the windows have cost.
        self.register_buffer("measured", names.index("cost[0]")
                             + torch.log2(windows).long())
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
        inputs = x.index_select(1, self.inputs)
        learned = self.layers(torch.clamp(inputs, self.low, self.high))
        log_now = x[:, self.window:self.window + 1]
        now = torch.eq(self.log_windows, log_now)
        # As measured costs are, relative to the window in force.
        learned = learned - (learned * now).sum(1, keepdim=True)
        measured = x.index_select(1, self.measured)
        known = torch.lt(measured, self.never)
        # What was measured differs from what was learned: a line through the
        # window in force, by least squares (ridge 1), tells for the others.
        away = self.log_windows - log_now
        tried = away * known
        slope = (((measured - learned) * tried).sum(1, keepdim=True)
                 / ((tried * tried).sum(1, keepdim=True) + 1.0))
        q = torch.where(known, torch.lerp(learned, measured, self.trust),
                        torch.addcmul(learned, slope, away) - self.bonus)
        q = torch.add(q, now, alpha=-self.tolerance)
        # Only a narrow window shows how much of one a mapping that jumps uses.
        jumps = torch.gt(x[:, self.mapped:self.mapped + 1]
                         - x[:, self.sequential:self.sequential + 1], 0.25)
        q = torch.add(q, jumps & ~known[:, :1] & self.narrowest,
                      alpha=-self.probe)
        # What it does not use of a wider one is read at the expense of others.
        vain = self.log_windows - x[:, self.narrow_run:self.narrow_run + 1]
        q = torch.addcmul(q, jumps.float(), vain.clamp(min=0.0),
                          value=self.waste)
        return self.windows[q.argmin(1, keepdim=True)]


def learned_from(names):
    """Which features the networks see: what is measured of windows is not learned
    from, but used as it is."""
    return [i for i, n in enumerate(names[:names.index("cost[0]")])
            if n not in UNUSED]


def fit(cost, x, w, y, files, epochs):
    """Fit the ensemble. files: whose row it is."""
    # Each member sees each file's rows or not at all.
    share = torch.rand(MEMBERS, int(files.max()) + 1)[:, files] < 0.7
    opt = torch.optim.AdamW(cost.parameters(), lr=3e-3, weight_decay=1e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
    for epoch in range(epochs):
        for idx in torch.randperm(len(y)).split(512):
            opt.zero_grad()
            err = nn.functional.smooth_l1_loss(
                cost(x[idx], w[idx])[:, :, 0], y[idx].expand(MEMBERS, -1),
                reduction="none")
            loss = (err * share[:, idx]).mean()
            loss.backward()
            opt.step()
        sched.step()
        if sys.stderr.isatty():
            print(f"\repoch {epoch + 1}/{epochs} loss {loss:.4f} ", end="",
                  file=sys.stderr)


def distill(policy, cost, x, now, windows, epochs):
    """Fit one network to the mean of the ensemble, at the features x.

    To what a window costs more than the one in force, now: as the client gives
    what was measured.
    """
    z = torch.clamp((x - cost.mean) / cost.std, -4.0, 4.0)
    with torch.no_grad():
        w = torch.log2(windows).unsqueeze(0)
        q = torch.cat([cost(part, w.expand(len(part), -1)).mean(0)
                       for part in x.split(1024)])
        q = q - q.gather(1, (w - now[:, None]).abs().argmin(1, keepdim=True))
    opt = torch.optim.AdamW(policy.parameters(), lr=3e-3, weight_decay=1e-4)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
    for _ in range(epochs):
        for idx in torch.randperm(len(x)).split(512):
            opt.zero_grad()
            nn.functional.mse_loss(policy.layers(z[idx]), q[idx]).backward()
            opt.step()
        sched.step()
    policy.scale_in(cost.mean, cost.std)


def replay(policy, x, names, windows):
    """How fast a file would be read with the policy, from its episodes x.

    Each step draws one of the file's episodes with the window in force, and
    tells the policy what it would know then. Returns the speed relative to
    windows of the default size and to the best of all, or None if there are
    windows with too few episodes.
    """
    window, cost = names.index("window"), names.index("cost[0]")
    page_time, interval = names.index("page_time"), names.index("interval")
    # A window that was hardly drawn has the episodes of its neighbours, too, and
    # what was served from the page cache has to do with no window.
    pools = [x[(x[:, window] - w).abs() < 0.1] for w in windows.log2()]
    pools = [p if len(p) >= EPISODES else x[(x[:, window] - w).abs() < 1.1]
             for p, w in zip(pools, windows.log2())]
    if min(len(p) for p in pools) < EPISODES:
        return None
    pools = [p[p[:, page_time] > p[:, page_time].median() - 2] for p in pools]
    # Nanoseconds of the episodes, and the pages of progress in them.
    ns = [2 ** (p[:, interval] + p[:, names.index("events")]) for p in pools]
    pages = [t / 2 ** p[:, page_time] for t, p in zip(ns, pools)]
    static = [p.sum() / t.sum() for p, t in zip(pages, ns)]
    known, ages = torch.zeros(len(windows)), torch.full((len(windows),), 250)
    default = int((windows.log2() - x[0, names.index("ra_pages")]).abs().argmin())
    now = default
    time, progress = 0.0, 0.0
    narrow_run, n, odd = 0.0, 0, False
    while time < REPLAY * 1e9:
        i = int(torch.randint(len(pools[now]), ()))
        row = pools[now][i].clone()
        row[window] = windows.log2()[now]
        time += ns[now][i]
        progress += pages[now][i]
        # As ml_ra_ask() and ml_ra_costs() do.
        t = row[page_time]
        changed = ages[now] < 250 and (t - known[now]).abs() > 2
        if changed and not odd:
            odd = True
            continue
        odd = False
        n += 1
        ages = (ages + 1).clamp(max=250)
        if changed:
            ages[:] = 250
        known[now] = (known[now] + t) / 2 if ages[now] < 250 else t
        ages[now] = 0
        if windows[now] <= 2:
            narrow_run = row[names.index("run")]
        row[names.index("narrow_run")] = narrow_run
        row[names.index("episodes")] = torch.log2(torch.tensor(float(n)))
        row[cost:] = NEVER
        tried = ages < 250
        row[cost + windows.log2().long()[tried]] = (known - t)[tried]
        with torch.no_grad():
            now = int((windows == policy(row[None])[0, 0]).nonzero()[0])
    speed = progress / time
    return speed / static[default], speed / max(static)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("data", nargs="+", help="prefix of a recording, like "
                   "data/readahead/quiet")
    p.add_argument("model", help="TorchScript file to write")
    p.add_argument("--epochs", type=int, default=400)
    p.add_argument("--trust", type=float, default=0.7,
                   help="weight of what was measured [%(default)s]")
    p.add_argument("--bonus", type=float, default=0.1,
                   help="for windows not tried yet, in log2 of cost "
                   "[%(default)s]")
    p.add_argument("--tolerance", type=float, default=0.1,
                   help="least gain that is worth a change, in log2 of cost "
                   "[%(default)s]")
    p.add_argument("--probe", type=float, default=2.0,
                   help="for the narrowest one, if not tried yet, where a mapping "
                   "jumps, in log2 of cost [%(default)s]")
    p.add_argument("--waste", type=float, default=0.1,
                   help="for each doubling of a window beyond what a mapping that "
                   "jumps uses of it, in log2 of cost [%(default)s]")
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    meta, req, row, dec, fb = load_all(args.data)
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
    windows = torch.tensor(sorted(set(dec["out0"].tolist())),
                           dtype=torch.float32)
    if (windows > 128).any() or (windows.log2() % 1).any():
        sys.exit(f"windows of {windows.int().tolist()} pages were "
                 "drawn, but the client remembers the costs of powers of two up "
                 "to 128: record again with such windows")

    for pages in 2 ** x[:, names.index("ra_pages")].unique():
        if (windows - pages).abs().min() > 0.5:
            sys.exit(f"the default window, {pages:.0f} pages, was not drawn: "
                     "record again with it in --explore")

    # An object is a file that was opened once. What was recorded at a time is of
    # the same kind, so a fifth of the time is held out, a stretch here and there.
    objects, first, whose = np.unique(req["object"], return_index=True,
                                      return_inverse=True)
    if len(objects) < 2:
        sys.exit("only one file was recorded, and some have to be held out: "
                 "record more")
    stretch = first.argsort().argsort() * STRETCHES // len(objects)
    held = np.isin(stretch, np.random.RandomState(args.seed)
                   .permutation(np.unique(stretch))[::5])
    files = torch.tensor(whose[row])
    test = torch.tensor(held)[files]
    now = x[:, names.index("window")]
    inputs = x[:, learned_from(names)]

    def learn(rows):
        mean = inputs[rows].mean(0)
        std = inputs[rows].std(0).clamp(min=0.05)
        cost = Cost(mean, std)
        fit(cost, inputs[rows], w[rows], y[rows], files[rows], args.epochs)
        policy = Policy(mean, std, windows, names, args)
        distill(policy, cost, inputs[rows], now[rows], windows, args.epochs)
        return policy.eval()

    policy = learn(~test)
    speeds = [speed for o in np.flatnonzero(held)
              if (speed := replay(policy, features[whose == o], names,
                                  windows)) is not None]
    print(f"{int((~test).sum())} rows to train, {int(test.sum())} held out, of "
          f"{len(objects)} files")
    if speeds:
        default, best = torch.tensor(speeds).log().mean(0).exp()
        print(f"{len(speeds)} held-out files replayed for {REPLAY} s: {default:.3f} "
              f"of the default's speed, {best:.3f} of each one's best window's")
    else:
        print("no held-out file has enough episodes of all windows for a replay: "
              "record longer to know how good the model is")

    # What is written has learned from all.
    policy = learn(torch.ones_like(test))
    extra = {"ml_lib.json": json.dumps({
        "proxy": meta["proxy"], "schema_hash": meta["schema_hash"],
        "version": 1, "features": names,
        "outputs": [f["name"] for f in meta["outputs"]]})}
    torch.jit.script(policy).save(args.model, _extra_files=extra)
    print(f"wrote {args.model}")


if __name__ == "__main__":
    main()
