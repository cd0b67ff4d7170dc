#include "destination/cloud/cloud_internal.h"

void rv_lines_init(rv_lines *l, const rv_env *env, const char *ca_file, uint64_t most)
{
    *l = (rv_lines){.env = env,
                    .opts = {.ca_file = ca_file, .linger = true},
                    .most = most < RV_LINES_MAX ? (size_t)most : RV_LINES_MAX};
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->freed, NULL);
}

void rv_lines_close(rv_lines *l)
{
    for (size_t i = 0; i < l->n_idle; i++)
        rv_http_close(l->idle[i]);
    (void)pthread_cond_destroy(&l->freed);
    (void)pthread_mutex_destroy(&l->lock);
}

rv_status rv_lines_take(rv_lines *l, rv_http **out, rv_error *err)
{
    rv_http *h = NULL;
    (void)pthread_mutex_lock(&l->lock);
    while (l->n_taken == l->most)
        (void)pthread_cond_wait(&l->freed, &l->lock);
    l->n_taken++;
    if (l->n_idle)
        h = l->idle[--l->n_idle];
    (void)pthread_mutex_unlock(&l->lock);
    rv_status st = h ? RV_OK : rv_http_open(l->env, &l->opts, &h, err);
    if (st == RV_OK)
        *out = h;
    else
        rv_lines_give(l, NULL);
    return st;
}

void rv_lines_give(rv_lines *l, rv_http *h)
{
    (void)pthread_mutex_lock(&l->lock);
    l->n_taken--;
    if (h)
        l->idle[l->n_idle++] = h;
    (void)pthread_cond_signal(&l->freed);
    (void)pthread_mutex_unlock(&l->lock);
}
