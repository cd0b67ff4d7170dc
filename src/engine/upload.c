#include "engine/upload.h"

#include <stdio.h>
#include <time.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"

#define RV_TARGET "engine"
#define THREADS_MAX 16u
#define LOOK_AGAIN_NS 100000000

struct rv_offers {
    rv_job *job;
    rv_uploader *up;
    char unit[RV_UNIT_NAME_SIZE];
    rv_earlier earlier;
    rv_offer **list; /* in the order they were added */
    size_t n, cap;
    /* under up->lock */
    size_t open;     /* recorded and not yet arrived */
    rv_error ended;  /* what ends the run */
    rv_error upload; /* the first upload that failed for good */
};

struct rv_uploader {
    rv_job *job;
    pthread_mutex_t lock;
    pthread_cond_t work, moved; /* a part waits, or all is over; a part was taken or arrived */
    rv_offer *first, *last;     /* waiting for a thread */
    size_t n_waiting;
    bool over;
    unsigned threads_most; /* 0: parts arrive on the thread that adds them */
    unsigned n_threads, n_idle;
    pthread_t threads[THREADS_MAX];
};

/* ---- one part ---- */

static void drop_file(const char *path)
{
    bool found;
    rv_error ignored = {0};
    if (path)
        (void)!rv_file_remove(path, &found, &ignored);
}

static void free_offer(rv_offer *o)
{
    rv_free(o->part.spool_path);
    rv_free(o);
}

/* Under up->lock. */
static bool wanted(const rv_offers *u)
{
    return u->ended.code == RV_OK && u->upload.code == RV_OK;
}

/* Under up->lock. */
static void note_end(rv_offers *u, rv_status st, const rv_error *err)
{
    if (st != RV_OK && rv_upload_passing(err)) {
        if (u->ended.code == RV_OK)
            u->ended = *err;
    } else if (st != RV_OK && u->upload.code == RV_OK) {
        u->upload = *err;
    }
}

/* Whether it travels or waits in the spool: no unit is sealed over a file that is not on disk. */
static rv_status sync_part(const rv_offer *o, rv_error *err)
{
    int fd;
    if (rv_uploads_units(o->of->job) == 0) /* it was synced when it was closed */
        return RV_OK;
    RV_TRY(rv_file_open_read(o->part.spool_path, &fd, err));
    rv_status st = rv_file_sync(fd, o->part.spool_path, err);
    rv_file_close(fd);
    return st;
}

static void carry(rv_offer *o)
{
    rv_offers *u = o->of;
    rv_error err = {0};
    rv_status synced = sync_part(o, &err), st = synced;
    pthread_mutex_lock(&u->up->lock);
    bool go = wanted(u);
    pthread_mutex_unlock(&u->up->lock);
    if (synced == RV_OK && go)
        st = rv_offer_carry(u->job, u->unit, &u->earlier, o, &err);
    pthread_mutex_lock(&u->up->lock);
    if (synced == RV_OK)
        note_end(u, st, &err);
    else if (u->ended.code == RV_OK)
        u->ended = err;
    u->open--;
    pthread_cond_broadcast(&u->up->moved);
    pthread_mutex_unlock(&u->up->lock);
}

/* ---- the threads ---- */

/* Under up->lock; NULL: all is over. */
static rv_offer *take(rv_uploader *up)
{
    up->n_idle++;
    while (!up->first && !up->over)
        pthread_cond_wait(&up->work, &up->lock);
    up->n_idle--;
    rv_offer *o = up->first;
    if (!o)
        return NULL;
    up->first = o->next;
    if (!up->first)
        up->last = NULL;
    up->n_waiting--;
    pthread_cond_broadcast(&up->moved);
    return o;
}

static void *carry_all(void *arg)
{
    rv_uploader *up = arg;
    rv_offer *o;
    for (;;) {
        pthread_mutex_lock(&up->lock);
        o = take(up);
        pthread_mutex_unlock(&up->lock);
        if (!o)
            return NULL;
        carry(o);
    }
}

