#include "fake_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "destination/cloud/call.h"
#include "destination/cloud/cloud_internal.h"

struct rv_store {
    fake_bucket *b;
    unsigned tries;
};

static fake_bucket *in_use;

void fake_bucket_use(fake_bucket *b)
{
    in_use = b;
}

void fake_bucket_init(fake_bucket *b)
{
    *b = (fake_bucket){.clock = 0};
    (void)pthread_mutex_init(&b->lock, NULL);
}

static void free_upload(fake_upload *u)
{
    for (size_t i = 0; i < FAKE_PARTS; i++)
        free(u->parts[i]);
    free(u);
}

void fake_bucket_free(fake_bucket *b)
{
    while (b->objects) {
        fake_object *next = b->objects->next;
        free(b->objects->data);
        free(b->objects);
        b->objects = next;
    }
    while (b->uploads) {
        fake_upload *next = b->uploads->next;
        free_upload(b->uploads);
        b->uploads = next;
    }
    (void)pthread_mutex_destroy(&b->lock);
}

static fake_object **place(fake_bucket *b, const char *name)
{
    fake_object **o = &b->objects;
    while (*o && strcmp((*o)->name, name) != 0)
        o = &(*o)->next;
    return o;
}

const fake_object *fake_bucket_find(fake_bucket *b, const char *name)
{
    return *place(b, name);
}

size_t fake_bucket_uploads(fake_bucket *b)
{
    size_t n = 0;
    for (const fake_upload *u = b->uploads; u; u = u->next)
        n++;
    return n;
}

void fake_bucket_leave(fake_bucket *b, const char *name)
{
    fake_upload *u = calloc(1, sizeof *u);
    if (!u)
        abort();
    u->id = ++b->clock;
    (void)snprintf(u->name, sizeof u->name, "%s", name);
    u->next = b->uploads;
    b->uploads = u;
}

static void md5_of(const void *data, size_t len, char out[33])
{
    rv_md5 m;
    uint8_t raw[16];
    rv_md5_init(&m);
    if (len)
        rv_md5_update(&m, data, len);
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, out);
}

/* ---- objects, under the lock ---- */

static void drop(fake_bucket *b, const char *name)
{
    fake_object **at = place(b, name), *o = *at;
    if (!o)
        return;
    *at = o->next;
    free(o->data);
    free(o);
}

/* Takes `data`. */
static fake_object *place_new(fake_bucket *b, const char *name, const char *owner, uint8_t *data,
                              size_t len)
{
    drop(b, name);
    fake_object *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    (void)snprintf(o->name, sizeof o->name, "%s", name);
    (void)snprintf(o->owner, sizeof o->owner, "%s", owner ? owner : "");
    o->data = data;
    o->len = len;
    md5_of(data, len, o->md5);
    o->version = ++b->clock;
    o->next = b->objects;
    b->objects = o;
    return o;
}

void fake_bucket_plant(fake_bucket *b, const char *name, const char *content, const char *owner)
{
    size_t len = strlen(content);
    uint8_t *data = malloc(len + 1);
    if (!data)
        abort();
    memcpy(data, content, len);
    (void)pthread_mutex_lock(&b->lock);
    (void)place_new(b, name, owner, data, len);
    (void)pthread_mutex_unlock(&b->lock);
}

static void version_text(unsigned long version, char out[RV_VERSION_SIZE])
{
    (void)snprintf(out, RV_VERSION_SIZE, "v%lu", version);
}

/* ---- what befalls a request ---- */

static fake_kind fault_of(fake_bucket *b, fake_op op)
{
    for (size_t i = 0; i < FAKE_FAULTS; i++) {
        fake_fault *f = &b->faults[i];
        if (f->op != op || f->nth == 0 || --f->nth > 0)
            continue;
        if (f->more) {
            f->more--;
            f->nth = 1;
        }
        return f->kind;
    }
    return FAKE_NONE;
}

static rv_status no_answer(rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_DEST_UNREACHABLE, "no answer");
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

