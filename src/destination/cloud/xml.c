#include "destination/cloud/xml.h"

#include <expat.h>

#include "base/buf.h"
#include "base/mem.h"

#define DEPTH_MAX 32u
#define NODES_MAX 100000u

typedef struct level { /* an open element */
    rv_xml *node;
    rv_xml *last; /* its last child so far */
} level;

typedef struct builder {
    XML_Parser parser;
    rv_arena *arena;
    rv_xml *root;
    level open[DEPTH_MAX];
    unsigned depth;
    unsigned nodes;
    rv_buf text; /* since the last tag */
    rv_error why;
} builder;

static void stop(builder *b)
{
    (void)XML_StopParser(b->parser, XML_FALSE);
}

static rv_str local_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return rv_str_c(colon ? colon + 1 : name);
}

static rv_status add_node(builder *b, rv_xml **out, rv_error *err)
{
    rv_xml *node = NULL;
    if (++b->nodes > NODES_MAX)
        return rv_fail(err, RV_E_DEST_IO, "the XML has more than %u elements", NODES_MAX);
    RV_TRY(rv_arena_alloc(b->arena, sizeof *node, &node, err));
    if (b->depth) {
        level *up = &b->open[b->depth - 1];
        if (up->last)
            up->last->next = node;
        else
            up->node->first = node;
        up->last = node;
    } else {
        b->root = node;
    }
    *out = node;
    return RV_OK;
}

static rv_status add_attribute(builder *b, const char *name, const char *value, rv_error *err)
{
    rv_xml *node = NULL;
    rv_str local = local_name(name);
    const char *at = NULL;
    RV_TRY(add_node(b, &node, err));
    RV_TRY(rv_arena_printf(b->arena, &at, err, "@%.*s", RV_STR_ARG(local)));
    node->name = rv_str_c(at);
    return rv_arena_str(b->arena, rv_str_c(value), &node->text, err);
}

static rv_status begin(builder *b, const char *name, const char **attributes, rv_error *err)
{
    rv_xml *node = NULL;
    if (b->depth == DEPTH_MAX)
        return rv_fail(err, RV_E_DEST_IO, "the XML is nested more than %u deep", DEPTH_MAX);
    RV_TRY(add_node(b, &node, err));
    RV_TRY(rv_arena_str(b->arena, local_name(name), &node->name, err));
    b->open[b->depth++] = (level){.node = node};
    rv_buf_clear(&b->text);
    for (; *attributes; attributes += 2)
        RV_TRY(add_attribute(b, attributes[0], attributes[1], err));
    return RV_OK;
}

static bool has_elements(const rv_xml *node)
{
    for (const rv_xml *c = node->first; c; c = c->next)
        if (c->name.ptr[0] != '@')
            return true;
    return false;
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
    builder *b = ctx;
    if (begin(b, name, attributes, &b->why) != RV_OK)
        stop(b);
}

static void on_end(void *ctx, const char *name)
{
    builder *b = ctx;
    (void)name;
    if (b->why.code != RV_OK) /* a stopped parser still ends an empty element */
        return;
    rv_xml *node = b->open[--b->depth].node;
    if (!has_elements(node) &&
        rv_arena_str(b->arena, rv_buf_str(&b->text), &node->text, &b->why) != RV_OK)
        stop(b);
    rv_buf_clear(&b->text);
}

static void on_text(void *ctx, const char *text, int len)
{
    builder *b = ctx;
    if (rv_buf_add(&b->text, text, (size_t)len, &b->why) != RV_OK)
        stop(b);
}

/* Entities are declared in a document type and nowhere else: no store sends one. */
static void on_doctype(void *ctx, const char *name, const char *system, const char *public, int own)
{
    builder *b = ctx;
    (void)name;
    (void)system;
    (void)public;
    (void)own;
    (void)rv_fail(&b->why, RV_E_DEST_IO, "the XML declares a document type");
    stop(b);
}

static rv_bytes skip_blanks(rv_bytes text)
{
    while (text.len && strchr(" \t\r\n", text.ptr[0]) && text.ptr[0]) {
        text.ptr++;
        text.len--;
    }
    return text;
}

static rv_status parse(builder *b, rv_bytes text, rv_error *err)
{
    text = skip_blanks(text);
    if (text.len > INT32_MAX)
        return rv_fail(err, RV_E_DEST_IO, "the XML is too long");
    XML_SetUserData(b->parser, b);
    XML_SetElementHandler(b->parser, on_start, on_end);
    XML_SetCharacterDataHandler(b->parser, on_text);
    XML_SetStartDoctypeDeclHandler(b->parser, on_doctype);
    if (XML_Parse(b->parser, (const char *)text.ptr, (int)text.len, 1) == XML_STATUS_OK)
        return RV_OK;
    if (b->why.code != RV_OK) {
        if (err)
            *err = b->why;
        return b->why.code;
    }
    enum XML_Error code = XML_GetErrorCode(b->parser);
    if (code == XML_ERROR_NO_MEMORY)
        return rv_fail_memory(err);
    return rv_fail(err, RV_E_DEST_IO, "the XML is not well-formed: %s at line %lu",
                   XML_ErrorString(code), (unsigned long)XML_GetCurrentLineNumber(b->parser));
}

rv_status rv_xml_parse(rv_bytes text, rv_arena *arena, const rv_xml **out, rv_error *err)
{
    static const XML_Memory_Handling_Suite memory = {rv_alloc, rv_realloc, rv_free};
    builder b = {.arena = arena, .text = RV_BUF_INIT};
    b.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (!b.parser)
        return rv_fail_memory(err);
    rv_status st = parse(&b, text, err);
    XML_ParserFree(b.parser);
    if (b.text.ptr) /* an answer may hold credentials */
        explicit_bzero(b.text.ptr, b.text.cap);
    rv_buf_free(&b.text);
    if (st == RV_OK)
        *out = b.root;
    return st;
}

static const rv_xml *find(const rv_xml *from, rv_str name)
{
    while (from && !rv_str_eq(from->name, name))
        from = from->next;
    return from;
}

const rv_xml *rv_xml_child(const rv_xml *node, const char *name)
{
    return node ? find(node->first, rv_str_c(name)) : NULL;
}

const rv_xml *rv_xml_next(const rv_xml *node)
{
    return find(node->next, node->name);
}

rv_str rv_xml_text(const rv_xml *node, const char *path)
{
    while (node && *path) {
        size_t n = strcspn(path, "/");
        node = find(node->first, (rv_str){path, n});
        path += path[n] ? n + 1 : n;
    }
    return node ? node->text : (rv_str){NULL, 0};
}
