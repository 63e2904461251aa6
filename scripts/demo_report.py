# SPDX-License-Identifier: GPL-2.0
"""Table, results.json and plot from what the demo measured."""
import json
import math
import statistics
import sys

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt


def geomean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def main():
    where = sys.argv[1]
    raw = json.load(open(f"{where}/raw.json"))
    rows = []
    for r in raw["rows"]:
        m = {k: statistics.median(v) for k, v in r["runs"].items()}
        rows.append({
            "disk": r["disk"], "workload": r["workload"],
            "default": m["default"],
            "static": {k.split()[1]: v for k, v in m.items()
                       if k.startswith("static")},
            "hinted": m["hinted"], "ml": m["ml"],
            "runs": {k: len(v) for k, v in r["runs"].items()},
            "spread": {k: (max(v) - min(v)) / statistics.median(v)
                       for k, v in r["runs"].items()}})
    # The default is a static window too, of 128 KiB.
    static = [{"128": r["default"], **r["static"]} for r in rows]
    best = [max(s.values()) for s in static]
    single = {k: geomean(s[k] / r["default"] for s, r in zip(static, rows))
              for k in static[0]}
    single_best = max(single, key=single.get)
    gain = geomean(r["ml"] / r["default"] for r in rows)
    headroom = geomean(b / r["default"] for b, r in zip(best, rows))
    out = {
        "kernel": raw["kernel"], "full": raw["full"], "rows": rows,
        "geomean_vs_default": gain,
        "geomean_vs_best_single_static": gain / single[single_best],
        "best_single_static": single_best,
        "worst_vs_default": min(r["ml"] / r["default"] for r in rows),
        "vs_oracle": geomean(r["ml"] / b for b, r in zip(best, rows)),
        "headroom": headroom,
        "recovered": math.log(gain) / math.log(headroom)
                     if headroom > 1.001 else None,
    }
    killed = raw["killed"] or {"at": 0, "points": []}
    at = killed["at"]
    # Without the times in which the file is new, the agent dies, and fio ends.
    before = [v for t, v in killed["points"] if 2 < t < at - 0.5]
    after = [v for t, v in killed["points"] if at + 1 < t < 2 * at - 0.5]
    if before and after:
        row = [killed["disk"], killed["workload"]]
        out["agent_killed"] = {
            "disk": row[0], "workload": row[1],
            "kib_s_before": statistics.median(before),
            "kib_s_after": statistics.median(after),
            "kib_s_default": next(r["default"] for r in rows
                                  if [r["disk"], r["workload"]] == row)}
    json.dump(out, open(f"{where}/results.json", "w"), indent=1)

    cols = ["default", "16", "512", "2048", "hinted", "ml"]
    lines = [f"{'disk':5} {'workload':15}" + "".join(f"{c:>9}" for c in cols) +
             "  ml/default  ml/best static  spread"]
    for r, b in zip(rows, best):
        v = [r["default"], r["static"]["16"], r["static"]["512"],
             r["static"]["2048"], r["hinted"], r["ml"]]
        lines.append(f"{r['disk']:5} {r['workload']:15}" +
                     "".join(f"{x:9.0f}" for x in v) +
                     f"{r['ml'] / r['default']:12.2f}{r['ml'] / b:16.2f}"
                     f"{max(r['spread'][c] for c in ('default', 'ml')):8.0%}")
    few = min(min(r["runs"].values()) for r in rows)
    lines.append(f"KiB/s, medians of {few} runs of {raw['seconds']} s, and of the "
                 "default and the model four times as many where these")
    lines.append("differ; spread: of the default's or the model's runs, the larger; "
                 f"kernel {raw['kernel']}")
    for key in ("geomean_vs_default", "geomean_vs_best_single_static",
                "worst_vs_default", "vs_oracle", "headroom", "recovered"):
        lines.append(f"{key} {out[key]:.3f}" if out[key] is not None
                     else f"{key} -")
    lines.append(f"best single static window {single_best} KiB, "
                 f"{single[single_best]:.3f} of the default's throughput")
    if "agent_killed" in out:
        k = out["agent_killed"]
        lines.append(f"agent killed in mid-run: {k['kib_s_before']:.0f} KiB/s "
                     f"before, {k['kib_s_after']:.0f} after ({k['disk']}, "
                     f"{k['workload']}; default {k['kib_s_default']:.0f})")
    table = "\n".join(lines)
    print(table)
    open(f"{where}/table.txt", "w").write(table + "\n")

    high = 0.55 * len(rows) + 2
    fig, (ax, over_time) = plt.subplots(2, 1, figsize=(11, high + 3),
                                        height_ratios=[high, 3])
    for c, marker in zip(cols[1:], "vs^Do"):
        v = [r["static"].get(c, r.get(c)) for r in rows]
        ax.plot([x / r["default"] for x, r in zip(v, rows)], range(len(rows)),
                marker, label={"ml": "ML_LIB", "hinted": "fadvise/madvise"}
                .get(c, f"read_ahead_kb {c}"), markersize=9,
                alpha=1 if c == "ml" else 0.6)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(range(len(rows)),
                  [f"{r['workload']} ({r['disk']})" for r in rows])
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.set_xlabel("throughput relative to the kernel's default")
    ax.set_title(f"Readahead windows, kernel {raw['kernel']}")
    ax.grid(alpha=0.3)
    ax.legend()
    if "agent_killed" in out:
        over_time.plot(*zip(*((t, v / 1024) for t, v in killed["points"])), "D-")
        over_time.axvline(at, color="red", linewidth=0.8, label="agent killed")
        over_time.axhline(out["agent_killed"]["kib_s_default"] / 1024, color="black",
                          linewidth=0.8, label="the row's default")
        over_time.set_ylim(bottom=0)
        over_time.set_xlabel("seconds")
        over_time.set_ylabel("MiB/s")
        over_time.set_title(f"{killed['workload']} ({killed['disk']})")
        over_time.legend()
    fig.tight_layout()
    fig.savefig(f"{where}/results.png", dpi=120)


main()
