from keras.layers import LSTM, Dense, Embedding, Input, TimeDistributed
from keras.models import Model
from kulc.attention import ExternalAttentionRNNWrapper

REGIONS, FEATURES, WORDS, LENGTH = 6, 11, 6, 4


def build():
    # [Words from a picture, and where each looks]
    picture = Input((REGIONS, FEATURES), name="picture")
    words = Input((LENGTH,), dtype="int32", name="words")
    x = Embedding(WORDS + 1, 24)(words)
    layer = ExternalAttentionRNNWrapper(
        LSTM(48, return_sequences=True, return_state=True), return_attention=True)
    out = layer([x, picture])
    y = TimeDistributed(Dense(WORDS, activation="softmax"))(out[0])
    m = Model([picture, words], y)
    m.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    looking = Model([picture, words], [y, out[3]])
    # [end]
    return m, looking
