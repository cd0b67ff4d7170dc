/* format/parquet/thrift.h: the Thrift compact protocol, both directions, driven by one table
 * per struct. A described C struct begins with `uint32_t has`, where bit 1 << id says that field
 * id is present; ids are 1..31. Lists are {pointer, size_t count} in that order, binaries rv_bytes.
 * Ownership: what is read lives in the arena, except binaries and raw spans, which point into
 * the input. Hostile input is safe: RV_E_CORRUPT, with the byte offset in the text.
 * Source: the Thrift compact protocol specification as Parquet uses it. Pure functions. */
#ifndef RV_FORMAT_PARQUET_THRIFT_H
#define RV_FORMAT_PARQUET_THRIFT_H

#include "base/arena.h"
#include "base/buf.h"

#define RV_THRIFT_DEPTH_MAX 16
#define RV_HAS(id) (1u << (id))

typedef enum rv_thrift_kind {
    RV_THRIFT_BOOL = 1, /* bool */
    RV_THRIFT_I8,       /* int8_t */
    RV_THRIFT_I16,      /* int16_t */
    RV_THRIFT_I32,      /* int32_t */
    RV_THRIFT_I64,      /* int64_t */
    RV_THRIFT_BINARY,   /* rv_bytes */
    RV_THRIFT_STRUCT,   /* the struct in place; without storage when its table has no fields */
    RV_THRIFT_RAW,      /* rv_bytes: a struct kept serialised, stop byte included */
    RV_THRIFT_LIST
} rv_thrift_kind;

struct rv_thrift_desc;
typedef struct rv_thrift_field {
    uint8_t id;
    uint8_t kind;
    uint8_t elem;                     /* lists: kind of the elements */
    bool required;                    /* always written; missing on read is RV_E_CORRUPT */
    uint32_t offset;                  /* of the member */
    const struct rv_thrift_desc *sub; /* structs and lists of structs */
} rv_thrift_field;

typedef struct rv_thrift_desc {
    const char *name;
    uint32_t size; /* of the C struct */
    uint32_t n_fields;
    const rv_thrift_field *fields; /* ascending ids */
} rv_thrift_desc;

/* Appends the struct with its stop byte. */
rv_status rv_thrift_write(const rv_thrift_desc *desc, const void *value, rv_buf *out,
                          rv_error *err) RV_MUST_USE;
/* Appends the fields with from_id <= id <= to_id. *last_id is the id written before them (0 at
 * the start of a struct) and becomes the last one written; no stop byte. */
rv_status rv_thrift_write_fields(const rv_thrift_desc *desc, const void *value, unsigned from_id,
                                 unsigned to_id, unsigned *last_id, rv_buf *out,
                                 rv_error *err) RV_MUST_USE;
/* Header of a field that holds a list of n structs; the caller appends the elements. */
rv_status rv_thrift_write_list_of_structs(unsigned id, size_t n, unsigned *last_id, rv_buf *out,
                                          rv_error *err) RV_MUST_USE;
rv_status rv_thrift_write_stop(rv_buf *out, rv_error *err) RV_MUST_USE;

/* Reads one struct from the start of `in`; *out is zeroed first, *used (may be NULL) becomes the
 * bytes consumed. Unknown fields are skipped, and known ones of another wire type, as
 * generated Thrift code does. */
rv_status rv_thrift_read(const rv_thrift_desc *desc, rv_bytes in, rv_arena *arena, void *out,
                         size_t *used, rv_error *err) RV_MUST_USE;

#endif
