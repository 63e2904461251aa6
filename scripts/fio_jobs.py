# SPDX-License-Identifier: GPL-2.0
"""Workloads for readahead, as fio runs them in the guest (phases: scripts/phases.c).

demo() are the rows that the demo measures. record() are what a data set is
recorded from: the same kinds of access, but other sizes, strides and numbers of
readers, so that a model cannot win by remembering.
"""
import json
import os
import shutil
import subprocess

PHASES = "build/demo/phases"
CGROUP = "/sys/fs/cgroup/ml-demo-"


def demo():
    return {
        "mmap-rand-4k": [dict(ioengine="mmap", rw="randread", bs="4k")],
        "read-rand-4k": [dict(rw="randread", bs="4k")],
        "read-rand-64k": [dict(rw="randread", bs="64k")],
        "read-seq": [dict(rw="read", bs="64k")],
        "mmap-seq": [dict(ioengine="mmap", rw="read", bs="4k")],
        "seq+rand": [dict(rw="read", bs="64k"),
                     dict(ioengine="mmap", rw="randread", bs="4k")],
        "seq-many-memcg": [dict(rw="read", bs="16k", numjobs=24,
                                offset_increment="64m", size="64m",
                                memcg=64)],
        # Once through the file: what is read of it would fit into memory.
        "mmap-stride": [dict(ioengine="mmap", rw="read:252k", bs="4k",
                             time_based=0, io_size="25m")],
        "read-backward": [dict(rw="read:-32k", bs="16k")],
        "mmap-records": [dict(ioengine="mmap", rw="randread",
                              bsrange="8k-48k")],
        "phases": [PHASES],
    }


# Where windows matter most: what a short demo measures, by disk.
SHORT = [("fast", "mmap-rand-4k"), ("slow", "read-seq"), ("slow", "mmap-seq"),
         ("fast", "seq+rand"), ("fast", "seq-many-memcg"),
         ("fast", "mmap-records")]


def record():
    return {
        "mmap-rand": [dict(ioengine="mmap", rw="randread", bs="4k",
                           numjobs=3)],
        "mmap-rand-8k": [dict(ioengine="mmap", rw="randread", bs="8k")],
        "mmap-rand-24k": [dict(ioengine="mmap", rw="randread", bs="24k")],
        "mmap-rand-40k": [dict(ioengine="mmap", rw="randread", bs="40k")],
        "mmap-mixed": [dict(ioengine="mmap", rw="randread",
                            bsrange="4k-80k")],
        "mmap-small": [dict(ioengine="mmap", rw="randread",
                            bsrange="4k-28k")],
        "read-rand": [dict(rw="randread", bs="12k")],
        "read-rand-96k": [dict(rw="randread", bs="96k")],
        "read-seq-32k": [dict(rw="read", bs="32k")],
        "read-seq-256k": [dict(rw="read", bs="256k")],
        "mmap-seq": [dict(ioengine="mmap", rw="read", bs="8k")],
        "mmap-stride": [dict(ioengine="mmap", rw="read:120k", bs="8k",
                             time_based=0, io_size="68m")],
        "mmap-stride-56k": [dict(ioengine="mmap", rw="read:52k", bs="4k",
                                 time_based=0, io_size="78m")],
        "mmap-stride-400k": [dict(ioengine="mmap", rw="read:392k", bs="8k",
                                  time_based=0, io_size="21m")],
        "read-stride": [dict(rw="read:200k", bs="8k",
                             time_based=0, io_size="42m")],
        "read-backward": [dict(rw="read:-48k", bs="24k")],
        "mmap-backward": [dict(ioengine="mmap", rw="read:-24k", bs="12k")],
        "seq+rand": [dict(rw="read", bs="128k"),
                     dict(ioengine="mmap", rw="randread", bs="8k")],
        "seq-many": [dict(rw="read", bs="32k", numjobs=16,
                          offset_increment="48m", size="48m", memcg=40)],
        "seq-most": [dict(rw="read", bs="64k", numjobs=28,
                          offset_increment="36m", size="36m", memcg=72)],
        "seq-few": [dict(rw="read", bs="32k", numjobs=5,
                         offset_increment="150m", size="150m", memcg=96)],
        "phases": [PHASES, "40", "300"],
    }


