/* config/config_internal.h: what the stages of a load share. One load, one thread; everything
 * lives in the load's arena.
 * Stages (spec "config" section 1): 1 syntax, 2 shape, 3 interpolation, 4 source, 5 each export,
 * 6 across exports. Mistakes of stages 1 to 3 are collected and the lowest stage is reported;
 * a later stage stops at its first mistake. */
#ifndef RV_CONFIG_INTERNAL_H
#define RV_CONFIG_INTERNAL_H

#include "base/buf.h"
#include "config/config.h"
#include "config/table.h"
#include "config/yaml.h"

typedef struct rv_group rv_group;

/* One written key of a block. */
typedef struct rv_val {
    const rv_node *node; /* NULL: absent, or null */
    rv_pos key_pos, pos;
    bool unresolved; /* holds a ${NAME} nobody needed to resolve */
    rv_str raw;      /* scalar: its text as written */
    const char *str; /* text after interpolation; the word of ENUM and WORD */
    int64_t num;
    double real;
    bool flag;
    const char **list; /* STRS, WORDS, lists of *_OR_STRS; keys of maps */
    const char **text; /* values of MAP_STR */
    double *reals;     /* values of MAP_FLOAT */
    rv_pos *item_pos;  /* of list items, of map values */
    rv_pos *name_pos;  /* of map keys */
    size_t n;
    bool is_list;    /* *_OR_STRS: the list form */
    rv_group *group; /* BLOCK */
} rv_val;

struct rv_group {
    rv_block_id block;
    const rv_node *node; /* NULL: not written */
    rv_pos key_pos;      /* of the key that holds it; a list item: its first key */
    rv_key_id first;     /* of the block's keys */
    rv_val *vals;        /* by table order within the block */
    const char *path;    /* "exports[1] ('events').destination" */
};

typedef struct rv_export_groups {
    rv_group *g;
    bool selected; /* must resolve */
} rv_export_groups;

typedef struct rv_note {
    unsigned stage;
    size_t order;
    rv_diag diag;
} rv_note;

typedef struct rv_load {
    const rv_env *env;
    const char *path;
    const rv_cfg_opts *opts;
    rv_arena *arena;
    rv_error *err;
    rv_cfg *cfg;
    rv_buf notes;      /* rv_note[] */
    rv_buf warnings;   /* const char *[] */
    unsigned stage;    /* of the notes made now */
    bool *params_used; /* per opts->params */
    rv_group *root;
    rv_export_groups *exports; /* cfg->n_exports */
} rv_load;

/* --- load.c ------------------------------------------------------------------------------- */
/* Records a mistake and returns RV_OK (or RV_E_MEMORY). */
rv_status rv_load_note(rv_load *ld, rv_status code, rv_pos pos, const char *fmt, ...) RV_MUST_USE
    RV_PRINTF(4, 5);
/* Records it and returns its code: the stage stops. */
rv_status rv_load_bad(rv_load *ld, rv_status code, rv_pos pos, const char *fmt, ...) RV_MUST_USE
    RV_PRINTF(4, 5);
/* Stages 4 to 6. */
rv_status rv_load_rules(rv_load *ld) RV_MUST_USE;
/* The outcome: *out, or err and the notes of the lowest stage. */
rv_status rv_load_finish(rv_load *ld, rv_status st, rv_cfg **out, rv_diags *diags) RV_MUST_USE;
/* "FILE:LINE:COL: text"; line 0: the text alone. */
rv_status rv_load_warn(rv_load *ld, rv_pos pos, const char *fmt, ...) RV_MUST_USE RV_PRINTF(3, 4);

/* --- shape.c ------------------------------------------------------------------------------ */
/* Walks the tree by the table: fills the groups and the plain fields of ld->cfg. */
rv_status rv_shape_root(rv_load *ld, const rv_node *root, rv_pos start) RV_MUST_USE;
rv_val *rv_group_val(const rv_group *g, rv_key_id id); /* g may be NULL: an absent value */
bool rv_val_has(const rv_val *v);
static inline rv_val *rv_has(const rv_group *g, rv_key_id id) /* NULL when absent */
{
    rv_val *v = rv_group_val(g, id);
    return rv_val_has(v) ? v : NULL;
}
void rv_shape_defaults(rv_block_id block, void *base);

