#include <string.h>

#include "engine/init_internal.h"

#define WIDE_COLUMNS 5
#define LARGE_ROWS 1000000
#define CHUNK_ROWS "100000"
#define WINDOW_DAYS "7"

/* ---- scalars ---- */

static bool plain(const char *s)
{
    static const char *const words[] = {"true", "false", "null", "yes",  "no",  "on",
                                        "off",  "y",     "n",    ".nan", ".inf"};
    bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rv_str_eq_nocase(rv_str_c(s), rv_str_c(words[i])))
            return false;
    for (const char *p = s; *p && letter; p++)
        letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
                 *p == '_';
    return letter;
}

/* Plain where that is safe, else double-quoted; "${" stays what it is. */
static rv_status scalar(rv_buf *b, const char *s, rv_error *err)
{
    if (plain(s))
        return rv_buf_add_c(b, s, err);
    RV_TRY(rv_buf_add_byte(b, '"', err));
    for (const char *p = s; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            RV_TRY(rv_buf_printf(b, err, "\\%c", c));
        else if (c < 0x20 || c == 0x7F)
            RV_TRY(rv_buf_printf(b, err, "\\x%02x", c));
        else if (c == '$' && p[1] == '{')
            RV_TRY(rv_buf_add_c(b, "$$", err));
        else
            RV_TRY(rv_buf_add_byte(b, c, err));
    }
    return rv_buf_add_byte(b, '"', err);
}

static rv_status key_value(rv_buf *b, const char *key, const char *value, rv_error *err)
{
    RV_TRY(rv_buf_add_c(b, key, err));
    RV_TRY(scalar(b, value, err));
    return rv_buf_add_byte(b, '\n', err);
}

/* Text of a comment: one line, whatever the catalog says. */
static rv_status comment_text(rv_buf *b, const char *s, rv_error *err)
{
    for (const char *p = s; *p; p++) {
        unsigned char c = (unsigned char)*p;
        RV_TRY(rv_buf_add_byte(b, c < 0x20 || c == 0x7F ? ' ' : c, err));
    }
    return RV_OK;
}

/* ---- head ---- */

static rv_status header(const rv_initing *in, rv_buf *b, rv_error *err)
{
    RV_TRY(rv_buf_add_c(b,
                        "# Written by rivet init. Review it, then: rivet doctor, rivet check, "
                        "rivet run.\n#\n"
                        "# Runs leave sensitive files beside this one: the state, plans, journals, "
                        "logs,\n# change-capture positions and the exported data itself. "
                        "Keep them out of version\n# control; .gitignore:\n#\n"
                        "#   .rivet_state.db*\n#   .rivet/\n#   plan*.json\n"
                        "#   *.journal.jsonl\n#   rivet-run-*.log\n#   *.ckpt\n#   output/\n"
                        "#   *.parquet\n#   *.csv\n",
                        err));
    if (in->n_review)
        RV_TRY(rv_buf_printf(b, err,
                             "#\n# NOTE: %zu column(s) of unconstrained numeric are declared "
                             "decimal(38,18). A value\n# that does not fit ends the run; review "
                             "the lines marked REVIEW.\n",
                             in->n_review));
    if (in->n_text)
        RV_TRY(rv_buf_printf(b, err,
                             "#\n# NOTE: %zu column(s) without a lossless type are declared text: "
                             "the server's own\n# spelling of the value is exported; review the "
                             "lines marked REVIEW.\n",
                             in->n_text));
    return rv_buf_add_byte(b, '\n', err);
}

static rv_status source(const rv_initing *in, rv_buf *b, rv_error *err)
{
    const rv_init_opts *o = in->opts;
    RV_TRY(rv_buf_printf(b, err, "source:\n  type: %s\n", rv_engine_name(in->source.engine)));
    if (in->url_file)
        RV_TRY(key_value(b, "  url_file: ", in->url_file, err));
    else
        RV_TRY(key_value(b, "  url_env: ", o->source_env ? o->source_env : "DATABASE_URL", err));
    if (!o->tls_mode || in->source.engine == RV_ENGINE_SQLITE)
        return RV_OK;
    RV_TRY(rv_buf_printf(b, err, "  tls:\n    mode: %s\n", o->tls_mode));
    return in->tls_ca ? key_value(b, "    ca_file: ", in->tls_ca, err) : RV_OK;
}

