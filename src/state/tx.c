#include <stdio.h>

#include "base/fault.h"
#include "state/state_internal.h"

#define TRIES 5

bool rv_st_try_again(const rv_error *err, rv_status st, unsigned n)
{
    if (st != RV_E_STATE_UNREACHABLE || err->retry == RV_RETRY_P || n + 1 >= TRIES)
        return false;
    rv_db_pause_us(INT64_C(20000) << (2 * n));
    return true;
}

static void kill_point(const rv_tx *tx, const char *suffix)
{
#ifdef RV_FAULTS
    char name[64];
    snprintf(name, sizeof name, "state-%s%s", tx->name, suffix);
    rv_fault_point(name);
#else
    (void)tx;
    (void)suffix;
#endif
}

/* *out_unknown: COMMIT gave no clear answer. */
static rv_status attempt(rv_state *s, const rv_tx *tx, bool *out_unknown, rv_error *err)
{
    RV_TRY(s->backend->begin(s->db, tx->alone ? RV_TX_ALONE : RV_TX_WRITE, err));
    rv_status st = tx->body(s, tx->ctx, err);
    if (st == RV_OK) {
        kill_point(tx, "-before");
        st = s->backend->commit(s->db, err);
        *out_unknown = st != RV_OK;
    }
    if (st != RV_OK) {
        s->backend->rollback(s->db);
        return st;
    }
    kill_point(tx, "");
    kill_point(tx, "-after");
    return RV_OK;
}

typedef struct settle_ctx {
    const rv_tx *tx;
    bool settled;
} settle_ctx;

static rv_status settle_body(rv_state *s, void *ctx, rv_error *err)
{
    settle_ctx *c = ctx;
    return c->tx->settled(s, c->tx->ctx, &c->settled, err);
}

rv_status rv_st_write(rv_state *s, const rv_tx *tx, rv_error *err)
{
    rv_error local = {.code = RV_OK};
    rv_status st;
    for (unsigned n = 0;; n++) {
        bool unknown = false;
        rv_error_clear(&local);
        st = attempt(s, tx, &unknown, &local);
        if (st == RV_OK)
            return RV_OK;
        if (unknown && tx->settled) {
            settle_ctx c = {.tx = tx};
            rv_status read = rv_st_read(s, settle_body, &c, &local);
            if (read == RV_OK && c.settled)
                return RV_OK;
            if (read != RV_OK) {
                st = read;
                break;
            }
        }
        if (!rv_st_try_again(&local, st, n))
            break;
    }
    if (err)
        *err = local;
    return st;
}

rv_status rv_state_write(rv_state *s, const rv_tx *tx, rv_error *err)
{
    pthread_mutex_lock(&s->lock);
    rv_status st = rv_st_write(s, tx, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static rv_status attempt_read(rv_state *s, rv_status (*body)(rv_state *, void *, rv_error *),
                              void *ctx, rv_error *err)
{
    RV_TRY(s->backend->begin(s->db, RV_TX_READ, err));
    rv_status st = body(s, ctx, err);
    s->backend->rollback(s->db);
    return st;
}

rv_status rv_st_read(rv_state *s, rv_status (*body)(rv_state *s, void *ctx, rv_error *err),
                     void *ctx, rv_error *err)
{
    rv_error local = {.code = RV_OK};
    rv_status st;
    unsigned n = 0;
    do {
        rv_error_clear(&local);
        st = attempt_read(s, body, ctx, &local);
    } while (st != RV_OK && rv_st_try_again(&local, st, n++));
    if (st != RV_OK && err)
        *err = local;
    return st;
}

rv_status rv_state_read(rv_state *s, rv_status (*body)(rv_state *s, void *ctx, rv_error *err),
                        void *ctx, rv_error *err)
{
    pthread_mutex_lock(&s->lock);
    rv_status st = rv_st_read(s, body, ctx, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}
