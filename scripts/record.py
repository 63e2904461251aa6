# SPDX-License-Identifier: GPL-2.0
"""In the guest: record readahead episodes with windows drawn at random.

The slow disks run at the same time, and longer, as they give fewer episodes in a
second. The fast ones, which keep a processor busy, run alone.
"""
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import fio_jobs

DISKS = ["a", "b", "c", "d", "e"]
TOGETHER = [(["a"], 1), (["b"], 1), (["c", "d", "e"], 2)]	# and how much longer


def repeat(job, path, seconds, seed):
    """Some work is fixed and may end early: do it again."""
    begin, rates = time.time(), []
    while not rates or time.time() - begin < seconds:
        if rates:
            fio_jobs.cold()
        rates.append(fio_jobs.run(job, path, seconds, seed=seed + 100 * len(rates)))
    return sum(rates) / len(rates)


def main():
    seconds = float(sys.argv[1])
    paths = fio_jobs.mount(DISKS)
    agent = fio_jobs.start_agent(
        ["--explore=mm/readahead=1,2,4,8,16,32,64,128", "--explore-block=400", "--seed=7",
         "--record=build/record/readahead", "--user=root"],
        "build/record/agent.log")
    # No disk here or in the demo needs more: bandwidth over requests per second
    # is at most 410 KiB.
    fio_jobs.mlctl("set", "mm/readahead", "--cap", "128")
    fio_jobs.mlctl("record", "mm/readahead", "--explore", "1000")
    jobs = fio_jobs.record()
    begin = time.time()
    for n, (name, job) in enumerate(jobs.items()):
        for disks, times in TOGETHER:
            fio_jobs.cold()
            with ThreadPoolExecutor() as pool:
                rates = list(pool.map(lambda disk: repeat(
                    job, paths[disk], times * seconds, n * 10 + DISKS.index(disk)), disks))
            print(f"record: {time.time() - begin:5.0f} s, {n + 1}/{len(jobs)} {name}: "
                  + ", ".join(f"{d} {r:.0f} KiB/s" for d, r in zip(disks, rates)),
                  flush=True)
    subprocess.run(["build/tools/ml/mlctl", "stats", "mm/readahead"])
    agent.send_signal(signal.SIGTERM)
    if agent.wait(60):
        raise SystemExit(open("build/record/agent.log").read())


main()
