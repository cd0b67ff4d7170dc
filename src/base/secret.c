#include "base/secret.h"

#include <pthread.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret_internal.h"

/* Known values are found by an Aho-Corasick automaton: one step per byte of text, however
 * many secrets there are and whatever they look like. */
typedef struct trie_node {
    uint32_t child;   /* first child, 0 = none (node 0 is the root) */
    uint32_t sibling; /* next child of the same parent */
    uint32_t fail;    /* longest proper suffix that is in the trie */
    uint32_t match;   /* length of the longest secret that ends here, 0 = none */
    uint32_t depth;
    uint8_t byte;
} trie_node;

struct rv_secrets {
    pthread_rwlock_t lock;
    trie_node *nodes;
    uint32_t *queue; /* room for every node: scratch of link_failures */
    uint32_t count;
    uint32_t cap;
};

#define SECRET_MIN 3
#define SECRET_MAX ((size_t)1 << 18) /* a key file, generously */
#define NODES_FIRST 256U
#define NODES_MAX (UINT32_C(1) << 26)

rv_status rv_secrets_open(rv_secrets **out, rv_error *err)
{
    rv_secrets *s = rv_calloc(1, sizeof *s);
    trie_node *nodes = rv_calloc(NODES_FIRST, sizeof *nodes);
    uint32_t *queue = rv_calloc(NODES_FIRST, sizeof *queue);
    if (!s || !nodes || !queue) {
        rv_free(s);
        rv_free(nodes);
        rv_free(queue);
        return rv_fail_memory(err);
    }
    /* with default attributes this cannot fail on Linux */
    (void)pthread_rwlock_init(&s->lock, NULL);
    s->nodes = nodes;
    s->queue = queue;
    s->cap = NODES_FIRST;
    s->count = 1;
    *out = s;
    return RV_OK;
}

static void wipe_nodes(rv_secrets *s)
{
    explicit_bzero(s->nodes, s->count * sizeof *s->nodes);
    rv_free(s->nodes);
    rv_free(s->queue);
}

void rv_secrets_close(rv_secrets *s)
{
    if (!s)
        return;
    wipe_nodes(s);
    (void)pthread_rwlock_destroy(&s->lock);
    rv_free(s);
}

/* Room for `more` nodes, so that what follows cannot fail halfway. */
static rv_status reserve_nodes(rv_secrets *s, size_t more, rv_error *err)
{
    if (more <= s->cap - s->count)
        return RV_OK;
    if (more > NODES_MAX - s->count)
        return rv_fail(err, RV_E_MEMORY, "secrets of more than %u bytes in all cannot be masked",
                       NODES_MAX);
    size_t cap = s->cap;
    while (cap < s->count + more)
        cap *= 2;
    trie_node *nodes = rv_calloc(cap, sizeof *nodes);
    uint32_t *queue = rv_calloc(cap, sizeof *queue);
    if (!nodes || !queue) {
        rv_free(nodes);
        rv_free(queue);
        return rv_fail_memory(err);
    }
    memcpy(nodes, s->nodes, s->count * sizeof *nodes);
    wipe_nodes(s);
    s->nodes = nodes;
    s->queue = queue;
    s->cap = (uint32_t)cap;
    return RV_OK;
}

static uint32_t find_child(const trie_node *nodes, uint32_t parent, uint8_t byte)
{
    uint32_t child = nodes[parent].child;
    while (child && nodes[child].byte != byte)
        child = nodes[child].sibling;
    return child;
}

static void insert(rv_secrets *s, rv_str form)
{
    uint32_t at = 0;
    for (size_t i = 0; i < form.len; i++) {
        uint8_t byte = (uint8_t)form.ptr[i];
        uint32_t child = find_child(s->nodes, at, byte);
        if (!child) {
            child = s->count++;
            s->nodes[child] = (trie_node){
                .sibling = s->nodes[at].child, .depth = s->nodes[at].depth + 1, .byte = byte};
            s->nodes[at].child = child;
        }
        at = child;
    }
    s->nodes[at].match = (uint32_t)form.len;
}

static uint32_t step(const trie_node *nodes, uint32_t at, uint8_t byte)
{
    for (;;) {
        uint32_t child = find_child(nodes, at, byte);
        if (child || at == 0)
            return child;
        at = nodes[at].fail;
    }
}

