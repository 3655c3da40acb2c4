from tensorflow import keras
from keras_self_attention import (ResidualScaledDotProductAttention, SeqSelfAttention,
                                  SeqWeightedAttention)


def whole_model():
    # [A tagger whose every step attends to all]
    m = keras.Sequential(name="tagger")
    m.add(keras.layers.Embedding(input_dim=10000, output_dim=300, mask_zero=True))
    m.add(keras.layers.Bidirectional(keras.layers.LSTM(units=128, return_sequences=True)))
    m.add(SeqSelfAttention(attention_activation="sigmoid"))
    m.add(keras.layers.Dense(units=5))
    m.compile(optimizer="adam", loss="categorical_crossentropy",
              metrics=["categorical_accuracy"])
    # [end]
    return m


def local(m):
    # [Local attention]
    m.add(SeqSelfAttention(attention_width=15, attention_activation="sigmoid", name="near"))
    # [end]


def multiplicative(m):
    # [Multiplicative attention]
    m.add(SeqSelfAttention(attention_width=15,
                           attention_type=SeqSelfAttention.ATTENTION_TYPE_MUL,
                           kernel_regularizer=keras.regularizers.l2(1e-6),
                           use_attention_bias=False))
    # [end]


def history(m):
    # [Nothing but the past]
    m.add(SeqSelfAttention(attention_width=3, history_only=True))
    # [end]


def regularized():
    # [Steps that are to attend to different things]
    words = keras.layers.Input(shape=(None,))
    h = keras.layers.Embedding(input_dim=32, output_dim=16, mask_zero=True)(words)
    h = keras.layers.Bidirectional(keras.layers.LSTM(units=16, return_sequences=True))(h)
    h = SeqSelfAttention(attention_type=SeqSelfAttention.ATTENTION_TYPE_MUL,
                         kernel_regularizer=keras.regularizers.l2(1e-4),
                         bias_regularizer=keras.regularizers.l1(1e-4),
                         attention_regularizer_weight=1e-4)(h)
    m = keras.Model(words, keras.layers.Dense(units=5, name="tags")(h))
    m.compile(loss="sparse_categorical_crossentropy", metrics=["sparse_categorical_accuracy"])
    # [end]
    return m


def weighted(m):
    # [A sequence as its weighted mean]
    m.add(SeqWeightedAttention())
    # [end]


def realformer(x, scores):
    # [Scores that go on from layer to layer]
    layer = ResidualScaledDotProductAttention(history_only=True)
    outputs = layer([x, scores])
    # [end]
    return outputs


def loaded():
    # [Loading: the layers are known]
    m = keras.models.load_model("self_attention.keras",
                                custom_objects=SeqSelfAttention.get_custom_objects())
    # [end]
    return m