/* Locks; the request is undone where this fails. *out_kind: what befalls it further. */
static rv_status enter(rv_store *s, fake_op op, const char *name, fake_kind *out_kind,
                       rv_error *err)
{
    fake_bucket *b = s->b;
    if (b->before)
        b->before(b->before_ctx, op, name);
    (void)pthread_mutex_lock(&b->lock);
    b->calls[op]++;
    b->tries = s->tries;
    b->at_once++;
    if (b->at_once > b->most_at_once)
        b->most_at_once = b->at_once;
    if (b->delay_us) {
        (void)pthread_mutex_unlock(&b->lock);
        (void)usleep(b->delay_us);
        (void)pthread_mutex_lock(&b->lock);
    }
    *out_kind = fault_of(b, op);
    if (*out_kind == FAKE_SILENT)
        return no_answer(err);
    if (*out_kind == FAKE_REFUSED)
        return rv_fail(err, RV_E_DEST_CORRUPT, "400 BadDigest");
    if (*out_kind == FAKE_BROKEN)
        return rv_fail(err, RV_E_DEST_IO, "400 Bad Request");
    if (*out_kind == FAKE_STOPPED)
        return rv_fail(err, RV_E_INTERRUPTED, "interrupted by SIGTERM");
    return b->denied[op] ? rv_fail(err, RV_E_DEST_PERMISSION, "403 AccessDenied") : RV_OK;
}

static rv_status leave(rv_store *s, rv_status st, fake_kind kind, rv_error *err)
{
    s->b->at_once--;
    (void)pthread_mutex_unlock(&s->b->lock);
    if (st == RV_OK && kind == FAKE_LOST)
        return no_answer(err);
    if (st == RV_OK && kind == FAKE_DAMAGED)
        return rv_fail(err, RV_E_DEST_CORRUPT, "the store holds another MD5");
    return st;
}

static rv_store_outcome check(const fake_bucket *b, const fake_object *there,
                              rv_store_condition condition, const char *version)
{
    char have[RV_VERSION_SIZE] = "";
    if (condition == RV_STORE_ALWAYS || b->ignores)
        return RV_STORE_DONE;
    if (b->unconditional)
        return RV_STORE_UNCONDITIONAL;
    if (condition == RV_STORE_IF_ABSENT)
        return there ? RV_STORE_UNMET : RV_STORE_DONE;
    if (there)
        version_text(there->version, have);
    return there && strcmp(have, version) == 0 ? RV_STORE_DONE : RV_STORE_UNMET;
}

/* ---- the store ---- */

static rv_status fake_open(const rv_env *env, const rv_cfg_dest *cfg, rv_store **out, rv_error *err)
{
    (void)env;
    (void)cfg;
    rv_store *s = calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->b = in_use;
    *out = s;
    return RV_OK;
}

static void fake_close(rv_store *s)
{
    free(s);
}

static const char *fake_uri(const rv_store *s)
{
    (void)s;
    return "s3://bucket";
}

static void fake_facts(const rv_store *s, const char **endpoint, const char **bucket)
{
    (void)s;
    *endpoint = "";
    *bucket = "bucket";
}

static bool fake_doubtful(const rv_store *s)
{
    return s->b->doubtful;
}

static rv_status fake_credentials(rv_store *s, rv_http *h, rv_buf *out, rv_error *err)
{
    (void)s;
    (void)h;
    return rv_buf_add_c(out, "no credentials", err);
}

static void fake_set_tries(rv_store *s, unsigned tries)
{
    s->tries = tries;
}

static uint64_t fake_retries(const rv_store *s)
{
    return s->b->calls[FAKE_ABORT] + 7;
}

static uint8_t *read_range(const rv_store_write *w, uint64_t offset, size_t len)
{
    uint8_t *data = malloc(len + 1);
    if (!data)
        abort();
    if (w->fd < 0 && len)
        memcpy(data, w->bytes.ptr + offset, len);
    else if (w->fd >= 0 && pread(w->fd, data, len, (off_t)offset) != (ssize_t)len)
        abort();
    return data;
}

