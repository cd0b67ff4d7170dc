#include "format/parquet/footer.h"

#include "base/json.h"
#include "format/parquet/pack.h"

#define CREATED_BY "rivet version " RIVET_VERSION " (build release)"
#define KEYS_MAX 5u
#define FLUSH_BYTES ((size_t)64 << 10)

/* Footer values are JSON objects keyed by column name. */
typedef void (*cell_fn)(rv_json *json, const rv_pq_footer_spec *spec, size_t column);

static void put_type(rv_json *json, const rv_pq_footer_spec *spec, size_t i)
{
    char name[RV_TYPE_NAME_SIZE];
    rv_type_name(spec->schema->columns[i].type, name);
    rv_json_cstr(json, name);
}

static void put_source_type(rv_json *json, const rv_pq_footer_spec *spec, size_t i)
{
    rv_json_cstr(json, spec->schema->columns[i].source_type);
}

static void put_fidelity(rv_json *json, const rv_pq_footer_spec *spec, size_t i)
{
    rv_json_cstr(json, rv_fidelity_name(spec->schema->columns[i].fidelity));
}

static void put_nullable(rv_json *json, const rv_pq_footer_spec *spec, size_t i)
{
    rv_json_bool(json, spec->schema->columns[i].nullable);
}

static void put_sum(rv_json *json, const rv_pq_footer_spec *spec, size_t i)
{
    char hex[17];
    rv_hex_u64(spec->sums->columns[i].sum, hex);
    rv_json_object(json);
    rv_json_key(json, "nulls");
    rv_json_u64(json, spec->sums->columns[i].nulls);
    rv_json_kstr(json, "sum", hex);
    rv_json_object_end(json);
}

static void put_columns(rv_json *json, const rv_pq_footer_spec *spec, cell_fn cell)
{
    rv_json_object(json);
    for (size_t i = 0; i < spec->schema->n_columns; i++) {
        rv_json_key(json, spec->schema->columns[i].name);
        cell(json, spec, i);
    }
    rv_json_object_end(json);
}

static void put_checksum(rv_json *json, const rv_pq_footer_spec *spec)
{
    char hex[33];
    rv_hex_u128(spec->sums->row_sum, hex);
    rv_json_object(json);
    rv_json_kstr(json, "id", "rivet-checksum-v1");
    rv_json_key(json, "rows");
    rv_json_u64(json, spec->sums->rows);
    rv_json_kstr(json, "row_sum", hex);
    rv_json_key(json, "columns");
    put_columns(json, spec, put_sum);
    rv_json_object_end(json);
}

/* The values lie one after the other in `text`; they get their addresses when it is complete. */
typedef struct keys {
    rv_buf text;
    rv_pq_key_value items[KEYS_MAX];
    size_t n;
} keys;

static rv_status add_key(keys *k, const char *key, const rv_pq_footer_spec *spec, cell_fn cell,
                         rv_error *err)
{
    rv_json json;
    size_t from = k->text.len;
    rv_json_begin(&json, &k->text, false);
    if (cell)
        put_columns(&json, spec, cell);
    else
        put_checksum(&json, spec);
    RV_TRY(rv_json_end(&json, err));
    rv_pq_key_value *item = &k->items[k->n++];
    item->has = RV_HAS(RV_PQ_KV_VALUE);
    item->key = rv_str_bytes(rv_str_c(key));
    item->value.len = k->text.len - from;
    return RV_OK;
}

static rv_status make_keys(const rv_pq_footer_spec *spec, keys *k, rv_error *err)
{
    RV_TRY(add_key(k, "rivet.types", spec, put_type, err));
    RV_TRY(add_key(k, "rivet.source_types", spec, put_source_type, err));
    RV_TRY(add_key(k, "rivet.fidelity", spec, put_fidelity, err));
    if (spec->source_nullable)
        RV_TRY(add_key(k, "rivet.source_nullable", spec, put_nullable, err));
    RV_TRY(add_key(k, "rivet.checksum", spec, NULL, err));
    const uint8_t *at = k->text.ptr;
    for (size_t i = 0; i < k->n; i++) {
        k->items[i].value.ptr = at;
        at += k->items[i].value.len;
    }
    return RV_OK;
}

