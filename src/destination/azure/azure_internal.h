/* destination/azure/azure_internal.h: what the files of this store share.
 * Source: Azure Blob service REST API, version 2021-12-02; spec "destinations". */
#ifndef RV_DESTINATION_AZURE_INTERNAL_H
#define RV_DESTINATION_AZURE_INTERNAL_H

#include "destination/cloud/call.h"
#include "destination/cloud/oauth.h"
#include "destination/cloud/store.h"

#define RV_AZURE_VERSION "2021-12-02" /* the first that knows the tier Cold */
#define RV_AZURE_OWNER "rivetowner"   /* names of metadata are identifiers: no '-' */

typedef enum rv_azure_auth {
    RV_AZURE_ANONYMOUS,
    RV_AZURE_KEY,
    RV_AZURE_SAS,
    RV_AZURE_TOKEN
} rv_azure_auth;

typedef struct rv_azure_sas {
    const char *query; /* without '?' */
    const char *end;   /* `se` decoded, "" when there is none */
    int64_t until_us;  /* 0: none */
} rv_azure_sas;

typedef struct rv_azure_identity { /* who asks for tokens, and where */
    const char *authority;         /* of Entra ID, without a trailing slash; NULL: managed */
    const char *tenant, *client;   /* client may be NULL for a managed identity */
    const char *secret;            /* or */
    const char *token_file;
    const char *endpoint, *header; /* managed: IDENTITY_ENDPOINT and _HEADER; NULL: the VM's */
    const char *vm;                /* base URL of the VM's service */
} rv_azure_identity;

struct rv_store {
    const rv_env *env;
    rv_arena arena;
    const char *account; /* "" when nothing needs it */
    const char *base;    /* endpoint, no slash at its end */
    const char *written; /* as configured, "" = the service's own */
    const char *container, *uri;
    const char *tier, *scope; /* NULL: none */
    rv_azure_auth auth;
    rv_buf key; /* Shared Key, decoded; wiped */
    rv_azure_sas sas;
    rv_azure_identity identity;
    rv_oauth *oauth;
    const char *described;       /* of the credentials */
    atomic_int_fast64_t skew_us; /* the service's clock less ours */
    rv_call_rules rules;
};

/* ---- auth.c: the chain of section 4; sets account and base too ---- */
rv_status rv_azure_resolve(rv_store *s, const rv_cfg_dest *cfg, rv_error *err) RV_MUST_USE;
rv_status rv_azure_authorize(void *store, rv_call *c, rv_error *err) RV_MUST_USE;

/* ---- connection.c ---- */
typedef struct rv_azure_connection { /* members that are absent are NULL */
    const char *account, *key, *sas, *endpoint;
    bool custom; /* the endpoint is not one of the public service */
} rv_azure_connection;
/* Reads "Name=value;..."; a malformed one is RV_E_DEST_AUTH, its text not shown. */
rv_status rv_azure_connection_read(rv_str text, rv_arena *arena, rv_azure_connection *out,
                                   rv_error *err) RV_MUST_USE;

/* ---- sas.c ---- */
/* Strips one leading '?' and finds the end of validity. A token that is over:
 * RV_E_DEST_SAS_EXPIRED; less than an hour left: a WARN. */
rv_status rv_azure_sas_read(const rv_env *env, const char *text, rv_arena *arena, rv_azure_sas *out,
                            rv_error *err) RV_MUST_USE;
rv_status rv_azure_sas_check(const rv_azure_sas *sas, int64_t now_us, rv_error *err) RV_MUST_USE;

/* ---- sign.c ---- */
/* The text that Shared Key signs, of a request as it will be sent. */
rv_status rv_azure_text_to_sign(const char *account, const rv_http_request *req, rv_buf *out,
                                rv_error *err) RV_MUST_USE;
/* "SharedKey account:signature". */
rv_status rv_azure_sign(const char *account, rv_bytes key, const rv_http_request *req, rv_buf *out,
                        rv_error *err) RV_MUST_USE;

/* ---- token.c: an rv_oauth_fetch over an rv_store ---- */
rv_status rv_azure_fetch_token(void *ctx, rv_http *h, rv_oauth_grant *out, rv_error *err);

/* ---- request.c ---- */
/* base/container[/name]?query, with the SAS behind it; `query` is percent-encoded, may be "". */
rv_status rv_azure_url(rv_store *s, rv_call *c, const char *name, const char *query,
                       rv_error *err) RV_MUST_USE;
rv_http_verdict rv_azure_judge(void *store, rv_call *c, const rv_http_response *r);
/* x-ms-error-code, or the Code of the body; ptr NULL when neither. */
rv_str rv_azure_code(rv_call *c);
/* What an answer that is no success means. */
rv_status rv_azure_fail(rv_store *s, rv_call *c, rv_error *err) RV_MUST_USE;
/* Sorts an answer to a request for one object into an outcome, or fails. */
rv_status rv_azure_settle(rv_store *s, rv_call *c, rv_store_condition condition,
                          rv_store_outcome *out, rv_error *err) RV_MUST_USE;
rv_status rv_azure_condition(rv_call *c, rv_store_condition condition, const char *version,
                             rv_error *err) RV_MUST_USE;
/* Content type, owner, tier and scope of an object that is being made. */
rv_status rv_azure_describe(const rv_store *s, rv_call *c, const rv_store_write *w,
                            rv_error *err) RV_MUST_USE;

/* ---- members of the table: object.c, list.c, blocks.c ---- */
rv_status rv_azure_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                       rv_error *err);
rv_status rv_azure_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                        rv_store_outcome *outcome, rv_error *err);
rv_status rv_azure_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                       rv_sink sink, rv_store_outcome *outcome, rv_error *err);
rv_status rv_azure_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                          rv_store_outcome *outcome, rv_error *err);
rv_status rv_azure_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                        const char *to, rv_store_outcome *outcome, rv_error *err);
rv_status rv_azure_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err);
/* The objects below dir out of one answer. RV_E_DEST_IO for what is no listing. */
rv_status rv_azure_page_read(rv_store *s, rv_bytes page, rv_arena *arena, const char *dir,
                             rv_store_page *io, rv_error *err) RV_MUST_USE;
rv_status rv_azure_upload_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                                rv_store_outcome *outcome, rv_error *err);
rv_status rv_azure_upload_part(rv_store *s, rv_http *h, const rv_store_write *w,
                               const char *upload_id, rv_store_piece *io, rv_store_outcome *outcome,
                               rv_error *err);
rv_status rv_azure_upload_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                                 const char *upload_id, const rv_store_piece *pieces, size_t n,
                                 rv_store_outcome *outcome, rv_error *err);
rv_status rv_azure_upload_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                                rv_store_outcome *outcome, rv_error *err);

#endif