static rv_status store_it(rv_store *s, const rv_store_write *w, fake_kind kind,
                          rv_store_outcome *out, rv_error *err)
{
    fake_bucket *b = s->b;
    fake_object *there = *place(b, w->name);
    *out = check(b, there, w->condition, w->version);
    if (*out != RV_STORE_DONE)
        return RV_OK;
    if (there && b->replace_denied)
        return rv_fail(err, RV_E_DEST_PERMISSION, "403 objects.delete");
    uint8_t *data = read_range(w, 0, (size_t)w->size_bytes);
    if (kind == FAKE_DAMAGED)
        data[0] ^= 1;
    (void)place_new(b, w->name, w->owner_token, data, (size_t)w->size_bytes);
    return RV_OK;
}

static rv_status fake_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                          rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_PUT, w->name, &kind, err);
    if (st == RV_OK)
        st = store_it(s, w, kind, out, err);
    return leave(s, st, st == RV_OK && *out == RV_STORE_DONE ? kind : FAKE_NONE, err);
}

static void describe(const fake_bucket *b, const fake_object *o, rv_object *out)
{
    out->size_bytes = o->len;
    if (!b->hides_md5 && !(o->parted && b->hides_parted_md5))
        memcpy(out->md5, o->md5, sizeof out->md5);
    memcpy(out->owner, o->owner, sizeof out->owner);
    version_text(o->version, out->version);
}

static rv_status fake_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                           rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_HEAD, name, &kind, err);
    const fake_object *o = *place(s->b, name);
    *outcome = o ? RV_STORE_DONE : RV_STORE_MISSING;
    if (st == RV_OK && o)
        describe(s->b, o, out);
    return leave(s, st, kind, err);
}

static rv_status fake_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                          rv_sink sink, rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_GET, name, &kind, err);
    const fake_object *o = *place(s->b, name);
    *outcome = o ? RV_STORE_DONE : RV_STORE_MISSING;
    if (st == RV_OK && o && offset < o->len) {
        size_t n = o->len - (size_t)offset < len ? o->len - (size_t)offset : (size_t)len;
        size_t half = n / 2; /* as it comes over a wire: in pieces */
        st = sink.write(sink.self, (rv_bytes){o->data + offset, half}, err);
        if (st == RV_OK)
            st = sink.write(sink.self, (rv_bytes){o->data + offset + half, n - half}, err);
    }
    return leave(s, st, kind, err);
}

static rv_status list_some(fake_bucket *b, const char *dir, rv_store_page *io, rv_error *err)
{
    const char *token = io->token->len ? rv_buf_cstr(io->token) : "";
    unsigned long after = strtoul(token[0] ? token + 1 : "0", NULL, 10), i = 0, given = 0;
    bool more = false;
    for (const fake_object *o = b->objects; o; o = o->next) {
        rv_object out = {.size_bytes = 0};
        if (strncmp(o->name, dir, strlen(dir)) != 0 || strchr(o->name + strlen(dir), '/'))
            continue;
        if (i++ < after)
            continue;
        more = b->page && given == b->page;
        if (more)
            break;
        describe(b, o, &out);
        out.owner[0] = '\0';
        (void)snprintf(out.key, sizeof out.key, "%s", o->name + strlen(dir));
        RV_TRY(rv_object_list_add(io->into, &out, err));
        given++;
    }
    rv_buf_clear(io->token);
    if (b->endless)
        return rv_buf_add_c(io->token, "t0", err);
    return more ? rv_buf_printf(io->token, err, "t%lu", after + given) : RV_OK;
}

static rv_status fake_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io,
                           rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_LIST, dir, &kind, err);
    if (st == RV_OK)
        st = list_some(s->b, dir, io, err);
    return leave(s, st, kind, err);
}

