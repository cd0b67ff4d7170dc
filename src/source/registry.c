/* source/registry.c: the engines of this build. Source: design "style-anchors" section 3. */
#include "source/source.h"

const rv_source_driver *const *rv_source_drivers(void)
{
    static const rv_source_driver *const drivers[] = {&rv_source_sqlite, &rv_source_postgres,
                                                      &rv_source_mysql, NULL};
    return drivers;
}

const rv_source_driver *rv_source_for(rv_engine engine)
{
    for (const rv_source_driver *const *d = rv_source_drivers(); *d; d++)
        if ((*d)->engine == engine)
            return *d;
    return NULL;
}

const char *rv_shape_name(rv_shape s)
{
    switch (s) {
    case RV_SHAPE_PAGES:
        return "pages";
    case RV_SHAPE_RANGES:
        return "ranges";
    case RV_SHAPE_CURSOR:
        return "cursor";
    case RV_SHAPE_STATEMENT:
        return "statement";
    }
    return "statement";
}
