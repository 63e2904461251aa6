# SPDX-License-Identifier: GPL-2.0
"""What ML_LIB costs the kernel: evaluate what scripts/bench-cost collected.

    bench_cost.py static OURS PRISTINE		sizes, static branches, disassembly
    bench_cost.py counts OURS PRISTINE DIR	instructions of the loads
    bench_cost.py files OURS PRISTINE FILE	the same through many open files
    bench_cost.py scale WHERE FILE		how a submission's cost grows

OURS and PRISTINE are directories with a kernel and some of its objects, with
the series and without. JSON lines go to stdout, tables to stderr and, for the
report, into the last of these lines.
"""
import collections
import difflib
import glob
import json
import math
import os
import re
import shlex
import statistics
import subprocess
import sys

LOADS = {1: "read-cached", 2: "open-close", 3: "fio-randread-cached",
         4: "fio-read-cold", 5: "fio-randread-cold", 6: "fio-mmap-cold",
         7: "hackbench"}
TOUCHED = ["mm/readahead.o", "mm/filemap.o"]
STRUCTS = {"lib/ml/session.o": ["ml_session", "ml_queue", "ml_inflight_entry"],
           "lib/ml/proxy.o": ["ml_proxy_core", "ml_proxy_cpu"],
           "mm/ml_readahead.o": ["ml_proxy", "ml_ra_entry", "ml_ra_dev",
                                 "ml_ra_table"]}
# 0.975 quantile of Student's t for 1, 2, ... degrees of freedom.
STUDENT = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
           2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]

said = []       # the tables


def emit(transport, metric, value, unit, n=1, ci=None, where="guest",
         payload=None, depth=None, cpus=None, **more):
    print(json.dumps({"where": where, "transport": transport,
                      "payload": payload, "depth": depth, "cpus": cpus,
                      "metric": metric, "value": value, "unit": unit, "n": n,
                      "ci": ci, **more}))


def say(line):
    print(line, file=sys.stderr)
    said.append(line)


def run(*args, **kwargs):
    return subprocess.run(args, check=True, capture_output=True, text=True,
                          **kwargs).stdout


def student(df):
    return STUDENT[max(1, min(int(df), len(STUDENT))) - 1]


def half_width(values):
    """Half of the 95 % confidence interval of the mean."""
    if len(values) < 2:
        return None
    return (student(len(values) - 1) * statistics.stdev(values) /
            math.sqrt(len(values)))


def difference(a, b):
    """Mean of b less mean of a, and its 95 % interval (Welch)."""
    diff = statistics.mean(b) - statistics.mean(a)
    if len(a) < 2 or len(b) < 2:
        return diff, None
    va, vb = (statistics.variance(x) / len(x) for x in (a, b))
    if va + vb == 0:
        return diff, 0.0
    df = (va + vb) ** 2 / (va ** 2 / (len(a) - 1) + vb ** 2 / (len(b) - 1))
    return diff, student(df) * math.sqrt(va + vb)


# --- sizes and static branches

def sizes(path):
    """text, data and bss of an object."""
    return [int(x) for x in run("size", path).splitlines()[-1].split()[:3]]


def functions(path):
    """Instructions of each function of an object, without addresses."""
    result, name = collections.OrderedDict(), None
    for line in run("objdump", "-dr", "--no-show-raw-insn", path).splitlines():
        match = re.match(r"[0-9a-f]+ <(.+)>:", line)
        if match:
            name = match[1]
            # A function and its unlikely part belong together.
            result.setdefault(name.removesuffix(".cold"), [])
            continue
        match = re.match(r"\s+[0-9a-f]+:\t(.*\S)", line)
        if not match or not name:
            continue
        text = re.sub(r"\s+", " ", match[1])
        if text.startswith("R_X86"):
            text = "\t" + re.sub(r"[+-]0x[0-9a-f]+$", "", text.split(None, 1)[-1])
            result[name.removesuffix(".cold")].append(text)
            continue
        # Where a jump goes moves with each instruction that is added.
        text = re.sub(r"^(j\w+|call) [0-9a-f]+ <([^+>]+)[^>]*>", r"\1 \2", text)
        result[name.removesuffix(".cold")].append(text)
    return result


