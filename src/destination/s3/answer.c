#include <stdio.h>
#include <strings.h>

#include "destination/s3/s3_internal.h"

bool rv_s3_is(const rv_s3_call *c, const char *code)
{
    return strcmp(c->code, code) == 0;
}

/* It becomes part of a host's name. */
static bool is_region(rv_str s)
{
    if (s.len == 0 || s.len >= RV_S3_REGION_SIZE)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static void keep_region(rv_s3_call *c, rv_str text)
{
    if (!c->there[0] && is_region(text))
        (void)snprintf(c->there, sizeof c->there, "%.*s", RV_STR_ARG(text));
}

static void read_error(rv_s3_call *c, const rv_xml *e)
{
    rv_str code = rv_xml_text(e, "Code"), message = rv_xml_text(e, "Message");
    (void)snprintf(c->code, sizeof c->code, "%.*s", RV_STR_ARG(code));
    (void)snprintf(c->message, sizeof c->message, "%.*s", RV_STR_ARG(message));
    keep_region(c, rv_xml_text(e, "Region"));
}

/* Of an error that came in a 200, because the answer had to begin before the work was done. */
static int status_of(const rv_s3_call *c)
{
    static const struct {
        const char *code;
        int status;
    } known[] = {{"AccessDenied", 403},  {"NoSuchUpload", 404},       {"NoSuchKey", 404},
                 {"NoSuchBucket", 404},  {"PreconditionFailed", 412}, {"NotImplemented", 501},
                 {"InternalError", 500}, {"ServiceUnavailable", 503}, {"SlowDown", 503}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (rv_s3_is(c, known[i].code))
            return known[i].status;
    return 400;
}

void rv_s3_read_answer(rv_s3_call *c, const rv_http_response *r)
{
    rv_arena arena = RV_ARENA_INIT;
    const rv_xml *root = NULL;
    rv_error ignored = {.code = RV_OK};
    bool success = r->status >= 200 && r->status < 300;
    c->status = r->status;
    c->code[0] = c->message[0] = c->there[0] = '\0';
    if (success && !c->error_in_200)
        return;
    keep_region(c, rv_http_header_get(r, "x-amz-bucket-region"));
    c->by_header = c->there[0] != '\0';
    if (r->body.len && rv_xml_parse(rv_buf_bytes(&r->body), &arena, &root, &ignored) == RV_OK &&
        rv_str_eq(root->name, RV_STR("Error"))) {
        read_error(c, root);
        c->status = success ? status_of(c) : r->status;
    }
    rv_arena_free(&arena);
}

/* ---- errors ---- */

static bool any(const rv_s3_call *c, const char *const *codes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rv_s3_is(c, codes[i]))
            return true;
    return false;
}
#define ANY(c, list) any((c), (list), sizeof(list) / sizeof(list)[0])

static bool is_redirect(const rv_s3_call *c)
{
    return c->status >= 300 && c->status < 400;
}

/* Also when the store sends on to the region that was taken from it. */
static bool is_elsewhere(const rv_s3_call *c)
{
    return c->there[0] && (c->before[0] || strcmp(c->there, c->region) != 0) &&
           (is_redirect(c) || rv_s3_is(c, "AuthorizationHeaderMalformed") ||
            (c->status == 400 && !c->code[0]));
}

static rv_status code_of(const rv_s3_call *c)
{
    static const char *const auth[] = {
        "InvalidAccessKeyId",    "SignatureDoesNotMatch",        "InvalidToken",
        "ExpiredToken",          "ExpiredTokenException",        "RequestExpired",
        "TokenRefreshRequired",  "RequestTimeTooSkewed",         "InvalidSecurity",
        "MissingSecurityHeader", "AuthorizationHeaderMalformed", "UnrecognizedClientException",
        "InvalidClientTokenId",  "XAdminUserNotFound",           "NotSignedUp"};
    static const char *const corrupt[] = {"BadDigest", "XAmzContentSHA256Mismatch",
                                          "XAmzContentChecksumMismatch", "InvalidDigest"};
    static const char *const full[] = {"InsufficientStorage", "XMinioStorageFull", "QuotaExceeded",
                                       "InsufficientCapacity"};
    static const char *const passing[] = {"SlowDown", "InternalError", "RequestTimeout",
                                          "OperationAborted", "ServiceUnavailable"};
    if (is_elsewhere(c))
        return RV_E_DEST_REGION;
    if (rv_s3_is(c, "NoSuchBucket"))
        return RV_E_DEST_NO_BUCKET;
    if (c->status == 401 || ANY(c, auth))
        return RV_E_DEST_AUTH;
    if (c->status == 403)
        return RV_E_DEST_PERMISSION;
    if (c->status == 507 || ANY(c, full))
        return RV_E_DEST_NO_SPACE;
    if (ANY(c, corrupt))
        return RV_E_DEST_CORRUPT;
    if (c->status == 404 && !c->key) /* of the bucket itself */
        return RV_E_DEST_NO_BUCKET;
    switch (c->status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return RV_E_DEST_UNREACHABLE;
    default:
        return ANY(c, passing) ? RV_E_DEST_UNREACHABLE : RV_E_DEST_IO;
    }
}

/* Policies that demand encryption deny like all others; only the words tell. */
static bool demands_sse(const rv_s3_call *c)
{
    static const char *const words[] = {"encrypt", "x-amz-server-side", "SSE"};
    if (c->store->sse || strcmp(c->right, "s3:PutObject") != 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(c->message, words[i]))
            return true;
    return false;
}

static void hint_at(const rv_s3_call *c, rv_status code, bool sse, rv_error *err)
{
    const rv_store *s = c->store;
    const char *where = s->creds ? rv_s3_creds_where(s->creds) : "allow_anonymous";
    switch ((int)code) {
    case RV_E_DEST_REGION:
        rv_hint(err, "write region: %s in the destination", c->there);
        break;
    case RV_E_DEST_NO_BUCKET:
        rv_hint(err, "create the bucket '%s' or correct its name; Rivet creates none",
                s->address.bucket);
        break;
    case RV_E_DEST_PERMISSION:
        if (sse)
            rv_hint(err, "set sse: s3 or sse: kms in the destination");
        else
            rv_hint(err, "grant %s on bucket '%s' to the credentials in use (%s)%s", c->right,
                    s->address.bucket, where,
                    !s->sse && strstr(c->message, "resource-based policy")
                        ? "; if the bucket's policy demands encryption, set sse"
                        : "");
        break;
    case RV_E_DEST_AUTH:
        if (rv_s3_is(c, "RequestTimeTooSkewed"))
            rv_hint(err, "set this machine's clock");
        else
            rv_hint(err, "the credentials in use are those of: %s", where);
        break;
    default:
        break;
    }
}

static void describe(const rv_s3_call *c, rv_status code, bool sse, char *out, size_t size)
{
    rv_str to = rv_http_header_get(&c->call.r, "Location");
    const char *host = to.len ? memmem(to.ptr, to.len, "://", 3) : NULL;
    const char *more = c->message[0] ? ": " : "";
    if (code == RV_E_DEST_REGION)
        (void)snprintf(out, size, "the bucket is in region '%s', the request was signed for '%s'",
                       c->there, strcmp(c->there, c->region) == 0 ? c->before : c->region);
    else if (is_redirect(c) && host)
        (void)snprintf(out, size,
                       "%s%sredirected to '%.*s', which is not followed with credentials", c->code,
                       c->code[0] ? ", " : "", (int)strcspn(host + 3, "/?\n"), host + 3);
    else if (c->code[0])
        (void)snprintf(out, size, "%s%s%s%s", c->code, sse ? " (bucket requires SSE)" : "", more,
                       c->message);
    else
        out[0] = '\0';
}

rv_status rv_s3_refuse(rv_s3_call *c, rv_error *err)
{
    char words[512];
    rv_status code = code_of(c);
    bool sse = code == RV_E_DEST_PERMISSION && demands_sse(c);
    describe(c, code, sse, words, sizeof words);
    (void)rv_http_fail(&c->call.req, &c->call.r, code, rv_str_c(words), err);
    if (err && code == RV_E_DEST_UNREACHABLE)
        err->retry = RV_RETRY_N;
    hint_at(c, code, sse, err);
    return code;
}

rv_status rv_s3_settle(rv_s3_call *c, rv_store_outcome *out, rv_error *err)
{
    if (c->status >= 200 && c->status < 300) {
        *out = RV_STORE_DONE;
        return RV_OK;
    }
    bool unmet = c->status == 412 || rv_s3_is(c, "ConditionalRequestConflict");
    bool refused = c->status == 501 || rv_s3_is(c, "NotImplemented");
    if (c->conditional && (unmet || refused)) {
        *out = unmet ? RV_STORE_UNMET : RV_STORE_UNCONDITIONAL;
        return RV_OK;
    }
    if (c->may_miss && c->status == 404 && !rv_s3_is(c, "NoSuchBucket")) {
        *out = RV_STORE_MISSING;
        return RV_OK;
    }
    return rv_s3_refuse(c, err);
}