/* ---- exports ---- */

static rv_status column_comments(const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    RV_TRY(rv_buf_add_c(b, "    # columns:\n", err));
    for (size_t i = 0; i < p->table->n_columns; i++) {
        const rv_catalog_column *c = &p->table->columns[i];
        RV_TRY(rv_buf_add_c(b, "    #   ", err));
        RV_TRY(comment_text(b, c->name, err));
        RV_TRY(rv_buf_add_byte(b, ' ', err));
        RV_TRY(comment_text(b, c->data_type[0] ? c->data_type : "untyped", err));
        RV_TRY(rv_buf_printf(b, err, "%s%s%s\n", c->nullable ? "" : " not null",
                             c->primary_key ? " primary key" : "",
                             c->unsupported ? " (no lossless type)" : ""));
    }
    return RV_OK;
}

static bool plain_ident(const char *s)
{
    bool ok = *s && !(*s >= '0' && *s <= '9');
    for (const char *p = s; *p && ok; p++)
        ok = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
             *p == '_';
    return ok;
}

static rv_status part_of_name(rv_buf *b, const char *s, rv_error *err)
{
    if (plain_ident(s))
        return rv_buf_add_c(b, s, err);
    RV_TRY(rv_buf_add_byte(b, '"', err));
    for (const char *p = s; *p; p++) {
        if (*p == '"')
            RV_TRY(rv_buf_add_byte(b, '"', err));
        RV_TRY(rv_buf_add_byte(b, (uint8_t)*p, err));
    }
    return rv_buf_add_byte(b, '"', err);
}

/* Unusual parts of a table's name stand in double quotes, on every engine. */
static rv_status table_name(const rv_initing *in, const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    const char *schema = p->table->schema;
    bool own = schema && in->database && strcmp(schema, in->database) == 0;
    rv_buf name = RV_BUF_INIT;
    rv_status st = RV_OK;
    if (schema && !own) {
        RV_GO(part_of_name(&name, schema, err));
        RV_GO(rv_buf_add_byte(&name, '.', err));
    }
    RV_GO(part_of_name(&name, p->table->name, err));
    const char *text = rv_buf_cstr(&name);
    if (!text)
        RV_GO(rv_fail_memory(err));
    if (schema && plain_ident(schema) && plain_ident(p->table->name))
        RV_GO(rv_buf_printf(b, err, "    table: %s\n", text));
    else
        RV_GO(key_value(b, "    table: ", text, err));
done:
    rv_buf_free(&name);
    return st;
}

static rv_status mode_keys(const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    RV_TRY(rv_buf_printf(b, err, "    mode: %s\n", rv_mode_name(p->mode)));
    if (p->cursor_column)
        RV_TRY(key_value(b, "    cursor_column: ", p->cursor_column, err));
    if (p->time_column) {
        RV_TRY(key_value(b, "    time_column: ", p->time_column, err));
        RV_TRY(rv_buf_add_c(b, "    days_window: " WINDOW_DAYS "\n", err));
    }
    if (p->chunk_column)
        RV_TRY(key_value(b, "    chunk_column: ", p->chunk_column, err));
    if (p->chunk_by_key)
        RV_TRY(key_value(b, "    chunk_by_key: ", p->chunk_by_key, err));
    if (p->mode != RV_CHUNKED)
        return RV_OK;
    RV_TRY(rv_buf_add_c(b, "    chunk_size: " CHUNK_ROWS "\n", err));
    if (p->parallel)
        RV_TRY(rv_buf_printf(b, err, "    parallel: %u\n", p->parallel));
    return rv_buf_add_c(b, "    chunk_checkpoint: true\n", err);
}

