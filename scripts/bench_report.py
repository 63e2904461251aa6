#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tables, verdicts and plots of the benchmark.

usage: bench_report.py [--quick] [--failed "PART..."] DIRECTORY

Reads DIRECTORY/PART.jsonl, one object per measurement:

  where      native | uml | guest: what the time was taken on
  transport  what was measured
  payload    bytes of a message's content, or null
  depth      messages in flight or in a batch, or null
  cpus       producers or CPUs, or null
  metric     what about it: FAMILY_DETAIL; rows of a family make one table
  value      the figure; for "cdf" a list of [percentile, ns]
  unit, n    unit, and number of samples
  ci         half width of the 95 % confidence interval of value, or null
  note       a remark, optional
or {"where", "transport", "skipped": reason}
or {"where", "transport", "text": tables that the part made itself}.

Metrics with a meaning here: "delivered" (share of the answers that came and
were right, 1 is a pass), "rtt_p50" ... in ns, "oneway_p50" ..., "throughput"
in 1/s, "cdf". What TARGETS names is judged where it exists.
"""
import argparse
import json
import os
import sys

PARTS = ["native", "uml", "guest", "cost", "agent"]


class Target:
    """`part: value of a [/ value of b] op limit`.

    a and b are dicts of what a measurement has to be; a list means any of
    these. If several fit, `a` takes the worst, `b` the hardest for us. With
    `each`, a key of a measurement, this is done for each value of it that
    both have, and the worst is judged.
    """

    def __init__(self, part, text, a, op, limit, b=None, unit="x", each=None):
        self.part, self.text, self.a, self.b = part, text, a, b
        self.op, self.limit, self.unit, self.each = op, limit, unit, each
        self.worst, self.best = (max, min) if op == "<=" else (min, max)

    def measure(self, records, more):
        """(value, why there is none)"""
        a = values(records, self.part, {**self.a, **more})
        if not a:
            return None, why_not(records, self.part, self.a)
        if not self.b:
            return self.worst(a), ""
        b = values(records, self.part, {**self.b, **more})
        if not b:
            return None, why_not(records, self.part, self.b)
        if not self.best(b):
            return None, "divided by zero"
        return self.worst(a) / self.best(b), ""

    def judge(self, records):
        at, (mine, why) = None, self.measure(records, {})
        if mine is not None and self.each:
            at = {r[self.each] for r in records if r.get(self.each) is not None}
            at = {x: self.measure(records, {self.each: x})[0] for x in at}
            at = {x: value for x, value in at.items() if value is not None}
            mine, why = (self.worst(at.values()), "") if at else (None, "nothing in common")
        if mine is None:
            return None, "not measured", why
        met = mine <= self.limit if self.op == "<=" else mine >= self.limit
        where = [f"at {self.each} {x}" for x in sorted(at) if at[x] == mine][:1] if at else []
        return met, " ".join([f"{mine:.3g}", self.unit] + where).strip(), ""


def rtt(transport, **more):
    return dict(transport=transport, metric="rtt_p50", **more)


def rate(transport, metric, **more):
    return dict(transport=transport, metric=metric, depth=32, **more)


def made(transport, cpus, metric="producers_throughput"):
    return dict(transport=transport, metric=metric, cpus=cpus)


# Whatever carries content and has batches. uring-nop and uring-sqpoll carry
# none, which is not what is compared; uring-msg and netlink have round trips
# only; memcpy is the bound. The pipe and the socket are rings of the kernel's.
CARRIERS = ["ck_ring", "bpf-ringbuf", "bpf-ringbuf+eager", "pipe", "pipe-spin", "unix",
            "unix-spin"]

TARGETS = [
    Target("native", "round trip p50 / bare ping-pong, 64 bytes",
           dict(transport="ml_lib", metric="rtt_per_pingpong", payload=64), "<=", 2.0),
    Target("native", "ring.h alone, one way / memcpy",
           rate("ml_ring", "bound_oneway", payload=64), ">=", 0.5),
    Target("native", "feedback, batch 32, one way / memcpy",
           rate("ml_report", "bound_oneway"), ">=", 0.5),
    Target("native", "one producer / BPF ringbuf", made("ml_lib-each", 1), ">=", 1.0,
           made("bpf-ringbuf-shared", 1)),
]
for ours, name in ("ml_lib", "request and decision"), ("ml_ring", "ring.h alone"):
    TARGETS += [
        Target("native", f"batch 32, {name} / memcpy",
               rate(ours, "bound_exchange", payload=64), ">=", 0.5),
        Target("native", f"batch 32, {name} / memcpy, worst payload",
               rate(ours, "bound_exchange"), ">=", 0.5, each="payload"),
        Target("native", f"batch 32, {name} / best rival",
               rate(ours, "throughput_exchange", payload=64), ">=", 1.0,
               rate(CARRIERS, "throughput_exchange", payload=64)),
        Target("native", f"batch 32, {name} / best rival, worst payload",
               rate(ours, "throughput_exchange"), ">=", 1.0,
               rate(CARRIERS, "throughput_exchange"), each="payload"),
    ]
for n in 4, 8:
    TARGETS += [
        Target("native", f"{n} producers / shared BPF ringbuf",
               made("ml_lib-each", n), ">=", 3.0, made("bpf-ringbuf-shared", n)),
        Target("native", f"{n} producers / BPF ringbuf each",
               made("ml_lib-each", n), ">=", 0.9, made("bpf-ringbuf-each", n)),
    ]
# netlink-ack is a message without content, and the least that netlink takes.
TARGETS += [
    Target("native", f"round trip of {other} / ours", rtt(other, payload=64), ">=", 5.0,
           rtt("ml_lib", payload=64))
    for other in ("netlink-genl", "netlink-ack", "pipe", "pipe-spin", "unix", "unix-spin")]
TARGETS += [
    # Not against one: its records cross to the other CPU, while several
    # producers on two CPUs share one with their consumer.
    Target("native", "cost of a record, 4 and 8 producers / two",
           made("ml_lib-each", [4, 8], "producers_cost"), "<=", 1.25,
           made("ml_lib-each", 2, "producers_cost")),
    Target("uml", "whole path p50 / bare ping-pong",
           dict(transport="ml_lib", metric="rtt_ratio_p50", depth=1), "<=", 3.0),
    Target("guest", "system calls per 1000 decisions, busy",
           dict(transport="ml_lib", metric="per1000_syscalls"), "<=", 0.0, unit=""),
]
RIVALS = ["bpf-ringbuf", "chardev-read-write", "chardev-ioctl", "netlink-genl",
          "uring-cmd"]
for metric, n in ("submit", 1), ("submit", 32), ("rtt", 1), ("rtt", 32):
    TARGETS.append(Target(
        "guest", f"instructions, {metric}, batch {n} / best rival",
        dict(transport="ml_lib", metric=f"instructions_{metric}", depth=n), "<=", 1.0,
        dict(transport=RIVALS, metric=f"instructions_{metric}", depth=n)))
TARGETS += [
    Target("cost", "client off, instructions added, worst load",
           dict(metric="kernel instructions off, touched functions"), "<=", 0.1, unit="%"),
    Target("cost", "client on, instructions added, worst load",
           dict(metric="kernel instructions on, touched functions"), "<=", 1.0, unit="%"),
    Target("agent", "time at batch 32 / bare libtorch loop",
           dict(metric="overhead", depth=32), "<=", 1.2),
]


def fits(record, want):
    for key, value in want.items():
        have = record.get(key)
        if have not in value if isinstance(value, list) else have != value:
            return False
    return True


def values(records, part, want):
    return [r["value"] for r in records
            if r["part"] == part and "value" in r and fits(r, want)]


def why_not(records, part, want):
    names = want.get("transport")
    names = names if isinstance(names, list) else [names]
    reasons = [f"{r['transport']}: {r['skipped']}" for r in records
               if r["part"] == part and "skipped" in r and r["transport"] in names]
    return "; ".join(reasons)


def load(directory):
    records, bad = [], 0
    for part in PARTS:
        path = os.path.join(directory, part + ".jsonl")
        if not os.path.exists(path):
            continue
        with open(path) as f:
            for line in f:
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                    record["where"], record["transport"]
                    if "skipped" not in record and "text" not in record:
                        record["metric"], record["value"]
                except (ValueError, KeyError, TypeError) as e:
                    print(f"bench: {path}: not a measurement ({e!r}): {line.strip()[:100]}",
                          file=sys.stderr)
                    bad += 1
                    continue
                record["part"] = part
                records.append(record)
    return records, bad


def number(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f}M"
    if abs(value) >= 1e3:
        return f"{value:.0f}"
    return f"{value:.3g}"


def table(title, head, rows):
    rows = [head] + [[number(c) for c in row] for row in rows]
    width = [max(len(row[i]) for row in rows) for i in range(len(head))]
    out = [title]
    for row in rows:
        cells = [row[0].ljust(width[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], width[1:])]
        out.append("  " + "  ".join(cells).rstrip())
    return "\n".join(out) + "\n"


def family_table(part, family, records):
    """One row for each transport, payload, depth, cpus; one column per metric."""
    metrics, rows, notes = [], {}, []
    for r in records:
        if r["metric"] not in metrics:
            metrics.append(r["metric"])
        key = (r["where"], r["transport"], r.get("payload"), r.get("depth"), r.get("cpus"))
        # What is measured twice, as bare ping-pong in each run, has two rows.
        again = 0
        while r["metric"] in rows.get((again, *key), {}):
            again += 1
        rows.setdefault((again, *key), {})[r["metric"]] = r
        if r.get("note") and r["note"] not in notes:
            notes.append(r["note"])
    units = sorted({r.get("unit") or "" for r in records})
    body = []
    for (_, where, transport, payload, depth, cpus), cells in rows.items():
        row = [transport, where, payload, depth, cpus]
        for m in metrics:
            r = cells.get(m)
            text = number(r["value"]) if r else "-"
            if r and r.get("ci"):
                text += f" +-{number(r['ci'])}"
            row.append(text)
        body.append(row)
    heads = ["transport", "where", "payload", "depth", "cpus"] + metrics
    text = table(f"{part}: {family} [{', '.join(units)}]", heads, body)
    return text + "".join(f"  note: {n}\n" for n in notes)


def pivot_table(part, metric, records):
    """One row for each transport, one column for each payload and depth or CPUs."""
    def column(r):
        return r.get("payload") or 0, r.get("depth") or 0, r.get("cpus") or 0
    by_cpus = metric.startswith("producers")
    columns = sorted({column(r) for r in records})
    heads = [str(c[2]) if by_cpus else f"{c[0]}/{c[1]}" for c in columns]
    rows = {}
    for r in records:
        text = number(r["value"])
        if r.get("ci") and r["value"]:
            text += f" +-{100 * r['ci'] / r['value']:.0f}%"
        rows.setdefault(r["transport"], {})[column(r)] = text
    what = "producers" if by_cpus else "payload/batch"
    return table(f"{part}: {metric} [{records[0].get('unit') or ''}], by {what}",
                 ["transport"] + heads,
                 [[name] + [cells.get(c) for c in columns] for name, cells in rows.items()])


def policies(records):
    """{model: {policy: {metric: value}}} of the agent's batches."""
    models = {}
    for r in records:
        model, _, policy = r["transport"].partition(": ")
        if policy and r["part"] == "agent" and "value" in r:
            models.setdefault(model, {}).setdefault(policy, {})[r["metric"]] = r["value"]
    return models


