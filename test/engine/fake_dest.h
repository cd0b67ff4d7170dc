/* A destination without a cloud: an object store in memory, with the rights and the moods that a
 * test gives it. One per process. */
#ifndef FAKE_DEST_H
#define FAKE_DEST_H

#include <stdatomic.h>

#include "destination/destination.h"

#define FAKE_OBJECTS_MAX 512

typedef struct fake_object {
    rv_object is;
    uint8_t *bytes;
} fake_object;

typedef struct fake_upload { /* open at the store */
    char key[256], id[32];
} fake_upload;

typedef struct fake_cloud {
    /* moods */
    unsigned put_ms; /* how long a part travels */
    bool no_read, no_remove, no_replace, no_list;
    unsigned fail_from, fail_to; /* puts of parts that fail, from 1; 0: none */
    rv_status fail_code;
    unsigned silent;      /* this put arrives, but its answer is lost and may not be found out */
    unsigned hang;        /* this put lasts until the guard lets it go no further */
    const char *taken[4]; /* names with these in them are somebody else's */
    bool multipart;       /* uploads have ids; one that fails stays open */
    bool tmpfs;
    bool overtaken; /* as manifest.json is written, a later run of another state publishes */
    /* what happened */
    atomic_uint puts, at_once, most_at_once, opened, closed;
    atomic_ullong retries;
    fake_object objects[FAKE_OBJECTS_MAX];
    size_t n;
    fake_upload uploads[64];
    size_t n_uploads;
    char log[65536]; /* "put a\nremove b\n" */
    pthread_mutex_t lock;
} fake_cloud;

extern fake_cloud cloud;
extern const rv_dest_driver fake_dest;
void fake_cloud_begin(void);
void fake_cloud_end(void);
/* NULL: it is not there. */
const fake_object *fake_cloud_find(const char *part_of_name);
/* Somebody else's. */
void fake_cloud_put(const char *name, const char *text);
size_t fake_cloud_count(const char *part_of_name);

#endif
