#include "cli/render_validate.h"

#include <ctype.h>

bool rv_validate_passed(const rv_validate_report *r)
{
    return r->error.code == RV_OK && (r->passed || r->legacy_run);
}

static rv_status add_count(rv_buf *out, int64_t n, const char *what, rv_error *err)
{
    return n > 0 ? rv_buf_printf(out, err, ", %lld %s", (long long)n, what) : RV_OK;
}

static rv_status add_parts(const rv_validate_report *r, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "  parts:     %lld verified", (long long)r->parts_verified));
    if (r->parts_md5_verified > 0)
        RV_TRY(rv_buf_printf(out, err, " (%lld md5)", (long long)r->parts_md5_verified));
    int64_t named = (r->parts_missing > 0 ? r->parts_missing : 0) +
                    (r->parts_size_mismatch > 0 ? r->parts_size_mismatch : 0);
    RV_TRY(add_count(out, r->parts_missing, "missing", err));
    RV_TRY(add_count(out, r->parts_size_mismatch, "size mismatch", err));
    RV_TRY(add_count(out, r->parts_failed - named, "damaged", err));
    RV_TRY(add_count(out, r->parts_untracked, "untracked", err));
    return rv_buf_add_byte(out, '\n', err);
}

rv_status rv_render_validate(const rv_validate_report *r, rv_buf *out, rv_error *err)
{
    const char *status = r->legacy_run           ? "LEGACY (no manifest; legacy_run: true)"
                         : rv_validate_passed(r) ? "PASSED"
                                                 : "FAILED";
    RV_TRY(rv_buf_printf(out, err, "%s\n  prefix:    %s\n  status:    %s\n", r->export_name,
                         r->prefix ? r->prefix : "-", status));
    if (r->error.code != RV_OK)
        return RV_OK;
    RV_TRY(add_parts(r, out, err));
    if (!r->legacy_run) {
        RV_TRY(rv_buf_printf(out, err, "  _SUCCESS:  %s\n",
                             r->success_marker_consistent ? "consistent" : "INCONSISTENT"));
        RV_TRY(rv_buf_printf(out, err, "  manifest:  %s\n",
                             !r->manifest_found            ? "MISSING"
                             : r->manifest_self_consistent ? "self-consistent"
                                                           : "INCONSISTENT"));
    }
    for (size_t i = 0; i < r->n_failures; i++) {
        const rv_failure *f = &r->failures[i];
        const char *what = f->path ? f->path : f->key ? f->key : "";
        RV_TRY(rv_buf_printf(out, err, "  %s  %s: %s%s%s\n", f->fatal ? "✗" : "•", f->kind, what,
                             what[0] ? ": " : "", f->message));
    }
    return RV_OK;
}

/* These kinds always carry part_id, path, expected and actual, null where unknown. */
static bool is_of_a_part(const char *kind)
{
    return strncmp(kind, "part_", 5) == 0 || strcmp(kind, "value_checksum_mismatch") == 0;
}

static void json_failure(rv_json *j, const rv_failure *f)
{
    char code[96] = "RIVET_VALIDATE_";
    size_t at = strlen(code);
    for (const char *p = f->kind; *p && at + 1 < sizeof code; p++)
        code[at++] = (char)toupper((unsigned char)*p);
    code[at] = '\0';
    rv_json_object(j);
    rv_json_kstr(j, "kind", f->kind);
    rv_json_kstr(j, "code", code);
    rv_json_kstr(j, "message", f->message);
    if (is_of_a_part(f->kind)) {
        rv_json_key(j, "part_id");
        if (f->part_id >= 0)
            rv_json_i64(j, f->part_id);
        else
            rv_json_null(j);
        rv_json_kstr(j, "path", f->path);
        rv_json_kstr(j, "expected", f->expected);
        rv_json_kstr(j, "actual", f->actual);
    }
    if (f->key)
        rv_json_kstr(j, "key", f->key);
    if (f->size_bytes >= 0)
        rv_json_ki64(j, "size_bytes", f->size_bytes);
    if (f->status)
        rv_json_kstr(j, "status", f->status);
    rv_json_object_end(j);
}

static void json_export(rv_json *j, const rv_validate_report *r)
{
    rv_json_object(j);
    rv_json_kstr(j, "export_name", r->export_name);
    rv_json_kstr(j, "resolved_prefix", r->prefix);
    rv_json_kstr(j, "run_id", r->run_id);
    rv_json_key(j, "verification");
    rv_json_object(j);
    rv_json_kbool(j, "manifest_found", r->manifest_found);
    rv_json_kbool(j, "legacy_run", r->legacy_run);
    rv_json_ki64(j, "parts_verified", r->parts_verified);
    rv_json_ki64(j, "parts_md5_verified", r->parts_md5_verified);
    rv_json_ki64(j, "parts_failed", r->parts_failed);
    rv_json_ki64(j, "parts_untracked", r->parts_untracked);
    rv_json_kbool(j, "success_marker_consistent", r->success_marker_consistent);
    rv_json_kbool(j, "manifest_self_consistent", r->manifest_self_consistent);
    rv_json_kbool(j, "passed", r->passed);
    rv_json_key(j, "failures");
    rv_json_array(j);
    for (size_t i = 0; i < r->n_failures; i++)
        json_failure(j, &r->failures[i]);
    rv_json_array_end(j);
    rv_json_kstr(j, "depth_level", r->depth);
    rv_json_object_end(j);
    rv_json_object_end(j);
}

/* "export 'x': text" of what did not fail the export, or of what kept it from being checked. */
static rv_status json_text(rv_json *j, const char *export_name, const char *text, rv_error *err)
{
    rv_buf line = RV_BUF_INIT;
    rv_status st =
        rv_buf_printf(&line, err, "export '%s': %.*s", export_name, (int)strcspn(text, "\n"), text);
    if (st == RV_OK)
        rv_json_str(j, rv_buf_str(&line));
    rv_buf_free(&line);
    return st;
}

rv_status rv_render_validate_json(const rv_validate_report *reports, size_t n, rv_buf *out,
                                  rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_key(&j, "exports");
    rv_json_array(&j);
    for (size_t i = 0; i < n; i++)
        json_export(&j, &reports[i]);
    rv_json_array_end(&j);
    rv_json_key(&j, "warnings");
    rv_json_array(&j);
    for (size_t i = 0; i < n; i++) {
        if (reports[i].warning)
            RV_TRY(json_text(&j, reports[i].export_name, reports[i].warning, err));
        for (size_t k = 0; k < reports[i].n_failures; k++)
            if (!reports[i].failures[k].fatal)
                RV_TRY(json_text(&j, reports[i].export_name, reports[i].failures[k].message, err));
    }
    rv_json_array_end(&j);
    rv_json_key(&j, "errors");
    rv_json_array(&j);
    for (size_t i = 0; i < n; i++)
        if (reports[i].error.code != RV_OK)
            RV_TRY(json_text(&j, reports[i].export_name, reports[i].error.text, err));
    rv_json_array_end(&j);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}
