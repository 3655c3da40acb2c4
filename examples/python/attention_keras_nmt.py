import numpy as np
from tensorflow import keras
from tensorflow.keras.layers import GRU, Concatenate, Dense, Input, TimeDistributed
from src.layers.attention import AttentionLayer

SOURCE, TARGET, WORDS, UNITS = 9, 11, 20, 48
BEGIN, END = 1, 2


def build():
    # [The model that is trained]
    source = Input((SOURCE, WORDS), name="source")
    target = Input((None, WORDS), name="target")
    encoder = GRU(UNITS, return_sequences=True, return_state=True)
    decoder = GRU(UNITS, return_sequences=True, return_state=True)
    attention = AttentionLayer()
    words = TimeDistributed(Dense(WORDS, activation="softmax"))
    encoded, last = encoder(source)
    decoded, _ = decoder(target, initial_state=last)
    context, _ = attention([encoded, decoded])
    both = Concatenate()([decoded, context])
    training = keras.Model([source, target], words(both))
    training.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy")
    # [end]

    # [The encoder and one step of the decoder, of the same weights]
    encoder_model = keras.Model(source, [encoded, last])

    states = Input((SOURCE, UNITS), name="encoded")
    state = Input((UNITS,), name="state")
    word = Input((1, WORDS), name="word")
    decoded, next_state = decoder(word, initial_state=state)
    context, weights = attention([states, decoded])
    both = Concatenate()([decoded, context])
    decoder_model = keras.Model([states, state, word], [words(both), weights, next_state])
    # [end]
    return training, encoder_model, decoder_model


def translate(encoder_model, decoder_model, text):
    one_hot = np.eye(WORDS, dtype="float32")
    # [Translation, step by step]
    states, state = encoder_model.predict(text)
    word, found, attention = BEGIN, [], []
    for i in range(TARGET):
        given = one_hot[word][None, None]
        shares, weights, state = decoder_model.predict([states, state, given])
        word = shares.argmax()
        found.append(word)
        attention.append(weights[0, 0])
        if word == END:
            break
    # [end]
    return found, attention


def draw(across, down, weights):
    # [The picture]
    from matplotlib import pyplot
    pyplot.imshow(weights)
    pyplot.xticks(range(len(across)), across)
    pyplot.yticks(range(len(down)), down)
    pyplot.savefig("attention.svg")
    # [end]
