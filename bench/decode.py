#!/usr/bin/env python3
"""Translating by beam search: heed beside CTranslate2 with the same weights, on the same cores with as many threads.

    cmake --build build --target heed
    bench/decode.py --python ENV/bin/python ende.keras test.en

ENV is an environment with ctranslate2 and numpy. The recipe must be `transformer`. What heed cuts a line into is given to
CTranslate2 as it is, so that heed's times alone hold the cutting and the joining. CTranslate2 has its own way of sharing
threads: all for a batch, or a batch for each; both are tried and the better counts. The two take turns, each in a process
of its own; `ms` are of the wall clock, `cpu_ms` what the process took of the processors, which tells more on a machine
that does other things too.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile

SPECIALS = ["<blank>", "<unk>", "<s>", "</s>"]  # in heed's order; the text of the vocabulary has names of its own


def settings_of(model):
    """The settings of a translator, and its vocabulary."""
    with zipfile.ZipFile(model) as archive:
        text = archive.read("assets/translator.txt").decode()
        vocabulary = archive.read("assets/target.txt").decode().split("\n")[:-1]
    arguments = eval(f"dict({text.strip()})", {"__builtins__": {"dict": dict}, "inf": float("inf")})
    if "decoder_layers" not in arguments["settings"]:
        sys.exit(f"{model}: not made by the recipe transformer (expected its settings, found {arguments['recipe']})")
    return arguments["settings"], vocabulary


# ---- CTranslate2, in its own process


def fill_norm(spec, w, name):
    spec.gamma, spec.beta = w[f"{name}/gamma"], w[f"{name}/beta"]


def projection(w, name, part):
    """As rows of outputs: Keras has (D, N, H), and (N, H, D) for the output."""
    kernel, bias = w[f"{name}/{part}/kernel"], w[f"{name}/{part}/bias"].reshape(-1)
    return kernel.reshape(-1, bias.size).T if part == "attention_output" else kernel.reshape(kernel.shape[0], -1).T, bias


def fill_linear(spec, parts):
    import numpy
    spec.weight = numpy.ascontiguousarray(numpy.concatenate([weight for weight, _ in parts]))
    spec.bias = numpy.concatenate([bias for _, bias in parts])


def fill_attention(spec, w, name, joined):
    """`joined`: the projections that CTranslate2 takes together."""
    for linear, parts in zip(spec.linear, joined + [["attention_output"]]):
        fill_linear(linear, [projection(w, name, part) for part in parts])
    fill_norm(spec.layer_norm, w, f"{name}_norm")


def fill_feed_forward(spec, w, name):
    for linear, part in ((spec.linear_0, "inner"), (spec.linear_1, "outer")):
        fill_linear(linear, [(w[f"{name}_{part}/kernel"].T, w[f"{name}_{part}/bias"])])
    fill_norm(spec.layer_norm, w, f"{name}_feed_forward_norm")


def write_model(folder, weights, settings, vocabulary):
    """The weights as a CTranslate2 model."""
    import ctranslate2
    import numpy
    w = numpy.load(weights)
    specs = ctranslate2.specs
    if settings["kernel_size"] != 1 or settings.get("local_layers", 0) != 0:
        raise SystemExit("CTranslate2 has no encoder whose tokens see their neighbours, or no others: train with "
                         "--set kernel_size=1 --set local_layers=0")
    before = settings["normalize"] == "before"
    heads = next(array.shape[1] for name, array in w.items() if name.endswith("/query/kernel"))
    spec = specs.TransformerSpec.from_config(
        (settings["encoder_layers"], settings["decoder_layers"]), heads, pre_norm=before,
        activation=getattr(specs.common_spec.Activation, settings["activation"].upper()))
    spec.config.layer_norm_epsilon = 1e-6
    spec.config.add_source_bos = spec.config.add_source_eos = False
    tables = {"all": ("tokens", "tokens"), "target": ("source_tokens", "target_tokens"),
              "none": ("source_tokens", "target_tokens")}[settings["share"]]
    for side, part, table in (("source", spec.encoder, tables[0]), ("target", spec.decoder, tables[1])):
        embeddings = part.embeddings[0] if isinstance(part.embeddings, list) else part.embeddings
        embeddings.weight = w[f"{table}/embeddings"]
        part.scale_embeddings = True
        part.position_encodings.encodings = w[f"{side}_positions/embeddings"][1:]  # the first place is 1
        if before:
            fill_norm(part.layer_norm, w, f"{'encoder' if side == 'source' else 'decoder'}_norm")
    if settings["share"] == "none":
        fill_linear(spec.decoder.projection, [(w["output/kernel"].T, w["output/bias"])])
    else:
        spec.decoder.projection.weight = w[f"{tables[1]}/embeddings"]
    for i, layer in enumerate(spec.encoder.layer, 1):
        fill_attention(layer.self_attention, w, f"encoder_{i}_attention", [["query", "key", "value"]])
        fill_feed_forward(layer.ffn, w, f"encoder_{i}")
    for i, layer in enumerate(spec.decoder.layer, 1):
        fill_attention(layer.self_attention, w, f"decoder_{i}_self_attention", [["query", "key", "value"]])
        fill_attention(layer.attention, w, f"decoder_{i}_attention", [["query"], ["key", "value"]])
        fill_feed_forward(layer.ffn, w, f"decoder_{i}")
    tokens = SPECIALS + [f"t{i}" for i in range(len(SPECIALS), w[f"{tables[1]}/embeddings"].shape[0])]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.validate()
    os.makedirs(folder, exist_ok=True)
    spec.save(folder)


def run_ctranslate2(task):
    """Converts where told to; translates token numbers, and prints what it took and what came of it."""
    import ctranslate2
    if task.get("weights"):
        write_model(task["model"], task["weights"], task["settings"], None)
        return
    each = task["sharing"] == "a batch for each"
    translator = ctranslate2.Translator(task["model"], device="cpu", compute_type="float32",
                                        inter_threads=task["threads"] if each else 1,
                                        intra_threads=1 if each else task["threads"])
    name = lambda i: SPECIALS[i] if i < len(SPECIALS) else f"t{i}"
    lines = [[name(i) for i in line] for line in task["lines"]]

    def translate():
        results = translator.translate_batch(lines, beam_size=task["beam"], length_penalty=1, max_batch_size=task["batch"],
                                             batch_type="examples", max_decoding_length=task["max_length"],
                                             disable_unk=True)
        return [r.hypotheses[0] for r in results]

    answers, times = translate(), []
    for _ in range(task["steps"]):
        began, used = time.time(), time.process_time()
        translate()
        times.append((time.time() - began, time.process_time() - used))
    print(json.dumps({"ms": 1e3 * min(t for t, _ in times), "cpu_ms": 1e3 * min(t for _, t in times),
                      "answers": [[int(t[1:]) if t not in SPECIALS else SPECIALS.index(t) for t in a] for a in answers]}))


def ask_ctranslate2(python, task):
    environment = dict(os.environ, OMP_NUM_THREADS=str(task.get("threads", 1)))
    done = subprocess.run([python, __file__, "--child"], input=json.dumps(task), text=True, check=True,
                          stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout) if done.stdout else None


# ---- heed


def heed(o, *words, **more):
    return subprocess.run([o.heed, *map(str, words), "--threads", str(o.threads)], check=True, text=True,
                          stdout=subprocess.PIPE, **more).stdout


def ask_heed(o, batch):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(heed(o, "bench", "decode", "--model", o.model, "--input", o.input, "--batch", batch, "--beam",
                            o.beam, "--steps", o.steps, "--json"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found["cpu_ms"] = 1e3 * used / (o.steps + 1)  # the run that warms up included
    return found


def translations(o, folder, vocabulary):
    """What heed makes of the lines: token numbers of sources and translations, and the lines themselves."""
    numbers = {text: i for i, text in enumerate(vocabulary)}
    path = os.path.join(folder, "alignments.jsonl")
    lines = heed(o, "translate", o.model, o.input, "--beam", o.beam, "--alignments", path).split("\n")[:-1]
    with open(path) as f:
        objects = [json.loads(line) for line in f]
    ids = lambda tokens: [numbers.get(t, 1) for t in tokens]
    return [ids(o["source"]) for o in objects], [ids(o["target"]) for o in objects], lines


def best(found):
    return {key: min(f[key] for f in found) for key in ("ms", "cpu_ms")}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model")
    p.add_argument("input")
    p.add_argument("--python", required=True, help="a Python that has ctranslate2")
    p.add_argument("--heed", default="build/heed")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--beam", type=int, default=4)
    p.add_argument("--batches", default="64,32,1", help="lines translated together")
    p.add_argument("--turns", type=int, default=3, help="of each, alternating")
    p.add_argument("--steps", type=int, default=3, help="runs in a turn")
    p.add_argument("--max-length", type=int, default=76, help="target tokens, for CTranslate2")
    o = p.parse_args()
    settings, vocabulary = settings_of(o.model)
    with tempfile.TemporaryDirectory() as folder:
        weights, converted = os.path.join(folder, "weights.npz"), os.path.join(folder, "model")
        heed(o, "convert", o.model, weights)
        ask_ctranslate2(o.python, {"model": converted, "weights": weights, "settings": settings})
        sources, targets, _ = translations(o, folder, vocabulary)
        for batch in map(int, o.batches.split(",")):
            task = {"model": converted, "threads": o.threads, "batch": batch, "beam": o.beam, "steps": o.steps,
                    "max_length": o.max_length, "lines": sources}
            ours, theirs = [], {"all for a batch": [], "a batch for each": []}
            for _ in range(o.turns):
                ours.append(ask_heed(o, batch))
                for sharing, found in theirs.items():
                    found.append(ask_ctranslate2(o.python, dict(task, sharing=sharing)))
            answers = theirs["all for a batch"][0]["answers"]
            equal = sum(a == b for a, b in zip(answers, targets))
            mine, other = best(ours), {sharing: best(found) for sharing, found in theirs.items()}
            report = {"batch": batch, "beam": o.beam, "threads": o.threads, "lines": len(sources),
                      "tokens": ours[0]["tokens"], "equal_lines": equal, "heed": mine, "ctranslate2": other,
                      "times_as_fast": min(f["ms"] for f in other.values()) / mine["ms"],
                      "cpu_times_as_fast": min(f["cpu_ms"] for f in other.values()) / mine["cpu_ms"],
                      "heed_lines_per_second": 1e3 * len(sources) / mine["ms"],
                      "heed_tokens_per_second": 1e3 * ours[0]["tokens"] / mine["ms"]}
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        run_ctranslate2(json.load(sys.stdin))
    else:
        main()
