/* destination/fake_store.h: an object store in memory with knobs for what real ones do rarely.
 *   fake_bucket b; fake_bucket_init(&b); fake_bucket_use(&b);
 *   rv_dest_fake.open(...)   each destination opened now writes into b
 *   b.faults[0] = (fake_fault){FAKE_PUT, 1, FAKE_LOST};
 *   fake_bucket_free(&b);
 * Threads: any number of destinations on one bucket; knobs are set while none is at work. */
#ifndef RV_TEST_FAKE_STORE_H
#define RV_TEST_FAKE_STORE_H

#include <pthread.h>

#include "destination/cloud/store.h"

#define FAKE_KIND ((rv_dest_kind)99) /* that of no driver in the registry */

typedef enum fake_op {
    FAKE_PUT,
    FAKE_HEAD,
    FAKE_GET,
    FAKE_LIST,
    FAKE_REMOVE,
    FAKE_COPY,
    FAKE_BEGIN,
    FAKE_PART,
    FAKE_FINISH,
    FAKE_ABORT,
    FAKE_OPS
} fake_op;

typedef enum fake_kind {
    FAKE_NONE,
    FAKE_SILENT,    /* it never arrived, no answer */
    FAKE_LOST,      /* it arrived, the answer did not */
    FAKE_DAMAGED,   /* what arrived is not what was sent: it stands there, and is told */
    FAKE_REFUSED,   /* the damage was noticed: nothing stands there */
    FAKE_GONE,      /* the store knows no such upload */
    FAKE_GONE_DONE, /* likewise, because an earlier try finished it */
    FAKE_BROKEN,    /* refused for good: RV_E_DEST_IO */
    FAKE_STOPPED    /* interrupted */
} fake_kind;

typedef struct fake_fault {
    fake_op op;
    unsigned nth; /* 1 = the next call of op; counted down, 0 = over */
    fake_kind kind;
    unsigned more; /* this often again behind it */
} fake_fault;

typedef struct fake_object {
    char name[256], owner[33], md5[33];
    unsigned long version;
    uint8_t *data;
    size_t len;
    bool parted; /* made of parts */
    struct fake_object *next;
} fake_object;

#define FAKE_PARTS 64
typedef struct fake_upload {
    unsigned long id;
    char name[256], owner[33], md5[33];
    rv_store_condition condition;
    char version[RV_VERSION_SIZE];
    uint8_t *parts[FAKE_PARTS];
    size_t lens[FAKE_PARTS];
    struct fake_upload *next;
} fake_upload;

#define FAKE_FAULTS 8
typedef struct fake_bucket {
    pthread_mutex_t lock;
    fake_object *objects;
    fake_upload *uploads;
    unsigned long clock;
    /* knobs */
    bool denied[FAKE_OPS];
    bool replace_denied;   /* writing over an object */
    bool unconditional;    /* conditions are refused: 501 */
    bool ignores;          /* conditions are ignored in silence */
    bool doubtful;         /* and the store is known for that */
    bool hides_md5;        /* no MD5 is listed */
    bool hides_parted_md5; /* of objects made of parts */
    unsigned page;         /* objects per page of a listing; 0 = all */
    bool endless;          /* a listing whose token never changes */
    unsigned delay_us;     /* of each request */
    fake_fault faults[FAKE_FAULTS];
    /* Between a look and a write: what others do meanwhile. Called without the lock. */
    void (*before)(void *ctx, fake_op op, const char *name);
    void *before_ctx;
    /* seen */
    unsigned calls[FAKE_OPS], at_once, most_at_once;
    unsigned tries;
} fake_bucket;

void fake_bucket_init(fake_bucket *b);
void fake_bucket_free(fake_bucket *b);
void fake_bucket_use(fake_bucket *b);
/* Somebody else's object, or that of an owner. */
void fake_bucket_plant(fake_bucket *b, const char *name, const char *content, const char *owner);
const fake_object *fake_bucket_find(fake_bucket *b, const char *name);
void fake_bucket_leave(fake_bucket *b, const char *name); /* an open upload */
size_t fake_bucket_uploads(fake_bucket *b);               /* left open */

extern const rv_dest_driver rv_dest_fake;         /* parts of 4 bytes, at once */
extern const rv_dest_driver rv_dest_fake_in_turn; /* parts of 6, one behind the other */

#endif
