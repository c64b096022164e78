// q3 from C: text embeddings and relevance scores from Qwen3 models in GGUF files, on the CPU, and what vectors are for.
//
//     q3_model *model;
//     char text[512];
//     q3_error error = {.size = sizeof error, .message = text, .capacity = sizeof text};
//     if (q3_open("qwen3-embedding-0.6b-q8_0.gguf", NULL, &model, &error) != Q3_OK) { puts(text); return 1; }
//
// Rules for everything below:
// - Functions that can fail return a status, Q3_OK or another, and describe what went wrong in `error`, which may be NULL.
// - Structs that may grow begin with `size`: set it to sizeof the struct, and all that you do not use to zero. A library
//   that knows more fields takes the missing ones for zero; one that knows fewer refuses what it does not know.
// - Texts are UTF-8 without an end mark. Texts of a call lie one after another in one block of bytes.
// - Results are written into memory of the caller, which must stay until the call returns. Nothing has to be freed but
//   models and tickets.
// - Any number of threads may call at once, with the same model too; a call blocks until its work is done. The library
//   calls nothing back. A closed handle is an error, never a crash.
// - After fork() a child may use the library only if its parent has opened no model before; otherwise every call
//   returns Q3_FORKED.
#ifndef Q3_H
#define Q3_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Raised when a program that was compiled with this header would no longer run with the library.
#define Q3_ABI_VERSION 1

int32_t q3_abi_version(void);

// As in `q3 --version`; ends with NUL and is never freed.
const char *q3_version(void);

// === Errors ===

typedef int32_t q3_status;

enum {
    Q3_OK = 0,
    // NULL where something is needed, a negative count, an option that does not exist, a closed handle.
    Q3_BAD_ARGUMENT = 1,
    // No model of that name; or one that has yet to be downloaded.
    Q3_NO_SUCH_MODEL = 2,
    // A file that cannot be read, is damaged, is not a Qwen3 model, or was written while it was in use.
    Q3_BAD_FILE = 3,
    // A reranker where vectors are asked for, or an embedding model where scores are.
    Q3_WRONG_ROLE = 4,
    // A text that is not UTF-8.
    Q3_BAD_TEXT = 5,
    // A text with more tokens than the model takes, and truncation was not asked for.
    Q3_TOO_LONG = 6,
    // The model computed something that is not a number: its weights are damaged.
    Q3_BAD_RESULT = 7,
    Q3_CANCELLED = 8,
    // This process is a child of one that used the library before it forked.
    Q3_FORKED = 9,
    Q3_BUFFER_TOO_SMALL = 10,
    // The system gives no more memory or threads.
    Q3_NO_RESOURCES = 11,
};

typedef struct q3_error {
    size_t size;
    q3_status status;
    // Position of the text or pair that is at fault, or -1.
    int64_t index;
    // Gets what is wrong, where, and what to do: UTF-8, cut to fit, ends with NUL. May be NULL.
    char *message;
    // Bytes at `message`.
    size_t capacity;
} q3_error;

// === Models ===

typedef struct q3_model q3_model;

// What a model is opened for.
enum {
    Q3_EMBEDDER = 0,
    Q3_RERANKER = 1,
    // The tokenizer alone; takes any of the files.
    Q3_TOKENIZER = 2,
};

enum {
    Q3_AUTO = 0,   // as many bits as the file's type deserves
    Q3_EXACT = 1,  // everything in float32
    Q3_FAST = 2,   // activations of 8 bits, and weights of at most 8
    Q3_FINE = 3,   // activations of 14 bits
};

typedef struct q3_open_options {
    size_t size;
    int32_t kind;       // Q3_EMBEDDER ...
    int32_t precision;  // Q3_AUTO ...
    // Threads that compute; 0 takes one per processor. All models of a process share one team.
    int32_t threads;
    // 1 reads the file into memory instead of mapping it: for folders where others may write to it.
    int32_t copies_file;
    // Most bytes of keys and values to keep between calls for prefixes that come back; 0 keeps none.
    int64_t prefix_cache_bytes;
} q3_open_options;

// The path of a model by the name that `q3 --model` would take: a path stays as it is, a name of `q3 list` or of a file
// in the model folder becomes a path. `length` gets the bytes of the path without the NUL; with less than length + 1 bytes
// at `path` the call returns Q3_BUFFER_TOO_SMALL. Reads Q3_MODELS, Q3_CATALOG, XDG_CACHE_HOME and HOME.
q3_status q3_find_model(const char *name, char *path, size_t capacity, size_t *length, q3_error *error);

