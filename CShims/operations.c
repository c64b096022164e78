/* Whole operations on the team: what is an item, and which memory its thread uses. */
#include <stdatomic.h>

#include "panel.h"

static void *thread_scratch(q3_team team, unsigned thread) { return (char *)team.scratch + thread * team.thread_bytes; }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* === How work is cut === */

/* Of all the time that threads have, how much passes idly when equal items are handed out one by one, in 1/1000. */
static size_t idle(size_t items, unsigned threads) {
    size_t turns = (items + threads - 1) / threads;
    return 1000 - 1000 * items / (turns * threads);
}

enum { MUCH = 100, LITTLE = 20 };

typedef struct {
    size_t first, end;
} range;

/* Part `part` of `parts` of the tokens, in whole groups. */
static range part_of(size_t tokens, size_t parts, size_t part) {
    size_t groups = (tokens + Q3_TOKEN_GROUP - 1) / Q3_TOKEN_GROUP, end = (part + 1) * groups / parts * Q3_TOKEN_GROUP;
    return (range){part * groups / parts * Q3_TOKEN_GROUP, end < tokens ? end : tokens};
}

/* === Products: an item is one panel of 16 rows and all tokens, or a part of them where threads outnumber panels === */

/* A part packs its panel again, so it has 64 tokens at least, and there are no more parts than it takes. */
static size_t token_parts(size_t panels, size_t tokens, unsigned threads) {
    size_t best = 1;
    for (size_t parts = 2; parts <= tokens / Q3_TOKEN_CHUNK && idle(panels * best, threads) > MUCH; parts++) {
        if (idle(panels * parts, threads) + LITTLE < idle(panels * best, threads)) best = parts;
    }
    return best;
}

size_t q3_product_items(size_t panels, size_t tokens, unsigned threads) { return panels * token_parts(panels, tokens, threads); }

static size_t panel_bytes(size_t cols) { return larger(q3_panel_bytes(Q3_FAMILY_W16, cols), q3_panel_bytes(Q3_FAMILY_F32, cols)); }

size_t q3_multiply_scratch_bytes(size_t cols) {
    size_t tiles = 2 * Q3_TOKEN_CHUNK * Q3_PANEL_ROWS * sizeof(float);
    return 2 * panel_bytes(cols) + tiles;
}

/* What a kept panel is: threads that take parts of its tokens may come for it at once. */
enum { MISSING, BEING_PACKED, READY };

enum { FEW_TOKENS = 64 }; /* up to which small panels are as fast as large ones, or faster */

static _Atomic uint8_t *state_of(const q3_matrix *w, size_t item) { return (_Atomic uint8_t *)w->kept.states + item; }

static bool is_ready(const q3_matrix *w, size_t item) {
    return w->kept.panels && atomic_load_explicit(state_of(w, item), memory_order_acquire) == READY;
}

static panel_header *kept_panel(const q3_matrix *w, size_t item) {
    return (panel_header *)((char *)w->kept.panels + item * q3_kept_panel_bytes(w->type, w->family, w->cols));
}

/* Panel `item` of `w`, packed into `panel` or found among the kept ones, which it joins if they are kept. The header is always the
 * thread's own, since products write there what they fetch. */
static void make_panel(q3_team team, const q3_matrix *w, size_t item, size_t tokens, q3_fetch fetch, panel_header *panel) {
    uint8_t missing = MISSING;
    bool ready = is_ready(w, item);
    if (!ready && w->kept.panels
        && atomic_compare_exchange_strong_explicit(state_of(w, item), &missing, BEING_PACKED, memory_order_relaxed,
                                                   memory_order_relaxed)) {
        team.kernels->pack(w, item * Q3_PANEL_ROWS, Q3_TO_KEEP, fetch, kept_panel(w, item));
        fetch = kept_panel(w, item)->fetch; /* what packing has left of it */
        atomic_store_explicit(state_of(w, item), READY, memory_order_release);
        ready = true;
    }
    if (ready) {
        panel_header *kept = kept_panel(w, item);
        *panel = *kept;
        panel->kept = kept + 1;
        panel->fetch = fetch;
    } else {
        team.kernels->pack(w, item * Q3_PANEL_ROWS, tokens > FEW_TOKENS ? Q3_FOR_MANY : Q3_FOR_FEW, fetch, panel);
    }
}

/* What the thread that works on panel `item` likely reads next, in as many steps as `tokens` take, and one more for packing. */
static q3_fetch fetch_after(q3_team team, const q3_matrix *w, size_t item, size_t tokens) {
    size_t next = item + team.threads;
    if ((next + 1) * Q3_PANEL_ROWS > w->rows) return (q3_fetch){NULL, NULL, 0, 0};
    bool ready = is_ready(w, next);
    size_t bytes = ready ? q3_kept_panel_bytes(w->type, w->family, w->cols) : Q3_PANEL_ROWS * w->row_bytes;
    const char *from = ready ? (const char *)kept_panel(w, next) : (const char *)w->data + next * bytes;
    size_t steps = ((tokens + Q3_TOKEN_GROUP - 1) / Q3_TOKEN_GROUP + !is_ready(w, item)) * (w->cols / Q3_BLOCK);
    size_t all = (bytes + 63) / 64, lines = (all + steps - 1) / steps, needed = (all + lines - 1) / lines;
    needed += needed / 4; /* memory may be late */
    return (q3_fetch){from, from + bytes, lines, steps > needed ? steps - needed : 0};
}

/* Makes panel `item` of `w` for `tokens`. */
static void pack(q3_team team, const q3_matrix *w, size_t item, size_t tokens, void *panel) {
    make_panel(team, w, item, tokens, fetch_after(team, w, item, tokens), panel);
}

