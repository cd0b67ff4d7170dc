#include "cli/render_run.h"

#include "base/clock.h"

#define LABEL "  %-13s"

static rv_status add_text(rv_buf *out, const char *label, const char *text, rv_error *err)
{
    return text ? rv_buf_printf(out, err, LABEL "%s\n", label, text) : RV_OK;
}

static rv_status add_number(rv_buf *out, const char *label, int64_t v, rv_error *err)
{
    return v < 0 ? RV_OK : rv_buf_printf(out, err, LABEL "%lld\n", label, (long long)v);
}

static rv_status add_size(rv_buf *out, const char *label, int64_t bytes, rv_error *err)
{
    char text[32];
    if (bytes < 0)
        return RV_OK;
    rv_size_text((uint64_t)bytes, text);
    return add_text(out, label, text, err);
}

static rv_status add_duration(rv_buf *out, int64_t ms, rv_error *err)
{
    char text[32];
    rv_duration_text(ms < 0 ? 0 : ms, text);
    return add_text(out, "duration:", text, err);
}

static rv_status add_status(rv_buf *out, const rv_export_report *r, rv_error *err)
{
    if (r->skip_reason)
        return rv_buf_printf(out, err, LABEL "%s (%s)\n", "status:", r->status, r->skip_reason);
    return add_text(out, "status:", r->status, err);
}

static rv_status add_chunks(rv_buf *out, const rv_export_report *r, rv_error *err)
{
    if (r->chunks_total < 0)
        return RV_OK;
    RV_TRY(rv_buf_printf(out, err, LABEL "%lld/%lld", "chunks:", (long long)r->chunks_done,
                         (long long)r->chunks_total));
    if (r->chunks_retried > 0)
        RV_TRY(rv_buf_printf(out, err, " (%lld retried)", (long long)r->chunks_retried));
    return rv_buf_add_byte(out, '\n', err);
}

/* The lines of an error below its first: the rules that failed. */
static rv_status add_rules(rv_buf *out, const rv_error *e, rv_error *err)
{
    const char *line = strchr(e->text, '\n');
    while (line) {
        line++;
        size_t len = strcspn(line, "\n");
        RV_TRY(rv_buf_printf(out, err, "    %.*s\n", (int)len, line));
        line = line[len] ? line + len : NULL;
    }
    return RV_OK;
}

static rv_status add_quality(rv_buf *out, const rv_export_report *r, rv_error *err)
{
    if (r->quality_passed < 0)
        return RV_OK;
    RV_TRY(add_text(out, "quality:", r->quality_passed ? "pass" : "FAIL", err));
    return r->quality_passed || r->error.code != RV_E_QUALITY ? RV_OK
                                                              : add_rules(out, &r->error, err);
}

static rv_status add_reconcile(rv_buf *out, const rv_export_report *r, rv_error *err)
{
    if (r->reconciled < 0)
        return RV_OK;
    if (r->reconciled)
        return rv_buf_printf(out, err, LABEL "MATCH (%lld/%lld)\n",
                             "reconcile:", (long long)r->rows, (long long)r->source_count);
    if (r->source_changed)
        return rv_buf_printf(out, err, LABEL "MISMATCH (source changed during run)\n",
                             "reconcile:");
    return rv_buf_printf(out, err, LABEL "MISMATCH (exported %lld, source %lld)\n",
                         "reconcile:", (long long)r->rows, (long long)r->source_count);
}

static rv_status add_checks(rv_buf *out, const rv_export_report *r, rv_error *err)
{
    if (r->validated >= 0)
        RV_TRY(add_text(out, "validated:", r->validated ? "pass" : "FAIL", err));
    if (r->schema_changed >= 0)
        RV_TRY(add_text(out, "schema:", r->schema_changed ? "CHANGED" : "unchanged", err));
    RV_TRY(add_quality(out, r, err));
    return add_reconcile(out, r, err);
}

rv_status rv_render_shell_word(const char *word, rv_buf *out, rv_error *err)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+"
                               "=:,./-";
    if (word[0] && word[strspn(word, safe)] == '\0')
        return rv_buf_add_c(out, word, err);
    RV_TRY(rv_buf_add_byte(out, '\'', err));
    for (const char *p = word; *p; p++) {
        if (*p == '\'')
            RV_TRY(rv_buf_add_c(out, "'\\''", err));
        else
            RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return rv_buf_add_byte(out, '\'', err);
}