def command(jobs, path, seconds, hint, seed):
    """The fio command line for one cell, and the memory limit or None."""
    memcg = None
    cmd = ["/run/ml-demo/keep/fio", "--output-format=json", f"--filename={path}",
           "--readonly", "--thread=0", "--invalidate=0",
           f"--fadvise_hint={int(hint)}", f"--randseed={seed}",
           "--norandommap", "--random_generator=tausworthe64"]
    for n, job in enumerate(jobs):
        job = dict(job)
        memcg = job.pop("memcg", memcg)
        cmd += [f"--name=j{n}", f"--runtime={seconds:g}"]
        job.setdefault("ioengine", "psync")
        job.setdefault("time_based", 1)
        cmd += [f"--{k}={v}" for k, v in job.items()]
    return cmd, memcg


def cold():
    """Drop the caches."""
    subprocess.run(["sync"], check=True)
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def run(jobs, path, seconds, hint=False, seed=1):
    """Run one cell. Returns KiB/s over its whole time."""
    if jobs[0] == PHASES:
        out = subprocess.run([PHASES, path, str(int(hint)), str(seed), *jobs[1:]],
                             check=True, capture_output=True, text=True).stdout
        size, ms = map(float, out.split())
        return size / 1024 / ms * 1000
    cmd, memcg = command(jobs, path, seconds, hint, seed)
    prefix = []
    if memcg:
        group = CGROUP + os.path.basename(os.path.dirname(path))
        os.makedirs(group, exist_ok=True)
        # The limit is for what is read: fio's own memory comes on top.
        with open(f"{group}/memory.max", "w") as f:
            f.write(f"{memcg + 32}M")
        prefix = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"',
                  "sh"]
    out = subprocess.run(prefix + cmd, check=True, capture_output=True,
                         text=True, stdin=subprocess.DEVNULL).stdout
    result = json.loads(out[out.index("{"):])
    kib = sum(j["read"]["io_bytes"] for j in result["jobs"]) / 1024
    ms = max(j["read"]["runtime"] for j in result["jobs"])
    return kib / ms * 1000


def keep(*programs):
    """Copy programs and their libraries to memory, and run them from there.

    Dropping the caches drops programs, too, and the guest's root is slow.
    """
    os.makedirs("/run/ml-demo/keep", exist_ok=True)
    for program in programs:
        out = subprocess.run(["ldd", program], capture_output=True, text=True,
                             check=True).stdout
        for word in out.split():
            name = f"/run/ml-demo/keep/{os.path.basename(word)}"
            if word.startswith("/") and not os.path.exists(name):
                shutil.copy(word, name)
        shutil.copy(program, "/run/ml-demo/keep")
    os.environ["LD_LIBRARY_PATH"] = "/run/ml-demo/keep"


def mount(disks):
    """Mount /dev/vda and so on for the names given; returns name -> path."""
    keep(shutil.which("fio"), "build/tools/ml/mlctl")
    subprocess.run("mountpoint -q /sys/fs/cgroup || "
                   "mount -t cgroup2 none /sys/fs/cgroup; "
                   "echo +memory > /sys/fs/cgroup/cgroup.subtree_control",
                   shell=True, check=True)
    where = {}
    for n, name in enumerate(disks):
        directory = f"/run/ml-demo/{name}"
        os.makedirs(directory, exist_ok=True)
        subprocess.run(["mount", "-o", "ro,noatime", f"/dev/vd{'abcdef'[n]}",
                        directory], check=True)
        where[name] = f"{directory}/data"
    return where


def readahead(number, kib):
    with open(f"/sys/block/vd{'abcdef'[number]}/queue/read_ahead_kb", "w") as f:
        f.write(str(kib))


def start_agent(args, log):
    """Start ml-agent; returns it when it serves."""
    import time
    agent = subprocess.Popen(["build/tools/ml/ml-agent", *args],
                             stdin=subprocess.DEVNULL, stdout=open(log, "w"),
                             stderr=subprocess.STDOUT)
    for _ in range(600):
        if agent.poll() is not None:
            break
        out = subprocess.run(["/run/ml-demo/keep/mlctl", "list"],
                             capture_output=True, text=True).stdout
        if any("mm/readahead" in line and "running" in line
               for line in out.splitlines()):
            return agent
        time.sleep(0.5)
    raise SystemExit(f"the agent did not start (status {agent.poll()}), "
                     f"it said: {open(log).read()}")


def mlctl(*args):
    subprocess.run(["/run/ml-demo/keep/mlctl", *args], check=True,
                   stdout=subprocess.DEVNULL)
