/* destination/fake_desk.h: a destination over a fake_bucket with a spool directory of its own, and
 * the puts that tests repeat. Content is text. */
#ifndef RV_TEST_FAKE_DESK_H
#define RV_TEST_FAKE_DESK_H

#include "fake_store.h"
#include "rvtest.h"

#define MINE "0123456789abcdef0123456789abcdef"
#define THEIRS "fedcba9876543210fedcba9876543210"

typedef struct fake_desk {
    char dir[40]; /* the spool directory */
    rv_env env;
    rv_cfg_dest cfg; /* before fake_desk_open */
    const rv_dest_driver *driver;
    fake_bucket b;
    rv_dest *d;
    rv_buf path; /* of the last spool file */
    rv_error err;
    int guarded;  /* how often the guard was asked */
    int guard_no; /* the nth time it says no; 0 = never */
    char id[64];  /* the last upload id told */
    int ids;
    int id_fails; /* on_upload_id fails */
} fake_desk;

/* A driver's desk; b may be changed before the open. False: no directory. */
bool fake_desk_init(fake_desk *t, const rv_dest_driver *driver);
void fake_desk_open(fake_desk *t, const char *prefix);
void fake_desk_close(fake_desk *t);

rv_digests fake_digests(const char *content);
const char *fake_spool(fake_desk *t, rv_dest *d, const char *key, const char *content);

/* Parts: a spool file, guarded, with its upload id noted. */
rv_status fake_put_new(fake_desk *t, const char *key, const char *content, rv_put_outcome *out);
rv_status fake_put_shared(fake_desk *t, const char *key, const char *content, const char *version,
                          rv_put_outcome *out);
/* Under "p/". NULL: nothing there. */
const char *fake_content(fake_desk *t, const char *key);

#endif