// Opens the file at `path`, or the built-in q3-mini if `path` is NULL. `options` may be NULL.
q3_status q3_open(const char *path, const q3_open_options *options, q3_model **model, q3_error *error);

// Calls that use the model already go on to their end. NULL and closed models are ignored.
void q3_close(q3_model *model);

typedef struct q3_info {
    size_t size;
    int32_t kind;
    // Values of a full vector.
    int32_t dimensions;
    // Most tokens of a text with all that is put around it.
    int32_t token_limit;
    int32_t vocabulary_size;
    // Zero for Q3_TOKENIZER, as the next two.
    int32_t layer_count;
    int32_t threads;
    // 1 if queries are dressed with an instruction, 0 if they are read as they are.
    int32_t takes_instructions;
    // The id of <|endoftext|>, or -1.
    int32_t end_of_text_id;
} q3_info;

q3_status q3_model_info(const q3_model *model, q3_info *info, q3_error *error);

// Texts that describe a model.
enum {
    Q3_TEXT_PATH = 0,          // of its file, or "q3-mini (built in)"
    Q3_TEXT_NAME = 1,          // as its file says; may be empty
    Q3_TEXT_ROLE = 2,          // "embedding", "reranker" or "unstated"
    Q3_TEXT_WEIGHTS = 3,       // the type of most of its weights, for instance "Q8_0"
    Q3_TEXT_QUERY_PROMPT = 4,  // what is put before queries; empty without instructions
    Q3_TEXT_FINGERPRINT = 5,   // 16 hexadecimal digits that name the vector space; reads the whole file, and is then kept
};

// `length` gets the bytes without the NUL; with less than length + 1 bytes at `text`: Q3_BUFFER_TOO_SMALL.
q3_status q3_model_text(
    const q3_model *model, int32_t which, char *text, size_t capacity, size_t *length, q3_error *error);

// === Calls ===

// Text i is bytes[offsets[i]] up to bytes[offsets[i + 1]]; so there are count + 1 offsets, which never decrease.
typedef struct q3_texts {
    const uint8_t *bytes;
    const int64_t *offsets;
    int64_t count;
} q3_texts;

// What became of one text or pair.
typedef struct q3_result {
    q3_status status;
    // Tokens that the model read.
    int32_t token_count;
    // 1 if the end was cut off to fit.
    int32_t is_truncated;
    int32_t reserved;
} q3_result;

// A ticket lets another thread watch and cancel a call. It may be given to several calls, and once cancelled cancels
// every call that gets it.
typedef struct q3_ticket q3_ticket;

// NULL after a fork.
q3_ticket *q3_ticket_create(void);

// The calls end within a layer of the model and return Q3_CANCELLED.
void q3_ticket_cancel(q3_ticket *ticket);

// How far the last call with this ticket is, in bytes of text.
void q3_ticket_progress(const q3_ticket *ticket, int64_t *completed, int64_t *total);

void q3_ticket_close(q3_ticket *ticket);

// === Adapters ===

// A small change to the vectors of one model, learned from questions and answers; a file of `q3 tune adapter`.
typedef struct q3_adapter q3_adapter;

typedef struct q3_adapter_facts {
    size_t size;
    // Values of the vectors that it changes; no more can be kept of them.
    int32_t dimensions;
    // Directions that it can change.
    int32_t rank;
    // 1 if it was made to change documents too, 0 if it is for queries alone.
    int32_t changes_documents;
    int32_t reserved;
} q3_adapter_facts;

// Texts that describe an adapter.
enum {
    Q3_ADAPTER_INSTRUCTION = 0,  // the task of the queries that it was made with; empty for web search
    Q3_ADAPTER_FINGERPRINT = 1,  // of the vector space of documents: the model's own where it is for queries alone
};

// Opens the file at `path`, which must have been made for this model: an embedder. Reads the whole model once.
q3_status q3_open_adapter(const q3_model *model, const char *path, q3_adapter **adapter, q3_error *error);

// Calls that use it already go on to their end. NULL and closed adapters are ignored.
void q3_close_adapter(q3_adapter *adapter);

q3_status q3_adapter_info(const q3_adapter *adapter, q3_adapter_facts *facts, q3_error *error);

// `length` as in q3_model_text.
q3_status q3_adapter_text(
    const q3_adapter *adapter, int32_t which, char *text, size_t capacity, size_t *length, q3_error *error);

// === Vectors ===

// Types of stored values, as `q3 embed --type`.
enum {
    Q3_F32 = 0,
    Q3_F16 = 1,
    Q3_INT8 = 2,     // needs ranges
    Q3_UINT8 = 3,    // needs ranges
    Q3_BINARY = 4,   // 8 dimensions to a byte, stored as the byte - 128
    Q3_UBINARY = 5,  // 8 dimensions to a byte
};

