#!/usr/bin/env python3
"""Every attention layer, and the layers they stand on: heed beside the originals, on the same cores with as many threads.

    cmake --build build --target bench_layers
    bench/layers.py --tf-keras ENV/bin/python --keras-2.2 ENV/bin/python --keras-2.0 ENV/bin/python

Each --... names a Python in which originals run: --tf-keras one with tf-keras, keras-self-attention and keras-multi-head (and
attention_keras on PYTHONPATH), --keras-2.2 one with Keras 2.2 (and keras-layer-collection), --keras-2.0 one with Keras 2.0 (and
datalogue's keras-attention), as tests/fixtures/make/README.md sets them up; --path adds a checkout to PYTHONPATH. What is not
named is left out. A forward run and a training step (squared error of the first output, SGD), the best of those that fit into
--seconds; heed has its turn before the originals and after them. Run it on a machine that does nothing else.
"""
import argparse
import json
import os
import subprocess
import sys
import time

X, LONG, ID, PICTURE = (32, 50, 64), (4, 1000, 64), (32, 50, "i"), (8, 32, 32, 16)
HALF = (32, 50, 32)
TF, K22, K20 = "tf-keras", "keras-2.2", "keras-2.0"
CASES = [  # the environment of the original, its collection as heed names it, the layer (Python's words are heed's), inputs
    (TF, "keras-self-attention", "SeqSelfAttention(units=32)", X),
    (TF, "keras-self-attention", "SeqSelfAttention(units=32, attention_width=15)", LONG),
    (TF, "keras-self-attention", "SeqSelfAttention(units=32, attention_width=15, history_only=True)", X),
    (TF, "keras-self-attention", "SeqSelfAttention(attention_type='multiplicative')", X),
    (TF, "keras-self-attention", "SeqSelfAttention(attention_type='multiplicative', attention_width=15)", LONG),
    (TF, "keras-self-attention", "SeqWeightedAttention()", X),
    (TF, "keras-self-attention", "ScaledDotProductAttention()", X),
    (TF, "keras-self-attention", "ScaledDotProductAttention(history_only=True)", X, X, X),
    (TF, "keras-self-attention", "ResidualScaledDotProductAttention()", X, (32, 50, 50)),
    (TF, "keras-multi-head", "MultiHead(LSTM(32), layer_num=5)", X),
    (TF, "keras-multi-head", "MultiHeadAttention(head_num=8)", X),
    (TF, "keras-multi-head", "MultiHeadAttention(head_num=8)", X, X, X),
    (TF, "attention_keras", "AttentionLayer()", X, HALF),
    (K20, "datalogue", "AttentionDecoder(64, 32)", X),
    (K22, "keras-layer-collection", "ScaledDotProductAttention()", X, X, X),
    (K22, "keras-layer-collection", "LayerNormalization()", X),
    (K22, "keras-layer-collection", "SequenceAttention('additive')", X, HALF),
    (K22, "keras-layer-collection", "SequenceAttention('multiplicative')", X, HALF),
    (K22, "keras-layer-collection", "AttentionRNNWrapper(LSTM(64))", X),
    (K22, "keras-layer-collection",
     "ExternalAttentionRNNWrapper(LSTM(64, return_sequences=True, return_state=True))", X, HALF),
    (TF, "keras", "Attention(use_scale=True)", X, X),
    (TF, "keras", "Attention(score_mode='concat')", X, X),
    (TF, "keras", "AdditiveAttention()", X, X),
    (TF, "keras", "MultiHeadAttention(num_heads=8, key_dim=8)", X, X),
    (TF, "keras", "MultiHeadAttention(num_heads=8, key_dim=8)", LONG, LONG),
    (TF, "keras", "GroupQueryAttention(8, 8, 2)", X, X),
    (TF, "keras", "Embedding(100, 64)", ID),
    (TF, "keras", "Dense(64)", X),
    (TF, "keras", "EinsumDense('abc,cde->abde', output_shape=[None, 8, 8], bias_axes='de')", X),
    (TF, "keras", "LSTM(64, return_sequences=True)", X),
    (TF, "keras", "GRU(64, return_sequences=True)", X),
    (TF, "keras", "SimpleRNN(64, return_sequences=True)", X),
    (TF, "keras", "Bidirectional(LSTM(64, return_sequences=True))", X),
    (TF, "keras", "TimeDistributed(Dense(64))", X),
    (TF, "keras", "LayerNormalization()", X),
    (TF, "keras", "BatchNormalization()", X),
    (TF, "keras", "GroupNormalization(8)", X),
    (TF, "keras", "UnitNormalization()", X),
    (TF, "keras", "Conv1D(64, 5, padding='same')", X),
    (TF, "keras", "Conv1D(64, 5, padding='causal', dilation_rate=2)", X),
    (TF, "keras", "Conv1DTranspose(64, 4, strides=2)", X),
    (TF, "keras", "SeparableConv1D(64, 5, padding='same')", X),
    (TF, "keras", "DepthwiseConv1D(5, padding='same')", X),
    (TF, "keras", "Conv1D(32, 5)", (32, 1000, 1)),
    (TF, "keras", "Conv2D(32, 3, padding='same')", PICTURE),
    (TF, "keras", "Conv2D(32, 3, padding='same')", (16, 64, 64, 3)),
    (TF, "keras", "Conv2D(64, 7, strides=2, padding='same')", (8, 64, 64, 3)),
    (TF, "keras", "MaxPooling1D(2)", X),
    (TF, "keras", "AveragePooling1D(2)", X),
    (TF, "keras", "MaxPooling2D(2)", PICTURE),
    (TF, "keras", "GlobalAveragePooling1D()", X),
    (TF, "keras", "GlobalMaxPooling1D()", X),
    (TF, "keras", "UpSampling1D(2)", X),
    (TF, "keras", "ZeroPadding1D(2)", X),
    (TF, "keras", "Cropping1D(2)", X),
    (TF, "keras", "Concatenate()", X, X),
    (TF, "keras", "Add()", X, X),
    (TF, "keras", "Dot(axes=[2, 2])", X, X),
    (TF, "keras", "Softmax()", X),
    (TF, "keras", "PReLU()", X),
    (TF, "keras", "ELU()", X),
]


