"""Makes the seeds in weights/, npz/ and checkpoint/ with other people's writers.

Python 3.11, pip install numpy==2.4.6 keras==3.15.1 tensorflow==2.21.0 tf-keras==2.21.0; then: python make.py

The model is that of ../fuzz_weights.c.
"""
import os

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.chdir(os.path.dirname(os.path.abspath(__file__)))


def small(keras):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    m = keras.Sequential([layers.Input((3,), dtype="int32"), layers.Embedding(5, 2, name="embedding"),
                          layers.LSTM(2, name="lstm"), layers.BatchNormalization(name="batch_normalization"),
                          layers.Dense(2, name="dense")], name="whole")
    m(np.zeros((1, 3), "int32"))
    return m


import keras  # noqa: E402
import tf_keras  # noqa: E402

three, two = small(keras), small(tf_keras)
three.save_weights("weights/keras3.weights.h5")
three.save("weights/keras3.keras")
two.save_weights("weights/keras2.h5")
two.save_weights("weights/keras2.weights.h5")
np.savez("weights/paths.npz", **{w.path.split("/", 1)[-1] if w.path.startswith("whole/") else w.path: w.numpy()
                                 for w in three.weights})
np.savez("npz/stored.npz", a=np.arange(6, dtype="float32").reshape(2, 3), b=np.array([True, False]), c=np.int64(3))
models = "../../tests/fixtures/models/"
for name, metadata in (("frozen_tfkeras", "keras_metadata.pb"), ("frozen_tf2.1", None)):
    parts = [open("%s%s/%s" % (models, name, part), "rb").read() if part else b""
             for part in ("variables/variables.index", metadata, "variables/variables.data-00000-of-00001")]
    with open("checkpoint/" + name, "wb") as out:
        out.write(b"".join([len(part).to_bytes(4, "little") for part in parts[:2]] + parts))
np.savez_compressed("npz/deflated.npz", a=np.zeros((4, 5)), b=np.arange(3, dtype="int8"))
