from tensorflow import keras
from keras_multi_head import MultiHead, MultiHeadAttention

STEPS = 6


def same_layer():
    # [One layer several times]
    m = keras.Sequential(name="five_lstms")
    m.add(keras.layers.Input(shape=(STEPS,)))
    m.add(keras.layers.Embedding(input_dim=100, output_dim=20))
    m.add(MultiHead(keras.layers.LSTM(units=32), layer_num=5))
    m.add(keras.layers.Flatten())
    m.add(keras.layers.Dense(units=4, activation="softmax"))
    m.compile(loss="categorical_crossentropy")
    # [end]
    return m


def other_layers():
    m = keras.Sequential(name="three_widths")
    m.add(keras.layers.Input(shape=(STEPS,)))
    # [Several layers]
    m.add(keras.layers.Embedding(input_dim=100, output_dim=20))
    m.add(MultiHead([keras.layers.Conv1D(filters=32, kernel_size=3, padding="same"),
                     keras.layers.Conv1D(filters=32, kernel_size=5, padding="same"),
                     keras.layers.Conv1D(filters=32, kernel_size=7, padding="same")]))
    # [end]
    return m


def projected():
    m = keras.Sequential(name="projected")
    m.add(keras.layers.Input(shape=(STEPS, 20)))
    # [A projection for each]
    m.add(MultiHead(keras.layers.GRU(units=8), layer_num=3, hidden_dim=20))
    # [end]
    return m


def kept_apart():
    # [Heads that are to differ]
    m = keras.Sequential(name="kept_apart")
    m.add(keras.layers.Input(shape=(STEPS,)))
    m.add(keras.layers.Embedding(input_dim=5, output_dim=3))
    m.add(MultiHead(keras.layers.Bidirectional(keras.layers.LSTM(units=16)), layer_num=5,
                    reg_index=[1, 4], reg_slice=(slice(None, None), slice(32, 48)),
                    reg_factor=0.1))
    m.add(keras.layers.Flatten())
    m.add(keras.layers.Dense(units=2, activation="softmax"))
    m.compile(loss="categorical_crossentropy")
    # [end]
    return m


def attention():
    # [Attention with several heads]
    x = keras.layers.Input(shape=(2, 3))
    m = keras.Model(x, MultiHeadAttention(head_num=3)(x), name="self_attention")
    m.compile(optimizer="adam", loss="mse")
    # [end]
    return m


def attention_of_three():
    # [Queries, keys and values]
    q = keras.layers.Input(shape=(2, 3), name="query")
    k = keras.layers.Input(shape=(4, 5), name="key")
    v = keras.layers.Input(shape=(4, 6), name="value")
    m = keras.Model([q, k, v], MultiHeadAttention(head_num=3)([q, k, v]), name="attention")
    m.compile(optimizer="adam", loss="mse")
    # [end]
    return m
