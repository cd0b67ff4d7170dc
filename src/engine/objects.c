#include "engine/objects.h"

#include <string.h>

#include "base/mem.h"

#define STEP_BYTES (256u * 1024u)
#define READ_TRIES 5

/* *out_shrank: it is not what it was when its size was asked for. */
static rv_status read_whole(const rv_dest_driver *dd, rv_dest *dest, const char *key, size_t want,
                            rv_buf *out, bool *out_shrank, rv_error *err)
{
    size_t got = 0;
    *out_shrank = false;
    RV_TRY(rv_buf_reserve(out, want + 1, err));
    while (out->len < want) {
        RV_TRY(dd->read(dest, key, out->len, out->ptr + out->len, want - out->len, &got, err));
        *out_shrank = got == 0;
        if (*out_shrank)
            return RV_OK;
        out->len += got;
    }
    return RV_OK;
}

rv_status rv_object_read_all(const rv_dest_driver *dd, rv_dest *dest, const char *key, size_t max,
                             rv_buf *out, bool *out_found, rv_error *err)
{
    rv_object obj;
    /* exports of one prefix that end together replace its shared names again and again */
    for (int i = 0; i < READ_TRIES; i++) {
        bool shrank;
        rv_buf_clear(out);
        RV_TRY(dd->stat(dest, key, &obj, out_found, err));
        if (!*out_found)
            return RV_OK;
        if (obj.size_bytes > max)
            return rv_fail(err, RV_E_CORRUPT, "%s is %llu bytes large", key,
                           (unsigned long long)obj.size_bytes);
        RV_TRY(read_whole(dd, dest, key, (size_t)obj.size_bytes, out, &shrank, err));
        if (!shrank)
            return RV_OK;
    }
    return rv_fail(err, RV_E_CORRUPT, "%s ended early", key);
}

rv_status rv_object_look(const rv_dest_driver *dd, rv_dest *dest, const char *key, rv_object *out,
                         bool *out_found, bool *out_known, rv_error *err)
{
    rv_error local = {.code = RV_OK};
    rv_status st = dd->stat(dest, key, out, out_found, &local);
    *out_known = st != RV_E_DEST_PERMISSION;
    if (*out_known && st != RV_OK)
        *err = local;
    else if (!*out_known)
        *out_found = false;
    return *out_known ? st : RV_OK;
}

static rv_status read_exact(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err)
{
    rv_object_reader *r = self;
    while (len) {
        size_t got = 0;
        RV_TRY(r->dd->read(r->dest, r->key, offset, out, len, &got, err));
        if (got == 0)
            return rv_fail(err, RV_E_CORRUPT, "%s ended early at byte %llu", r->key,
                           (unsigned long long)offset);
        out += got;
        offset += got;
        len -= got;
    }
    return RV_OK;
}

rv_readable rv_object_readable(rv_object_reader *r, uint64_t size_bytes)
{
    return (rv_readable){.self = r, .size_bytes = size_bytes, .read = read_exact};
}

rv_status rv_object_digest(const rv_dest_driver *dd, rv_dest *dest, const char *key,
                           rv_cancel *cancel, rv_digests *out, rv_error *err)
{
    rv_status st = RV_OK;
    rv_digest digest = {0};
    uint64_t offset = 0;
    size_t got = 0;
    uint8_t *step = rv_alloc(STEP_BYTES);
    if (!step || !rv_digest_init(&digest)) {
        st = rv_fail_memory(err);
        goto done;
    }
    do {
        RV_GO(rv_cancel_check(cancel, err));
        RV_GO(dd->read(dest, key, offset, step, STEP_BYTES, &got, err));
        rv_digest_update(&digest, step, got);
        offset += got;
    } while (got == STEP_BYTES);
    rv_digest_final(&digest, out);
done:
    rv_digest_free(&digest);
    rv_free(step);
    return st;
}

rv_status rv_part_abort_left(const rv_dest_driver *dd, rv_dest *dest, const rv_part_row *row,
                             rv_error *err)
{
    if (!row->upload_id && strcmp(row->status, "pending") != 0)
        return RV_OK;
    return dd->abort_upload(dest, row->file_name, row->upload_id, err);
}