def loads(policy):
    """Percent of what the default batch can do, in which a policy was measured."""
    return [m.split("_at_")[1] for m in policy if m.startswith("latency_p50_at_")]


def policy_table(model, rows):
    """One row for each policy: most that it can do, and a group for each load."""
    at = loads(next(iter(rows.values())))
    body = []
    for policy, of in rows.items():
        row = [policy, of.get("throughput")]
        for x in at:
            p50, p99 = (of[f"latency_{q}_at_{x}"] / 1000 for q in ("p50", "p99"))
            row += [f"{number(p50)}/{number(p99)}", of.get(f"load_answered_at_{x}"),
                    f"{100 * of[f'load_dropped_at_{x}']:.0f}%"]
        body.append(row)
    heads = ["batch", "most"]
    for x in at:
        heads += [f"us at {x}", "answered", "dropped"]
    return table(f"agent: batches of {model} [most and answered: requests/s; us: p50/p99 at so"
                 " much of what the default can do]", heads, body)


PIVOT = ["throughput", "bound", "producers"]


def tables(records):
    out = []
    for part in PARTS:
        mine = [r for r in records if r["part"] == part]
        plain = [r for r in mine if "value" in r and not isinstance(r["value"], list)
                 and r["metric"] != "delivered"]
        families = []
        for r in plain:
            family = r["metric"].split("_")[0]
            if family not in families:
                families.append(family)
        for family in families:
            of_it = [r for r in plain if r["metric"].split("_")[0] == family]
            if part == "agent" and family == "throughput":
                out += [policy_table(*item) for item in policies(mine).items()]
                continue
            if family not in PIVOT:
                out.append(family_table(part, family, of_it))
                continue
            for metric in dict.fromkeys(r["metric"] for r in of_it):
                out.append(pivot_table(part, metric,
                                       [r for r in of_it if r["metric"] == metric]))
        out += [r["text"] for r in mine if "text" in r]
        skips = [r for r in mine if "skipped" in r]
        if skips:
            out.append(f"{part}: skipped\n" + "".join(
                f"  {r['transport']}: {r['skipped']}\n" for r in skips))
    return "\n".join(out)