/* Under up->lock. False: no thread could be started, ever. */
static bool have_thread(rv_uploader *up)
{
    bool more = up->n_waiting >= up->n_idle && up->n_threads < up->threads_most;
    if (more && pthread_create(&up->threads[up->n_threads], NULL, carry_all, up) == 0)
        up->n_threads++;
    return up->n_threads > 0;
}

/* False: the caller carries it. */
static bool hand_over(rv_uploader *up, rv_offer *o)
{
    pthread_mutex_lock(&up->lock);
    bool threads = up->threads_most && have_thread(up);
    if (threads) {
        o->next = NULL;
        if (up->last)
            up->last->next = o;
        else
            up->first = o;
        up->last = o;
        up->n_waiting++;
        pthread_cond_signal(&up->work);
    }
    pthread_mutex_unlock(&up->lock);
    return threads;
}

static unsigned threads_for(const rv_job *job)
{
    if (job->dd->kind == RV_DEST_LOCAL)
        return 0;
    uint64_t n = job->x->dest.upload_parallel;
    return n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

static rv_status uploader_of(rv_job *job, rv_uploader **out, rv_error *err)
{
    rv_status st = RV_OK;
    pthread_mutex_lock(&job->lock);
    if (!job->uploader) {
        rv_uploader *up = rv_calloc(1, sizeof *up);
        if (up) {
            up->job = job;
            up->threads_most = threads_for(job);
            pthread_mutex_init(&up->lock, NULL);
            pthread_cond_init(&up->work, NULL);
            pthread_cond_init(&up->moved, NULL);
        } else {
            st = rv_fail_memory(err);
        }
        job->uploader = up;
    }
    *out = job->uploader;
    pthread_mutex_unlock(&job->lock);
    return st;
}

void rv_uploads_close(rv_job *job)
{
    rv_uploader *up = job->uploader;
    if (!up)
        return;
    job->uploader = NULL;
    pthread_mutex_lock(&up->lock);
    up->over = true;
    pthread_cond_broadcast(&up->work);
    pthread_mutex_unlock(&up->lock);
    for (unsigned i = 0; i < up->n_threads; i++)
        (void)pthread_join(up->threads[i], NULL);
    pthread_cond_destroy(&up->moved);
    pthread_cond_destroy(&up->work);
    pthread_mutex_destroy(&up->lock);
    rv_free(up);
}

size_t rv_uploads_units(const rv_job *job)
{
    return job->to_stdout ? 0 : threads_for(job);
}

/* Under up->lock: a moment, or until something moved. */
static void wait_a_moment(rv_uploader *up)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_AGAIN_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&up->moved, &up->lock, &until);
}

rv_status rv_uploads_room(rv_job *job, rv_error *err)
{
    rv_status st = RV_OK;
    pthread_mutex_lock(&job->lock);
    rv_uploader *up = job->uploader;
    pthread_mutex_unlock(&job->lock);
    if (!up || !up->threads_most)
        return RV_OK;
    pthread_mutex_lock(&up->lock);
    while (st == RV_OK && up->n_waiting >= up->threads_most) {
        wait_a_moment(up);
        st = rv_cancel_check(job->env->cancel, err);
    }
    pthread_mutex_unlock(&up->lock);
    return st;
}

/* ---- the parts of a unit ---- */

rv_status rv_offers_open(rv_job *job, const char *unit, rv_offers **out, rv_error *err)
{
    rv_uploader *up;
    RV_TRY(uploader_of(job, &up, err));
    rv_offers *u = rv_calloc(1, sizeof *u);
    if (!u)
        return rv_fail_memory(err);
    u->job = job;
    u->up = up;
    (void)snprintf(u->unit, sizeof u->unit, "%s", unit);
    *out = u;
    return RV_OK;
}

static rv_status room_for_one(rv_offers *u, rv_error *err)
{
    if (u->n < u->cap)
        return RV_OK;
    size_t cap = u->cap ? u->cap * 2 : 4;
    rv_offer **list = rv_realloc_array(u->list, cap, sizeof(void *));
    if (!list)
        return rv_fail_memory(err);
    u->list = list;
    u->cap = cap;
    return RV_OK;
}

