#!/bin/sh
# The rows of docs/quality.md: trains a translator on real data, translates a test set it has never seen, and scores it.
#
#     bench/quality.sh DATA ROW [OPTION...]
#
# DATA holds multi30k/ (train, val and test_2016_flickr of multi30k/dataset, as *.lc.norm.tok.LANGUAGE.gz) and cmudict/
# (train.tsv.gz and val.tsv.gz). ROW is one of those below. OPTIONs go to `heed train` behind the row's own: --threads 1.
# What it makes is put into build/quality/, or the directory that OUT names; the command is build/heed, or HEED.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
heed=${HEED:-$here/build/heed}
out=${OUT:-$here/build/quality}
[ $# -ge 2 ] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1 row=$2
shift 2
mkdir -p "$out"

# translate RECIPE SOURCE TARGET [OPTION...]: captions of Multi30k, lower-cased and tokenized
translate() {
    recipe=$1 source=lc.norm.tok.$2.gz target=lc.norm.tok.$3.gz
    shift 3
    cd "$data/multi30k"
    "$heed" train --source train.$source --target train.$target --validation val.$source --validation-target val.$target \
        --recipe "$recipe" --set validate_by=bleu --set bleu_tokens=none --seed 1 --save "$out/$row.keras" "$@"
    "$heed" translate "$out/$row.keras" test_2016_flickr.$source --beam 5 >"$out/$row.txt"
    "$heed" score "$out/$row.txt" test_2016_flickr.$target --tokenize none
}

# pronounce [OPTION...]: spellings of the CMU dictionary and their pronunciations, of which a word may have several
pronounce() {
    cd "$data/cmudict"
    gzip -dc val.tsv.gz | cut -f 1 >"$out/words.txt"
    gzip -dc val.tsv.gz | cut -f 2 >"$out/phonemes.txt"
    gzip -dc val.tsv.gz | grep -v ' | ' >"$out/single.tsv" # to watch over the training
    "$heed" train train.tsv.gz --validation "$out/single.tsv" --recipe pronunciation \
        --set validation_lines=2385 --seed 1 --save "$out/$row.keras" "$@"
    "$heed" translate "$out/$row.keras" "$out/words.txt" --beam 5 >"$out/$row.txt"
    "$heed" score "$out/$row.txt" "$out/phonemes.txt" --alternatives
}

# attention alone, with the larger batches that the recipe had before
alone="--set kernel_size=1 --set batch_tokens=1024 --set learning_rate=0.005 --set beta_2=0.98 --set warmup_steps=6000"

case $row in
en-de) translate transformer en de --steps 80000 --set validations=31 "$@" ;;
en-de-alone) translate transformer en de $alone --steps 40000 --set validations=31 "$@" ;;
en-fr) translate transformer en fr --steps 80000 --set validations=31 "$@" ;;
en-fr-alone) translate transformer en fr $alone --steps 40000 --set validations=31 "$@" ;;
en-de-bahdanau) translate bahdanau en de --epochs 40 "$@" ;;
de-en-bahdanau) translate bahdanau de en --epochs 20 "$@" ;;
en-de-attention-keras) translate attention-keras en de --set vocabulary=5000 --epochs 10 "$@" ;;
pronunciation) pronounce --steps 42000 --set validations=14 "$@" ;;
pronunciation-light)
    pronounce --set feed_forward=256 --set decoder_layers=1 --set local_layers=4 --steps 36000 --set validations=12 \
        --set average=4 "$@" ;;
*) echo "$0: no row '$row'" >&2; exit 2 ;;
esac
