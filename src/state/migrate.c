#include "state/state_internal.h"

static const char *const initial[] = {
#include "state/sql/0001_initial.inc"
};

typedef struct migration {
    int64_t version;
    const char *const *statements;
    size_t n;
} migration;

/* In order; only additions. */
static const migration migrations[] = {
    {1, initial, sizeof initial / sizeof initial[0]},
};

/* 0: nothing there yet. */
static rv_status read_version(rv_state *s, int64_t *out, rv_error *err)
{
    rv_db_content content;
    RV_TRY(s->backend->content(s->db, &content, err));
    *out = 0;
    if (content == RV_DB_EMPTY)
        return RV_OK;
    if (content == RV_DB_FOREIGN)
        return rv_fail(err, RV_E_STATE_FOREIGN, "'%s' belongs to another program",
                       s->backend->place(s->db));
    return rv_st_int(s, "SELECT COALESCE(MAX(version), 0) FROM schema_version", RV_NO_PARAMS, out,
                     NULL, err);
}

static rv_status version_body(rv_state *s, void *ctx, rv_error *err)
{
    int64_t *version = ctx;
    return read_version(s, version, err);
}

static rv_status newer(rv_state *s, int64_t version, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_NEWER,
                  "the state '%s' has schema version %lld, this program knows version %d",
                  s->backend->place(s->db), (long long)version, RV_STATE_SCHEMA_VERSION);
    rv_hint(err, "use the newer program, or set RIVET_STATE_URL to another place");
    return RV_E_STATE_NEWER;
}

static rv_status migrate_body(rv_state *s, void *ctx, rv_error *err)
{
    const migration *m = ctx;
    int64_t version;
    char now[RV_RFC3339_SIZE];
    RV_TRY(read_version(s, &version, err));
    if (version >= m->version) /* another process was faster */
        return RV_OK;
    if (version > 0)
        RV_TRY(rv_st_no_live_lease(s, NULL, err));
    for (size_t i = 0; i < m->n; i++)
        RV_TRY(s->backend->exec(s->db, m->statements[i], err));
    RV_TRY(rv_st_now(s, now, err));
    return rv_st_run(
        s,
        "INSERT INTO schema_version (version, applied_at, rivet_version) "
        "VALUES (?, ?, ?)",
        RV_PARAMS(rv_val_int(m->version), rv_val_text(now), rv_val_text(RIVET_VERSION)), NULL, err);
}

rv_status rv_state_migrate(rv_state *s, rv_error *err)
{
    int64_t version;
    RV_TRY(rv_st_read(s, version_body, &version, err));
    if (version > RV_STATE_SCHEMA_VERSION)
        return newer(s, version, err);
    if (version > 0 && version < RV_STATE_SCHEMA_VERSION)
        RV_TRY(s->backend->backup(s->db, version, err));
    for (size_t i = 0; i < sizeof migrations / sizeof migrations[0]; i++) {
        migration m = migrations[i];
        rv_tx tx = {.name = "migrate", .body = migrate_body, .ctx = &m, .alone = true};
        if (m.version > version)
            RV_TRY(rv_st_write(s, &tx, err));
    }
    return RV_OK;
}
