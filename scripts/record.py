# SPDX-License-Identifier: GPL-2.0
"""In the guest: record readahead episodes with windows drawn at random."""
import signal
import subprocess
import sys
import time

import fio_jobs

DISKS = ["a", "b", "c"]


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
        for seed, disk in enumerate(DISKS):
            rate = fio_jobs.run(job, paths[disk], seconds, seed=n * 10 + seed)
            print(f"record: {time.time() - begin:5.0f} s, {n + 1}/{len(jobs)} "
                  f"{name} on {disk}: {rate:.0f} KiB/s", flush=True)
    subprocess.run(["build/tools/ml/mlctl", "stats", "mm/readahead"])
    agent.send_signal(signal.SIGTERM)
    if agent.wait(60):
        raise SystemExit(open("build/record/agent.log").read())


main()