static rv_status fake_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                             rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    char have[RV_VERSION_SIZE];
    (void)h;
    rv_status st = enter(s, FAKE_REMOVE, name, &kind, err);
    const fake_object *o = *place(s->b, name);
    *outcome = o ? RV_STORE_DONE : RV_STORE_MISSING;
    if (o) {
        version_text(o->version, have);
        if (version && s->b->unconditional)
            *outcome = RV_STORE_UNCONDITIONAL;
        else if (version && !s->b->ignores && strcmp(version, have) != 0)
            *outcome = RV_STORE_UNMET;
    }
    if (st == RV_OK && *outcome == RV_STORE_DONE)
        drop(s->b, name);
    return leave(s, st, kind, err);
}

static rv_status fake_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                           const char *to, rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    char have[RV_VERSION_SIZE] = "";
    (void)h;
    rv_status st = enter(s, FAKE_COPY, from, &kind, err);
    const fake_object *o = *place(s->b, from);
    if (o)
        version_text(o->version, have);
    *outcome = !o ? RV_STORE_MISSING : RV_STORE_DONE;
    if (o && (*place(s->b, to) || strcmp(have, version->version) != 0))
        *outcome = RV_STORE_UNMET;
    if (st == RV_OK && *outcome == RV_STORE_DONE) {
        uint8_t *data = malloc(o->len + 1);
        if (!data)
            abort();
        memcpy(data, o->data, o->len);
        (void)place_new(s->b, to, o->owner, data, o->len);
    }
    return leave(s, st, kind, err);
}

/* ---- in parts ---- */

/* id "": any of this name. */
static fake_upload **upload_of(fake_bucket *b, const char *name, const char *id)
{
    char have[24];
    fake_upload **u = &b->uploads;
    for (; *u; u = &(*u)->next) {
        if (!id[0] && strcmp((*u)->name, name) == 0)
            break;
        (void)snprintf(have, sizeof have, "u%lu", (*u)->id);
        if (strcmp(have, id) == 0)
            break;
    }
    return u;
}

static rv_status fake_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                            rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_BEGIN, w->name, &kind, err);
    *outcome = RV_STORE_DONE;
    if (st == RV_OK)
        st = rv_buf_printf(upload_id, err, "u%lu", s->b->clock + 1);
    if (st == RV_OK) {
        fake_upload *u = calloc(1, sizeof *u);
        if (!u)
            abort();
        u->id = ++s->b->clock;
        (void)snprintf(u->name, sizeof u->name, "%s", w->name);
        (void)snprintf(u->owner, sizeof u->owner, "%s", w->owner_token ? w->owner_token : "");
        (void)snprintf(u->md5, sizeof u->md5, "%s", w->md5);
        u->next = s->b->uploads;
        s->b->uploads = u;
    }
    return leave(s, st, kind, err);
}

static rv_status take_part(fake_bucket *b, const rv_store_write *w, const char *upload_id,
                           rv_store_piece *io, rv_store_outcome *outcome, rv_error *err)
{
    char md5[33];
    fake_upload *u = *upload_of(b, w->name, upload_id);
    *outcome = u ? RV_STORE_DONE : RV_STORE_MISSING;
    if (!u)
        return RV_OK;
    if (io->index >= FAKE_PARTS)
        return rv_fail(err, RV_E_DEST_IO, "too many parts");
    uint8_t *data = read_range(w, io->offset, (size_t)io->len);
    md5_of(data, (size_t)io->len, md5);
    if (strcmp(md5, io->md5) != 0) {
        free(data);
        return rv_fail(err, RV_E_DEST_CORRUPT, "400 BadDigest");
    }
    free(u->parts[io->index]);
    u->parts[io->index] = data;
    u->lens[io->index] = (size_t)io->len;
    (void)snprintf(io->tag, sizeof io->tag, "tag%llu", (unsigned long long)io->index);
    return RV_OK;
}

static rv_status fake_part(rv_store *s, rv_http *h, const rv_store_write *w, const char *upload_id,
                           rv_store_piece *io, rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_PART, w->name, &kind, err);
    if (st == RV_OK && kind == FAKE_GONE)
        *outcome = RV_STORE_MISSING;
    else if (st == RV_OK)
        st = take_part(s->b, w, upload_id, io, outcome, err);
    return leave(s, st, kind, err);
}

