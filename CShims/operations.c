/* Whole operations on the team: what is an item, and which memory its thread uses. */
#include "panel.h"

static void *thread_scratch(q3_team team, unsigned thread) { return (char *)team.scratch + thread * team.thread_bytes; }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* === Products: an item is one panel of 16 rows and all tokens === */

static size_t panel_bytes(size_t cols) { return larger(q3_panel_bytes(Q3_FAMILY_W16, cols), q3_panel_bytes(Q3_FAMILY_F32, cols)); }

size_t q3_multiply_scratch_bytes(size_t cols) {
    size_t tiles = 2 * Q3_TOKEN_CHUNK * Q3_PANEL_ROWS * sizeof(float);
    return 2 * panel_bytes(cols) + tiles;
}

/* Packs panel `item` of `w`; `tokens` that pass over it will fetch the rows that this thread likely packs next. */
static void pack(q3_team team, const q3_matrix *w, size_t item, size_t tokens, void *panel) {
    team.kernels->pack(w, item * Q3_PANEL_ROWS, panel);
    size_t next = item + team.threads, bytes = Q3_PANEL_ROWS * w->row_bytes;
    if ((next + 1) * Q3_PANEL_ROWS > w->rows) return;
    panel_header *h = panel;
    size_t steps = (tokens + Q3_TOKEN_GROUP - 1) / Q3_TOKEN_GROUP * h->blocks, lines = (bytes + 63) / 64;
    h->fetch = (const char *)w->data + next * bytes;
    h->fetch_end = h->fetch + bytes;
    h->fetch_lines = (uint32_t)((lines + steps - 1) / steps);
}

typedef struct {
    q3_team team;
    const q3_product *products;
    q3_activations input;
    size_t tokens;
} multiply_job;

static void multiply_item(void *context, size_t item, unsigned thread) {
    const multiply_job *job = context;
    const q3_product *p = job->products;
    for (; item >= p->weights.rows / Q3_PANEL_ROWS; p++) item -= p->weights.rows / Q3_PANEL_ROWS;
    void *panel = thread_scratch(job->team, thread);
    pack(job->team, &p->weights, item, job->tokens, panel);
    job->team.kernels->multiply_panel(p->weights.family, panel, &job->input, 0, job->tokens, p->out + item * Q3_PANEL_ROWS,
                                      p->out_stride, p->add);
}

void q3_multiply(q3_team team, const q3_product *products, size_t count, q3_activations input, size_t tokens) {
    multiply_job job = {team, products, input, tokens};
    size_t items = 0;
    for (size_t i = 0; i < count; i++) items += products[i].weights.rows / Q3_PANEL_ROWS;
    q3_parallel(team.threads, items, multiply_item, &job);
}

typedef struct {
    q3_team team;
    q3_matrix gate, up;
    q3_activations input;
    float *out;
    size_t tokens;
} swiglu_job;

static void swiglu_item(void *context, size_t item, unsigned thread) {
    const swiglu_job *job = context;
    q3_team team = job->team;
    char *gate_panel = thread_scratch(team, thread), *up_panel = gate_panel + panel_bytes(job->input.cols);
    float *gate = (float *)(up_panel + panel_bytes(job->input.cols)), *up = gate + Q3_TOKEN_CHUNK * Q3_PANEL_ROWS;
    pack(team, &job->gate, item, job->tokens, gate_panel);
    pack(team, &job->up, item, job->tokens, up_panel);
    for (size_t t = 0; t < job->tokens; t += Q3_TOKEN_CHUNK) {
        size_t tokens = job->tokens - t < Q3_TOKEN_CHUNK ? job->tokens - t : Q3_TOKEN_CHUNK;
        team.kernels->multiply_panel(job->gate.family, gate_panel, &job->input, t, tokens, gate, Q3_PANEL_ROWS, false);
        team.kernels->multiply_panel(job->up.family, up_panel, &job->input, t, tokens, up, Q3_PANEL_ROWS, false);
        team.kernels->swiglu(gate, up, tokens * Q3_PANEL_ROWS);
        for (size_t i = 0; i < tokens; i++) {
            float *row = job->out + (t + i) * job->gate.rows + item * Q3_PANEL_ROWS;
            for (size_t r = 0; r < Q3_PANEL_ROWS; r++) row[r] = gate[i * Q3_PANEL_ROWS + r];
        }
    }
}