typedef struct q3_embed_options {
    size_t size;
    // Values to keep of each vector, which then has unit length again; 0 keeps all.
    int32_t dimensions;
    int32_t type;  // Q3_F32 ...
    // 1 cuts texts that are too long; otherwise they are errors.
    int32_t truncates;
    // 1 reads <|im_end|> and the like in texts as control tokens; not for text from elsewhere.
    int32_t parses_special_tokens;
    // Is put before every text: nothing for documents, what Q3_TEXT_QUERY_PROMPT says for queries.
    const uint8_t *prefix;
    int64_t prefix_length;
    // For Q3_INT8 and Q3_UINT8: the least and greatest value of each dimension.
    const float *minimum;
    const float *maximum;
    // Changes every vector of the call: for calls with queries, and with documents where q3_adapter_facts says so. NULL for
    // the model's own vectors.
    const q3_adapter *adapter;
} q3_embed_options;

// Bytes of one stored vector.
q3_status q3_vector_size(const q3_model *model, const q3_embed_options *options, int64_t *size, q3_error *error);

// Writes the vectors of all texts one after another to `vectors`, which has `capacity` bytes. A text has the same bits
// whatever else is in the call.
//
// With `results`, one for each text, a text without a vector does not end the call: its result says why, its vector is
// zeros, `error` describes the first of them, and the status is Q3_OK. Without, the call returns the status of that text.
// `options`, `results` and `ticket` may be NULL.
q3_status q3_embed(
    const q3_model *model, const q3_texts *texts, const q3_embed_options *options, void *vectors, size_t capacity,
    q3_result *results, q3_ticket *ticket, q3_error *error);

// === Scores ===

enum {
    Q3_STYLE_MODEL = 0,  // the prompt that the file carries, else the card's
    Q3_STYLE_CARD = 1,   // the prompt of the model card
    Q3_STYLE_EVAL = 2,   // the prompt of the published evaluation
};

typedef struct q3_score_options {
    size_t size;
    int32_t style;  // Q3_STYLE_MODEL ...
    // 1 cuts documents that are too long; otherwise they are errors.
    int32_t truncates;
    // What counts as relevant, in a sentence; NULL takes the style's own.
    const uint8_t *instruction;
    int64_t instruction_length;
} q3_score_options;

// Scores how well each document answers its query: document i the query i, or all documents one query if there is
// only one. `scores` gets probabilities, 0 to 1; `margins` their logits, which do not saturate. Either may be NULL, and
// so may `options`, `results` and `ticket`; `results` is as in q3_embed, with NaN for what has no score.
q3_status q3_score(
    const q3_model *model, const q3_texts *queries, const q3_texts *documents, const q3_score_options *options,
    float *scores, float *margins, q3_result *results, q3_ticket *ticket, q3_error *error);

// === Tokens ===

// Writes the token ids of all texts one after another to `ids`, those of text i from id_offsets[i] up to
// id_offsets[i + 1]: texts->count + 1 offsets, which are written always. `ranges`, if it is not NULL, gets two offsets for
// each token: the bytes of its text that it covers. With less room than id_offsets[count] the call returns
// Q3_BUFFER_TOO_SMALL and writes no ids. Nothing is put before or after a text.
q3_status q3_tokenize(
    const q3_model *model, const q3_texts *texts, int32_t parses_special_tokens, int32_t *ids, int64_t capacity,
    int64_t *id_offsets, int64_t *ranges, q3_error *error);

// The text of tokens, with U+FFFD for what is not UTF-8. `length` as in q3_find_model; the text may hold NULs.
q3_status q3_detokenize(
    const q3_model *model, const int32_t *ids, int64_t count, int32_t skips_special_tokens, char *text, size_t capacity,
    size_t *length, q3_error *error);

// === Analysis of vectors ===
//
// What `q3 duplicates`, `cluster`, `classify` and `mine` do, on vectors from wherever: no model is needed, and results are
// those of the program. Rows may have any length but 0; they are brought to unit length first. A row with a NaN or of
// zeros is Q3_BAD_ARGUMENT, with its number in `index`. `threads` is how many compute, 0 for one per processor; it changes
// no result. A ticket's progress is in thousandths of the call. Scores of pairs are cosines unless something else is said.

// count rows of `dimensions` values, one after another.
typedef struct q3_vectors {
    const float *values;
    int64_t count;
    int64_t dimensions;
} q3_vectors;

typedef struct q3_pair {
    int64_t first;
    int64_t second;
    float score;
    int32_t reserved;
} q3_pair;