static rv_status join_parts(fake_bucket *b, const rv_store_write *w, const fake_upload *u,
                            const rv_store_piece *pieces, size_t n, fake_kind kind, rv_error *err)
{
    size_t at = 0;
    uint8_t *data = malloc((size_t)w->size_bytes + 1);
    if (!data)
        abort();
    for (size_t i = 0; i < n; i++) {
        char tag[32];
        (void)snprintf(tag, sizeof tag, "tag%zu", i);
        if (!u->parts[i] || strcmp(tag, pieces[i].tag) != 0 || at + u->lens[i] > w->size_bytes) {
            free(data);
            return rv_fail(err, RV_E_DEST_IO, "400 InvalidPart");
        }
        memcpy(data + at, u->parts[i], u->lens[i]);
        at += u->lens[i];
    }
    if (kind == FAKE_DAMAGED)
        data[0] ^= 1;
    fake_object *o = place_new(b, w->name, u->owner, data, at);
    o->parted = true;
    return RV_OK;
}

static rv_status fake_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                             const char *upload_id, const rv_store_piece *pieces, size_t n,
                             rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_FINISH, w->name, &kind, err);
    fake_upload **at = upload_of(s->b, w->name, upload_id), *u = *at;
    fake_object *there = *place(s->b, w->name);
    *outcome =
        u && kind != FAKE_GONE ? check(s->b, there, w->condition, w->version) : RV_STORE_MISSING;
    if (st == RV_OK && *outcome == RV_STORE_DONE && there && s->b->replace_denied)
        st = rv_fail(err, RV_E_DEST_PERMISSION, "403 objects.delete");
    if (st == RV_OK && *outcome == RV_STORE_DONE) {
        st = join_parts(s->b, w, u, pieces, n, kind, err);
        *at = u->next;
        free_upload(u);
    }
    if (st == RV_OK && kind == FAKE_GONE_DONE)
        *outcome = RV_STORE_MISSING;
    return leave(s, st, st == RV_OK && *outcome == RV_STORE_DONE ? kind : FAKE_NONE, err);
}

static rv_status fake_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                            rv_store_outcome *outcome, rv_error *err)
{
    fake_kind kind;
    (void)h;
    rv_status st = enter(s, FAKE_ABORT, name, &kind, err);
    fake_upload **at = upload_of(s->b, name, upload_id), *u = *at;
    *outcome = u ? RV_STORE_DONE : RV_STORE_MISSING;
    if (st == RV_OK && u) {
        *at = u->next;
        free_upload(u);
    }
    return leave(s, st, kind, err);
}

#define FAKE_STORE(least, at_once)                                                                 \
    {                                                                                              \
        .kind = RV_DEST_S3,                                                                        \
        .limits = {.part_least = (least),                                                          \
                   .part_most = 1000,                                                              \
                   .part_multiple = 2,                                                             \
                   .parts_most = 10,                                                               \
                   .parallel = (at_once)},                                                         \
        .open = fake_open, .close = fake_close, .uri = fake_uri, .facts = fake_facts,              \
        .doubtful = fake_doubtful, .credentials = fake_credentials, .set_tries = fake_set_tries,   \
        .retries = fake_retries, .put = fake_put, .head = fake_head, .get = fake_get,              \
        .list = fake_list, .remove = fake_remove, .copy = fake_copy, .upload_begin = fake_begin,   \
        .upload_part = fake_part, .upload_finish = fake_finish, .upload_abort = fake_abort         \
    }

static const rv_store_ops at_once = FAKE_STORE(4, true);
static const rv_store_ops in_turn = FAKE_STORE(6, false);

RV_CLOUD_DRIVER(rv_dest_fake, at_once, FAKE_KIND, "s3", "S3");
RV_CLOUD_DRIVER(rv_dest_fake_in_turn, in_turn, FAKE_KIND, "s3", "S3");