static rv_status add_failure(rv_buf *out, const rv_export_report *r, const char *resume,
                             rv_error *err)
{
    char line[sizeof r->error.text];
    if (r->error.code != RV_OK) {
        rv_error_headline(&r->error, line, sizeof line);
        RV_TRY(add_text(out, "error:", line, err));
    }
    if (!r->resumable)
        return RV_OK;
    RV_TRY(rv_buf_printf(out, err, LABEL "%s -e ", "resume:", resume));
    RV_TRY(rv_render_shell_word(r->export_name, out, err));
    return rv_buf_add_c(out, " --resume\n", err);
}

rv_status rv_render_export(const rv_export_report *r, const char *resume, rv_buf *out,
                           rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "── %s ──\n", r->export_name));
    RV_TRY(add_text(out, "run_id:", r->run_id ? r->run_id : "-", err));
    RV_TRY(add_status(out, r, err));
    RV_TRY(add_text(out, "tuning:", r->tuning_text, err));
    RV_TRY(add_text(out, "forced:", r->forced, err));
    RV_TRY(add_number(out, "rows:", r->rows < 0 ? 0 : r->rows, err));
    RV_TRY(add_number(out, "files:", r->files < 0 ? 0 : r->files, err));
    RV_TRY(add_text(out, "output:", r->output, err));
    RV_TRY(add_size(out, "bytes:", r->bytes, err));
    RV_TRY(add_size(out, "bytes read:", r->bytes_read, err));
    RV_TRY(add_duration(out, r->duration_ms, err));
    if (r->peak_rss_mb >= 0)
        RV_TRY(rv_buf_printf(out, err, LABEL "%lldMB (sampled during run)\n",
                             "peak RSS:", (long long)r->peak_rss_mb));
    if (r->cursor_low && r->cursor_high)
        RV_TRY(
            rv_buf_printf(out, err, LABEL "%s -> %s\n", "cursor:", r->cursor_low, r->cursor_high));
    RV_TRY(add_chunks(out, r, err));
    if (r->retries > 0)
        RV_TRY(add_number(out, "retries:", r->retries, err));
    RV_TRY(add_checks(out, r, err));
    return add_failure(out, r, resume, err);
}

typedef struct totals {
    size_t success, failed, skipped;
    int64_t rows, files, bytes;
} totals;

static bool is_failed(const rv_export_report *r)
{
    return r->exit_code != 0;
}

static int64_t known(int64_t v)
{
    return v < 0 ? 0 : v;
}

static totals add_up(const rv_run_report *r)
{
    totals t = {0};
    for (size_t i = 0; i < r->n_exports; i++) {
        const rv_export_report *x = &r->exports[i];
        if (is_failed(x))
            t.failed++;
        else if (strcmp(x->status, "skipped") == 0)
            t.skipped++;
        else
            t.success++;
        t.rows += known(x->rows);
        t.files += known(x->files);
        t.bytes += known(x->bytes);
    }
    return t;
}

rv_status rv_render_summary(const rv_run_report *r, rv_buf *out, rv_error *err)
{
    char line[sizeof r->exports->error.text];
    if (r->n_exports < 2)
        return RV_OK;
    totals t = add_up(r);
    RV_TRY(rv_buf_printf(out, err, "── Run summary (%zu exports) ──\n", r->n_exports));
    RV_TRY(rv_buf_printf(out, err, LABEL "%zu success, %zu failed, %zu skipped\n",
                         "exports:", t.success, t.failed, t.skipped));
    RV_TRY(add_number(out, "rows:", t.rows, err));
    RV_TRY(add_number(out, "files:", t.files, err));
    RV_TRY(add_size(out, "bytes:", t.bytes, err));
    char wall[32];
    rv_duration_text(known(r->duration_ms), wall);
    RV_TRY(add_text(out, "wall time:", wall, err));
    for (size_t i = 0; i < r->n_exports; i++) {
        const rv_export_report *x = &r->exports[i];
        if (!is_failed(x))
            continue;
        rv_error_headline(&x->error, line, sizeof line);
        RV_TRY(rv_buf_printf(out, err, "  ✗ %s: %s\n", x->export_name, line[0] ? line : x->status));
    }
    return RV_OK;
}