def verdicts(records):
    rows = []
    for t in TARGETS:
        met, measured, why = t.judge(records)
        word = {True: "met", False: "NOT MET", None: "-"}[met]
        rows.append([t.text, t.part, f"{t.op} {t.limit}", measured,
                     word + (f" ({why})" if why else "")])
    return table("targets", ["target", "part", "to reach", "measured", "verdict"], rows)


LINES = ["-", "--", ":"]
MARKS = "os^vDP*X<>d"


def figure(rows, columns, width, height):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False,
                        layout="constrained")


def finish(fig, ax, directory, name):
    """The legend is beside @ax, so that it hides nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8)
    fig.savefig(os.path.join(directory, name), dpi=110)
    fig.clear()


def lines(ax, series, xlabel, ylabel):
    """series: {label: [(x, y), ...]}: ten colours, then other lines; ours black."""
    for i, (label, points) in enumerate(series.items()):
        ours = label.split(" [")[0] == "ml_lib"
        ax.plot([p[0] for p in points], [p[1] for p in points], label=label,
                color="black" if ours else f"C{i % 10}", linewidth=2.4 if ours else 1.2,
                linestyle=LINES[i // 10 % len(LINES)], marker=MARKS[i % len(MARKS)],
                markersize=4)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(True, alpha=.3)


def draw(directory, name, series, xlabel, ylabel, title, logy=False):
    """Against powers of two; the legend in the order of the last points."""
    if not series:
        return
    fig, [[ax]] = figure(1, 1, 11, 6)
    series = {label: sorted(points) for label, points in series.items()}
    lines(ax, dict(sorted(series.items(), key=lambda s: -s[1][-1][1])), xlabel, ylabel)
    ticks = sorted({x for points in series.values() for x, _ in points})
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(x) for x in ticks])
    if logy:
        ax.set_yscale("log")
    ax.set_title(title, fontsize=10)
    finish(fig, ax, directory, name)


def draw_cdf(directory, where, records):
    """Of single requests; a batch does not compare, and is drawn if alone.

    What two runs have measured, as bare ping-pong, is drawn as in the first, in
    which ours is. A remark on several transports holds for how they were run.
    """
    if any(r.get("depth") in (1, None) for r in records):
        records = [r for r in records if r.get("depth") in (1, None)]
    series = {}
    for r in records:
        series.setdefault((r["transport"], r.get("depth")), r)
    if not series:
        return
    shared = [r["note"] for r in series.values() if r.get("note")]
    shared = [n for n in dict.fromkeys(shared) if shared.count(n) > 1]
    named = {}
    for (label, depth), r in series.items():
        if depth not in (1, None):
            label += f", {depth} under way"
        if len(shared) > 1 and r.get("note") in shared:
            label += f" [{shared.index(r['note']) + 1}]"
        named[label] = [(ns, percent) for percent, ns in r["value"] if ns]
    fig, [[ax]] = figure(1, 1, 11, 6.5)
    # From left to right, by what is nearest to the median.
    lines(ax, dict(sorted(named.items(), key=lambda s: min(
        s[1], key=lambda p: abs(p[1] - 50)))), "round trip, ns", "percentile")
    ax.set_xscale("log")
    notes = [f"[{i}] {n}" if len(shared) > 1 else n for i, n in enumerate(shared, 1)]
    ax.set_title("\n".join([f"round trips ({where})"] + notes), fontsize=9)
    finish(fig, ax, directory, f"cdf-{where}.png")


def draw_policies(directory, records):
    """Of each model latency against requests answered, a line for each policy."""
    models = policies(records)
    if not any("load_answered_at_" in m for p in models.values() for of in p.values() for m in of):
        return
    fig, axes = figure(2, len(models), 4.2 * len(models) + 2.4, 8)
    for row, percentile in zip(axes, ("p50", "p99")):
        for ax, (model, of_it) in zip(row, models.items()):
            lines(ax, {policy: [(of[f"load_answered_at_{x}"],
                                 of[f"latency_{percentile}_at_{x}"] / 1000)
                                for x in loads(of)] for policy, of in of_it.items()},
                  "requests answered/s", f"latency {percentile}, us")
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_title(f"{model}, {percentile}", fontsize=10)
    at = ", ".join(loads(next(iter(next(iter(models.values())).values()))))
    fig.suptitle("latency of the agent by the limit of its batches, at "
                 f"{at} of what the default can do", fontsize=10)
    finish(fig, axes[0][-1], directory, "batches-agent.png")


def plots(records, directory):
    for where in sorted({r["where"] for r in records}):
        cdf, batch, producers = [], {}, {}
        for r in (r for r in records if r["where"] == where and "value" in r):
            name = r["transport"]
            if r["metric"] == "cdf" and r.get("payload") in (64, None):
                cdf.append(r)
            elif r["metric"].startswith("throughput_exchange") and r.get("payload") == 64:
                batch.setdefault(name, []).append((r["depth"], r["value"]))
            elif r["metric"] == "producers_cost":
                producers.setdefault(name, []).append((r["cpus"], r["value"]))
        draw_cdf(directory, where, cdf)
        draw(directory, f"throughput-{where}.png", batch, "batch", "requests/s",
             f"requests answered, 64 bytes ({where})", logy=True)
        draw(directory, f"producers-{where}.png", producers, "producers",
             "ns per record", f"cost of a record ({where})")
    draw_policies(directory, records)


def deliveries(records, failed):
    """Every transport is one test: passed, failed, skipped."""
    passed, bad, skipped = 0, 0, 0
    for r in records:
        name = f"{r['part']}: {r['transport']}"
        if "skipped" in r:
            skipped += 1
            print(f"SKIP {name}: {r['skipped']}")
        elif r.get("metric") == "delivered":
            if r["value"] == 1:
                passed += 1
                print(f"ok   {name}: {r.get('n')} answers")
            else:
                bad += 1
                print(f"FAIL {name}: {r['value']} of {r.get('n')} answers {r.get('note', '')}")
    for part in failed:
        bad += 1
        print(f"FAIL {part}: the part did not end well")
    return passed, bad, skipped


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--failed", default="")
    ap.add_argument("directory")
    args = ap.parse_args()
    records, bad = load(args.directory)
    with open(os.path.join(args.directory, "results.json"), "w") as f:
        json.dump(records, f, indent=0)
    if not args.quick:
        text = tables(records) + "\n" + verdicts(records)
        with open(os.path.join(args.directory, "tables.txt"), "w") as f:
            f.write(text)
        print(text)
        try:
            plots(records, args.directory)
        except ImportError as e:
            print(f"SKIP plots: {e} (scripts/setup bench)")
    passed, wrong, skipped = deliveries(records, args.failed.split())
    wrong += bad
    print(f"{passed} passed, {wrong} failed, {skipped} skipped")
    return 1 if wrong or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