static rv_status columns(const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    bool begun = false;
    for (size_t i = 0; i < p->table->n_columns; i++) {
        const rv_catalog_column *c = &p->table->columns[i];
        bool decimal =
            !c->unsupported && (rv_kind)c->type.kind == RV_DECIMAL && !c->unconstrained_decimal;
        if (!decimal && !c->unconstrained_decimal && !c->unsupported)
            continue;
        RV_TRY(rv_buf_add_c(b, begun ? "" : "    columns:\n", err));
        begun = true;
        RV_TRY(rv_buf_add_c(b, "      ", err));
        RV_TRY(scalar(b, c->name, err));
        if (decimal)
            RV_TRY(rv_buf_printf(b, err, ": decimal(%u,%u)\n", c->type.precision, c->type.scale));
        else if (c->unsupported)
            RV_TRY(rv_buf_add_c(b, ": text  # REVIEW: no lossless type\n", err));
        else
            RV_TRY(rv_buf_add_c(b, ": decimal(38,18)  # REVIEW: the source declares no precision\n",
                                err));
    }
    return RV_OK;
}

static rv_status row_groups(const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    unsigned wide = 0;
    for (size_t i = 0; i < p->table->n_columns; i++)
        wide += p->table->columns[i].wide;
    if (wide < WIDE_COLUMNS && p->table->row_estimate < LARGE_ROWS)
        return RV_OK;
    return rv_buf_printf(b, err, "    parquet:\n      target_row_group_mb: %u\n",
                         wide >= WIDE_COLUMNS ? 64u : 128u);
}

static rv_status destination(const rv_initing *in, const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    const rv_init_opts *o = in->opts;
    const char *prefix;
    RV_TRY(rv_buf_add_c(b, "    destination:\n", err));
    RV_TRY(rv_arena_printf(in->arena, &prefix, err, "exports/%s/", p->export_name));
    if (o->gcs_bucket) {
        RV_TRY(key_value(b, "      type: gcs\n      bucket: ", o->gcs_bucket, err));
        if (o->gcs_credentials_file)
            RV_TRY(key_value(b, "      credentials_file: ", o->gcs_credentials_file, err));
    } else if (o->s3_bucket) {
        RV_TRY(key_value(b, "      type: s3\n      bucket: ", o->s3_bucket, err));
        if (o->s3_region)
            RV_TRY(key_value(b, "      region: ", o->s3_region, err));
    } else if (o->azure_container) {
        RV_TRY(key_value(b, "      type: azure\n      bucket: ", o->azure_container, err));
        if (o->azure_account)
            RV_TRY(key_value(b, "      account_name: ", o->azure_account, err));
    } else {
        return rv_buf_add_c(b, "      type: local\n      path: ./output\n", err);
    }
    return key_value(b, "      prefix: ", prefix, err);
}

static rv_status export_block(const rv_initing *in, const rv_init_plan *p, rv_buf *b, rv_error *err)
{
    RV_TRY(key_value(b, "  - name: ", p->export_name, err));
    RV_TRY(table_name(in, p, b, err));
    RV_TRY(column_comments(p, b, err));
    if (p->comment)
        RV_TRY(rv_buf_printf(b, err, "    # %s\n", p->comment));
    RV_TRY(mode_keys(p, b, err));
    RV_TRY(rv_buf_add_c(b, "    format: parquet\n", err));
    RV_TRY(columns(p, b, err));
    RV_TRY(row_groups(p, b, err));
    return destination(in, p, b, err);
}

rv_status rv_init_yaml(rv_initing *in, rv_buf *out, rv_error *err)
{
    RV_TRY(header(in, out, err));
    RV_TRY(source(in, out, err));
    RV_TRY(rv_buf_add_c(out, "\nexports:\n", err));
    for (size_t i = 0; i < in->n_plans; i++) {
        RV_TRY(rv_buf_add_c(out, i ? "\n" : "", err));
        RV_TRY(export_block(in, &in->plans[i], out, err));
    }
    return RV_OK;
}