/* Breadth first, so that every shorter suffix is linked before it is asked for. */
static void link_failures(rv_secrets *s)
{
    trie_node *nodes = s->nodes;
    size_t head = 0, tail = 0;
    s->queue[tail++] = 0;
    while (head < tail) {
        uint32_t parent = s->queue[head++];
        for (uint32_t c = nodes[parent].child; c; c = nodes[c].sibling) {
            nodes[c].fail = parent ? step(nodes, nodes[parent].fail, nodes[c].byte) : 0;
            if (nodes[c].match < nodes[c].depth)
                nodes[c].match = nodes[nodes[c].fail].match;
            s->queue[tail++] = c;
        }
    }
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static rv_status percent_encode(rv_str value, bool upper, rv_buf *out, rv_error *err)
{
    const char *const hex = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = (uint8_t)value.ptr[i];
        const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        RV_TRY(is_unreserved(c) ? rv_buf_add_byte(out, c, err) : rv_buf_add(out, escaped, 3, err));
    }
    return RV_OK;
}

static rv_status percent_decode(rv_str value, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = (uint8_t)value.ptr[i];
        if (c == '%' && value.len - i > 2 && rv_unhex((rv_str){value.ptr + i + 1, 2}, &c))
            i += 2;
        RV_TRY(rv_buf_add_byte(out, c, err));
    }
    return RV_OK;
}

/* The value as it stands inside a JSON string, without the quotes around it. */
static rv_status json_escape(rv_str value, rv_buf *out, rv_error *err)
{
    rv_json j;
    size_t before = out->len;
    rv_json_begin(&j, out, false);
    rv_json_str(&j, value);
    RV_TRY(rv_json_end(&j, err));
    out->len -= 2;
    memmove(out->ptr + before, out->ptr + before + 1, out->len - before);
    return RV_OK;
}

/* Every form of a value that may appear in a text, one behind the other; at their longest
 * 1 + 3 + 3 + 1 + 6 bytes for each byte of the value, and two quotes in between. */
#define FORM_COUNT 5
#define FORMS_MAX(len) ((len)*14 + 2)

static rv_status build_forms(rv_str value, rv_buf *out, size_t ends[FORM_COUNT], rv_error *err)
{
    RV_TRY(rv_buf_add_str(out, value, err));
    ends[0] = out->len;
    RV_TRY(percent_encode(value, true, out, err));
    ends[1] = out->len;
    RV_TRY(percent_encode(value, false, out, err));
    ends[2] = out->len;
    RV_TRY(percent_decode(value, out, err));
    ends[3] = out->len;
    RV_TRY(json_escape(value, out, err));
    ends[4] = out->len;
    return RV_OK;
}

/* Form i, empty when it is too short to mask or an earlier form says the same. */
static rv_str distinct_form(rv_str forms, const size_t ends[FORM_COUNT], unsigned i)
{
    size_t start = i ? ends[i - 1] : 0;
    rv_str form = {forms.ptr + start, ends[i] - start};
    bool seen = form.len < SECRET_MIN;
    for (size_t k = 0, from = 0; !seen && k < i; from = ends[k++])
        seen = rv_str_eq(form, (rv_str){forms.ptr + from, ends[k] - from});
    return seen ? (rv_str){NULL, 0} : form;
}

static rv_status insert_forms(rv_secrets *s, rv_str forms, const size_t ends[FORM_COUNT],
                              rv_error *err)
{
    rv_str distinct[FORM_COUNT];
    size_t total = 0;
    for (unsigned i = 0; i < FORM_COUNT; i++) {
        distinct[i] = distinct_form(forms, ends, i);
        total += distinct[i].len;
    }
    RV_TRY(reserve_nodes(s, total, err));
    for (unsigned i = 0; i < FORM_COUNT; i++)
        if (distinct[i].len)
            insert(s, distinct[i]);
    link_failures(s);
    return RV_OK;
}

