/* What layers refuse, and in what words: the layer, the option or input, what was expected and what was found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "heed/attention.h"
#include "layers/layer.h"

#include <string.h>

enum { MOST = 4 };

typedef struct refusal {
    const char *collection, *class_name, *options;
    int         count;        /* of the inputs that it is called on; 0: it is not even made */
    heed_shape  shapes[MOST];
    heed_shape  masks[MOST];  /* bool; rank 0: none */
    const char *sentence;
} refusal;

#define S(...) {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}
#define X S(2, 5, 4)
static const refusal refusals[] = {
    {"keras-self-attention", "SeqSelfAttention", "units=0", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: units is out of range (expected [1,), found 0)"},
    {"keras-self-attention", "SeqSelfAttention", "units=None", 0, {{0}}, {{0}},
     "SeqSelfAttention: units is not what it should be (expected an integer, found None)"},
    {"keras-self-attention", "SeqSelfAttention", "units=2.5", 0, {{0}}, {{0}},
     "SeqSelfAttention: units is not what it should be (expected an integer, found 2.5)"},
    {"keras-self-attention", "SeqSelfAttention", "units='a'", 0, {{0}}, {{0}},
     "SeqSelfAttention: units is not what it should be (expected an integer, found 'a')"},
    {"keras-self-attention", "SeqSelfAttention", "attention_width=0", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: attention_width is out of range (expected [1,), found 0)"},
    {"keras-self-attention", "SeqSelfAttention", "attention_width=-3", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: attention_width is out of range (expected [1,), found -3)"},
    {"keras-self-attention", "SeqSelfAttention", "attention_type='dot'", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: attention_type is not one of its words (expected additive|multiplicative, found "
     "dot)"},
    {"keras-self-attention", "SeqSelfAttention", "attention_activation='sigmoidd'", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: attention_activation: no activation of this name: sigmoidd"},
    {"keras-self-attention", "SeqSelfAttention", "kernel_initializer='glorot'", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: kernel_initializer: no initializer of this name: glorot"},
    {"keras-self-attention", "SeqSelfAttention", "kernel_regularizer='l2(-1)'", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: kernel_regularizer: l2: l2 is out of range (expected [0,), found -1)"},
    {"keras-self-attention", "SeqSelfAttention", "attention_regularizer_weight=-1", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: attention_regularizer_weight is out of range (expected [0,), found -1)"},
    {"keras-self-attention", "SeqSelfAttention", "attention_regularizer_weight=None", 0, {{0}}, {{0}},
     "SeqSelfAttention: attention_regularizer_weight is not what it should be (expected a number, found None)"},
    {"keras-self-attention", "SeqSelfAttention", "history_only=3", 0, {{0}}, {{0}},
     "SeqSelfAttention: history_only is not what it should be (expected True or False, found 3)"},
    {"keras-self-attention", "SeqSelfAttention", "use_bias=True", 0, {{0}}, {{0}},
     "SeqSelfAttention: no option of this name: use_bias"},
    {"keras-self-attention", "SeqSelfAttention", "masking='x'", 0, {{0}}, {{0}},
     "SeqSelfAttention layer: masking is not one of its words (expected penalty|penalty_without_window|factor, "
     "found x)"},
    {"keras-self-attention", "SeqSelfAttention", "", 1, {S(2, 5)}, {{0}},
     "SeqSelfAttention layer: input 1 is no sequence (expected rank 3, found (None, 5))"},
    {"keras-self-attention", "SeqSelfAttention", "", 2, {X, X}, {{0}},
     "SeqSelfAttention layer: it is given another number of inputs than it takes (expected 1, found 2)"},
    {"keras-self-attention", "SeqSelfAttention", "", 1, {X}, {S(2, 4)},
     "SeqSelfAttention layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"keras-self-attention", "SeqSelfAttention", "", 1, {X}, {S(3, 5)},
     "SeqSelfAttention layer: the mask of input 1 does not fit (expected (2, 5), found (3, 5))"},
    {"keras-self-attention", "SeqSelfAttention", "", 1, {X}, {S(2)},
     "SeqSelfAttention layer: the mask of input 1 does not fit (expected (2, 5), found (2,))"},
    {"keras-self-attention", "SeqWeightedAttention", "", 1, {S(2, 5, 4, 3)}, {{0}},
     "SeqWeightedAttention layer: input 1 is no sequence (expected rank 3, found (None, 5, 4, 3))"},
    {"keras-self-attention", "SeqWeightedAttention", "", 1, {X}, {S(2, 4)},
     "SeqWeightedAttention layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"keras-self-attention", "ScaledDotProductAttention", "", 2, {X, X}, {{0}},
     "ScaledDotProductAttention layer: the number of inputs does not fit (expected x, or q, k and v, found 2)"},
    {"keras-self-attention", "ScaledDotProductAttention", "", 3, {X, S(2, 3, 2), S(2, 3, 4)}, {{0}},
     "ScaledDotProductAttention layer: query and key differ in their features (expected 4, found 2)"},
    {"keras-self-attention", "ScaledDotProductAttention", "", 3, {X, S(2, 3, 4), S(2, 4, 4)}, {{0}},
     "ScaledDotProductAttention layer: key and value differ in their steps (expected 3, found 4)"},
    {"keras-self-attention", "ScaledDotProductAttention", "", 3, {X, S(3, 3, 4), S(3, 3, 4)}, {{0}},
     "ScaledDotProductAttention layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"keras-self-attention", "ScaledDotProductAttention", "", 3, {X, S(2, 3, 4), S(2, 3, 4)}, {{0}, S(2, 4)},
     "ScaledDotProductAttention layer: the mask of input 2 does not fit (expected (2, 3), found (2, 4))"},
    {"keras-self-attention", "ResidualScaledDotProductAttention", "", 1, {X}, {{0}},
     "ResidualScaledDotProductAttention layer: it is given another number of inputs than it takes (expected 2 to "
     "4, found 1)"},
    {"keras-self-attention", "ResidualScaledDotProductAttention", "", 2, {X, S(2, 5, 4)}, {{0}},
     "ResidualScaledDotProductAttention layer: the scores so far do not fit (expected (2, 5, 5), found (2, 5, "
     "4))"},
    {"keras-self-attention", "ResidualScaledDotProductAttention", "", 4, {X, S(2, 3, 2), S(2, 3, 4), S(2, 5, 3)}, {{0}},
     "ResidualScaledDotProductAttention layer: query and key differ in their features (expected 4, found 2)"},
    {"keras-multi-head", "MultiHead", "", 0, {{0}}, {{0}},
     "MultiHead layer: its layer is missing"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=0", 0, {{0}}, {{0}},
     "MultiHead layer: layer_num is out of range (expected [1,), found 0)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=2, hidden_dim=0", 0, {{0}}, {{0}},
     "MultiHead layer: hidden_dim is out of range (expected [1,), found 0)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(0), layer_num=2", 0, {{0}}, {{0}},
     "MultiHead layer: Dense: units is out of range (expected [1,), found 0)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=2, reg_slice='a'", 0, {{0}}, {{0}},
     "MultiHead layer: reg_slice is no list of slices (expected such as :, 0:4, found a)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=2, reg_index=[-1]", 0, {{0}}, {{0}},
     "MultiHead layer: reg_index is out of range (expected [0,)|None, found -1)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=2, reg_index=[7], reg_factor=1.0", 1, {X}, {{0}},
     "MultiHead layer: reg_index is out of range (expected less than 2, found 7)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=2, reg_index=[0], reg_slice='3:2', reg_factor=1.0", 1,
     {X}, {{0}},
     "MultiHead layer: reg_slice leaves nothing of axis 0 of a weight (expected slices within (4, 3), found 3:2)"},
    {"keras-multi-head", "MultiHead", "layer=Dense(3), layer_num=2, reg_factor=-1.0", 0, {{0}}, {{0}},
     "MultiHead layer: reg_factor is out of range (expected [0,), found -1)"},
    {"keras-multi-head", "MultiHead", "layers=[Dense(3), Dense(2)]", 1, {X}, {{0}},
     "MultiHead layer: its layers' outputs differ in shape (expected (2, 5, 3), found (2, 5, 2) of layer 2)"},
    {"keras-multi-head", "MultiHeadAttention", "", 0, {{0}}, {{0}},
     "MultiHeadAttention layer: head_num is out of range (expected [1,), found 0)"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=0", 0, {{0}}, {{0}},
     "MultiHeadAttention layer: head_num is out of range (expected [1,), found 0)"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=3", 1, {X}, {{0}},
     "MultiHeadAttention layer: head_num does not divide the features of the value (expected a divisor of 4, "
     "found 3)"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=2", 2, {X, X}, {{0}},
     "MultiHeadAttention layer: the number of inputs does not fit (expected x, or q, k and v, found 2)"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=2", 1, {S(2, 4)}, {{0}},
     "MultiHeadAttention layer: input 1 is no sequence (expected rank 3, found (None, 4))"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=2", 3, {X, S(2, 3, 4), S(2, 4, 4)}, {{0}},
     "MultiHeadAttention layer: key and value differ in their steps (expected 3, found 4)"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=2", 3, {X, S(3, 3, 4), S(3, 3, 4)}, {{0}},
     "MultiHeadAttention layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=2", 1, {X}, {S(2, 4)},
     "MultiHeadAttention layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"keras-multi-head", "MultiHeadAttention", "head_num=2, activation='rel'", 0, {{0}}, {{0}},
     "MultiHeadAttention layer: activation: no activation of this name: rel"},
    {"attention_keras", "AttentionLayer", "units=3", 0, {{0}}, {{0}},
     "AttentionLayer: no option of this name: units"},
    {"attention_keras", "AttentionLayer", "", 1, {X}, {{0}},
     "AttentionLayer layer: it is given another number of inputs than it takes (expected 2, found 1)"},
    {"attention_keras", "AttentionLayer", "", 2, {X, S(2, 4)}, {{0}},
     "AttentionLayer layer: input 2 is no sequence (expected rank 3, found (None, 4))"},
    {"attention_keras", "AttentionLayer", "", 2, {X, S(3, 5, 4)}, {{0}},
     "AttentionLayer layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"attention_keras", "AttentionLayer", "", 2, {X, X}, {S(2, 4)},
     "AttentionLayer layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"datalogue", "AttentionDecoder", "", 0, {{0}}, {{0}},
     "AttentionDecoder layer: units is out of range (expected [1,), found 0)"},
    {"datalogue", "AttentionDecoder", "units=0, output_dim=3", 0, {{0}}, {{0}},
     "AttentionDecoder layer: units is out of range (expected [1,), found 0)"},
    {"datalogue", "AttentionDecoder", "units=3, output_dim=0", 0, {{0}}, {{0}},
     "AttentionDecoder layer: output_dim is out of range (expected [1,), found 0)"},
    {"datalogue", "AttentionDecoder", "3, 5", 1, {S(2, 4)}, {{0}},
     "AttentionDecoder layer: the input is no sequence (expected rank 3, found (None, 4))"},
    {"datalogue", "AttentionDecoder", "3, 5", 1, {X}, {S(2, 4)},
     "AttentionDecoder layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"keras-layer-collection", "ScaledDotProductAttention", "", 2, {X, X}, {{0}},
     "ScaledDotProductAttention layer: it is given another number of inputs than it takes (expected 3 to 4, "
     "found 2)"},
    {"keras-layer-collection", "ScaledDotProductAttention", "", 3, {X, S(2, 3, 2), S(2, 3, 4)}, {{0}},
     "ScaledDotProductAttention layer: query and key differ in their features (expected 4, found 2)"},
    {"keras-layer-collection", "ScaledDotProductAttention", "", 3, {X, S(2, 3, 4), S(2, 4, 4)}, {{0}},
     "ScaledDotProductAttention layer: key and value differ in their steps (expected 3, found 4)"},
    {"keras-layer-collection", "ScaledDotProductAttention", "", 4, {X, X, X, S(2, 5, 4)}, {{0}},
     "ScaledDotProductAttention layer: attention: the mask does not fit (expected bool that broadcasts to (2, 1, "
     "5, 5), found (2, 1, 5, 4))"},
    {"keras-layer-collection", "LayerNormalization", "epsilon=-1", 0, {{0}}, {{0}},
     "LayerNormalization layer: epsilon is out of range (expected [0,), found -1)"},
    {"keras-layer-collection", "SequenceAttention", "similarity='x'", 0, {{0}}, {{0}},
     "SequenceAttention layer: similarity is not one of its words (expected "
     "additive|multiplicative|_additive_similarity|_multiplicative_similarity, found x)"},
    {"keras-layer-collection", "SequenceAttention", "", 1, {X}, {{0}},
     "SequenceAttention layer: it is given another number of inputs than it takes (expected 2, found 1)"},
    {"keras-layer-collection", "SequenceAttention", "", 2, {X, S(2, 4)}, {{0}},
     "SequenceAttention layer: input 2 is no sequence (expected rank 3, found (None, 4))"},
    {"keras-layer-collection", "SequenceAttention", "", 2, {X, S(3, 5, 4)}, {{0}},
     "SequenceAttention layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"keras-layer-collection", "SequenceAttention", "corrected=False", 2, {X, S(2, 3, 4)}, {{0}},
     "SequenceAttention layer: source and query differ in length (expected 5, found 3)"},
    {"keras-layer-collection", "AttentionRNNWrapper", "", 0, {{0}}, {{0}},
     "AttentionRNNWrapper layer: its layer is missing"},
    {"keras-layer-collection", "AttentionRNNWrapper", "layer=Dense(3)", 0, {{0}}, {{0}},
     "AttentionRNNWrapper layer: its layer is not recurrent (expected LSTM, GRU, SimpleRNN or RNN, found Dense)"},
    {"keras-layer-collection", "AttentionRNNWrapper", "layer=LSTM(0)", 0, {{0}}, {{0}},
     "AttentionRNNWrapper layer: LSTM: units is out of range (expected [1,), found 0)"},
    {"keras-layer-collection", "AttentionRNNWrapper", "layer=LSTM(3)", 2, {X, S(2, 3)}, {{0}},
     "AttentionRNNWrapper layer: the number of inputs does not fit (expected 1, or 3 with the states, found 2)"},
    {"keras-layer-collection", "AttentionRNNWrapper", "layer=LSTM(3)", 1, {S(2, 3)}, {{0}},
     "AttentionRNNWrapper layer: input 1 is no sequence (expected rank 3, found (None, 3))"},
    {"keras-layer-collection", "AttentionRNNWrapper", "layer=LSTM(3)", 3, {X, S(2, 3), S(2, 4)}, {{0}},
     "AttentionRNNWrapper layer: LSTM layer 'lstm': initial state 2 does not fit (expected (2, 3), found (2, 4))"},
    {"keras-layer-collection", "AttentionRNNWrapper", "layer=LSTM(3)", 1, {X}, {S(2, 4)},
     "AttentionRNNWrapper layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"keras-layer-collection", "ExternalAttentionRNNWrapper", "layer=GRU(3)", 1, {X}, {{0}},
     "ExternalAttentionRNNWrapper layer: it is given another number of inputs than it takes (expected 2 or more, "
     "found 1)"},
    {"keras-layer-collection", "ExternalAttentionRNNWrapper", "layer=GRU(3)", 2, {X, S(3, 5, 4)}, {{0}},
     "ExternalAttentionRNNWrapper layer: scan: constant 1 does not fit the others (expected 2 rows, found (3, 5, "
     "4))"},
    {"keras-layer-collection", "ExternalAttentionRNNWrapper", "layer=GRU(3)", 2, {X, S(2, 4)}, {{0}},
     "ExternalAttentionRNNWrapper layer: input 2 is no sequence (expected rank 3, found (None, 4))"},
    {"keras-layer-collection", "DiscreteResize2D", "", 0, {{0}}, {{0}},
     "DiscreteResize2D layer: upscaling_factor is missing (expected 1 or more, found None)"},
    {"keras-layer-collection", "Resize2D", "", 1, {S(2, 4, 4, 3)}, {{0}},
     "Resize2D layer: output_shape is missing, which files of the original do not hold (expected height and "
     "width, found 0 sizes)"},
    {"keras", "Attention", "dropout=1.5", 0, {{0}}, {{0}},
     "Attention layer: dropout is out of range (expected [0,1], found 1.5)"},
    {"keras", "Attention", "score_mode='general'", 0, {{0}}, {{0}},
     "Attention layer: score_mode is not one of its words (expected dot|concat, found general)"},
    {"keras", "Attention", "", 1, {X}, {{0}},
     "Attention layer: it is given another number of inputs than it takes (expected 2 to 3, found 1)"},
    {"keras", "Attention", "", 2, {X, S(2, 5)}, {{0}},
     "Attention layer: input 2 is no sequence (expected rank 3, found (2, 5))"},
    {"keras", "Attention", "", 2, {X, S(2, 5, 3)}, {{0}},
     "Attention layer: query and key differ in their features (expected 4, found 3)"},
    {"keras", "Attention", "", 2, {X, S(3, 5, 4)}, {{0}},
     "Attention layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"keras", "Attention", "", 3, {X, S(2, 3, 4), S(2, 4, 4)}, {{0}},
     "Attention layer: key and value differ in their steps (expected 4, found 3)"},
    {"keras", "Attention", "score_mode='concat'", 2, {X, S(2, 5, 3)}, {{0}},
     "Attention layer: query and key differ in their features (expected 4, found 3)"},
    {"keras", "Attention", "", 2, {X, X}, {{0}, S(2, 4)},
     "Attention layer: the mask of input 2 does not fit (expected (2, 5), found (2, 4))"},
    {"keras", "Attention", "", 2, {X, X}, {S(2, 4)},
     "Attention layer: the mask of input 1 does not fit (expected (2, 5), found (2, 4))"},
    {"keras", "AdditiveAttention", "dropout=-0.1", 0, {{0}}, {{0}},
     "AdditiveAttention layer: dropout is out of range (expected [0,1], found -0.1)"},
    {"keras", "AdditiveAttention", "", 2, {X, S(2, 5, 3)}, {{0}},
     "AdditiveAttention layer: query and key differ in their features (expected 4, found 3)"},
    {"keras", "AdditiveAttention", "", 2, {X, S(3, 5, 4)}, {{0}},
     "AdditiveAttention layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"keras", "AdditiveAttention", "", 2, {X, X}, {{0}, S(2, 4)},
     "AdditiveAttention layer: the mask of input 2 does not fit (expected (2, 5), found (2, 4))"},
    {"keras", "MultiHeadAttention", "num_heads=0, key_dim=2", 0, {{0}}, {{0}},
     "MultiHeadAttention layer: num_heads is out of range (expected [1,), found 0)"},
    {"keras", "MultiHeadAttention", "num_heads=2, key_dim=0", 0, {{0}}, {{0}},
     "MultiHeadAttention layer: key_dim is out of range (expected [1,), found 0)"},
    {"keras", "MultiHeadAttention", "num_heads=2, key_dim=2, value_dim=0", 0, {{0}}, {{0}},
     "MultiHeadAttention layer: value_dim is out of range (expected [1,), found 0)"},
    {"keras", "MultiHeadAttention", "num_heads=2, key_dim=2", 2, {X, S(3, 5, 4)}, {{0}},
     "MultiHeadAttention layer: attention: shapes do not fit (expected (B, Tq, N, D), (B, Tk, M, D) and (B, Tk, "
     "M, E), found (2, 5, 2, 2), (3, 5, 2, 2) and (3, 5, 2, 2))"},
    {"heed", "LuongAttention", "score='dot'", 2, {X, S(2, 5, 3)}, {{0}},
     "LuongAttention layer: the score \"dot\" needs queries as wide as the source (expected 3 features, found 4)"},
    {"heed", "LuongAttention", "reach=0", 0, {{0}}, {{0}},
     "LuongAttention layer: reach is out of range (expected [1,), found 0)"},
    {"heed", "LuongAttention", "", 2, {X, S(3, 5, 3)}, {{0}},
     "LuongAttention layer: input 2 is of another batch than input 1 (expected 2, found 3)"},
    {"heed", "BahdanauAttentionCell", "", 0, {{0}}, {{0}}, "BahdanauAttentionCell layer: its cell is missing"},
    {"heed", "BahdanauAttentionCell", "Dense(3)", 0, {{0}}, {{0}},
     "BahdanauAttentionCell layer: \"cell\" is no cell (expected LSTMCell, GRUCell or another, found Dense)"},
    {"heed", "BahdanauAttentionCell", "GRUCell(3), first=Dense(3)", 0, {{0}}, {{0}},
     "BahdanauAttentionCell layer: \"first\" is no cell (expected LSTMCell, GRUCell or another, found Dense)"},
    {"heed", "BahdanauAttentionCell", "GRUCell(3), first=LSTMCell(3)", 0, {{0}}, {{0}},
     "BahdanauAttentionCell layer: its first cell has not as many states as its cell (expected 1, found 2)"},
    {"heed", "BahdanauAttentionCell", "GRUCell(3), first=GRUCell(4)", 0, {{0}}, {{0}},
     "BahdanauAttentionCell layer: state 1 of its first cell is not as its cell's (expected (1, 3), found (1, 4))"},
    {"keras", "RNN", "BahdanauAttentionCell(GRUCell(3))", 1, {X}, {{0}},
     "RNN layer: BahdanauAttentionCell layer 'bahdanau_attention_cell': the source is missing (expected RNN to be "
     "called on a sequence and the source, found a sequence alone)"},
    {"keras", "RNN", "BahdanauAttentionCell(GRUCell(3))", 2, {X, S(2, 4)}, {{0}},
     "RNN layer: BahdanauAttentionCell layer 'bahdanau_attention_cell': the source is no sequence (expected (B, S, E), "
     "found (None, 4))"},
    {"keras-hub", "TransformerEncoder", "num_heads=2", 0, {{0}}, {{0}},
     "TransformerEncoder layer: intermediate_dim is out of range (expected [1,), found 0)"},
    {"keras-hub", "TransformerEncoder", "intermediate_dim=3, num_heads=5", 1, {X}, {{0}},
     "TransformerEncoder layer: there are more heads than features (expected at most 4, found 5)"},
    {"keras-hub", "TransformerEncoder", "intermediate_dim=3, num_heads=2", 1, {S(2, 5)}, {{0}},
     "TransformerEncoder layer: input 1 is no sequence (expected rank 3, found (None, 5))"},
    {"keras-hub", "TransformerDecoder", "intermediate_dim=3, num_heads=2", 2, {X, S(2, 5)}, {{0}},
     "TransformerDecoder layer: input 2 is no sequence (expected rank 3, found (None, 5))"},
    {"keras-hub", "PositionEmbedding", "sequence_length=4", 1, {X}, {{0}},
     "PositionEmbedding layer: there are more steps than positions (expected at most 4, found 5)"},
    {"keras-hub", "SinePositionEncoding", "max_wavelength=0", 0, {{0}}, {{0}},
     "SinePositionEncoding layer: max_wavelength is out of range (expected (0,), found 0)"},
    {"keras-hub", "TokenAndPositionEmbedding", "vocabulary_size=3, sequence_length=4, embedding_dim=2", 1, {X}, {{0}},
     "TokenAndPositionEmbedding layer: the input is no sequence of ids (expected two dimensions, found 3)"},
};

static heed_status call_on(const refusal *r, heed_layer *layer, heed_graph *g)
{
    heed_tensor *inputs[MOST] = {NULL}, *masks[MOST] = {NULL};
    heed_call_arguments arguments = {0};
    heed_call outer = {.graph = g, .arguments = &arguments};
    heed_inner inner;
    for (int i = 0; i < r->count; i++) {
        inputs[i] = heed_graph_fill(g, &r->shapes[i], 1.0f);
        if (r->masks[i].rank > 0)
            masks[i] = heed_op_cast(heed_graph_fill(g, &r->masks[i], 1.0f), HEED_BOOL);
    }
    return heed_inner_call(&inner, &outer, layer, inputs, masks, r->count, NULL);
}

static heed_status try(heed_context *c, const refusal *r)
{
    heed_zone z;
    heed_value *options;
    heed_layer *layer = NULL;
    heed_graph *g = NULL;
    heed_zone_init(&z, c);
    heed_status status = heed_value_parse_arguments(&z, r->class_name, r->options, &options);
    if (status == HEED_OK)
        status = heed_layer_create_value(c, r->class_name, r->collection, options, &layer);
    if (status == HEED_OK && r->count > 0)
        status = heed_graph_create(c, &g);
    if (status == HEED_OK && r->count > 0)
        status = call_on(r, layer, g);
    heed_graph_free(g);
    heed_layer_release(layer);
    heed_zone_free(&z);
    return status;
}

static void test_refusals(void **state)
{
    heed_context *c;
    int bad = 0;
    assert_int_equal(heed_context_create(NULL, &c), HEED_OK);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *r = &refusals[i];
        bool refused = try(c, r) != HEED_OK;
        if (refused && strcmp(heed_error(c), r->sentence) == 0)
            continue;
        print_error("%s>%s(%s): \"%s\", not \"%s\"\n", r->collection, r->class_name, r->options,
                    refused ? heed_error(c) : "accepted", r->sentence);
        bad++;
    }
    heed_context_free(c);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
