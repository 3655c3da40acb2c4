from keras.layers import Add, Dense, Embedding, Input
from keras.models import Model
from kulc.attention import MultiHeadAttention
from kulc.layer_normalization import LayerNormalization

LENGTH, DIGITS, FEATURES, HEADS = 8, 10, 32, 4


# [A block of the transformer]
def add_and_normalize(x, change):
    return LayerNormalization()(Add()([x, change]))


def attend(x, to, mask=None):
    size = FEATURES // HEADS
    heads = MultiHeadAttention(h=HEADS, d_k=size, d_v=size, d_model=FEATURES)
    return add_and_normalize(x, heads([x, to, to], mask=mask))


def feed_forward(x):
    hidden = Dense(4 * FEATURES, activation="relu")(x)
    return add_and_normalize(x, Dense(FEATURES)(hidden))
# [end]


def embed(ids, places):
    return Add()([Embedding(DIGITS + 1, FEATURES)(ids), Embedding(LENGTH, FEATURES)(places)])


def build():
    # [Encoder and decoder of attention alone]
    source = Input((LENGTH,), dtype="int32", name="source")
    target = Input((LENGTH,), dtype="int32", name="target")
    places = Input((LENGTH,), dtype="int32", name="places")
    past = Input((LENGTH, LENGTH), name="past")
    x, y = embed(source, places), embed(target, places)
    x = feed_forward(attend(x, x))
    y = attend(y, y, past)
    y = feed_forward(attend(y, x))
    m = Model([source, target, places, past], Dense(DIGITS, activation="softmax")(y))
    m.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    # [end]
    return m
