#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Make what the benchmark of the agent works on.

usage: make-cases.py RECORDING DIRECTORY

For each case DIRECTORY/NAME.pt is the model and DIRECTORY/NAME.case the schema,
the requests as the kernel sends them, and the same as numbers for a model, as
the training would make them. case.h has the layout.

  linear   the features of mm/readahead, one layer, from the recording
  mlp      16-32-32-4, features of all types, synthetic; some outputs are out
           of range, and declined
  big      64-256-256-8, synthetic; a decision has at most 4 outputs, so the
           8 are scores of classes, and the class is the decision
"""
import json
import struct
import sys

import numpy as np
import torch
from torch import nn

ROWS = 4096             # of the stream; after the last comes the first again
EXTRA = 1024            # repeats the first ones, so that a batch can cross the end
TYPES = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"]


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Normal(nn.Module):
    """Shift and scale of the inputs, folded into the first layer."""

    def __init__(self, net, x):
        super().__init__()
        self.net = net
        mean, std = x.mean(0), np.maximum(x.std(0), 0.05)
        first = net[0]
        with torch.no_grad():
            first.weight /= torch.tensor(std, dtype=torch.float32)
            first.bias -= first.weight @ torch.tensor(mean, dtype=torch.float32)

    def forward(self, x):
        return self.net(x)


class Linear(Normal):
    """As above, with outputs around 300."""

    def __init__(self, net, x):
        super().__init__(net, x)
        with torch.no_grad():
            net[0].weight *= 100
            net[0].bias *= 100
            net[0].bias += 300


class Classes(Normal):
    def forward(self, x):
        return self.net(x).argmax(1, keepdim=True).to(torch.float32)


def field(name, ctype, offset, scale, low, high):
    return struct.pack("=32s16sIIIIqq", name.encode(), b"", TYPES.index(ctype),
                       offset, scale, 0, low, high)


def save(directory, name, module, features, outputs, raw):
    """@features: (name, type, offset, scale); @outputs: (name, scale, low, high)
    @raw: a structured array with the offsets of the kernel"""
    x = np.stack([raw[n].astype(np.float64) / s for n, _, _, s in features], 1)
    model = module(x.astype(np.float32)).eval()
    x = np.concatenate([x, x[:EXTRA]]).astype(np.float32)
    code = 0x6d6c000000000000 + len(features) * 16 + len(outputs)
    size = raw.dtype.itemsize
    with open(f"{directory}/{name}.case", "wb") as f:
        f.write(struct.pack("=8sQIIIIII32s", b"ml_case1", code, len(features),
                            len(outputs), size, len(raw), EXTRA, 0,
                            f"bench/{name}".encode()))
        for n, t, o, s in features:
            f.write(field(n, t, o, s, 0, 0))
        for i, (n, s, low, high) in enumerate(outputs):
            f.write(field(n, "s32", i, s, low, high))
        f.write(raw.tobytes())
        f.write(np.ascontiguousarray(x).tobytes())
    meta = {"schema_hash": hex(code), "proxy": f"bench/{name}", "version": 1,
            "features": [n for n, *_ in features],
            "outputs": [n for n, *_ in outputs]}
    torch.jit.save(torch.jit.script(model), f"{directory}/{name}.pt",
                   _extra_files={"ml_lib.json": json.dumps(meta)})


def layout(features, size):
    numpy = {t: t.replace("s", "i")[0] + str(int(t[1:]) // 8) for t in TYPES}
    return np.dtype({"names": [f[0] for f in features],
                     "formats": [numpy[f[1]] for f in features],
                     "offsets": [f[2] for f in features], "itemsize": size})


def replayed(recording):
    """The requests of the recording, in their order."""
    desc = json.load(open(recording + ".json"))
    rec = np.load(recording + "-requests.npy")
    features = [(f["name"], f["type"], f["offset"], f["scale"])
                for f in desc["features"]]
    raw = np.zeros(ROWS, layout(features, desc["feature_bytes"]))
    for n, *_ in features:
        raw[n] = np.resize(rec[n], ROWS)
    return features, raw


def synthetic(rng, types, scales):
    features, offset = [], 0
    for i, (t, s) in enumerate(zip(types, scales)):
        features.append((f"f{i}", t, offset, s))
        offset += int(t[1:]) // 8
    raw = np.zeros(ROWS, layout(features, offset + -offset % 8))
    for n, t, _, _ in features:
        info = np.iinfo(raw[n].dtype)
        raw[n] = rng.integers(max(info.min, -2 ** 40), min(info.max, 2 ** 40),
                              ROWS, dtype=raw[n].dtype, endpoint=True)
    return features, raw


def main():
    recording, directory = sys.argv[1:]
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    torch.set_num_threads(1)

    features, raw = replayed(recording)
    save(directory, "linear", lambda x: Linear(mlp(len(features), 1), x),
         features, [("window", 1, 1, 4096)], raw)

    # Two of each type, the wide ones first so that all are aligned.
    features, raw = synthetic(rng, [t for t in TYPES[::-1] for _ in (0, 1)],
                              [1, 2, 3, 10, 16, 100, 256, 1000] * 2)
    save(directory, "mlp", lambda x: Normal(mlp(16, 32, 32, 4), x), features,
         [(f"out{i}", 1000, -200, 200) for i in range(4)], raw)

    features, raw = synthetic(rng, ["s32"] * 32 + ["u16"] * 32, [256] * 64)
    save(directory, "big", lambda x: Classes(mlp(64, 256, 256, 8), x), features,
         [("class", 1, 0, 7)], raw)


if __name__ == "__main__":
    main()
