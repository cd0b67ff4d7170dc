#include "format/format.h"

static const rv_format_driver *const drivers[] = {&rv_format_parquet, &rv_format_csv, NULL};

const rv_format_driver *const *rv_format_drivers(void)
{
    return drivers;
}

const rv_format_driver *rv_format_find(rv_str name)
{
    for (size_t i = 0; drivers[i]; i++)
        if (rv_str_eq(name, rv_str_c(drivers[i]->name)))
            return drivers[i];
    return NULL;
}
