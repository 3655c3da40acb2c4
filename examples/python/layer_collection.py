from keras.layers import GRU, LSTM
from kulc.attention import (AttentionRNNWrapper, ExternalAttentionRNNWrapper, MultiHeadAttention,
                            ScaledDotProductAttention, SequenceAttention)
from kulc.layer_normalization import LayerNormalization


def scaled_dot_product(q, k, v):
    # [Scaled dot product]
    y = ScaledDotProductAttention()([q, k, v])
    # [end]
    return y


def multi_head(q, k, v):
    # [Several heads]
    y = MultiHeadAttention(h=4, d_k=2, d_v=2, d_model=8)([q, k, v])
    # [end]
    return y


def several(x, source):
    # [Normalization]
    normalized = LayerNormalization()(x)
    # [end]
    # [A sequence of queries attends to a source]
    y = SequenceAttention(similarity="multiplicative")([source, x])
    # [end]
    return normalized, y


def wrapped(x, regions):
    # [Any recurrent layer, attending to its own input]
    y = AttentionRNNWrapper(GRU(16))(x)
    # [end]
    # [Any recurrent layer, attending to something else]
    layer = ExternalAttentionRNNWrapper(
        LSTM(16, return_sequences=True, return_state=True), return_attention=True)
    out = layer([x, regions])  # all steps, the two states, the attention
    # [end]
    return y, out
