from keras.layers import LSTM, Bidirectional, Embedding, Input
from keras.models import Model, Sequential
from models.custom_recurrents import AttentionDecoder

STEPS, CHARACTERS, DIGITS = 6, 30, 12


def encoder_decoder():
    # [Encoder and decoder]
    m = Sequential(name="encoder_decoder")
    m.add(LSTM(64, return_sequences=True, input_shape=(STEPS, 50)))
    m.add(AttentionDecoder(64, 50))
    m.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    # [end]
    return m


def dates(probabilities):
    # [The translator of dates, and the same showing where it looks]
    text = Input((20,), dtype="int32")
    h = Embedding(CHARACTERS, 32)(text)
    h = Bidirectional(LSTM(32, return_sequences=True))(h)
    h = AttentionDecoder(32, DIGITS, return_probabilities=probabilities)(h)
    m = Model(text, h)
    # [end]
    return m


def as_first_written():
    m = Sequential(name="as_first_written")
    # [As first written]
    m.add(AttentionDecoder(16, 5, input_shape=(STEPS, 8)))
    # [end]
    return m