rv_status rv_secrets_add(rv_secrets *s, rv_str value, rv_error *err)
{
    if (!s || value.len < SECRET_MIN)
        return RV_OK;
    if (value.len > SECRET_MAX)
        return rv_fail(err, RV_E_MEMORY, "a secret of %zu bytes cannot be masked", value.len);
    rv_buf forms = RV_BUF_INIT;
    size_t ends[FORM_COUNT] = {0};
    rv_status st;
    /* reserved at once: no half-grown copy of the value stays behind in the heap */
    RV_GO(rv_buf_reserve(&forms, FORMS_MAX(value.len), err));
    RV_GO(build_forms(value, &forms, ends, err));
    (void)pthread_rwlock_wrlock(&s->lock);
    st = insert_forms(s, rv_buf_str(&forms), ends, err);
    (void)pthread_rwlock_unlock(&s->lock);
done:
    if (forms.ptr)
        explicit_bzero(forms.ptr, forms.cap);
    rv_buf_free(&forms);
    return st;
}

/* Adds [start, end) to a list whose ends never go back; overlapping spans melt together. */
static rv_status add_span(rv_buf *spans, rv_span span, rv_error *err)
{
    rv_span last;
    while (spans->len) {
        memcpy(&last, spans->ptr + (spans->len - sizeof last), sizeof last);
        if (last.end < span.start)
            break;
        if (last.start < span.start)
            span.start = last.start;
        if (last.end > span.end)
            span.end = last.end;
        spans->len -= sizeof last;
    }
    return rv_buf_add(spans, &span, sizeof span, err);
}

static rv_status find_known(const rv_secrets *s, rv_str text, rv_buf *spans, rv_error *err)
{
    uint32_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        at = step(s->nodes, at, (uint8_t)text.ptr[i]);
        uint32_t len = s->nodes[at].match;
        if (len)
            RV_TRY(add_span(spans, (rv_span){i + 1 - len, i + 1}, err));
    }
    return RV_OK;
}

static rv_status find_patterns(rv_str text, rv_buf *spans, rv_error *err)
{
    rv_pattern_scan scan = {.text = text};
    rv_span span;
    while (rv_pattern_next(&scan, &span))
        RV_TRY(add_span(spans, span, err));
    return RV_OK;
}

/* The span at *at that starts first in the two sorted lists; false at their end. */
static bool next_span(const rv_buf lists[2], size_t at[2], rv_span *out)
{
    int best = -1;
    for (int i = 0; i < 2; i++) {
        rv_span span;
        if (at[i] == lists[i].len)
            continue;
        memcpy(&span, lists[i].ptr + at[i], sizeof span);
        if (best < 0 || span.start < out->start) {
            best = i;
            *out = span;
        }
    }
    if (best >= 0)
        at[best] += sizeof *out;
    return best >= 0;
}

static rv_status write_masked(rv_str text, const rv_buf lists[2], rv_buf *out, rv_error *err)
{
    size_t at[2] = {0, 0}, done = 0;
    rv_span span;
    while (next_span(lists, at, &span)) {
        if (span.end <= done)
            continue;
        if (span.start >= done) {
            RV_TRY(rv_buf_add(out, text.ptr + done, span.start - done, err));
            RV_TRY(rv_buf_add_c(out, "***", err));
        }
        done = span.end;
    }
    return rv_buf_add(out, text.ptr + done, text.len - done, err);
}

rv_status rv_secrets_redact(const rv_secrets *s, rv_str text, rv_buf *out, rv_error *err)
{
    if (text.len == 0)
        return RV_OK;
    rv_buf lists[2] = {RV_BUF_INIT, RV_BUF_INIT};
    size_t before = out->len;
    rv_status st = RV_OK;
    if (s) {
        /* the lock is no part of the value that const promises to keep */
        pthread_rwlock_t *lock = (pthread_rwlock_t *)(uintptr_t)&s->lock;
        (void)pthread_rwlock_rdlock(lock);
        st = find_known(s, text, &lists[0], err);
        (void)pthread_rwlock_unlock(lock);
    }
    if (st == RV_OK)
        st = find_patterns(text, &lists[1], err);
    if (st == RV_OK)
        st = write_masked(text, lists, out, err);
    if (st != RV_OK)
        out->len = before;
    rv_buf_free(&lists[0]);
    rv_buf_free(&lists[1]);
    return st;
}
