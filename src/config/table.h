/* config/table.h: every key of rivet.yaml, once. The parser, the suggestions, the JSON Schema, the
 * reference page and the completions are all read from here. Constant data, no ownership.
 * Source: spec "config" sections 2 to 11, "destinations" section 2, "cdc" section 2. */
#ifndef RV_CONFIG_TABLE_H
#define RV_CONFIG_TABLE_H

#include "config/config.h"

typedef enum rv_key_type {
    RV_KEY_STR,
    RV_KEY_BOOL,
    RV_KEY_INT,   /* uint64_t */
    RV_KEY_PORT,  /* uint32_t */
    RV_KEY_COUNT, /* int64_t, -1 = not written */
    RV_KEY_FLOAT,
    RV_KEY_ENUM,     /* index of the word, order of the C enum */
    RV_KEY_ENUM1,    /* index + 1; 0 is "not written" */
    RV_KEY_WORD,     /* the word itself */
    RV_KEY_SIZE,     /* text, read by the rules (V32) */
    RV_KEY_DURATION, /* text, read by the rules (V58) */
    RV_KEY_STRS,     /* list of strings */
    RV_KEY_WORDS,    /* list of words */
    RV_KEY_BOOL_OR_STRS,
    RV_KEY_WORD_OR_STRS,
    RV_KEY_MAP_FLOAT, /* name: number */
    RV_KEY_MAP_STR,   /* name: text */
    RV_KEY_BLOCK,
    RV_KEY_EXPORTS, /* list of blocks */
    RV_KEY_ANY      /* accepted, ignored */
} rv_key_type;

enum {
    RV_KEY_REQUIRED = 1,
    RV_KEY_NULL_WORD = 2,  /* a plain `null` is a word here */
    RV_KEY_SECRET = 4,     /* its value is masked everywhere */
    RV_KEY_CREDENTIAL = 8, /* misplaced on another destination type: an error */
    RV_KEY_DEPRECATED = 16,
    RV_KEY_ZERO_LATER = 32, /* a rule of its own (V64) judges 0 */
    /* destination types the key belongs to */
    RV_ON_LOCAL = 256,
    RV_ON_S3 = 512,
    RV_ON_GCS = 1024,
    RV_ON_AZURE = 2048,
    RV_ON_CLOUDS = RV_ON_S3 | RV_ON_GCS | RV_ON_AZURE
};

typedef enum rv_block_id {
    RV_BLOCK_ROOT,
    RV_BLOCK_SOURCE,
    RV_BLOCK_TLS,
    RV_BLOCK_TUNING,
    RV_BLOCK_EXPORT,
    RV_BLOCK_SETTLE,
    RV_BLOCK_CDC,
    RV_BLOCK_META,
    RV_BLOCK_QUALITY,
    RV_BLOCK_PARQUET,
    RV_BLOCK_DEST,
    RV_BLOCK_NOTIFICATIONS,
    RV_BLOCK_SLACK,
    RV_BLOCK_COUNT
} rv_block_id;

/* RV_K_<BLOCK>_<KEY>, in table order. */
typedef enum rv_key_id {
#define KEY(block, id, ...) RV_K_##block##_##id,
#include "config/keys.def"
#undef KEY
    RV_KEY_COUNT_ALL
} rv_key_id;

#define RV_NO_FIELD SIZE_MAX
typedef struct rv_cfg_key {
    rv_key_id id;
    rv_block_id block;
    const char *name;
    rv_key_type type;
    size_t field;             /* offset in the block's struct, or RV_NO_FIELD */
    const char *const *words; /* NULL-terminated */
    const char *dflt;         /* as written in a file; NULL = none */
    int64_t min, max;         /* INT, PORT, COUNT, FLOAT */
    unsigned flags;
    rv_block_id child; /* BLOCK, EXPORTS */
    const char *doc;
} rv_cfg_key;

typedef struct rv_block {
    rv_block_id id;
    const char *path;    /* "source.tuning", "exports[].cdc"; "" for the root */
    const char *heading; /* of the reference page */
    const char *doc;
} rv_block;

const rv_block *rv_block_get(rv_block_id id);
/* The block's keys, adjacent in the table. */
const rv_cfg_key *rv_block_keys(rv_block_id id, size_t *out_n);
const rv_cfg_key *rv_cfg_key_get(rv_key_id id);
const rv_cfg_key *rv_block_find(rv_block_id id, rv_str name); /* NULL when unknown */
size_t rv_words_count(const char *const *words);

#endif