static rv_status make_schema(const rv_pq_footer_spec *spec, rv_arena *arena, rv_pq_file_meta *file,
                             rv_error *err)
{
    size_t n = 1, at = 1, n_columns = spec->schema->n_columns;
    for (size_t i = 0; i < n_columns; i++)
        n += rv_pq_leaf_elements(&spec->columns[i].leaf);
    RV_TRY(rv_arena_array(arena, n, sizeof *file->schema.items, &file->schema.items, err));
    RV_TRY(rv_arena_array(arena, n_columns, sizeof *file->orders.items, &file->orders.items, err));
    rv_pq_schema_element *root = &file->schema.items[0];
    root->has = RV_HAS(RV_PQ_SCHEMA_CHILDREN);
    root->name = rv_str_bytes(RV_STR("schema"));
    root->num_children = (int32_t)n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        rv_pq_leaf_describe(&spec->columns[i].leaf, spec->schema->columns[i].name,
                            &file->schema.items[at]);
        at += rv_pq_leaf_elements(&spec->columns[i].leaf);
        file->orders.items[i].has = RV_HAS(RV_PQ_ORDER_TYPE);
    }
    file->schema.n = n;
    file->orders.n = n_columns;
    file->has |= RV_HAS(RV_PQ_FILE_COLUMN_ORDERS);
    return RV_OK;
}

/* Reading the ledger back while the footer is written. */
typedef struct cursor {
    rv_pq_ledger *ledger;
    rv_pq_out *out;
    uint64_t at;                         /* in ledger->chunks */
    uint64_t column_index, offset_index; /* in the file: of the next chunk */
    rv_buf meta, text;                   /* text: serialised, not yet written */
} cursor;

static rv_status flush(cursor *c, size_t beyond, rv_error *err)
{
    if (c->text.len <= beyond)
        return RV_OK;
    RV_TRY(rv_pq_out_write(c->out, rv_buf_bytes(&c->text), err));
    rv_buf_clear(&c->text);
    return RV_OK;
}

static rv_status put_chunk(cursor *c, rv_error *err)
{
    rv_pq_chunk_head head;
    rv_pq_column_chunk chunk = {.has = RV_HAS(RV_PQ_CHUNK_META)};
    RV_TRY(rv_pq_log_read(&c->ledger->chunks, c->at, &head, sizeof head, err));
    rv_buf_clear(&c->meta);
    RV_TRY(rv_buf_reserve(&c->meta, head.meta_len, err));
    RV_TRY(
        rv_pq_log_read(&c->ledger->chunks, c->at + sizeof head, c->meta.ptr, head.meta_len, err));
    chunk.meta = (rv_bytes){c->meta.ptr, head.meta_len};
    c->at += sizeof head + head.meta_len;
    if (head.column_index_len > 0) {
        chunk.has |=
            RV_HAS(RV_PQ_CHUNK_COLUMN_INDEX_OFFSET) | RV_HAS(RV_PQ_CHUNK_COLUMN_INDEX_LENGTH);
        chunk.column_index_offset = (int64_t)c->column_index;
        chunk.column_index_length = (int32_t)head.column_index_len;
    }
    chunk.has |= RV_HAS(RV_PQ_CHUNK_OFFSET_INDEX_OFFSET) | RV_HAS(RV_PQ_CHUNK_OFFSET_INDEX_LENGTH);
    chunk.offset_index_offset = (int64_t)c->offset_index;
    chunk.offset_index_length = (int32_t)head.offset_index_len;
    c->column_index += head.column_index_len;
    c->offset_index += head.offset_index_len;
    return rv_thrift_write(&rv_pq_column_chunk_desc, &chunk, &c->text, err);
}

