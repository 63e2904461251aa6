#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make good and bad models of the test proxy in a directory."""
import json
import os
import sys

out = sys.argv[1]
META = {"schema_hash": "0x1122334455667788", "proxy": "test/echo", "version": 7,
        "features": ["size", "delta", "kind", "object"], "outputs": ["window"]}
WEIGHTS = [1.0, 0.5, 2.0, 0.0]
BIAS = 1.0


def path(name):
    return os.path.join(out, name)


def linear(name, **changes):
    meta = dict(META, outputs=[{"name": "window", "weights": WEIGHTS,
                                "bias": BIAS}])
    meta.update(changes)
    with open(path(name), "w", encoding="ascii") as f:
        json.dump(meta, f)


linear("good.json")
linear("hash.json", schema_hash="0x1")
linear("weights.json", outputs=[{"name": "window", "weights": [1], "bias": 0}])
linear("order.json", features=["delta", "size", "kind", "object"])
linear("proxy.json", proxy="mm/readahead")
linear("version.json", version=2**32)
with open(path("corrupt.json"), "w", encoding="ascii") as f:
    f.write('{"schema_hash": ')

if sys.argv[2:] != ["torch"]:
    sys.exit()

import torch  # noqa: E402


class Linear(torch.nn.Module):
    def __init__(self, outputs=1):
        super().__init__()
        self.layer = torch.nn.Linear(4, outputs)
        with torch.no_grad():
            self.layer.weight.copy_(torch.tensor([WEIGHTS] * outputs))
            self.layer.bias.fill_(BIAS)

    def forward(self, x):
        return self.layer(x)


class NotANumber(Linear):
    def forward(self, x):
        return self.layer(x) * float("nan")


class Wide(Linear):
    def forward(self, x):
        return self.layer(x) + 1e6


class Throws(Linear):
    def forward(self, x):
        if bool(x.sum() > 0):
            raise ValueError("no idea")
        return self.layer(x)


class Pair(Linear):
    def forward(self, x):
        return self.layer(x), x


def save(name, module, meta=None):
    extra = {"ml_lib.json": json.dumps(meta)} if meta else {}
    torch.jit.save(torch.jit.script(module), path(name), _extra_files=extra)


save("good.pt", Linear(), META)
save("nan.pt", NotANumber(), META)
save("wide.pt", Wide(), META)
save("throws.pt", Throws(), META)
save("pair.pt", Pair(), META)
save("shape.pt", Linear(2), META)
save("hash.pt", Linear(), dict(META, schema_hash="0x1"))
save("bare.pt", Linear())
with open(path("good.pt"), "rb") as f:
    data = f.read()
with open(path("corrupt.pt"), "wb") as f:
    f.write(data[:len(data) // 2])
