#include "format/verify.h"

#include "base/mem.h"
#include "format/parquet/verify_internal.h"

typedef struct verifier {
    rv_pq_file file;
    rv_pq_shared shared;
    rv_verify_level level;
    rv_pq_check *checks;    /* one per leaf */
    rv_pq_sum *sum;         /* level 5, and the types are known */
    const rv_cell_tap *tap; /* with sum; may be NULL */
    rv_arena group_arena;
} verifier;

static void close_verifier(verifier *v)
{
    for (uint32_t i = 0; v->checks && i < v->file.n_leaves; i++)
        rv_pq_check_close(&v->checks[i]);
    rv_free(v->checks);
    rv_pq_sum_close(v->sum);
    rv_pq_shared_close(&v->shared);
    rv_arena_free(&v->group_arena);
    rv_pq_file_free(&v->file);
}

static rv_status fold(verifier *v, rv_pq_check *c, const rv_pq_slice *s, rv_error *err)
{
    if (!v->sum)
        return RV_OK;
    return rv_pq_reader_where(&c->reader, rv_pq_sum_slice(v->sum, c, s, err), err);
}

/* `rows` rows of one column; the chunk itself tells when it ends too early. */
static rv_status take_rows(verifier *v, rv_pq_check *c, uint32_t rows, rv_error *err)
{
    bool flat = c->chunk->leaf->max_rep == 0;
    rv_pq_slice s = {0};
    for (uint32_t begun = 0; !flat || begun < rows; begun += s.rows) {
        RV_TRY(rv_pq_check_next(c, rows - begun, &s, err));
        if (s.n == 0)
            break;
        RV_TRY(fold(v, c, &s, err));
    }
    if (v->sum)
        rv_pq_sum_row_end(v->sum, c->chunk->leaf->column);
    return RV_OK;
}

/* After the last row the chunk must be over; a repeated column may have said so already. */
static rv_status take_end(rv_pq_check *c, rv_error *err)
{
    rv_pq_slice s = {0};
    if (c->reader.closed)
        return RV_OK;
    RV_TRY(rv_pq_check_next(c, 1, &s, err));
    if (!s.end)
        return rv_pq_reader_where(
            &c->reader, rv_fail(err, RV_E_CORRUPT, "more rows than the row group has"), err);
    return RV_OK;
}

static rv_status tell_tap(const verifier *v, uint32_t rows, rv_error *err)
{
    for (uint32_t i = 0; v->tap && i < v->file.n_columns; i++) {
        uint64_t null_hash;
        const uint64_t *cells = rv_pq_sum_cells(v->sum, i, &null_hash);
        RV_TRY(v->tap->take(v->tap->ctx, i, cells, rows, null_hash, err));
    }
    return RV_OK;
}

static rv_status decode_group(verifier *v, const rv_pq_read_group *g, rv_error *err)
{
    int64_t left = g->meta.num_rows;
    while (left > 0) {
        uint32_t rows = left < RV_PQ_SLICE ? (uint32_t)left : RV_PQ_SLICE;
        for (uint32_t i = 0; i < v->file.n_leaves; i++)
            RV_TRY(take_rows(v, &v->checks[i], rows, err));
        if (v->sum) {
            RV_TRY(tell_tap(v, rows, err));
            rv_pq_sum_rows(v->sum, rows);
        }
        left -= rows;
    }
    for (uint32_t i = 0; i < v->file.n_leaves; i++)
        RV_TRY(take_end(&v->checks[i], err));
    return RV_OK;
}

static rv_status walk_group(verifier *v, rv_error *err)
{
    for (uint32_t i = 0; i < v->file.n_leaves; i++)
        RV_TRY(rv_pq_check_walk(&v->checks[i], err));
    return RV_OK;
}

static rv_status verify_group(verifier *v, uint32_t index, rv_error *err)
{
    rv_pq_read_group g;
    rv_arena_free(&v->group_arena);
    RV_TRY(rv_pq_group_read(&v->file, index, &v->group_arena, &g, err));
    for (uint32_t i = 0; i < v->file.n_leaves; i++)
        RV_TRY(rv_pq_check_start(&v->checks[i], &v->file, &g.chunks[i], &v->shared, v->level, err));
    if (v->sum)
        rv_pq_sum_group(v->sum);
    return v->level >= RV_VERIFY_DECODE ? decode_group(v, &g, err) : walk_group(v, err);
}

/* Names and types of the top-level columns, as far as they are known; bytes otherwise. */
static rv_status describe(const verifier *v, rv_arena *arena, rv_verify_result *out, rv_type *types,
                          rv_error *err)
{
    const rv_pq_file *f = &v->file;
    out->rows = (uint64_t)f->meta.num_rows;
    out->n_columns = f->n_columns;
    RV_TRY(rv_arena_array(arena, f->n_columns + 1u, sizeof *out->names, &out->names, err));
    RV_TRY(rv_arena_array(arena, f->n_columns + 1u, sizeof *out->types, &out->types, err));
    for (uint32_t i = 0; i < f->n_columns; i++) {
        RV_TRY(rv_arena_cstr(arena, rv_str_c(f->columns[i].name), &out->names[i], err));
        if (types)
            out->types[i] = types[i];
        else if (!rv_pq_natural_type(f, &f->columns[i], &out->types[i]))
            out->types[i] = rv_type_of(RV_BINARY);
    }
    return RV_OK;
}

static rv_status verify_file(verifier *v, rv_arena *arena, rv_verify_result *out, rv_error *err)
{
    rv_type *types = NULL;
    RV_TRY(rv_pq_check_structure(&v->file, err));
    RV_TRY(rv_pq_types_read(&v->file, &v->file.arena, &types, err));
    if (v->file.own && !types)
        return rv_fail(err, RV_E_CORRUPT, "the footer lacks rivet.types");
    RV_TRY(describe(v, arena, out, types, err));
    if (v->level >= RV_VERIFY_CHECKSUM && types)
        RV_TRY(rv_pq_sum_open(&v->file, types, &v->sum, err));
    RV_TRY(rv_pq_shared_open(&v->shared, err));
    v->checks = rv_calloc(v->file.n_leaves + 1u, sizeof *v->checks);
    if (!v->checks)
        return rv_fail_memory(err);
    for (uint32_t i = 0; i < v->file.meta.row_groups.n; i++)
        RV_TRY(verify_group(v, i, err));
    if (v->sum)
        RV_TRY(rv_pq_sum_result(v->sum, arena, &out->sums, err));
    return rv_pq_checksum_compare(&v->file, out, err);
}

static rv_status run_verifier(verifier *v, const rv_env *env, rv_readable in, rv_arena *arena,
                              rv_verify_result *out, rv_error *err)
{
    rv_verify_result result = {0};
    rv_status st = rv_pq_file_init(&v->file, env, in, err);
    if (st == RV_OK)
        st = verify_file(v, arena, &result, err);
    close_verifier(v);
    if (st == RV_OK)
        *out = result;
    return st;
}

rv_status rv_parquet_verify(const rv_env *env, rv_readable in, rv_verify_level level,
                            rv_arena *arena, rv_verify_result *out, rv_error *err)
{
    verifier v = {.level = level};
    return run_verifier(&v, env, in, arena, out, err);
}

rv_status rv_parquet_cells(const rv_env *env, rv_readable in, const rv_cell_tap *tap,
                           rv_arena *arena, rv_verify_result *out, rv_error *err)
{
    verifier v = {.level = RV_VERIFY_CHECKSUM, .tap = tap};
    return run_verifier(&v, env, in, arena, out, err);
}