def jump_sites(path, keys):
    """Static branches on some keys: function and offset of each."""
    lines = run("objdump", "-r", "-j", "__jump_table", path).splitlines()
    relocs = [line.split() for line in lines if "R_X86_64" in line]
    symbols = []
    for line in run("nm", path).splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[1] in "tT":
            symbols.append((int(parts[0], 16), parts[2]))
    symbols.sort()
    for code, _, target in zip(relocs[0::3], relocs[1::3], relocs[2::3]):
        if not target[2].startswith(keys):
            continue
        section, _, offset = code[2].partition("+")
        if section != ".text":
            yield section, int(offset or "0", 16)
            continue
        at = int(offset, 16)
        start, name = max(s for s in symbols if s[0] <= at)
        yield name, at - start


def instruction_at(path, name, offset):
    start = None
    for line in run("objdump", "-d", path).splitlines():
        match = re.match(r"([0-9a-f]+) <(.+)>:", line)
        if match and match[2] == name:
            start = int(match[1], 16)
        match = re.match(r"\s+([0-9a-f]+):\t(.*)", line)
        if match and start is not None and int(match[1], 16) == start + offset:
            return re.sub(r"\s+", " ", match[2])
    return "?"


def struct_sizes(build, obj, names):
    """Sizes from debug information, for which the object is built again."""
    path = os.path.join(build, obj)
    cmd = open(os.path.join(os.path.dirname(path),
                            f".{os.path.basename(path)}.cmd")).readline()
    words = shlex.split(cmd.split(":=", 1)[1].split(";")[0])
    out = os.path.abspath(os.path.join("build/bench/cost", "debug.o"))
    words[words.index("-o") + 1] = out
    words = [w for w in words if not w.startswith("-Wp,-MMD")]
    run(*words, "-g", cwd=build)
    found, name = {}, None
    for line in run("readelf", "--debug-dump=info", out).splitlines():
        if "DW_TAG_structure_type" in line:
            name = ""
        elif "Abbrev Number" in line:
            name = None
        elif name == "" and "DW_AT_name" in line:
            name = line.split()[-1]
        elif name and "DW_AT_byte_size" in line and name in names:
            found[name] = int(line.split()[-1], 0)
    return found


def static(ours, pristine):
    image = [sizes(os.path.join(d, "vmlinux")) for d in (pristine, ours)]
    say("\nSize in bytes: text, data, bss")
    for what, old, new in zip(("text", "data", "bss"), *image):
        emit("vmlinux", what, new - old, "bytes", where="native",
             note=f"{old} without, {new} with")
    say(f"  vmlinux without   {image[0]}")
    say(f"  vmlinux with      {image[1]}")
    say(f"  difference        {[b - a for a, b in zip(*image)]}")
    objects = sorted(glob.glob(os.path.join(ours, "lib/ml/*.o")))
    objects = [o for o in objects if not re.search(r"built-in|vmlinux", o)]
    objects.append(os.path.join(ours, "mm/ml_readahead.o"))
    core = [0, 0, 0]
    for path in objects:
        name, size = os.path.relpath(path, ours), sizes(path)
        if not re.search("test_client|bench", name):
            core = [a + b for a, b in zip(core, size)]
        for what, value in zip(("text", "data", "bss"), size):
            emit(name, what, value, "bytes", where="native")
        say(f"  {name:24} {size}")
    for what, value in zip(("text", "data", "bss"), core):
        emit("core and readahead", what, value, "bytes", where="native")
    say(f"  {'core and readahead':24} {core}")
    for obj in TOUCHED:
        old, new = (sizes(os.path.join(d, obj)) for d in (pristine, ours))
        for what, a, b in zip(("text", "data", "bss"), old, new):
            emit(obj, f"{what} added", b - a, "bytes", where="native")
        say(f"  {obj + ' grows by':24} {[b - a for a, b in zip(old, new)]}")

    say("\nFunctions of these that differ: instructions without and with; the diff")
    say("is in build/bench/cost/disassembly.diff")
    with open("build/bench/cost/disassembly.diff", "w", encoding="ascii") as out:
        for obj in TOUCHED:
            old, new = (functions(os.path.join(d, obj))
                        for d in (pristine, ours))
            for name in new:
                a, b = old.get(name, []), new[name]
                if a == b:
                    continue
                na, nb = (sum(not x.startswith("\t") for x in f)
                          for f in (a, b))
                say(f"  {obj:15} {name:28} {na:5} {nb:5}")
                emit(f"{obj} {name}", "instructions added", nb - na, "",
                     where="native", note=f"{na} without, {nb} with")
                out.writelines(line + "\n" for line in difflib.unified_diff(
                    a, b, f"{name} without", f"{name} with", "", "", 2, ""))
    say("\nWhat is left of the readahead client while it is off, as disassembled:")
    for obj in TOUCHED:
        path = os.path.join(ours, obj)
        for name, offset in jump_sites(path, ("ml_ra_proxy", "ml_ra_raised")):
            insn = instruction_at(path, name, offset)
            say(f"  {obj:15} {name}+{offset:#x}: {insn}")
            emit(f"{obj} {name}+{offset:#x}", "static branch", offset, "offset",
                 where="native", note=insn)
    say("\nStructures in bytes")
    for obj, names in STRUCTS.items():
        for name, value in sorted(struct_sizes("build/kernel/cost", obj, names).items()):
            say(f"  {name:24} {value}")
            emit(name, "sizeof", value, "bytes", where="native")