static rv_status put_group(cursor *c, uint64_t index, size_t n_columns, rv_error *err)
{
    rv_pq_group_tail tail;
    rv_pq_row_group group = {.has =
                                 RV_HAS(RV_PQ_GROUP_FILE_OFFSET) | RV_HAS(RV_PQ_GROUP_COMPRESSED)};
    RV_TRY(rv_pq_row_group_begin(n_columns, &c->text, err));
    for (size_t i = 0; i < n_columns; i++) {
        RV_TRY(put_chunk(c, err));
        RV_TRY(flush(c, FLUSH_BYTES, err));
    }
    RV_TRY(rv_pq_log_read(&c->ledger->chunks, c->at, &tail, sizeof tail, err));
    c->at += sizeof tail;
    group.total_byte_size = (int64_t)tail.raw_bytes;
    group.num_rows = (int64_t)tail.rows;
    group.file_offset = (int64_t)tail.offset;
    group.total_compressed = (int64_t)tail.stored_bytes;
    if (index <= INT16_MAX) {
        group.has |= RV_HAS(RV_PQ_GROUP_ORDINAL);
        group.ordinal = (int16_t)index;
    }
    return rv_pq_row_group_end(&group, &c->text, err);
}

static rv_status put_footer(cursor *c, const rv_pq_file_meta *file, size_t n_columns, rv_error *err)
{
    uint64_t start = c->out->offset;
    RV_TRY(rv_pq_footer_begin(file, c->ledger->groups, &c->text, err));
    for (uint64_t g = 0; g < c->ledger->groups; g++)
        RV_TRY(put_group(c, g, n_columns, err));
    RV_TRY(rv_pq_footer_end(file, &c->text, err));
    uint64_t len = c->out->offset + c->text.len - start;
    if (len > INT32_MAX)
        return rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "the footer exceeds 2 GiB");
    uint8_t tail[RV_PQ_TAIL_BYTES];
    rv_pq_store32(tail, (uint32_t)len);
    memcpy(tail + 4, RV_PQ_MAGIC, RV_PQ_MAGIC_BYTES);
    RV_TRY(rv_buf_add(&c->text, tail, sizeof tail, err));
    return flush(c, 0, err);
}

static rv_status put_indexes(cursor *c, rv_error *err)
{
    rv_pq_ledger *l = c->ledger;
    c->column_index = c->out->offset;
    RV_TRY(rv_pq_out_log(c->out, &l->column_indexes, 0, l->column_indexes.len, err));
    c->offset_index = c->out->offset;
    return rv_pq_out_log(c->out, &l->offset_indexes, 0, l->offset_indexes.len, err);
}

rv_status rv_pq_footer_write(const rv_pq_footer_spec *spec, rv_pq_ledger *ledger, rv_pq_out *out,
                             rv_error *err)
{
    rv_status st = RV_OK;
    rv_arena arena = RV_ARENA_INIT;
    keys k = {.text = RV_BUF_INIT};
    cursor c = {.ledger = ledger, .out = out};
    rv_pq_file_meta file = {.version = 1, .num_rows = (int64_t)ledger->rows};
    RV_GO(make_schema(spec, &arena, &file, err));
    RV_GO(make_keys(spec, &k, err));
    file.has |= RV_HAS(RV_PQ_FILE_KEY_VALUES) | RV_HAS(RV_PQ_FILE_CREATED_BY);
    file.key_values.items = k.items;
    file.key_values.n = k.n;
    file.created_by = rv_str_bytes(RV_STR(CREATED_BY));
    RV_GO(put_indexes(&c, err));
    RV_GO(put_footer(&c, &file, spec->schema->n_columns, err));
done:
    rv_buf_free(&k.text);
    rv_buf_free(&c.meta);
    rv_buf_free(&c.text);
    rv_arena_free(&arena);
    return st;
}