static rv_status new_offer(rv_offers *u, rv_part *part, rv_offer **out, rv_error *err)
{
    rv_offer *o = rv_calloc(1, sizeof *o);
    if (!o)
        return rv_fail_memory(err);
    rv_status st = room_for_one(u, err);
    if (st != RV_OK) {
        rv_free(o);
        return st;
    }
    o->part = *part;
    o->of = u;
    part->spool_path = NULL;
    *out = o;
    return RV_OK;
}

rv_status rv_offers_add(rv_offers *u, rv_part *part, rv_error *err)
{
    rv_offer *o;
    RV_TRY(new_offer(u, part, &o, err));
    rv_status st = rv_offer_record(u->job, u->unit, &u->earlier, o, err);
    pthread_mutex_lock(&u->up->lock);
    if (st == RV_OK && u->ended.code != RV_OK) { /* of an earlier part */
        *err = u->ended;
        st = err->code;
    } else if (st != RV_OK && u->ended.code == RV_OK) {
        u->ended = *err;
    }
    u->open += st == RV_OK;
    pthread_mutex_unlock(&u->up->lock);
    if (st != RV_OK) { /* an intent may name the file: it stays */
        free_offer(o);
        return st;
    }
    u->list[u->n++] = o;
    if (!hand_over(u->up, o))
        carry(o);
    return RV_OK;
}

void rv_offers_withhold(rv_offers *u, const rv_error *why)
{
    pthread_mutex_lock(&u->up->lock);
    if (u->upload.code == RV_OK)
        u->upload = *why;
    pthread_mutex_unlock(&u->up->lock);
}

bool rv_offers_arrived(rv_offers *u)
{
    pthread_mutex_lock(&u->up->lock);
    bool arrived = u->open == 0;
    pthread_mutex_unlock(&u->up->lock);
    return arrived;
}

rv_status rv_offers_wait(rv_offers *u, const char *const **out_names, size_t *out_n,
                         rv_error *out_upload, rv_error *err)
{
    pthread_mutex_lock(&u->up->lock);
    while (u->open)
        pthread_cond_wait(&u->up->moved, &u->up->lock);
    *out_upload = u->upload;
    rv_status st = u->ended.code;
    if (st != RV_OK)
        *err = u->ended;
    pthread_mutex_unlock(&u->up->lock);
    if (st != RV_OK)
        return st;
    const char **names;
    pthread_mutex_lock(&u->job->lock);
    st = rv_arena_array(&u->job->arena, u->n + 1, sizeof *names, &names, err);
    pthread_mutex_unlock(&u->job->lock);
    if (st != RV_OK)
        return st;
    for (size_t i = 0; i < u->n; i++)
        names[i] = u->list[i]->part.name;
    *out_names = names;
    *out_n = u->n;
    return RV_OK;
}

/* Under up->lock: what no thread has taken yet will not travel. */
static void drop_waiting(rv_offers *u)
{
    rv_uploader *up = u->up;
    rv_offer *before = NULL, *next;
    for (rv_offer *o = up->first; o; o = next) {
        next = o->next;
        if (o->of != u) {
            before = o;
            continue;
        }
        if (before)
            before->next = next;
        else
            up->first = next;
        up->n_waiting--;
        u->open--;
        drop_file(o->part.spool_path);
        atomic_fetch_sub(&u->job->spooled, (int64_t)o->part.digests.size_bytes);
    }
    up->last = before;
    pthread_cond_broadcast(&up->moved);
}

void rv_offers_free(rv_offers *u)
{
    if (!u)
        return;
    pthread_mutex_lock(&u->up->lock);
    if (u->open)
        drop_waiting(u);
    while (u->open)
        pthread_cond_wait(&u->up->moved, &u->up->lock);
    pthread_mutex_unlock(&u->up->lock);
    for (size_t i = 0; i < u->n; i++)
        free_offer(u->list[i]);
    rv_free(u->list);
    rv_arena_free(&u->earlier.arena);
    rv_free(u);
}