typedef struct q3_duplicate_options {
    size_t size;
    // The least cosine of near-duplicates, above -1 and at most 1.
    float threshold;
    int32_t threads;
} q3_duplicate_options;

// All near-duplicates, none missed. `groups`, an entry for each row, gets the number of the group that the row is in, or -1;
// groups are what pairs link. `pairs` gets the most similar pairs, the best first: `capacity` at most, and `pair_count` says
// how many; `has_more` gets 1 if there were more of them. `groups` may be NULL, and so may `pairs` and all that belongs to it.
q3_status q3_find_duplicates(
    const q3_vectors *vectors, const q3_duplicate_options *options, int64_t *groups, q3_pair *pairs, int64_t capacity,
    int64_t *pair_count, int32_t *has_more, q3_ticket *ticket, q3_error *error);

// For each row the most similar row of `others`, or -1 where none reaches the threshold, and its cosine, else NaN.
q3_status q3_find_matches(
    const q3_vectors *vectors, const q3_vectors *others, const q3_duplicate_options *options, int64_t *matches,
    float *scores, q3_ticket *ticket, q3_error *error);

typedef struct q3_cluster_options {
    size_t size;
    // Clusters to make; there are never more than rows.
    int64_t count;
    // What random draws begin with.
    uint64_t seed;
    // Rounds at most; 0 for 100.
    int64_t round_limit;
    // `count` rows that are the first centers, or NULL to draw them.
    const int64_t *start;
    int32_t threads;
} q3_cluster_options;

// k-means, where nearness is the cosine. `clusters` and `similarities`, an entry for each row, get its cluster and its cosine
// with the center; `centers` gets the centers, [the smaller of count and the number of rows, dimensions]; `rounds` how many
// rounds there were. Everything but `clusters` may be NULL.
q3_status q3_cluster(
    const q3_vectors *vectors, const q3_cluster_options *options, int64_t *clusters, float *similarities, float *centers,
    int64_t *rounds, q3_ticket *ticket, q3_error *error);

typedef struct q3_community_options {
    size_t size;
    // The least cosine of a community's center and its members.
    float threshold;
    int32_t threads;
    // Rows of the smallest community, its center among them.
    int64_t min_size;
} q3_community_options;

// The communities of sentence-transformers' community_detection, the largest first. `members` gets the rows of all, one
// community after another, each with its center in front; `ends[i]` is where community i ends, and `count` how many
// there are. `members` and `ends` have an entry for each row.
q3_status q3_find_communities(
    const q3_vectors *vectors, const q3_community_options *options, int64_t *members, int64_t *ends, int64_t *count,
    q3_ticket *ticket, q3_error *error);

enum {
    Q3_MARGIN_RATIO = 0,     // the cosine divided by the mean of the neighbours' cosines
    Q3_MARGIN_DISTANCE = 1,  // the difference of the two
    Q3_MARGIN_ABSOLUTE = 2,  // the cosine alone
};

enum {
    Q3_RETRIEVAL_MAX = 0,        // the best of both directions, each row once
    Q3_RETRIEVAL_FORWARD = 1,    // for each left row its best right one
    Q3_RETRIEVAL_BACKWARD = 2,   // for each right row its best left one
    Q3_RETRIEVAL_INTERSECT = 3,  // what is best in both directions
};

typedef struct q3_bitext_options {
    size_t size;
    int32_t margin;     // Q3_MARGIN_RATIO ...
    int32_t retrieval;  // Q3_RETRIEVAL_MAX ...
    // Neighbours that a pair is set against; 0 for LASER's 4.
    int64_t neighbors;
    // 1 if pairs with a score below `threshold` are left out.
    int32_t has_threshold;
    float threshold;
    int32_t threads;
} q3_bitext_options;

// Pairs of rows that are translations of each other by margin scores, best first. With room for left->count +
// right->count pairs all fit; with less than there are the call returns Q3_BUFFER_TOO_SMALL, and `pair_count` says how many.
q3_status q3_mine_bitext(
    const q3_vectors *left, const q3_vectors *right, const q3_bitext_options *options, q3_pair *pairs, int64_t capacity,
    int64_t *pair_count, q3_ticket *ticket, q3_error *error);

// The margin scores of row 0 with row 0, 1 with 1 and so on.
q3_status q3_score_bitext(
    const q3_vectors *left, const q3_vectors *right, const q3_bitext_options *options, float *scores, q3_ticket *ticket,
    q3_error *error);

// Which limits of q3_negative_options hold.
enum {
    Q3_MAX_SCORE = 1,
    Q3_MIN_SCORE = 2,
    Q3_ABSOLUTE_MARGIN = 4,
    Q3_RELATIVE_MARGIN = 8,
};

