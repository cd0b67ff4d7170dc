#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "format/parquet/reader.h"

static rv_status read_tail(rv_pq_file *f, rv_error *err)
{
    uint8_t head[RV_PQ_MAGIC_BYTES], tail[RV_PQ_TAIL_BYTES];
    uint64_t size = f->in.size_bytes;
    if (size < RV_PQ_MAGIC_BYTES + RV_PQ_TAIL_BYTES)
        return rv_fail(err, RV_E_CORRUPT, "%llu bytes are too few for a Parquet file",
                       (unsigned long long)size);
    RV_TRY(f->in.read(f->in.self, 0, head, sizeof head, err));
    RV_TRY(f->in.read(f->in.self, size - RV_PQ_TAIL_BYTES, tail, sizeof tail, err));
    if (memcmp(tail + 4, RV_PQ_MAGIC_ENCRYPTED, 4) == 0)
        return rv_fail(err, RV_E_CORRUPT, "the file is encrypted (PARE), which is not supported");
    if (memcmp(tail + 4, RV_PQ_MAGIC, 4) != 0)
        return rv_fail(err, RV_E_CORRUPT, "no Parquet magic at the end (offset %llu)",
                       (unsigned long long)size - 4);
    if (memcmp(head, RV_PQ_MAGIC, 4) != 0)
        return rv_fail(err, RV_E_CORRUPT, "no Parquet magic at the beginning (offset 0)");
    memcpy(&f->footer_len, tail, 4);
    uint64_t room = size - RV_PQ_MAGIC_BYTES - RV_PQ_TAIL_BYTES;
    if (f->footer_len > room || f->footer_len > RV_PQ_FOOTER_MAX)
        return rv_fail(err, RV_E_CORRUPT, "footer of %u bytes in a file of %llu", f->footer_len,
                       (unsigned long long)size);
    f->footer_at = size - RV_PQ_TAIL_BYTES - f->footer_len;
    return RV_OK;
}

rv_status rv_pq_own_form(const rv_thrift_desc *desc, const void *value, rv_bytes read,
                         rv_error *err)
{
    rv_buf again = RV_BUF_INIT;
    rv_status st = rv_thrift_write(desc, value, &again, err);
    if (st == RV_OK && (again.len != read.len || memcmp(again.ptr, read.ptr, read.len) != 0))
        st = rv_fail(err, RV_E_CORRUPT, "%s: not as it was written", desc->name);
    rv_buf_free(&again);
    return st;
}

static rv_status read_footer(rv_pq_file *f, rv_error *err)
{
    size_t used = 0;
    f->footer = rv_alloc(f->footer_len);
    if (!f->footer)
        return rv_fail_memory(err);
    RV_TRY(f->in.read(f->in.self, f->footer_at, f->footer, f->footer_len, err));
    rv_bytes bytes = {f->footer, f->footer_len};
    rv_status st = rv_thrift_read(&rv_pq_file_meta_desc, bytes, &f->arena, &f->meta, &used, err);
    if (st != RV_OK)
        return rv_wrap(err, st, "footer at offset %llu", (unsigned long long)f->footer_at);
    if (f->meta.has & RV_HAS(RV_PQ_FILE_ENCRYPTION))
        return rv_fail(err, RV_E_CORRUPT, "columns are encrypted, which is not supported");
    if (used != f->footer_len)
        return rv_fail(err, RV_E_CORRUPT, "%zu trailing bytes in the footer at offset %llu",
                       f->footer_len - used, (unsigned long long)f->footer_at);
    return RV_OK;
}

rv_status rv_pq_file_init(rv_pq_file *f, const rv_env *env, rv_readable in, rv_error *err)
{
    *f = (rv_pq_file){.env = env, .in = in};
    RV_TRY(read_tail(f, err));
    RV_TRY(read_footer(f, err));
    rv_str writer = {(const char *)f->meta.created_by.ptr, f->meta.created_by.len};
    f->own = rv_str_starts(writer, RV_STR("rivet version "));
    if (f->own)
        RV_TRY(rv_pq_own_form(&rv_pq_file_meta_desc, &f->meta, (rv_bytes){f->footer, f->footer_len},
                              err));
    if (f->meta.num_rows < 0 || f->meta.row_groups.n > INT32_MAX)
        return rv_fail(err, RV_E_CORRUPT, "footer counts %lld rows in %zu row groups",
                       (long long)f->meta.num_rows, f->meta.row_groups.n);
    rv_status st = rv_pq_schema_read(f, err);
    if (st != RV_OK)
        return rv_wrap(err, st, "schema in the footer at offset %llu",
                       (unsigned long long)f->footer_at);
    return RV_OK;
}

void rv_pq_file_free(rv_pq_file *f)
{
    if (!f)
        return;
    rv_arena_free(&f->arena);
    rv_free(f->footer);
    f->footer = NULL;
}

bool rv_pq_file_key(const rv_pq_file *f, const char *key, rv_str *out)
{
    for (size_t i = 0; i < f->meta.key_values.n; i++) {
        const rv_pq_key_value *kv = &f->meta.key_values.items[i];
        if (!rv_str_eq((rv_str){(const char *)kv->key.ptr, kv->key.len}, rv_str_c(key)))
            continue;
        *out = (rv_str){(const char *)kv->value.ptr, kv->value.len};
        return true;
    }
    return false;
}

/* ---- row groups ---- */

static bool same_path(const rv_pq_read_leaf *leaf, const rv_pq_column_meta *meta)
{
    if (leaf->path_len != meta->path.n)
        return false;
    for (uint32_t i = 0; i < leaf->path_len; i++)
        if (leaf->path[i].len != meta->path.items[i].len ||
            (leaf->path[i].len &&
             memcmp(leaf->path[i].ptr, meta->path.items[i].ptr, leaf->path[i].len) != 0))
            return false;
    return true;
}

