/* source/sql/guard.h: the DDL guard's comparison: what a relation's columns were when it was
 * resolved against what they are now. A fingerprint is the name, the type and the origin of each
 * column, "<bytes>:<text>" each; type and origin are the driver's own words. Pure but for the
 * buffer.
 * Source: spec "source-safety" section 13 (DDL guard). */
#ifndef RV_SOURCE_SQL_GUARD_H
#define RV_SOURCE_SQL_GUARD_H

#include "base/buf.h"

rv_status rv_sql_guard_line(const char *name, const char *type, const char *origin, rv_buf *out,
                            rv_error *err) RV_MUST_USE;
/* `what` opens the texts ("reading table 'orders'"). RV_E_SOURCE_CHANGED names the first column
 * that differs, and how. */
rv_status rv_sql_guard_compare(const char *then, const char *now, const char *what,
                               rv_error *err) RV_MUST_USE;
/* A statement failed over something that was there when the relation was resolved: its error, in
 * err, becomes RV_E_SOURCE_CHANGED. */
rv_status rv_sql_guard_altered(const char *what, rv_error *err);

#endif
