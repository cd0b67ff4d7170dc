#include "config/yaml.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/mask.h"

#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_EXPANDED = 200000, MAX_KEYS = 5000, MAX_ANCHORS = 1000 };

typedef struct anchor {
    rv_str name;
    const rv_node *node; /* NULL while it is being read */
} anchor;

typedef struct reader {
    yaml_parser_t parser;
    rv_mask mask;
    rv_str masked; /* what libyaml reads */
    rv_arena *arena;
    rv_yaml_sink sink;
    rv_buf anchors; /* anchor[] */
    bool bad;       /* a syntax error was reported */
    rv_error *err;
} reader;

static rv_status read_node(reader *r, const yaml_event_t *ev, unsigned depth, const rv_node **out);

static rv_pos pos_of(yaml_mark_t m)
{
    return (rv_pos){(uint32_t)m.line + 1, (uint32_t)m.column + 1};
}

static rv_status syntax(reader *r, rv_pos pos, const char *reason)
{
    if (r->bad)
        return RV_OK;
    r->bad = true;
    const char *text = NULL;
    RV_TRY(rv_arena_printf(r->arena, &text, r->err, "invalid YAML: %s", reason));
    return r->sink.report(r->sink.ctx, RV_E_CONFIG_SYNTAX, pos, text);
}

/* Line start and the byte at a position of the masked text. */
static rv_str line_at(const reader *r, uint32_t line)
{
    size_t i = 0;
    for (uint32_t l = 1; l < line && i < r->masked.len; i++)
        if (r->masked.ptr[i] == '\n')
            l++;
    size_t end = i;
    while (end < r->masked.len && r->masked.ptr[end] != '\n')
        end++;
    return (rv_str){r->masked.ptr + i, end - i};
}

/* Column of a tab in the indentation of the line, or of the character complained of; 0: none. */
static uint32_t tab_column(const reader *r, rv_pos pos)
{
    rv_str line = line_at(r, pos.line);
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\t')
            return (uint32_t)i + 1;
        if (line.ptr[i] != ' ' && !(line.ptr[i] == '-' && i + 1 < pos.col))
            return 0;
    }
    return 0;
}

static rv_pos pos_of_byte(const reader *r, size_t offset)
{
    rv_pos p = {1, 1};
    for (size_t i = 0; i < offset && i < r->masked.len; i++) {
        unsigned char c = (unsigned char)r->masked.ptr[i];
        if (c == '\n') {
            p.line++;
            p.col = 1;
        } else if ((c & 0xC0) != 0x80) {
            p.col++;
        }
    }
    return p;
}

static rv_status parser_failed(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return rv_fail_memory(r->err);
    if (p->error == YAML_READER_ERROR)
        return syntax(r, pos_of_byte(r, p->problem_offset), p->problem);
    rv_pos pos = pos_of(p->problem_mark);
    uint32_t tab = tab_column(r, pos);
    if (tab != 0)
        return syntax(r, (rv_pos){pos.line, tab}, "line is indented with a tab; use spaces");
    return syntax(r, pos, p->problem ? p->problem : "the text cannot be read");
}

/* RV_OK with *got false after a reported error. */
static rv_status next_event(reader *r, yaml_event_t *ev, bool *got)
{
    *got = false;
    if (r->bad)
        return RV_OK;
    if (!yaml_parser_parse(&r->parser, ev))
        return parser_failed(r);
    *got = true;
    return RV_OK;
}

static rv_str event_str(const yaml_char_t *s)
{
    return rv_str_c((const char *)s);
}

static anchor *find_anchor(reader *r, rv_str name)
{
    anchor *list = (anchor *)(void *)r->anchors.ptr;
    for (size_t n = r->anchors.len / sizeof(anchor); n > 0; n--)
        if (rv_str_eq(list[n - 1].name, name))
            return &list[n - 1];
    return NULL;
}

