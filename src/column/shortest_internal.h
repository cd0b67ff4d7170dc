/* column/shortest_internal.h: a finite non-zero number as an integer and a power of ten. */
#ifndef RV_COLUMN_SHORTEST_INTERNAL_H
#define RV_COLUMN_SHORTEST_INTERNAL_H

#include "column/type.h"

typedef struct rv_shortest {
    uint64_t digits; /* may end in zeros */
    int exp10;       /* |v| reads back from digits * 10^exp10 */
} rv_shortest;

rv_shortest rv_shortest_double(double v);
rv_shortest rv_shortest_float(float v);

#endif
