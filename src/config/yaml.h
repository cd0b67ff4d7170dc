/* config/yaml.h: YAML text to a node tree with positions. One document, YAML 1.2 core schema;
 * anchors and aliases share nodes, `<<` merges are resolved, ${NAME} is masked while libyaml
 * looks and restored in the scalars. Safe on hostile input: bounded depth and expansion.
 * Owner: the arena. Positions count characters, from 1.
 * Source: spec "config" section 1; YAML 1.2.2 chapter 10.3. */
#ifndef RV_CONFIG_YAML_H
#define RV_CONFIG_YAML_H

#include "config/config.h"

typedef enum rv_node_kind { RV_NODE_SCALAR, RV_NODE_LIST, RV_NODE_MAP } rv_node_kind;

typedef struct rv_node rv_node;
typedef struct rv_pair {
    rv_str key;
    rv_pos key_pos;
    const rv_node *value;
} rv_pair;

struct rv_node {
    rv_node_kind kind;
    bool plain;  /* scalar without quotes or tag: typed by its text */
    bool flow;   /* list or mapping in [] or {} */
    bool merged; /* mapping: some of its pairs came by `<<` */
    rv_pos pos;
    rv_str source; /* flow mapping: its text as written */
    rv_str text;   /* scalar, placeholders restored; NUL-terminated beyond len */
    const rv_node **items;
    rv_pair *pairs;
    size_t n;        /* items or pairs */
    uint64_t weight; /* nodes after expansion of aliases, saturating */
};

/* What a scalar is under the core schema. */
typedef enum rv_scalar_kind {
    RV_SCALAR_NULL,
    RV_SCALAR_BOOL,
    RV_SCALAR_INT,
    RV_SCALAR_FLOAT,
    RV_SCALAR_STRING
} rv_scalar_kind;
rv_scalar_kind rv_scalar_kind_of(rv_str text, bool plain);
/* Decimal digits with an optional sign and `_` between digits. False: out of int64. */
bool rv_scalar_int(rv_str text, int64_t *out);
double rv_scalar_float(rv_str text); /* of an INT or FLOAT scalar; .inf and .nan included */

/* Where mistakes of the text go: called once for a syntax error (then *out_root is NULL), any
 * number of times for repeated keys. Returns RV_OK to go on. */
typedef struct rv_yaml_sink {
    rv_status (*report)(void *ctx, rv_status code, rv_pos pos, const char *text);
    void *ctx;
} rv_yaml_sink;

/* *out_root is NULL for an empty document. *out_start is where the document starts. */
rv_status rv_yaml_parse(rv_str text, rv_arena *arena, rv_yaml_sink sink, const rv_node **out_root,
                        rv_pos *out_start, rv_error *err) RV_MUST_USE;

#endif
