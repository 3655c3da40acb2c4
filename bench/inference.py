#!/usr/bin/env python3
"""Inference of the models in the conformance suite: heed beside TensorFlow, at batch 1 and 32, in one run.

    cmake --build build --target bench_inference
    python3 -m venv bench/venv && bench/venv/bin/pip install tensorflow==2.21.0 keras==3.15.1
    bench/venv/bin/python bench/inference.py build/bench_inference

Each model runs in both, in turns, and the best of each is compared. TensorFlow gets what it does best: a tf.function of
the model with the shapes of the batch, traced and warm, called with tensors that exist. What it takes for calling anything
at all is told at the end.
"""
import argparse
import glob
import json
import os
import subprocess
import tempfile
import time
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import numpy as np
import tensorflow as tf
import keras

SUITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fixtures", "conformance")


def repeated(a, batch):
    return np.resize(a, (batch,) + a.shape[1:]) if len(a) else a


def best_of(call, runs):
    for _ in range(3):
        call()
    best = float("inf")
    for _ in range(runs):
        begin = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - begin)
    return 1e3 * best


def keras_call(model, numbers, batch):
    x = [repeated(numbers["x%d" % i], batch) for i in range(len(model.inputs))]
    x = [tf.constant(a.astype(i.dtype)) for a, i in zip(x, model.inputs)]
    x = x[0] if len(x) == 1 else x
    function = tf.function(lambda given: model(given, training=False), reduce_retracing=False)
    return lambda: [np.asarray(y) for y in tf.nest.flatten(function(x))]


def heed_ms(program, file, batch, runs, threads):
    lines = subprocess.run([program, str(batch), str(runs), str(threads), file], capture_output=True, text=True).stdout
    return json.loads(lines)["ms"] if lines else None


def compare(a, file):
    model = keras.models.load_model(file, compile=False)
    numbers = np.load(file + ".npz")
    for batch in (1, 32):
        theirs = ours = float("inf")
        call = keras_call(model, numbers, batch)
        for _ in range(a.rounds):
            theirs = min(theirs, best_of(call, a.runs))
            found = heed_ms(a.program, file, batch, a.runs, a.threads)
            if found is None:
                return
            ours = min(ours, found)
        yield batch, ours, theirs


def overhead(runs):
    nothing = tf.function(lambda given: given + 1.0)
    x = tf.constant([1.0])
    return best_of(lambda: np.asarray(nothing(x)), runs)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program", help="build/bench_inference")
    p.add_argument("--writer", default="keras3_3.15.1", help="which archive of the suite (default: %(default)s)")
    p.add_argument("--only", default="", help="models whose name holds this")
    p.add_argument("--rounds", type=int, default=3, help="turns (default: %(default)s)")
    p.add_argument("--runs", type=int, default=50, help="runs a turn (default: %(default)s)")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of both (default: %(default)s)")
    a = p.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    ratios = {1: [], 32: []}
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(os.path.join(SUITE, a.writer + ".zip")) as archive:
            archive.extractall(folder)
        print("%-44s %5s %10s %12s %7s" % ("model", "batch", "heed ms", "TensorFlow", "times"))
        for file in sorted(glob.glob(os.path.join(folder, "*" + a.only + "*.keras"))):
            try:
                for batch, ours, theirs in compare(a, file):
                    ratios[batch].append((theirs / ours, os.path.basename(file)))
                    print("%-44s %5d %10.4f %12.4f %7.1f" %
                          (os.path.basename(file), batch, ours, theirs, theirs / ours), flush=True)
            except Exception as error:
                print("%-44s passed over: %s" % (os.path.basename(file), str(error).strip().split("\n")[0][:60]))
    for batch, found in ratios.items():
        found.sort()
        slower = [name for ratio, name in found if ratio < 1]
        print("batch %d: %d models, median %.1f times as fast as TensorFlow, least %.2f (%s); slower: %s" %
              (batch, len(found), found[len(found) // 2][0], found[0][0], found[0][1], ", ".join(slower) or "none"))
    print("a call of TensorFlow that does next to nothing: %.4f ms" % overhead(a.runs))


if __name__ == "__main__":
    main()
