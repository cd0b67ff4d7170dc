/* cli/golden.h: compares a text with test/cli/golden/NAME. RIVET_UPDATE_GOLDEN=1 writes the file
 * instead: look at the difference before committing it. */
#ifndef RV_TEST_CLI_GOLDEN_H
#define RV_TEST_CLI_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/file.h"
#include "rvtest.h"

static inline void check_text_file(const char *path, const rv_buf *got)
{
    rv_buf want = RV_BUF_INIT;
    bool found = false;
    if (getenv("RIVET_UPDATE_GOLDEN"))
        CHECK_EQ(rv_file_replace(path, rv_buf_bytes(got), 0644, NULL), RV_OK);
    CHECK_EQ(rv_file_read_all(path, 1 << 20, &want, &found, NULL), RV_OK);
    CHECK(found);
    bool same = rv_str_eq(rv_buf_str(got), rv_buf_str(&want));
    if (!same)
        (void)fprintf(stderr, "%s differs; got:\n%.*s\n", path, (int)got->len, got->ptr);
    CHECK(same);
    rv_buf_free(&want);
}

static inline void check_golden(const char *name, const rv_buf *got)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/cli/golden/%s", RV_TEST_DIR, name);
    check_text_file(path, got);
}

#endif