typedef struct {
    q3_team team;
    const q3_product *products;
    q3_activations input;
    size_t tokens, parts;
} multiply_job;

static void multiply_item(void *context, size_t item, unsigned thread) {
    const multiply_job *job = context;
    const q3_product *p = job->products;
    range tokens = part_of(job->tokens, job->parts, item % job->parts);
    item /= job->parts;
    for (; item >= p->weights.rows / Q3_PANEL_ROWS; p++) item -= p->weights.rows / Q3_PANEL_ROWS;
    void *panel = thread_scratch(job->team, thread);
    pack(job->team, &p->weights, item, tokens.end - tokens.first, panel);
    job->team.kernels->multiply_panel(p->weights.family, panel, &job->input, tokens.first, tokens.end - tokens.first,
                                      p->out + tokens.first * p->out_stride + item * Q3_PANEL_ROWS, p->out_stride, p->add);
}

void q3_multiply(q3_team team, const q3_product *products, size_t count, q3_activations input, size_t tokens) {
    size_t panels = 0;
    for (size_t i = 0; i < count; i++) panels += products[i].weights.rows / Q3_PANEL_ROWS;
    multiply_job job = {team, products, input, tokens, token_parts(panels, tokens, team.threads)};
    q3_parallel(team.threads, panels * job.parts, multiply_item, &job);
}

typedef struct {
    q3_team team;
    q3_matrix gate, up;
    q3_activations input;
    float *out;
    size_t tokens, parts;
} swiglu_job;

static void swiglu_item(void *context, size_t item, unsigned thread) {
    const swiglu_job *job = context;
    q3_team team = job->team;
    char *gate_panel = thread_scratch(team, thread), *up_panel = gate_panel + panel_bytes(job->input.cols);
    float *gate = (float *)(up_panel + panel_bytes(job->input.cols)), *up = gate + Q3_TOKEN_CHUNK * Q3_PANEL_ROWS;
    range all = part_of(job->tokens, job->parts, item % job->parts);
    item /= job->parts;
    pack(team, &job->gate, item, all.end - all.first, gate_panel);
    pack(team, &job->up, item, all.end - all.first, up_panel);
    for (size_t t = all.first; t < all.end; t += Q3_TOKEN_CHUNK) {
        size_t tokens = all.end - t < Q3_TOKEN_CHUNK ? all.end - t : Q3_TOKEN_CHUNK;
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
    size_t panels = gate.rows / Q3_PANEL_ROWS;
    swiglu_job job = {team, gate, up, input, out, tokens, token_parts(panels, tokens, team.threads)};
    q3_parallel(team.threads, panels * job.parts, swiglu_item, &job);
}

/* === Rows: an item is up to 8 tokens, fewer where that leaves threads idle === */

/* Tokens of an item. Eight that are prepared together share no cache line with others. */
static size_t row_step(size_t tokens, unsigned threads) {
    size_t best = Q3_TOKEN_GROUP;
    for (size_t step = best / 2; step > 0 && idle((tokens + best - 1) / best, threads) > MUCH; step /= 2) {
        if (idle((tokens + step - 1) / step, threads) + LITTLE < idle((tokens + best - 1) / best, threads)) best = step;
    }
    return best;
}

size_t q3_row_items(size_t tokens, unsigned threads) {
    size_t step = row_step(tokens, threads);
    return (tokens + step - 1) / step;
}

typedef struct {
    q3_team team;
    const float *x, *gain;
    float epsilon;
    size_t tokens, step;
    q3_activations a;
} prepare_job;

static void prepare_item(void *context, size_t item, unsigned thread) {
    const prepare_job *job = context;
    size_t end = (item + 1) * job->step < job->tokens ? (item + 1) * job->step : job->tokens;
    for (size_t t = item * job->step; t < end; t++) {
        job->team.kernels->prepare_row(job->x + t * job->a.cols, job->gain, job->epsilon, t, &job->a,
                                       thread_scratch(job->team, thread));
    }
}

void q3_prepare(q3_team team, const float *x, const float *gain, float epsilon, size_t tokens, q3_activations a) {
    prepare_job job = {team, x, gain, epsilon, tokens, row_step(tokens, team.threads), a};
    q3_parallel(team.threads, q3_row_items(tokens, team.threads), prepare_item, &job);
}

typedef struct {
    const q3_kernels *kernels;
    float *x;
    size_t tokens, step, heads, head_dim;
    const float *gain;
    float epsilon;
    const int32_t *positions;
    const float *cos, *sin;
} rope_job;

static void rope_item(void *context, size_t item, unsigned thread) {
    (void)thread;
    const rope_job *job = context;
    size_t end = (item + 1) * job->step < job->tokens ? (item + 1) * job->step : job->tokens;
    for (size_t t = item * job->step; t < end; t++) {
        size_t angle = (size_t)job->positions[t] * (job->head_dim / 2);
        for (size_t h = 0; h < job->heads; h++) {
            job->kernels->norm_rope(job->x + (t * job->heads + h) * job->head_dim, job->gain, job->epsilon, job->cos + angle,
                                    job->sin + angle, job->head_dim);
        }
    }
}

void q3_norm_rope_heads(q3_team team, float *x, size_t tokens, size_t heads, size_t head_dim, const float *gain, float epsilon,
                        const int32_t *positions, const float *cos, const float *sin) {
    rope_job job = {team.kernels, x, tokens, row_step(tokens, team.threads), heads, head_dim, gain, epsilon, positions, cos, sin};
    q3_parallel(team.threads, q3_row_items(tokens, team.threads), rope_item, &job);
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
