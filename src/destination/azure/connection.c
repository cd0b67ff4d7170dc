#include "destination/azure/azure_internal.h"

/* Published with the emulator: no secret. */
#define EMULATOR_ACCOUNT "devstoreaccount1"
#define EMULATOR_KEY                                                                               \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define EMULATOR_ENDPOINT "http://127.0.0.1:10000/devstoreaccount1"
#define PUBLIC_SUFFIX "core.windows.net"

typedef struct parts {
    const char *protocol, *account, *key, *sas, *endpoint, *suffix, *development;
} parts;

static const char **slot_of(parts *p, rv_str name)
{
    const struct {
        const char *name;
        const char **slot;
    } known[] = {{"DefaultEndpointsProtocol", &p->protocol},
                 {"AccountName", &p->account},
                 {"AccountKey", &p->key},
                 {"SharedAccessSignature", &p->sas},
                 {"BlobEndpoint", &p->endpoint},
                 {"EndpointSuffix", &p->suffix},
                 {"UseDevelopmentStorage", &p->development}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (rv_str_eq_nocase(name, rv_str_c(known[i].name)))
            return known[i].slot;
    return NULL;
}

static rv_status split(rv_str text, rv_arena *arena, parts *out, rv_error *err)
{
    while (text.len) {
        const char *end = memchr(text.ptr, ';', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        rv_str member = rv_str_trim((rv_str){text.ptr, len});
        const char *equal = member.len ? memchr(member.ptr, '=', member.len) : NULL;
        if (member.len && !equal)
            return rv_fail(err, RV_E_DEST_AUTH,
                           "the Azure connection string is not made of Name=value;...");
        len += end != NULL;
        text = (rv_str){text.ptr + len, text.len - len};
        if (!equal)
            continue;
        size_t n = (size_t)(equal - member.ptr);
        const char **slot = slot_of(out, rv_str_trim((rv_str){member.ptr, n}));
        rv_str value = rv_str_trim((rv_str){equal + 1, member.len - n - 1});
        if (slot && value.len)
            RV_TRY(rv_arena_cstr(arena, value, slot, err));
    }
    return RV_OK;
}

static rv_status build_endpoint(const parts *p, rv_arena *arena, rv_azure_connection *out,
                                rv_error *err)
{
    const char *protocol = p->protocol ? p->protocol : "https";
    const char *suffix = p->suffix ? p->suffix : PUBLIC_SUFFIX;
    if (p->endpoint || !p->account) {
        out->endpoint = p->endpoint;
        out->custom = p->endpoint != NULL;
        return RV_OK;
    }
    bool secure = rv_str_eq_nocase(rv_str_c(protocol), RV_STR("https"));
    out->custom = !secure || !rv_str_eq_nocase(rv_str_c(suffix), RV_STR(PUBLIC_SUFFIX));
    return rv_arena_printf(arena, &out->endpoint, err, "%s://%s.blob.%s", secure ? "https" : "http",
                           p->account, suffix);
}

rv_status rv_azure_connection_read(rv_str text, rv_arena *arena, rv_azure_connection *out,
                                   rv_error *err)
{
    parts p = {0};
    RV_TRY(split(text, arena, &p, err));
    rv_azure_connection made = {.account = p.account, .key = p.key, .sas = p.sas};
    if (p.development && rv_str_eq_nocase(rv_str_c(p.development), RV_STR("true"))) {
        made.account = EMULATOR_ACCOUNT;
        made.key = EMULATOR_KEY;
        made.endpoint = EMULATOR_ENDPOINT;
        made.custom = true;
    } else {
        RV_TRY(build_endpoint(&p, arena, &made, err));
    }
    if (!made.key && !made.sas)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "the Azure connection string holds neither AccountKey nor "
                       "SharedAccessSignature");
    if (!made.endpoint)
        return rv_fail(err, RV_E_DEST_AUTH,
                       "the Azure connection string holds neither AccountName nor BlobEndpoint");
    *out = made;
    return RV_OK;
}