typedef struct q3_negative_options {
    size_t size;
    // Negatives of each query; 0 for 3.
    int64_t count;
    // Candidates to skip, and to look at; 0 for as many as are needed.
    int64_t range_min;
    int64_t range_max;
    int32_t limits;  // Q3_MAX_SCORE and others, added
    float max_score;
    float min_score;
    // How far below the query's positives a negative is, and the same as a part of their score.
    float absolute_margin;
    float relative_margin;
    // 1 draws from the candidates instead of taking the hardest.
    int32_t is_random;
    uint64_t seed;
    int32_t threads;
    // A model of Q3_RERANKER whose scores count instead of cosines, or NULL, and the texts that it reads.
    const q3_model *reranker;
    const q3_texts *query_texts;
    const q3_texts *passage_texts;
    const q3_score_options *score_options;
} q3_negative_options;

// Hard negatives of each query among the passages. The positives of query i are positives[offsets[i]] up to
// positives[offsets[i + 1]], numbers of passages. `negatives` and `scores` get count entries for each query: passages and
// their scores, the hardest first, then -1 and NaN. `positive_scores` gets a score for each positive, and may be NULL.
q3_status q3_mine_negatives(
    const q3_vectors *queries, const q3_vectors *passages, const int64_t *positives, const int64_t *offsets,
    const q3_negative_options *options, int64_t *negatives, float *scores, float *positive_scores, q3_ticket *ticket,
    q3_error *error);

enum {
    Q3_LOGISTIC = 0,      // logistic regression
    Q3_NEIGHBORS = 1,     // the labels of the five nearest rows
    Q3_DESCRIPTIONS = 2,  // the nearest row, where each describes a label
};

typedef struct q3_train_options {
    size_t size;
    int32_t kind;  // Q3_LOGISTIC ...
    // Parts of the cross-validation; 0 for none.
    int32_t folds;
    // How strongly the regression follows the examples, scikit-learn's C; 0 for 1.
    double strength;
    uint64_t seed;
    int32_t threads;
} q3_train_options;

// What cross-validation found on rows that the classifier had not seen.
typedef struct q3_training {
    size_t size;
    // Parts that the rows were divided into; 0 where a label has one row only, and then all that follows is 0 too.
    int32_t folds;
    double accuracy;
    double macro_f1;
    double log_loss;
    double calibrated_log_loss;
    double calibration_error;
    double calibrated_calibration_error;
    // What logits are divided by for the calibrated figures; 1 without folds.
    double temperature;
} q3_training;

// Learns labels, numbers below `label_count`, two different ones at least. `weights` gets for each label the weights of the
// regression and its bias at the end, [label_count, dimensions + 1]; for the other kinds it may be NULL, since the rows
// themselves are compared. `training` may be NULL without folds.
q3_status q3_train_classifier(
    const q3_vectors *vectors, const int32_t *labels, int32_t label_count, const q3_train_options *options, float *weights,
    q3_training *training, q3_ticket *ticket, q3_error *error);

typedef struct q3_classifier {
    size_t size;
    int32_t kind;  // Q3_LOGISTIC ...
    int32_t label_count;
    // The weights of each label, or the rows that are compared.
    q3_vectors rows;
    // The label of each row; NULL for Q3_LOGISTIC.
    const int32_t *row_labels;
    double temperature;
    int32_t threads;
} q3_classifier;

// The probability of each label for each row: [rows, label_count].
q3_status q3_classify(
    const q3_classifier *classifier, const q3_vectors *vectors, double *probabilities, q3_ticket *ticket,
    q3_error *error);

// === Arrow ===

// The structs of Arrow's C data interface, https://arrow.apache.org/docs/format/CDataInterface.html
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif  // ARROW_C_DATA_INTERFACE

// The vectors of an array of texts, as an array of fixed-size lists of float32, float16, int8 or uint8.
//
// `texts` may be of string, large_string, string_view, binary, large_binary or null, or a dictionary of those, whose values
// are computed once each. Nulls stay null. The input is read during the call and stays the caller's; `vectors_schema` and
// `vectors` are the caller's to release. `results` has an entry for each row, all zero for nulls; with it a text
// that has no vector is a null, without it the first of them ends the call.
q3_status q3_embed_arrow(
    const q3_model *model, const struct ArrowSchema *texts_schema, const struct ArrowArray *texts,
    const q3_embed_options *options, struct ArrowSchema *vectors_schema, struct ArrowArray *vectors, q3_result *results,
    q3_ticket *ticket, q3_error *error);

#ifdef __cplusplus
}
#endif

#endif
