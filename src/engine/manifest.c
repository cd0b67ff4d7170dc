#include "engine/manifest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *part_status(const rv_manifest_facts *f, const rv_part_row *p)
{
    if (strcmp(p->status, "committed") == 0 || strcmp(p->status, "quarantined") == 0)
        return p->status;
    if (strcmp(p->status, "uploaded") == 0)
        return f->uploaded_counts ? "committed" : "superseded";
    return strcmp(p->status, "superseded") == 0 ? p->status : NULL; /* pending, removed: unlisted */
}

static void write_time(rv_json *j, const char *key, int64_t us)
{
    char text[RV_RFC3339_SIZE];
    if (us)
        rv_rfc3339_ms(us, text);
    rv_json_kstr(j, key, us ? text : NULL);
}

static const char *strategy_word(const rv_job *job)
{
    if (job->keyset)
        return "keyset";
    switch (job->mode) {
    case RV_INCREMENTAL:
        return "incremental";
    case RV_CHUNKED:
        return "chunked";
    case RV_TIME_WINDOW:
        return "timewindow";
    case RV_CDC:
        return "cdc";
    case RV_FULL:
        break;
    }
    return "full";
}

static void write_source(rv_json *j, const rv_job *job, const rv_manifest_facts *f)
{
    static const char *const consistency[] = {"pages", "pages", "statement", "snapshot"};
    rv_json_key(j, "source");
    rv_json_object(j);
    rv_json_kstr(j, "engine", rv_engine_name(job->cfg->source.engine));
    rv_json_kstr(j, "schema", job->rel ? job->rel->base_schema : NULL);
    rv_json_kstr(j, "table", job->rel ? job->rel->base_table : job->x->table);
    rv_json_key(j, "extraction");
    rv_json_object(j);
    rv_json_kstr(j, "strategy", strategy_word(job));
    rv_json_kstr(j, "cursor_column", job->mode == RV_INCREMENTAL ? job->x->cursor_column : NULL);
    rv_json_kstr(j, "cursor_type", f->cursor_type);
    rv_json_kstr(j, "cursor_low", f->cursor_low);
    rv_json_kstr(j, "cursor_high", f->cursor_high);
    rv_json_key(j, "source_row_count");
    if (f->source_row_count >= 0)
        rv_json_i64(j, f->source_row_count);
    else
        rv_json_null(j);
    rv_json_object_end(j);
    rv_json_kstr(j, "consistency", consistency[job->consistency]);
    write_time(j, "first_page_at", job->first_page_us);
    write_time(j, "last_page_at", job->last_page_us);
    rv_json_object_end(j);
}