# --- counts

def read_counts(path):
    """{region: [{function: (instructions, calls)}, ...]} of one boot."""
    regions, now = collections.defaultdict(list), None
    for line in open(path, encoding="ascii"):
        words = line.split()
        if words[0] == "region":
            now = {}
            regions[int(words[1])].append(now)
        else:
            insns, calls = now.get(words[0], (0, 0))
            now[words[0]] = insns + int(words[1]), calls + int(words[2])
    return regions


def total(run_, which):
    return sum(n for f, (n, _) in run_.items() if which(f))


def is_kernel(f):
    return f != "[user]"


def own_functions(ours, pristine):
    """Of core and readahead client; not those whose names the kernel has too."""
    paths = glob.glob(os.path.join(ours, "lib/ml/[a-z]*.o"))
    paths.append(os.path.join(ours, "mm/ml_readahead.o"))
    names = {line.split()[2] for path in paths
             for line in run("nm", path).splitlines()
             if len(line.split()) == 3 and line.split()[1] in "tT"}
    return names - {line.split()[2] for line in
                    open(os.path.join(pristine, "System.map"), encoding="ascii")}


def boots(directory, name, load):
    """One list of runs for each boot."""
    result = []
    for path in sorted(glob.glob(os.path.join(directory, f"{name}.[0-9]*"))):
        if not path.endswith(".log"):
            result.append(read_counts(path)[load])
    return [r for r in result if r]


def totals(all_boots, which):
    """Of each run. Runs differ in the state that those before have left."""
    return [total(r, which) for b in all_boots for r in b]


def per_call(all_boots, f):
    insns = sum(r.get(f, (0, 0))[0] for b in all_boots for r in b)
    calls = sum(r.get(f, (0, 0))[1] for b in all_boots for r in b)
    return (insns / calls if calls else 0), calls / max(
        sum(len(b) for b in all_boots), 1)