/* Later definitions of a name win for later aliases, so every definition is appended. */
static rv_status open_anchor(reader *r, const yaml_char_t *name, rv_pos pos, size_t *out_slot)
{
    *out_slot = SIZE_MAX;
    if (!name)
        return RV_OK;
    anchor a = {{NULL, 0}, NULL};
    RV_TRY(rv_arena_str(r->arena, event_str(name), &a.name, r->err));
    *out_slot = r->anchors.len / sizeof a;
    if (*out_slot >= MAX_ANCHORS)
        return syntax(r, pos, "more than 1,000 anchors");
    return rv_buf_add(&r->anchors, &a, sizeof a, r->err);
}

static void close_anchor(reader *r, size_t slot, const rv_node *node)
{
    if (slot != SIZE_MAX)
        ((anchor *)(void *)r->anchors.ptr)[slot].node = node;
}

static rv_status new_node(reader *r, rv_node_kind kind, yaml_mark_t at, rv_node **out)
{
    RV_TRY(rv_arena_alloc(r->arena, sizeof **out, out, r->err));
    (*out)->kind = kind;
    (*out)->pos = pos_of(at);
    (*out)->weight = 1;
    return RV_OK;
}

static rv_status add_weight(reader *r, rv_node *node, uint64_t more)
{
    node->weight = node->weight + more > MAX_EXPANDED ? MAX_EXPANDED + 1 : node->weight + more;
    if (node->weight <= MAX_EXPANDED)
        return RV_OK;
    return syntax(r, node->pos, "aliases expand to more than 200,000 nodes");
}

/* Tags of the core schema are honoured; any other would be silently lost. */
static rv_status scalar_tag(reader *r, const yaml_event_t *ev, rv_node *node)
{
    const char *tag = (const char *)ev->data.scalar.tag;
    node->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (!tag)
        return RV_OK;
    if (strcmp(tag, "!") == 0 || strcmp(tag, YAML_STR_TAG) == 0) {
        node->plain = false;
        return RV_OK;
    }
    static const char *const typed[] = {YAML_NULL_TAG, YAML_BOOL_TAG, YAML_INT_TAG, YAML_FLOAT_TAG,
                                        "tag:yaml.org,2002:merge"};
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++)
        if (strcmp(tag, typed[i]) == 0) {
            node->plain = true;
            return RV_OK;
        }
    return syntax(r, node->pos, "this tag is not part of the core schema");
}

static rv_status read_scalar(reader *r, const yaml_event_t *ev, const rv_node **out)
{
    rv_node *node = NULL;
    RV_TRY(new_node(r, RV_NODE_SCALAR, ev->start_mark, &node));
    RV_TRY(scalar_tag(r, ev, node));
    rv_str raw = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    if (raw.len > 0 && memchr(raw.ptr, 0, raw.len))
        RV_TRY(r->sink.report(r->sink.ctx, RV_E_CONFIG_NUL, node->pos,
                              "this value contains a NUL byte"));
    RV_TRY(rv_mask_restore(&r->mask, raw, r->arena, &node->text, r->err));
    *out = node;
    return RV_OK;
}

static rv_status read_alias(reader *r, const yaml_event_t *ev, const rv_node **out)
{
    anchor *a = find_anchor(r, event_str(ev->data.alias.anchor));
    if (!a)
        return syntax(r, pos_of(ev->start_mark), "found undefined alias");
    if (!a->node)
        return syntax(r, pos_of(ev->start_mark), "an alias may not contain itself");
    *out = a->node;
    return RV_OK;
}

static rv_status collection_tag(reader *r, const yaml_char_t *tag, const char *allowed,
                                yaml_mark_t at)
{
    const char *t = (const char *)tag;
    if (!t || strcmp(t, "!") == 0 || strcmp(t, allowed) == 0)
        return RV_OK;
    return syntax(r, pos_of(at), "this tag is not part of the core schema");
}

