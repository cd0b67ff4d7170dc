/* cli/render_reconcile.h: reconcile and repair reports as text and JSON. Pure: reports in, bytes
 * out. Source: spec "cli" section 7, "lifecycle" section 15. */
#ifndef RV_CLI_RENDER_RECONCILE_H
#define RV_CLI_RENDER_RECONCILE_H

#include "engine/reconcile.h"

rv_status rv_render_reconcile(const rv_reconcile_report *r, rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_render_reconcile_json(const rv_reconcile_report *r, rv_buf *out,
                                   rv_error *err) RV_MUST_USE;
rv_status rv_render_repair(const rv_repair_report *r, rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_render_repair_json(const rv_repair_report *r, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