def counts(ours, pristine, directory):
    touched = set()
    for obj in TOUCHED:
        old, new = (functions(os.path.join(d, obj)) for d in (pristine, ours))
        touched |= {f for f in new if old.get(f) != new[f]}

    touched_or_own = touched | own_functions(ours, pristine)

    def here(f):
        return f in touched_or_own or f.removesuffix(".cold") in touched

    bad = 0
    say("\nInstructions of the kernel for each load, in thousands: without the")
    say("series, and the difference in percent of what the load executes in all,")
    say("with its 95 % confidence interval; of it in the functions that the series")
    say("touches and in its own")
    say(f"  {'load':20} {'without':>10} {'spread':>8} {'off':>9} {'+-':>8}"
        f" {'touched':>8} {'on':>9} {'+-':>8} {'touched':>8} {'agent':>8}")
    for load, name in LOADS.items():
        a = boots(directory, "pristine", load)
        b = boots(directory, "cost", load)
        c = boots(directory, "cost", load + 16)
        if not (a and b and c):
            say(f"  {name}: was not counted")
            bad = 1
            continue
        n = len(totals(a, is_kernel))
        base = totals(a, is_kernel)
        whole = statistics.mean(totals(a, lambda f: True))
        spread = half_width(base)
        emit(name, "kernel instructions without", statistics.mean(base), "",
             n, spread)
        row = f"  {name:20} {statistics.mean(base) / 1000:10.1f}"
        row += f" {100 * (spread or 0) / whole:7.4f}%"
        for what, x in (("off", b), ("on", c)):
            diff, ci = difference(base, totals(x, is_kernel))
            near, near_ci = difference(totals(a, here), totals(x, here))
            scale = 100 / whole
            emit(name, f"kernel instructions {what}", diff * scale, "%", n,
                 None if ci is None else ci * scale, cpus=1,
                 note="of all instructions of the load without the series")
            emit(name, f"kernel instructions {what}, touched functions",
                 near * scale, "%", n,
                 None if near_ci is None else near_ci * scale, cpus=1)
            emit(name, f"kernel instructions {what}, of the kernel's",
                 100 * diff / statistics.mean(base), "%", n,
                 None if ci is None else 100 * ci / statistics.mean(base),
                 cpus=1)
            row += f" {diff * scale:+8.4f}% {(ci or 0) * scale:7.4f}%"
            row += f" {near * scale:+7.4f}%"
        agent = (statistics.mean(totals(c, lambda f: f == "[user]")) -
                 statistics.mean(totals(a, lambda f: f == "[user]")))
        emit(name, "user instructions on", 100 * agent / whole, "%", n, cpus=1,
             note="the agent's own work, on the same CPU")
        say(row + f" {100 * agent / whole:+7.2f}%")
    say("\nInstructions per call of the touched functions: without, off, on; calls")
    for f in sorted(touched):
        for load, name in LOADS.items():
            x = [per_call(boots(directory, kernel, region), f)
                 for kernel, region in (("pristine", load), ("cost", load),
                                        ("cost", load + 16))]
            if x[0][1] < 100:
                continue
            say(f"  {f:28} {name:20} {x[0][0]:8.1f} {x[1][0]:8.1f}"
                f" {x[2][0]:8.1f} {x[0][1]:9.0f}")
            emit(f"{f} in {name}", "instructions per call off",
                 x[1][0] - x[0][0], "", note=f"{x[0][0]:.2f} without")
    return bad


# --- growth

def pairs(words):
    """{name: number} of "name number name number ..."."""
    return {a: float(b) for a, b in zip(words[0::2], words[1::2])}


def lines(path):
    for line in open(path, encoding="utf-8", errors="replace"):
        words = line.split()
        if words:
            yield words


def print_turns(where, what, value, results):
    proxies, queues, _, payload, cpus, n, _ = value
    results = results[1:] or results        # the first one warms caches up
    unit = "instructions" if where == "guest" else "ticks"
    p50 = [r["p50"] for r in results]
    mean, ci = statistics.mean(p50), half_width(p50)
    key = {"payload": payload, "queues": queues}.get(what, proxies)
    emit(f"submit, {what} {key}", "p50", mean, unit, len(results) * n * cpus,
         ci, where, payload, 1, cpus)
    for q in "p99", "max":
        emit(f"submit, {what} {key}", q, max(r[q] for r in results), unit,
             len(results) * n * cpus, None, where, payload, 1, cpus)
    say(f"  {what:8} {key:5} {mean:9.1f} {ci or 0:7.1f}"
        f" {max(r['p99'] for r in results):9.0f}"
        f" {max(r['max'] for r in results):9.0f} {unit}")


