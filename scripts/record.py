# SPDX-License-Identifier: GPL-2.0
"""In the guest: record readahead episodes with windows drawn at random.

There are two passes. In the quiet one the slow disks run at the same time, and
longer, as they give fewer episodes in a second. The fast ones, which keep a processor
busy, run alone. In the busy one something else keeps all processors busy: an event may
take long because of the disk or because of the processor, and the two call for
different windows.
"""
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import fio_jobs

DISKS = ["a", "b", "c", "d", "e"]
# Which disks run at the same time, and how much longer.
PASSES = {"quiet": [(["a"], 1), (["b"], 1), (["c", "d", "e"], 2)],
          "busy": [(["a"], 1), (["b"], 1), (["c"], 1)]}


def repeat(job, path, seconds, seed):
    """Some work is fixed and may end early: do it again."""
    begin, rates = time.time(), []
    while not rates or time.time() - begin < seconds:
        if rates:
            fio_jobs.cold()
        rates.append(fio_jobs.run(job, path, seconds, seed=seed + 100 * len(rates)))
    return sum(rates) / len(rates)


def record(name, paths, seconds, seed):
    agent = fio_jobs.start_agent(
        ["--explore=mm/readahead=1,2,4,8,16,32,64,128", "--explore-block=400",
         f"--seed={seed}", f"--record=build/record/{name}", "--user=root"],
        f"build/record/{name}.log")
    # No disk here or in the demo needs more: bandwidth over requests per second
    # is at most 410 KiB.
    fio_jobs.mlctl("set", "mm/readahead", "--cap", "128")
    fio_jobs.mlctl("record", "mm/readahead", "--explore", "1000")
    jobs = fio_jobs.record()
    begin = time.time()
    for n, (what, job) in enumerate(jobs.items()):
        for disks, times in PASSES[name]:
            fio_jobs.cold()
            with ThreadPoolExecutor() as pool:
                rates = list(pool.map(lambda disk: repeat(
                    job, paths[disk], times * seconds, n * 10 + DISKS.index(disk)), disks))
            print(f"record: {name}, {time.time() - begin:5.0f} s, {n + 1}/{len(jobs)} {what}: "
                  + ", ".join(f"{d} {r:.0f} KiB/s" for d, r in zip(disks, rates)),
                  flush=True)
    subprocess.run(["build/tools/ml/mlctl", "stats", "mm/readahead"])
    agent.send_signal(signal.SIGTERM)
    if agent.wait(60):
        raise SystemExit(open(f"build/record/{name}.log").read())


def main():
    seconds = float(sys.argv[1])
    paths = fio_jobs.mount(DISKS)
    for seed, name in enumerate(sys.argv[2:]):
        hogs = [subprocess.Popen(["sh", "-c", "while :; do :; done"])
                for _ in range(os.cpu_count() if name == "busy" else 0)]
        record(name, paths, seconds, 7 + seed)
        for hog in hogs:
            hog.kill()


main()