void q3_multiply_swiglu(q3_team team, q3_matrix gate, q3_matrix up, q3_activations input, float *out, size_t tokens) {
    swiglu_job job = {team, gate, up, input, out, tokens};
    q3_parallel(team.threads, gate.rows / Q3_PANEL_ROWS, swiglu_item, &job);
}

/* === Rows: an item is up to 8 tokens === */

enum { ROWS_PER_ITEM = 8 };

static size_t row_items(size_t tokens) { return (tokens + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM; }

typedef struct {
    q3_team team;
    const float *x, *gain;
    float epsilon;
    size_t tokens;
    q3_activations a;
} prepare_job;

static void prepare_item(void *context, size_t item, unsigned thread) {
    const prepare_job *job = context;
    size_t end = (item + 1) * ROWS_PER_ITEM < job->tokens ? (item + 1) * ROWS_PER_ITEM : job->tokens;
    for (size_t t = item * ROWS_PER_ITEM; t < end; t++) {
        job->team.kernels->prepare_row(job->x + t * job->a.cols, job->gain, job->epsilon, t, &job->a,
                                       thread_scratch(job->team, thread));
    }
}

void q3_prepare(q3_team team, const float *x, const float *gain, float epsilon, size_t tokens, q3_activations a) {
    prepare_job job = {team, x, gain, epsilon, tokens, a};
    q3_parallel(team.threads, row_items(tokens), prepare_item, &job);
}

typedef struct {
    const q3_kernels *kernels;
    float *x;
    size_t tokens, heads, head_dim;
    const float *gain;
    float epsilon;
    const int32_t *positions;
    const float *cos, *sin;
} rope_job;

static void rope_item(void *context, size_t item, unsigned thread) {
    (void)thread;
    const rope_job *job = context;
    size_t end = (item + 1) * ROWS_PER_ITEM < job->tokens ? (item + 1) * ROWS_PER_ITEM : job->tokens;
    for (size_t t = item * ROWS_PER_ITEM; t < end; t++) {
        size_t angle = (size_t)job->positions[t] * (job->head_dim / 2);
        for (size_t h = 0; h < job->heads; h++) {
            job->kernels->norm_rope(job->x + (t * job->heads + h) * job->head_dim, job->gain, job->epsilon, job->cos + angle,
                                    job->sin + angle, job->head_dim);
        }
    }
}

void q3_norm_rope_heads(q3_team team, float *x, size_t tokens, size_t heads, size_t head_dim, const float *gain, float epsilon,
                        const int32_t *positions, const float *cos, const float *sin) {
    rope_job job = {team.kernels, x, tokens, heads, head_dim, gain, epsilon, positions, cos, sin};
    q3_parallel(team.threads, row_items(tokens), rope_item, &job);
}

/* === Attention: an item is one query and one K/V head === */

typedef struct {
    q3_team team;
    q3_attention a;
    const q3_query *queries;
    const float *q;
    float *out;
} attend_job;

static void attend_item(void *context, size_t item, unsigned thread) {
    const attend_job *job = context;
    job->team.kernels->attend(&job->a, job->queries[item / job->a.kv_heads], item % job->a.kv_heads, job->q, job->out,
                              thread_scratch(job->team, thread));
}

void q3_attend_all(q3_team team, q3_attention a, const q3_query *queries, size_t count, const float *q, float *out) {
    attend_job job = {team, a, queries, q, out};
    q3_parallel(team.threads, count * a.kv_heads, attend_item, &job);
}
