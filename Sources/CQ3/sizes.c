// Holds q3.h against the layout that programs were compiled with: what stands here may grow, but not move.
#include "q3.h"

#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")

AT(q3_error, status, 8);
AT(q3_error, index, 16);
AT(q3_error, message, 24);
AT(q3_error, capacity, 32);
AT(q3_open_options, kind, 8);
AT(q3_open_options, precision, 12);
AT(q3_open_options, threads, 16);
AT(q3_open_options, copies_file, 20);
AT(q3_open_options, prefix_cache_bytes, 24);
AT(q3_info, kind, 8);
AT(q3_info, end_of_text_id, 36);
AT(q3_texts, count, 16);
AT(q3_embed_options, dimensions, 8);
AT(q3_embed_options, prefix, 24);
AT(q3_embed_options, prefix_length, 32);
AT(q3_embed_options, maximum, 48);
AT(q3_embed_options, adapter, 56);
AT(q3_adapter_facts, dimensions, 8);
AT(q3_adapter_facts, changes_documents, 16);
AT(q3_score_options, style, 8);
AT(q3_score_options, instruction, 16);
AT(q3_duplicate_options, threads, 12);
AT(q3_cluster_options, start, 32);
AT(q3_cluster_options, threads, 40);
AT(q3_community_options, min_size, 16);
AT(q3_bitext_options, neighbors, 16);
AT(q3_bitext_options, threads, 32);
AT(q3_negative_options, limits, 32);
AT(q3_negative_options, seed, 56);
AT(q3_negative_options, reranker, 72);
AT(q3_negative_options, score_options, 96);
AT(q3_train_options, strength, 16);
AT(q3_train_options, threads, 32);
AT(q3_training, accuracy, 16);
AT(q3_training, temperature, 64);
AT(q3_classifier, rows, 16);
AT(q3_classifier, row_labels, 40);
AT(q3_classifier, threads, 56);
_Static_assert(sizeof(q3_vectors) == 24, "q3_vectors is a part of q3_classifier and cannot grow");
_Static_assert(sizeof(q3_pair) == 24, "q3_pair is an element of arrays and cannot grow");
_Static_assert(sizeof(q3_result) == 16, "q3_result is an element of arrays and cannot grow");
