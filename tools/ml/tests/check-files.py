#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Read what test-npy or ml-agent wrote; exit non-zero if it is not right."""
import json
import sys

import numpy as np


def npy(path, least, most, lost=None):
    a = np.load(path)
    assert a.dtype.names == ("n", "half"), a.dtype
    assert int(least) <= len(a) <= int(most), len(a)
    assert lost is None or len(a) + int(lost) == 100000, lost
    assert (a["n"] == np.arange(len(a))).all()
    assert np.allclose(a["half"], a["n"] / 2)


def load(prefix):
    with open(prefix + ".json", encoding="ascii") as f:
        desc = json.load(f)
    assert desc["proxy"] == "test/echo"
    assert desc["schema_hash"] == "0x1122334455667788"
    return [np.load(f"{prefix}-{what}.npy")
            for what in ("requests", "decisions", "feedback")] + [desc]


def joined(prefix, nr):
    req, dec, fb, desc = load(prefix)
    assert len(req) == len(dec) == int(nr), (len(req), len(dec))
    assert req.dtype.names == ("cookie", "time_ns", "object", "size", "delta",
                               "kind", "object_")
    assert len(fb) > 0 and (fb["cost"] == 100).all() and (fb["arm"] == 1).all()
    req = req[np.argsort(req["cookie"])]
    dec = dec[np.argsort(dec["cookie"])]
    assert (req["cookie"] == dec["cookie"]).all()
    assert (dec["time_ns"] >= req["time_ns"]).all()
    return req, dec, desc


def linear(prefix, nr):
    req, dec, _ = joined(prefix, nr)
    want = 2 * (1 + req["size"] / 10 + 0.5 * req["delta"] + 2.0 * req["kind"])
    assert (dec["model"] == 7).all() and (dec["probability"] == 1).all()
    # Out of range: one backend clamps, the other leaves it to be declined.
    declined = (dec["flags"] & 1) != 0
    assert ((want < 1) | (want > 127))[declined].all()
    error = dec["out0"] - np.clip(np.rint(want), 1, 128)
    assert (np.abs(error[~declined]) <= 1).all()
    assert declined.mean() < 0.5


def explore(prefix, nr):
    _, dec, desc = joined(prefix, nr)
    assert desc["explore"] == "1,4,16" and desc["seed"] == "9"
    assert (dec["flags"] == 2).all()
    assert np.allclose(dec["probability"], 1 / 3)
    values, count = np.unique(dec["out0"], return_counts=True)
    assert list(values) == [2, 8, 32], values
    assert (np.abs(count / len(dec) - 1 / 3) < 0.1).all(), count


def blocks(prefix, nr):
    """In every other millisecond one draw held for all."""
    _, dec, desc = joined(prefix, nr)
    assert desc["explore_block_ms"] == 1
    # A decision is drawn just before its time stamp: leave out the edges.
    ms, part = np.divmod(dec["time_ns"].astype(np.int64), 1000000)
    inner = (part > 200000) & (part < 900000)
    held = {m: np.unique(dec["out0"][inner & (ms == m)]) for m in np.unique(ms[inner])
            if (inner & (ms == m)).sum() > 20}
    odd = [len(v) for m, v in held.items() if m % 2]
    even = [len(v) for m, v in held.items() if m % 2 == 0]
    print("different values per block:", odd, even)
    assert odd and even and np.median(odd) == 1 and np.median(even) == 3


globals()[sys.argv[1]](*sys.argv[2:])
