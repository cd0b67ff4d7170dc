/* conformance/source.h: what every source driver must do, checked over the contract alone.
 * A driver's test fills rv_source_fixture and calls rv_source_conformance from an RV_TEST.
 * The fixture's database starts empty of conf_* tables; each check drops what it created. */
#ifndef RV_CONFORMANCE_SOURCE_H
#define RV_CONFORMANCE_SOURCE_H

#include "source/source.h"

typedef struct rv_source_fixture {
    const rv_source_driver *driver;
    void *ctx;
    /* Runs SQL on another connection; false: it failed (printed by the fixture). */
    bool (*exec)(void *ctx, const char *sql);
    /* A new reader of the same database; NULL: it failed. Closed by the suite. */
    rv_source *(*connect)(void *ctx);
    /* conf_items(id, grp, name): 64-bit integer primary key, 32-bit integer NOT NULL, text that
     * may be NULL. The suite inserts with portable multi-row VALUES. */
    const char *create_items;
    /* conf_pairs(a, b, v): primary key (a, b) of integers NOT NULL, v integer; the table's own
     * order (what mode full pages by) is (a, b). */
    const char *create_pairs;
} rv_source_fixture;

void rv_source_conformance(const rv_source_fixture *fixture);

#endif