static rv_status read_items(reader *r, rv_node *node, unsigned depth, rv_buf *items)
{
    for (;;) {
        yaml_event_t ev;
        bool got = false;
        RV_TRY(next_event(r, &ev, &got));
        if (!got)
            return RV_OK;
        if (ev.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&ev);
            return RV_OK;
        }
        const rv_node *item = NULL;
        rv_status st = read_node(r, &ev, depth + 1, &item);
        yaml_event_delete(&ev);
        RV_TRY(st);
        if (!item)
            return RV_OK;
        RV_TRY(add_weight(r, node, item->weight));
        RV_TRY(rv_buf_add(items, &item, sizeof(const rv_node *), r->err));
    }
}

static rv_status read_list(reader *r, const yaml_event_t *ev, unsigned depth, const rv_node **out)
{
    rv_node *node = NULL;
    size_t slot = 0;
    rv_buf items = RV_BUF_INIT;
    rv_status st = RV_OK;
    RV_TRY(new_node(r, RV_NODE_LIST, ev->start_mark, &node));
    RV_TRY(collection_tag(r, ev->data.sequence_start.tag, YAML_SEQ_TAG, ev->start_mark));
    RV_TRY(open_anchor(r, ev->data.sequence_start.anchor, node->pos, &slot));
    node->flow = ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    RV_GO(read_items(r, node, depth, &items));
    node->n = items.len / sizeof(const rv_node *);
    RV_GO(rv_arena_array(r->arena, node->n + 1, sizeof(const rv_node *), &node->items, r->err));
    if (items.len > 0)
        memcpy(node->items, items.ptr, items.len);
    close_anchor(r, slot, node);
    *out = node;
done:
    rv_buf_free(&items);
    return st;
}

static rv_status repeated_key(reader *r, const rv_pair *first, const rv_pair *again)
{
    const char *text = NULL;
    RV_TRY(rv_arena_printf(r->arena, &text, r->err,
                           "'%.*s' appears twice in this mapping (first at %u:%u)",
                           RV_STR_ARG(again->key), first->key_pos.line, first->key_pos.col));
    return r->sink.report(r->sink.ctx, RV_E_CONFIG_DUPLICATE_KEY, again->key_pos, text);
}

static const rv_pair *find_pair(const rv_pair *pairs, size_t n, rv_str key)
{
    for (size_t i = 0; i < n; i++)
        if (rv_str_eq(pairs[i].key, key))
            return &pairs[i];
    return NULL;
}

static const rv_pair *pairs_of(const rv_buf *b)
{
    return (const rv_pair *)(const void *)b->ptr;
}

static rv_status read_pairs(reader *r, rv_node *node, unsigned depth, rv_buf *pairs, rv_buf *merges,
                            yaml_mark_t *out_end)
{
    for (;;) {
        yaml_event_t ev;
        bool got = false;
        RV_TRY(next_event(r, &ev, &got));
        if (!got)
            return RV_OK;
        if (ev.type == YAML_MAPPING_END_EVENT) {
            *out_end = ev.end_mark;
            yaml_event_delete(&ev);
            return RV_OK;
        }
        rv_pair pair = {{NULL, 0}, pos_of(ev.start_mark), NULL};
        const rv_node *key = NULL;
        rv_status st = read_node(r, &ev, depth + 1, &key);
        yaml_event_delete(&ev);
        RV_TRY(st);
        if (!key)
            return RV_OK;
        if (key->kind != RV_NODE_SCALAR)
            return syntax(r, pair.key_pos, "a key must be a plain word");
        pair.key = key->text;
        RV_TRY(next_event(r, &ev, &got));
        if (!got)
            return RV_OK;
        st = read_node(r, &ev, depth + 1, &pair.value);
        yaml_event_delete(&ev);
        RV_TRY(st);
        if (!pair.value)
            return RV_OK;
        RV_TRY(add_weight(r, node, pair.value->weight + 1));
        rv_buf *to = key->plain && rv_str_eq(pair.key, RV_STR("<<")) ? merges : pairs;
        if (to->len / sizeof pair >= MAX_KEYS)
            return syntax(r, pair.key_pos, "more than 5,000 keys in one mapping");
        const rv_pair *first = find_pair(pairs_of(to), to->len / sizeof pair, pair.key);
        if (first)
            RV_TRY(repeated_key(r, first, &pair));
        else
            RV_TRY(rv_buf_add(to, &pair, sizeof pair, r->err));
    }
}

