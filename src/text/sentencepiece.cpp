#include "text/sentencepiece.h"

#include <charconv>
#include <cstdio>
#include <exception>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <string>
#include <unordered_map>

namespace {

/* It skips texts with the character that it keeps for itself, "lower five eighths block". */
void free_of_reserved(std::string &text)
{
    static const char reserved[] = "\xe2\x96\x85";
    for (size_t at = 0; (at = text.find(reserved, at)) != std::string::npos;)
        text.replace(at, sizeof reserved - 1, " ");
}

class texts : public sentencepiece::SentenceIterator {
public:
    explicit texts(const heed_sentencepiece_job *job) : job_(job) { Next(); }
    bool done() const override { return !more_; }
    const std::string &value() const override { return text_; }
    sentencepiece::util::Status status() const override { return {}; }
    void Next() override
    {
        const char *text;
        size_t length;
        more_ = job_->next(job_->user, &text, &length);
        if (!more_)
            return;
        text_.assign(text, length);
        free_of_reserved(text_);
    }

private:
    const heed_sentencepiece_job *job_;
    std::string text_;
    bool more_ = false;
};

/* Independent of the locale that the program around us has set. */
template <typename number> std::string written(number value)
{
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

/* The one piece that is no text's: a space never stands in others. */
const char unknown[] = " unknown ";

std::unordered_map<std::string, std::string> settings_of(const heed_sentencepiece_job *job)
{
    return {
        {"model_type", job->unigram ? "unigram" : "bpe"},
        {"vocab_size", written(job->pieces + 1)}, /* and the unknown */
        {"hard_vocab_limit", "false"},
        {"character_coverage", written(job->character_coverage)},
        {"max_sentencepiece_length", written(job->longest_piece)},
        {"split_digits", job->split_digits ? "true" : "false"},
        {"normalization_rule_name", "identity"},
        {"max_sentence_length", "1073741824"},
        {"num_threads", "8"}, /* sums depend on it, so it is not the machine's */
        {"unk_id", "0"},
        {"bos_id", "-1"},
        {"eos_id", "-1"},
        {"pad_id", "-1"},
        {"unk_piece", unknown},
        {"minloglevel", "4"},
    };
}

/* The error's text, or nothing. */
std::string train(const heed_sentencepiece_job *job, bool *complete)
{
    texts iterator(job);
    std::string model;
    auto status = sentencepiece::SentencePieceTrainer::Train(settings_of(job), &iterator, &model);
    sentencepiece::SentencePieceProcessor processor;
    if (status.ok())
        status = processor.LoadFromSerializedProto(model);
    if (!status.ok())
        return status.ToString();
    *complete = true;
    for (int i = 1; i < processor.GetPieceSize() && *complete; i++) {
        const std::string &piece = processor.IdToPiece(i);
        *complete = job->take(job->user, piece.data(), piece.size(), processor.GetScore(i));
    }
    return {};
}

} // namespace

extern "C" bool heed_sentencepiece_train(const heed_sentencepiece_job *job, char *error, size_t error_size)
{
    bool complete = false;
    error[0] = '\0';
    try {
        const std::string message = train(job, &complete);
        std::snprintf(error, error_size, "%s", message.c_str());
    } catch (const std::exception &e) {
        std::snprintf(error, error_size, "%s", e.what());
    } catch (...) {
        std::snprintf(error, error_size, "an unknown failure");
    }
    return complete && error[0] == '\0';
}