/* --- shape_keys.c ------------------------------------------------------------------------- */
/* Unknown, misplaced and credential keys of a written block. *out NULL: the key is reported. */
rv_status rv_shape_key(rv_load *ld, const rv_group *g, const rv_pair *pair, rv_buf *misplaced,
                       const rv_cfg_key **out) RV_MUST_USE;
/* V12 over the keys gathered in `misplaced` (const rv_pair *[]). */
rv_status rv_shape_misplaced(rv_load *ld, const rv_group *g, const char *export_name,
                             const rv_buf *misplaced) RV_MUST_USE;
rv_status rv_shape_missing(rv_load *ld, const rv_group *g, rv_pos at,
                           const rv_cfg_key *key) RV_MUST_USE;

/* --- shape_value.c ------------------------------------------------------------------------ */
/* Types one value into *v and, when base is not NULL, into its field. */
rv_status rv_shape_value(rv_load *ld, const rv_cfg_key *key, const rv_node *node, bool need,
                         rv_val *v, void *base) RV_MUST_USE;
rv_status rv_shape_wrong_kind(rv_load *ld, const char *key, const char *want,
                              const rv_node *node) RV_MUST_USE;
/* Stores a typed value, or the default (v NULL), in its field. */
void rv_shape_store(const rv_cfg_key *key, const rv_val *v, void *base);

/* --- interp.c ----------------------------------------------------------------------------- */
bool rv_interp_has(rv_str text); /* a ${NAME} or $${NAME} */
/* need: a variable without a value is V30 (stage 3); else *out_unresolved. */
rv_status rv_interp(rv_load *ld, rv_str text, rv_pos pos, bool need, rv_str *out,
                    bool *out_unresolved) RV_MUST_USE;
/* As rv_interp of a resolvable text, but secret-looking environment values (all of them with
 * `whole_env`) stay ${NAME} and escapes stay escapes; NULL when nothing stays. */
rv_status rv_interp_sealed(rv_load *ld, rv_str text, bool whole_env, const char **out) RV_MUST_USE;
/* Appends a final text so that reading it leaves it alone: $${NAME} for ${NAME}. */
rv_status rv_interp_escape(rv_str text, rv_buf *out, rv_error *err) RV_MUST_USE;
/* Marks the params that the text mentions. */
void rv_interp_mark(rv_load *ld, rv_str text);

/* --- seal.c ------------------------------------------------------------------------------- */
/* Fills the `sealed` members of the source, the notifications and the selected exports. */
rv_status rv_seal(rv_load *ld) RV_MUST_USE;

/* --- rules -------------------------------------------------------------------------------- */
rv_status rv_rules_root(rv_load *ld) RV_MUST_USE;             /* project, notifications, load */
rv_status rv_rules_source(rv_load *ld) RV_MUST_USE;           /* stage 4 */
rv_status rv_rules_export(rv_load *ld, size_t i) RV_MUST_USE; /* stage 5 */
rv_status rv_rules_chunks(rv_load *ld, size_t i) RV_MUST_USE;
rv_status rv_rules_modes(rv_load *ld, size_t i) RV_MUST_USE;
rv_status rv_rules_query(rv_load *ld, size_t i) RV_MUST_USE;
rv_status rv_rules_dest(rv_load *ld, size_t i) RV_MUST_USE;
rv_status rv_rules_format(rv_load *ld, size_t i) RV_MUST_USE;  /* compression, parquet, size */
rv_status rv_rules_columns(rv_load *ld, size_t i) RV_MUST_USE; /* columns, quality, meta */
rv_status rv_rules_cdc(rv_load *ld, size_t i) RV_MUST_USE;
rv_status rv_rules_cross(rv_load *ld) RV_MUST_USE; /* stage 6 */
rv_status rv_rules_backfill(rv_load *ld, size_t i) RV_MUST_USE;

/* --- tuning.c ----------------------------------------------------------------------------- */
/* Merges export over source over profile into cfg->exports[i].tuning; V40. */
rv_status rv_tuning_merge(rv_load *ld, size_t i) RV_MUST_USE;

/* --- size.c ------------------------------------------------------------------------------- */
bool rv_size_parse(rv_str text, uint64_t *out_bytes);       /* 256MB, 1.5GB, 1073741824 */
bool rv_duration_parse(rv_str text, uint64_t *out_seconds); /* 30s 5m 2h 1d */

#endif