static rv_status merge_one(reader *r, const rv_node *from, rv_pos pos, rv_buf *pairs)
{
    if (from->kind != RV_NODE_MAP)
        return syntax(r, pos, "'<<' takes a mapping or a list of mappings");
    for (size_t i = 0; i < from->n; i++)
        if (!find_pair(pairs_of(pairs), pairs->len / sizeof(rv_pair), from->pairs[i].key))
            RV_TRY(rv_buf_add(pairs, &from->pairs[i], sizeof(rv_pair), r->err));
    return RV_OK;
}

/* Keys of the mapping itself win, then earlier merge sources over later ones. */
static rv_status merge_all(reader *r, const rv_buf *merges, rv_buf *pairs)
{
    for (size_t m = 0; m < merges->len / sizeof(rv_pair); m++) {
        const rv_pair *merge = &pairs_of(merges)[m];
        const rv_node *v = merge->value;
        if (v->kind != RV_NODE_LIST) {
            RV_TRY(merge_one(r, v, merge->key_pos, pairs));
            continue;
        }
        for (size_t i = 0; i < v->n; i++)
            RV_TRY(merge_one(r, v->items[i], merge->key_pos, pairs));
    }
    return RV_OK;
}

/* The text between two marks, which count characters. */
static rv_status source_text(reader *r, yaml_mark_t from, yaml_mark_t to, rv_str *out)
{
    size_t chars = 0;
    size_t start = 0;
    size_t end = 0;
    for (size_t i = 0; i <= r->masked.len && chars <= to.index; i++) {
        if (i < r->masked.len && ((unsigned char)r->masked.ptr[i] & 0xC0) == 0x80)
            continue;
        if (chars == from.index)
            start = i;
        if (chars == to.index)
            end = i;
        chars++;
    }
    if (end < start)
        end = start;
    return rv_mask_restore(&r->mask, (rv_str){r->masked.ptr + start, end - start}, r->arena, out,
                           r->err);
}

static rv_status read_map(reader *r, const yaml_event_t *ev, unsigned depth, const rv_node **out)
{
    rv_node *node = NULL;
    size_t slot = 0;
    rv_buf pairs = RV_BUF_INIT;
    rv_buf merges = RV_BUF_INIT;
    yaml_mark_t end = ev->end_mark;
    rv_status st = RV_OK;
    RV_TRY(new_node(r, RV_NODE_MAP, ev->start_mark, &node));
    RV_TRY(collection_tag(r, ev->data.mapping_start.tag, YAML_MAP_TAG, ev->start_mark));
    RV_TRY(open_anchor(r, ev->data.mapping_start.anchor, node->pos, &slot));
    node->flow = ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    RV_GO(read_pairs(r, node, depth, &pairs, &merges, &end));
    RV_GO(merge_all(r, &merges, &pairs));
    node->merged = merges.len > 0;
    node->n = pairs.len / sizeof(rv_pair);
    RV_GO(rv_arena_array(r->arena, node->n + 1, sizeof(rv_pair), &node->pairs, r->err));
    if (pairs.len > 0)
        memcpy(node->pairs, pairs.ptr, pairs.len);
    if (node->flow && node->n <= 1)
        RV_GO(source_text(r, ev->start_mark, end, &node->source));
    close_anchor(r, slot, node);
    *out = node;
done:
    rv_buf_free(&pairs);
    rv_buf_free(&merges);
    return st;
}