def shape_of(i):
    return ",".join(map(str, i)).replace(",i", "i")


# ---- in the Python of an original ----

def best_of(work, seconds):
    work()
    best, begun, runs = float("inf"), time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        work()
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return 1e3 * best


def data_of(shape):
    import numpy as np
    if shape[-1] == "i":
        return (np.arange(np.prod(shape[:-1])).reshape(shape[:-1]) * 7 % 100).astype("int32")
    return np.sin(np.arange(np.prod(shape), dtype="float64").reshape(shape)).astype("float32")


def worker(environment, threads, seconds, cases):
    """Prints a line a case: [forward, training] in ms, or a text that says what is wrong."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", TF_USE_LEGACY_KERAS="1", TF_KERAS="1")
    answers, sys.stdout = sys.stdout, sys.stderr
    import tensorflow as tf
    runner = modern(tf, threads, seconds) if environment == TF else old(tf, threads, seconds, environment)
    for collection, layer, shapes in cases:
        try:
            answer = runner(collection, layer, [tuple(s) for s in shapes])
        except Exception as error:  # another case may do
            answer = "%s: %s" % (type(error).__name__, str(error).strip().split("\n")[0][:90])
        print(json.dumps(answer), file=answers, flush=True)


def modern(tf, threads, seconds):
    """tf-keras: compiled functions, nothing around them."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    from tensorflow import keras
    names = {"keras": vars(keras.layers)}

    def names_of(collection):
        if collection not in names:
            import importlib
            module = {"keras-self-attention": "keras_self_attention", "keras-multi-head": "keras_multi_head",
                      "attention_keras": "src.layers.attention"}[collection]
            names[collection] = dict(names["keras"], **vars(importlib.import_module(module)))
        return names[collection]

    def run(collection, text, shapes):
        keras.backend.clear_session()
        data = [tf.constant(data_of(s)) for s in shapes]
        layer = eval(text, dict(names_of(collection)))
        inputs = [keras.Input(d.shape[1:], batch_size=d.shape[0], dtype=d.dtype) for d in data]
        if "Residual" in text:  # which does not run without a mask
            inputs[0] = keras.Input(data[0].shape[1:], batch_size=data[0].shape[0])
            given = [keras.layers.Masking(1e9)(inputs[0])] + inputs[1:]
        else:
            given = inputs
        apart = collection == "keras" and ("MultiHeadAttention" in text)
        y = layer(*given) if apart else layer(given if len(given) > 1 else given[0])
        model = keras.Model(inputs, y[0] if isinstance(y, (list, tuple)) else y)
        given = data if len(data) > 1 else data[0]
        forward = tf.function(lambda: model(given, training=False))
        result = [best_of(lambda: forward().numpy(), seconds), None]
        if model.trainable_weights:
            optimizer = keras.optimizers.SGD(1e-6)
            optimizer.build(model.trainable_weights)

            @tf.function
            def step():
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.square(model(given, training=True)))
                optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights))
                return loss
            result[1] = best_of(lambda: step().numpy(), seconds)
        return result
    return run


