# SPDX-License-Identifier: GPL-2.0
"""In the guest: measure every row of the demo with every way to size windows.

The ways take turns within a row, and rows within a round, so that a slow moment
of the machine does not hit one way alone. Every second round goes through the ways
backwards: what gets slower or faster with time hits all of them alike. Where the
default or the model differ from run to run by more than NOISY, both are run MORE
times as often, whichever of them is ahead.
"""
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

import fio_jobs

DISKS = ["fast", "slow"]	# 60 MiB/s + 3000 IOPS, 100 MiB/s + 300 IOPS
STATIC = [16, 512, 2048]
# In the order in which they are run: what is compared most is neighbours.
WAYS = ["default", "ml", *(f"static {k}" for k in STATIC), "hinted"]
NOISY = 0.05
MORE = 4
# Where default and model differ on both kernels, and by the disk's limits alone.
KILLED = ("slow", "read-seq")


def cell(paths, disk, job, way, seconds, seed):
    kib = int(way.split()[1]) if way.startswith("static") else 128
    fio_jobs.readahead(DISKS.index(disk), kib)
    fio_jobs.mlctl("on" if way == "ml" else "off", "mm/readahead")
    fio_jobs.cold()
    return fio_jobs.run(job, paths[disk], seconds, way == "hinted", seed)


def order(ways, number):
    """The ways in the order of a round: rounds 0 and 1 begin with the first and,
    backwards, end with it, rounds 2 and 3 with the second, and so on."""
    first = number // 2 % len(ways)
    turn = ways[first:] + ways[:first]
    return turn[::-1] if number % 2 else turn


def spread(values):
    return (max(values) - min(values)) / statistics.median(values)


def kill_agent(where, agent, paths, seconds):
    """What a reader gets whose agent is killed half way: where in time that was,
    and KiB/s twice a second, as fio logs it."""
    disk, workload = KILLED
    fio_jobs.readahead(DISKS.index(disk), 128)
    fio_jobs.mlctl("on", "mm/readahead")
    fio_jobs.cold()
    cmd, _ = fio_jobs.command(fio_jobs.demo()[workload], paths[disk],
                              2 * seconds, False, 1)
    begin = time.time()
    timer = threading.Timer(seconds, lambda: agent.send_signal(signal.SIGKILL))
    timer.start()
    subprocess.run([*cmd, f"--write_bw_log={where}/killed",
                    "--log_avg_msec=500", "--log_unix_epoch=1"], check=True,
                   stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    with open(f"{where}/killed_bw.1.log") as f:
        points = [[int(v) for v in line.split(",")[:2]] for line in f]
    return {"disk": disk, "workload": workload, "at": seconds,
            "points": [(ms / 1000 - begin, kib) for ms, kib in points]}


def save(where, full, seconds, results, killed):
    with open(f"{where}/raw.json", "w") as f:
        json.dump({"kernel": os.uname().release, "full": bool(full),
                   "seconds": seconds, "killed": killed,
                   "rows": [{"disk": d, "workload": w, "runs": v}
                            for (d, w), v in results.items()]}, f, indent=1)


def main():
    where = sys.argv[1]
    full, rounds, seconds = (int(a) for a in sys.argv[2:5])
    paths = fio_jobs.mount(DISKS)
    agent = fio_jobs.start_agent(
        ["--model=mm/readahead=build/model/readahead.pt", "--user=root"],
        f"{where}/agent.log")
    # Enough for both disks: bandwidth over requests per second is 341 KiB at
    # most. The model was recorded with the same cap.
    fio_jobs.mlctl("set", "mm/readahead", "--cap", "128")
    jobs = fio_jobs.demo()
    rows = [(d, w) for d in DISKS for w in jobs] if full else fio_jobs.SHORT
    results = {row: {way: [] for way in WAYS} for row in rows}
    begin, done, total = time.time(), 0, len(rows) * len(WAYS) * rounds

    def measure(row, ways, number):
        nonlocal done
        for way in order(ways, number):
            results[row][way].append(
                cell(paths, row[0], jobs[row[1]], way, seconds, number + 1))
            done += 1
        passed = time.time() - begin
        line = "  ".join(f"{w} {statistics.median(v):.0f}"
                         for w, v in results[row].items())
        print(f"demo: {done}/{total}, {passed / 60:.1f} min, about "
              f"{passed * (total - done) / done / 60:.1f} to go: "
              f"{' '.join(row)}: {line} KiB/s", flush=True)

    for r in range(rounds):
        for row in rows:
            if r == 0:
                # The emulator translates what a workload runs when it first does.
                cell(paths, row[0], jobs[row[1]], "default", 1, 0)
            measure(row, WAYS, r)
        save(where, full, seconds, results, None)
    both = WAYS[:2]
    noisy = [row for row in rows
             if max(spread(results[row][way]) for way in both) > NOISY]
    total += len(noisy) * len(both) * rounds * (MORE - 1)
    for r, row in itertools.product(range(rounds, MORE * rounds), noisy):
        measure(row, both, r)
    save(where, full, seconds, results, None)
    stats = subprocess.run(["build/tools/ml/mlctl", "stats", "mm/readahead"],
                           capture_output=True, text=True).stdout
    print(stats)
    killed = kill_agent(where, agent, paths, 8)
    save(where, full, seconds, results, killed)


main()