static rv_status read_node(reader *r, const yaml_event_t *ev, unsigned depth, const rv_node **out)
{
    if (depth > MAX_DEPTH)
        return syntax(r, pos_of(ev->start_mark), "nested deeper than 64 levels");
    if (ev->type == YAML_SCALAR_EVENT) {
        size_t slot = 0;
        RV_TRY(open_anchor(r, ev->data.scalar.anchor, pos_of(ev->start_mark), &slot));
        RV_TRY(read_scalar(r, ev, out));
        close_anchor(r, slot, *out);
        return RV_OK;
    }
    if (ev->type == YAML_SEQUENCE_START_EVENT)
        return read_list(r, ev, depth, out);
    if (ev->type == YAML_MAPPING_START_EVENT)
        return read_map(r, ev, depth, out);
    if (ev->type == YAML_ALIAS_EVENT)
        return read_alias(r, ev, out);
    return syntax(r, pos_of(ev->start_mark), "the text cannot be read");
}

/* Stream start, one document, stream end. */
static rv_status read_stream(reader *r, const rv_node **out_root, rv_pos *out_start)
{
    unsigned documents = 0;
    for (;;) {
        yaml_event_t ev;
        bool got = false;
        RV_TRY(next_event(r, &ev, &got));
        if (!got)
            return RV_OK;
        yaml_event_type_t type = ev.type;
        rv_status st = RV_OK;
        if (type == YAML_DOCUMENT_START_EVENT) {
            if (documents++ > 0)
                st = syntax(r, pos_of(ev.start_mark),
                            "several documents in one file; one is expected");
            else
                *out_start = pos_of(ev.start_mark);
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                   type != YAML_DOCUMENT_END_EVENT) {
            st = read_node(r, &ev, 1, out_root);
        }
        yaml_event_delete(&ev);
        RV_TRY(st);
        if (type == YAML_STREAM_END_EVENT)
            return RV_OK;
    }
}

static size_t first_bad_byte(rv_str s)
{
    size_t good = 0;
    for (;;) {
        size_t n = 1;
        while (n <= 4 && good + n <= s.len &&
               !rv_utf8_valid((rv_bytes){(const uint8_t *)s.ptr + good, n}))
            n++;
        if (n > 4 || good + n > s.len)
            return good;
        good += n;
    }
}

static rv_status parse_masked(reader *r, const rv_node **out_root, rv_pos *out_start)
{
    if (!rv_utf8_valid(rv_str_bytes(r->masked))) {
        return syntax(r, pos_of_byte(r, first_bad_byte(r->masked)), "the text is not valid UTF-8");
    }
    if (!yaml_parser_initialize(&r->parser))
        return rv_fail_memory(r->err);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)r->masked.ptr, r->masked.len);
    rv_status st = read_stream(r, out_root, out_start);
    yaml_parser_delete(&r->parser);
    return st;
}

rv_status rv_yaml_parse(rv_str text, rv_arena *arena, rv_yaml_sink sink, const rv_node **out_root,
                        rv_pos *out_start, rv_error *err)
{
    reader r = {.arena = arena, .sink = sink, .err = err, .anchors = RV_BUF_INIT};
    rv_buf masked = RV_BUF_INIT;
    const rv_node *root = NULL;
    rv_pos start = {1, 1};
    rv_status st = RV_OK;
    if (rv_str_starts(text, RV_STR("\xEF\xBB\xBF")))
        text = (rv_str){text.ptr + 3, text.len - 3};
    RV_GO(rv_mask_apply(text, &r.mask, &masked, err));
    r.masked = rv_buf_str(&masked);
    if (!r.masked.ptr)
        r.masked = RV_STR("");
    RV_GO(parse_masked(&r, &root, &start));
    *out_root = r.bad ? NULL : root;
    *out_start = start;
done:
    rv_buf_free(&masked);
    rv_buf_free(&r.anchors);
    return st;
}