def old(tf, threads, seconds, environment):
    """Keras of its own on TensorFlow 1: runs of a session, on data that lie in the graph."""
    from keras import backend as K
    from keras import layers, optimizers
    names = dict(vars(layers))
    if environment == K22:
        import kulc.attention
        import kulc.layer_normalization
        names.update(vars(kulc.attention), **vars(kulc.layer_normalization))
    else:
        import models.custom_recurrents
        names.update(vars(models.custom_recurrents))

    def run(collection, text, shapes):
        K.clear_session()
        K.set_session(tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads,
                                                       inter_op_parallelism_threads=threads)))
        layer = eval(text, dict(names))
        inputs = [layers.Input(tensor=tf.Variable(data_of(s), trainable=False)) for s in shapes]
        y = layer(inputs if len(inputs) > 1 else inputs[0])
        y = y[0] if isinstance(y, list) else y
        session = K.get_session()
        session.run(tf.global_variables_initializer())
        quiet = {K.learning_phase(): 0}
        result = [best_of(lambda: session.run(y, quiet), seconds), None]
        weights = layer.trainable_weights
        if weights:
            loss = tf.reduce_mean(tf.square(y))
            gradients = [(g, w) for g, w in zip(tf.gradients(loss, weights), weights) if g is not None]
            step = tf.train.GradientDescentOptimizer(1e-6).apply_gradients(gradients)
            result[1] = best_of(lambda: session.run(step, {K.learning_phase(): 1}), seconds)
        return result
    return run


# ---- the table ----

def ask_heed(program, threads, seconds, cases):
    lines = "".join("%s\t%s\t%s\n" % (c[1], c[2], " ".join(map(shape_of, c[3:]))) for c in cases)
    done = subprocess.run([program, str(threads), str(seconds)], input=lines, capture_output=True, text=True, check=True)
    answers = []
    for line in done.stdout.splitlines():
        parts = line.split("\t")
        answers.append([None if p == "-" else float(p) for p in parts] if len(parts) == 2 else line)
    return answers


def ask_original(python, environment, arguments, cases):
    mine = [i for i, c in enumerate(cases) if c[0] == environment]
    question = json.dumps([[cases[i][1], cases[i][2], cases[i][3:]] for i in mine])
    path = os.pathsep.join(arguments.path + [os.environ.get("PYTHONPATH", "")])
    variables = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS=str(arguments.threads))
    done = subprocess.run([python, os.path.abspath(__file__), "--worker", environment, "--threads", str(arguments.threads),
                           "--seconds", str(arguments.seconds)], input=question, stdout=subprocess.PIPE,
                          stderr=None if arguments.verbose else subprocess.DEVNULL, env=variables,
                          universal_newlines=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip(mine, answers + ["the original's Python ended"] * (len(mine) - len(answers))))


def better(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return a
    return [None if p is None else min(p, q) for p, q in zip(a, b)]


def cells(heed, original, which):
    """heed ms, original ms, how many times faster."""
    h = heed[which] if isinstance(heed, list) else None
    o = original[which] if isinstance(original, list) else None
    number = lambda x: "" if x is None else "%.2f" % x
    return [number(h), number(o), "" if h is None or o is None else "%.1f" % (o / h)]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--heed", default="build/bench_layers", help="the program (default: %(default)s)")
    for name in (TF, K22, K20):
        p.add_argument("--" + name, metavar="PYTHON", dest=name)
    p.add_argument("--path", action="append", default=[], metavar="FOLDER")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--seconds", type=float, default=0.3, help="for each measurement (default: %(default)s)")
    p.add_argument("--only", default="", metavar="TEXT", help="cases whose collection or layer has this in it")
    p.add_argument("--verbose", action="store_true", help="let through what the originals say")
    p.add_argument("--worker", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.worker:
        return worker(a.worker, a.threads, a.seconds, json.load(sys.stdin))
    cases = [c for c in CASES if a.only in c[1] or a.only in c[2]]
    heed = ask_heed(a.heed, a.threads, a.seconds, cases)
    originals = {}
    for environment in (TF, K22, K20):
        if vars(a)[environment]:
            originals.update(ask_original(vars(a)[environment], environment, a, cases))
    heed = list(map(better, heed, ask_heed(a.heed, a.threads, a.seconds, cases)))
    print("| collection | layer | inputs | run, ms | original | times | step, ms | original | times |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    slow = []
    for i, c in enumerate(cases):
        row = cells(heed[i], originals.get(i), 0) + cells(heed[i], originals.get(i), 1)
        print("| %s | `%s` | %s | %s |" % (c[1], c[2], " ".join(map(shape_of, c[3:])), " | ".join(row)))
        slow += [c[2]] * any(r and float(r) < 1 for r in (row[2], row[5]))
    for name, found in (("heed", heed), ("the original", [originals.get(i) for i in range(len(cases))])):
        for i, answer in enumerate(found):
            if isinstance(answer, str):
                print("\n%s, %s: %s" % (cases[i][2], name, answer), file=sys.stderr)
    if slow:
        print("\nslower than the original: " + ", ".join(slow), file=sys.stderr)


if __name__ == "__main__":
    main()