static rv_status check_chunk(const rv_pq_file *f, const rv_pq_read_chunk *c, rv_error *err)
{
    const rv_pq_column_meta *m = &c->meta;
    if (m->type != c->leaf->type)
        return rv_fail(err, RV_E_CORRUPT, "type %s, the schema says %s", rv_pq_type_name(m->type),
                       rv_pq_type_name(c->leaf->type));
    if (!same_path(c->leaf, m))
        return rv_fail(err, RV_E_CORRUPT, "the path differs from the schema");
    if (m->codec < 0 || m->codec > RV_PQ_LZ4_RAW)
        return rv_fail(err, RV_E_CORRUPT, "unknown codec %d", m->codec);
    if (m->num_values < 0 || m->total_compressed < 0 || m->total_uncompressed < 0)
        return rv_fail(err, RV_E_CORRUPT, "negative size or count");
    if (c->leaf->max_rep == 0 && m->num_values != c->group_rows)
        return rv_fail(err, RV_E_CORRUPT, "%lld values in a row group of %lld rows",
                       (long long)m->num_values, (long long)c->group_rows);
    if (c->start < RV_PQ_MAGIC_BYTES || c->end > f->footer_at)
        return rv_fail(err, RV_E_CORRUPT, "bytes %llu to %llu lie outside the data",
                       (unsigned long long)c->start, (unsigned long long)c->end);
    return RV_OK;
}

/* The dictionary page comes first; some writers leave its offset 0, or the data's when there
 * is none. */
static rv_status chunk_range(rv_pq_read_chunk *c, rv_error *err)
{
    const rv_pq_column_meta *m = &c->meta;
    int64_t start = m->data_page_offset;
    if ((m->has & RV_HAS(RV_PQ_CHUNK_META_DICT_PAGE)) && m->dict_page_offset > 0 &&
        (m->dict_page_offset < start || start == 0))
        start = m->dict_page_offset;
    if (start < 0 || m->total_compressed < 0 || m->total_compressed > INT64_MAX - start)
        return rv_fail(err, RV_E_CORRUPT, "offset %lld, length %lld", (long long)start,
                       (long long)m->total_compressed);
    c->start = (uint64_t)start;
    c->end = (uint64_t)start + (uint64_t)m->total_compressed;
    return RV_OK;
}

static rv_status read_chunk(const rv_pq_file *f, rv_bytes bytes, rv_arena *arena,
                            rv_pq_read_chunk *c, rv_error *err)
{
    RV_TRY(rv_thrift_read(&rv_pq_column_chunk_desc, bytes, arena, &c->chunk, NULL, err));
    if (c->chunk.has & (RV_HAS(RV_PQ_CHUNK_CRYPTO) | RV_HAS(RV_PQ_CHUNK_ENCRYPTED_META)))
        return rv_fail(err, RV_E_CORRUPT, "the column is encrypted, which is not supported");
    if (c->chunk.has & RV_HAS(RV_PQ_CHUNK_PATH) && c->chunk.file_path.len)
        return rv_fail(err, RV_E_CORRUPT, "the data lies in another file, which is not supported");
    if (!(c->chunk.has & RV_HAS(RV_PQ_CHUNK_META)))
        return rv_fail(err, RV_E_CORRUPT, "no column metadata");
    RV_TRY(rv_thrift_read(&rv_pq_column_meta_desc, c->chunk.meta, arena, &c->meta, NULL, err));
    if (f->own) {
        RV_TRY(rv_pq_own_form(&rv_pq_column_chunk_desc, &c->chunk, bytes, err));
        RV_TRY(rv_pq_own_form(&rv_pq_column_meta_desc, &c->meta, c->chunk.meta, err));
    }
    RV_TRY(chunk_range(c, err));
    return check_chunk(f, c, err);
}

static rv_status read_group(const rv_pq_file *f, uint32_t index, rv_arena *arena,
                            rv_pq_read_group *g, rv_error *err)
{
    *g = (rv_pq_read_group){.index = index};
    RV_TRY(rv_thrift_read(&rv_pq_row_group_desc, f->meta.row_groups.items[index], arena, &g->meta,
                          NULL, err));
    if (f->own)
        RV_TRY(
            rv_pq_own_form(&rv_pq_row_group_desc, &g->meta, f->meta.row_groups.items[index], err));
    if (g->meta.columns.n != f->n_leaves || g->meta.num_rows < 0)
        return rv_fail(err, RV_E_CORRUPT, "%zu column chunks for %u columns, %lld rows",
                       g->meta.columns.n, f->n_leaves, (long long)g->meta.num_rows);
    RV_TRY(rv_arena_array(arena, f->n_leaves, sizeof *g->chunks, &g->chunks, err));
    for (uint32_t i = 0; i < f->n_leaves; i++) {
        rv_pq_read_chunk *c = &g->chunks[i];
        c->leaf = &f->leaves[i];
        c->group = index;
        c->group_rows = g->meta.num_rows;
        rv_status st = read_chunk(f, g->meta.columns.items[i], arena, c, err);
        if (st != RV_OK)
            return rv_wrap(err, st, "column '%s'", c->leaf->name);
    }
    return RV_OK;
}

rv_status rv_pq_group_read(const rv_pq_file *f, uint32_t index, rv_arena *arena,
                           rv_pq_read_group *out, rv_error *err)
{
    rv_pq_read_group g;
    rv_status st = read_group(f, index, arena, &g, err);
    if (st != RV_OK)
        return rv_wrap(err, st, "row group %u in the footer at offset %llu", index,
                       (unsigned long long)f->footer_at);
    *out = g;
    return RV_OK;
}