static void write_columns(rv_json *j, const rv_job *job)
{
    rv_json_key(j, "columns");
    rv_json_array(j);
    for (size_t i = 0; i < job->schema.n_columns; i++) {
        const rv_column *c = &job->schema.columns[i];
        char type[RV_TYPE_NAME_SIZE];
        rv_type_arrow(c->type, type);
        rv_json_object(j);
        rv_json_kstr(j, "name", c->name);
        rv_json_kstr(j, "type", type);
        rv_json_kbool(j, "nullable", c->nullable);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

static void write_checksums(rv_json *j, const rv_job *job, const rv_sums *s)
{
    char hex[33];
    rv_json_key(j, "column_checksums");
    if (!s) {
        rv_json_null(j);
        rv_json_kstr(j, "row_checksum", NULL);
    } else {
        rv_json_array(j);
        for (size_t i = 0; i < s->n_columns; i++) {
            rv_hex_u64(s->columns[i].sum, hex);
            rv_json_object(j);
            rv_json_kstr(j, "name", job->schema.columns[i].name);
            rv_json_kstr(j, "checksum", hex);
            rv_json_object_end(j);
        }
        rv_json_array_end(j);
        rv_hex_u128(s->row_sum, hex);
        rv_json_kstr(j, "row_checksum", hex);
    }
    rv_json_kstr(j, "checksum_render", "rivet-checksum-v1");
}

static void write_row_hash(rv_json *j, const rv_job *job)
{
    const rv_cfg_export *x = job->x;
    rv_json_key(j, "row_hash");
    if (!x->row_hash) {
        rv_json_null(j);
        return;
    }
    rv_json_object(j);
    rv_json_kstr(j, "column", RV_META_ROW_HASH);
    rv_json_key(j, "covered");
    if (x->row_hash_columns) {
        rv_json_array(j);
        for (size_t i = 0; i < x->n_row_hash_columns; i++)
            rv_json_cstr(j, x->row_hash_columns[i]);
        rv_json_array_end(j);
    } else {
        rv_json_bool(j, true);
    }
    rv_json_kstr(j, "render", "rivet-rowhash-v1");
    rv_json_object_end(j);
}

static void write_part(rv_json *j, const rv_part_row *p, const char *status, int64_t id)
{
    rv_json_object(j);
    rv_json_ki64(j, "part_id", id);
    rv_json_kstr(j, "path", p->file_name);
    rv_json_ki64(j, "rows", p->row_count);
    rv_json_ki64(j, "size_bytes", p->bytes);
    rv_json_kstr(j, "content_fingerprint", p->fingerprint);
    rv_json_kstr(j, "content_md5", p->md5);
    rv_json_key(j, "chunk_index");
    if (p->chunk_index >= 0)
        rv_json_i64(j, p->chunk_index);
    else
        rv_json_null(j);
    rv_json_kstr(j, "status", status);
    rv_json_object_end(j);
}

static void write_parts(rv_json *j, const rv_manifest_facts *f)
{
    int64_t rows = 0, n = 0, bytes = 0, id = 0;
    for (size_t i = 0; i < f->parts->n; i++) {
        const rv_part_row *p = &f->parts->rows[i];
        const char *status = part_status(f, p);
        if (!status || strcmp(status, "committed") != 0)
            continue;
        rows += p->row_count;
        bytes += p->bytes;
        n++;
    }
    rv_json_ki64(j, "row_count", rows);
    rv_json_ki64(j, "part_count", n);
    rv_json_ki64(j, "total_bytes", bytes);
    rv_json_key(j, "parts");
    rv_json_array(j);
    for (size_t i = 0; i < f->parts->n; i++) {
        const char *status = part_status(f, &f->parts->rows[i]);
        if (status)
            write_part(j, &f->parts->rows[i], status, ++id);
    }
    rv_json_array_end(j);
}

static void write_compression(rv_json *j, const rv_job *job)
{
    int min, max, standard, level = job->fopts.level;
    bool has_level = rv_codec_level_range(job->fopts.codec, &min, &max, &standard);
    rv_json_kstr(j, "format", job->x->format);
    rv_json_kstr(j, "compression", rv_codec_name(job->fopts.codec));
    rv_json_key(j, "compression_level");
    if (has_level)
        rv_json_i64(j, level == RV_LEVEL_DEFAULT ? standard : level);
    else
        rv_json_null(j);
}

rv_status rv_manifest_build(rv_job *job, const rv_manifest_facts *f, rv_arena *a, const char **out,
                            rv_error *err)
{
    rv_buf buf = RV_BUF_INIT, clean = RV_BUF_INIT;
    rv_json j;
    char fingerprint[22] = "";
    rv_status st;
    RV_GO(rv_schema_fingerprint(&job->schema, fingerprint, err));
    rv_json_begin(&j, &buf, true);
    rv_json_object(&j);
    rv_json_ki64(&j, "manifest_version", 1);
    rv_json_kstr(&j, "rivet_version", RIVET_VERSION);
    rv_json_kstr(&j, "run_id", job->run_id);
    rv_json_kstr(&j, "export_name", job->x->name);
    rv_json_kstr(&j, "mode", job->mode == RV_CDC ? "cdc" : "batch");
    rv_json_kstr(&j, "status", f->status);
    rv_json_kbool(&j, "degraded", f->degraded);
    rv_json_kstr(&j, "started_at", job->started_at);
    write_time(&j, "finished_at", rv_env_now_us(job->env));
    write_source(&j, job, f);
    rv_json_key(&j, "destination");
    rv_json_object(&j);
    rv_json_kstr(&j, "kind", job->dd->name);
    rv_json_kstr(&j, "uri", job->dd->uri(job->dest));
    rv_json_object_end(&j);
    write_compression(&j, job);
    rv_json_kstr(&j, "schema_fingerprint", fingerprint);
    write_columns(&j, job);
    write_checksums(&j, job, f->sums);
    write_row_hash(&j, job);
    write_parts(&j, f);
    rv_json_object_end(&j);
    RV_GO(rv_json_end(&j, err));
    RV_GO(rv_buf_add_byte(&buf, '\n', err));
    RV_GO(rv_secrets_redact(job->env->secrets, rv_buf_str(&buf), &clean, err));
    RV_GO(rv_arena_cstr(a, rv_buf_str(&clean), out, err));
done:
    rv_buf_free(&buf);
    rv_buf_free(&clean);
    return st;
}

void rv_manifest_marker(rv_str json, char out[24])
{
    char hex[17];
    rv_hex_u64(rv_xxh3(json.ptr, json.len), hex);
    (void)snprintf(out, 24, "xxh3:%s\n", hex);
}