def print_flood(where, value, r):
    unit = "instructions" if where == "guest" else "ticks"
    period, delay = value[6], value[7]
    calls = r["sent"] + r["dropped"]
    for name, x, u in (("calls", calls, ""), ("sent", r["sent"], ""),
                       ("dropped", r["dropped"], ""),
                       ("drop p50", r["drop_p50"], unit),
                       ("drop max", r["drop_max"], unit),
                       ("p50", r["p50"], unit), ("max", r["max"], unit)):
        emit(f"submit, period {period} of {delay}", name, x, u, int(calls),
             None, where, value[3], value[2], value[4])
    load = delay / period if period else math.inf
    say(f"  {period:7} {load:6.2f} {calls:8.0f} {r['sent']:8.0f}"
        f" {r['ring_full']:9.0f} {r['inflight_full']:9.0f} {r['p50']:7.0f}"
        f" {r['p999']:7.0f} {r['max']:8.0f} {r['drop_p50']:7.0f}"
        f" {r['drop_p999']:7.0f} {r['drop_max']:8.0f}")


def scale(where, path):
    """A line with the command, then one line for each of its rounds."""
    say(f"\nOne submission ({where}): median, +-, 99 %, greatest")
    command, results, floods, cpus = None, [], [], None

    def flush():
        if not results:
            return
        value = [int(x) for x in command[2:]]
        if command[1] == "turns":
            print_turns(where, command[0], value, results)
        else:
            floods.append((value, results[0]))

    wrong = 0
    for words in lines(path):
        if words[:2] == ["cost:", "cpus"]:
            cpus = int(words[2])
        elif words[:2] == ["cost:", "scale"]:
            flush()
            command, results = words[2:], []
        elif words[0] == "sent":
            results.append(pairs(words))
        elif words[0] == "memory":
            emit(words[1], "memory", float(words[5]), "bytes", int(words[3]),
                 where=where, cpus=cpus)
            say(f"  memory of a {words[1]:32} {float(words[5]):10.0f} bytes")
        elif words[0] == "WRONG":
            say("  " + " ".join(words))
            wrong = 1
    flush()
    if floods:
        say(f"\nRates up to and past what the agent can do ({where}): period;"
            " load; calls; sent; drops, ring full and too many in flight;")
        say("what a call takes if it sends and if it drops: median, 99.9 %, greatest")
        for value, r in floods:
            print_flood(where, value, r)
    return wrong


def files(ours, pristine, path):
    """Reads through many open files: what the client does per event."""
    own = own_functions(ours, pristine)
    say("\nReads of what is not cached, single pages and streams, through so many open files:")
    say("readahead's events, instructions of the client and the core per event,")
    say("share of all, events with advice, requests")
    regions, now, before = read_counts(path), None, None
    for words in lines(path + ".log"):
        if words[:2] == ["cost:", "files"]:
            now, before = (int(words[2]), f"{words[5]} {words[4]}"), None
        elif words[0] == "counters" and now:
            stats = pairs(words[2:])
            if before is None:
                before = stats
                continue
            region, nr = now
            run_ = regions[region][0]
            spent = total(run_, own.__contains__)
            events = run_["__ml_ra_window"][1]
            everything = total(run_, lambda f: True)
            applied, sent = (stats[k] - before[k] for k in ("apply", "submit"))
            say(f"  {nr:14} {events:8} {spent / events:8.1f}"
                f" {100 * spent / everything:7.3f}% {100 * applied / events:6.1f}%"
                f" {sent:8.0f}")
            for name, x, unit in (
                    ("instructions per event", spent / events, ""),
                    ("of all instructions", 100 * spent / everything, "%"),
                    ("events with advice", 100 * applied / events, "%"),
                    ("requests", sent, "")):
                emit(f"open files {nr}", name, x, unit, events, cpus=1)


def main():
    parts = {"static": (static, 2), "counts": (counts, 3), "files": (files, 3),
             "scale": (scale, 2)}
    name, args = sys.argv[1] if sys.argv[1:] else "", sys.argv[2:]
    if name not in parts or len(args) != parts[name][1]:
        return __doc__
    status = parts[name][0](*args)
    where = {"static": "native", "scale": args[0]}.get(name, "guest")
    print(json.dumps({"where": where, "transport": name,
                      "text": "\n".join(said).strip("\n") + "\n"}))
    return status


sys.exit(main())
