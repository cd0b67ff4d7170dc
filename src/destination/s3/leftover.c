#include "destination/s3/s3_internal.h"

/* Uploads of this very name; others that begin alike are listed behind them. */
static rv_status abort_listed(rv_store *s, rv_http *h, const rv_xml *root, const char *name,
                              rv_store_outcome *outcome, rv_error *err)
{
    for (const rv_xml *x = rv_xml_child(root, "Upload"); x; x = rv_xml_next(x)) {
        rv_str id = rv_xml_text(x, "UploadId");
        if (!rv_str_eq(rv_xml_text(x, "Key"), rv_str_c(name)) || !id.len)
            continue;
        RV_TRY(rv_s3_upload_abort(s, h, name, id.ptr, outcome, err));
        *outcome = RV_STORE_DONE;
    }
    return RV_OK;
}

rv_status rv_s3_abort_leftovers(rv_store *s, rv_http *h, const char *name,
                                rv_store_outcome *outcome, rv_error *err)
{
    const rv_xml *root = NULL;
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "GET", NULL, "s3:ListBucketMultipartUploads");
    rv_s3_param(&c, "uploads", "");
    rv_s3_param(&c, "prefix", name);
    RV_GO(rv_s3_send(&c, err));
    RV_GO(rv_s3_settle(&c, outcome, err));
    RV_GO(rv_xml_parse(rv_buf_bytes(&c.call.r.body), &c.call.arena, &root, err));
    *outcome = RV_STORE_MISSING;
    st = abort_listed(s, h, root, name, outcome, err);
done:
    rv_s3_call_free(&c);
    return st;
}
