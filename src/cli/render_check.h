/* cli/render_check.h: what `check` prints of one export. Pure but for the buffer.
 * Source: spec "cli" section 3, "types" section 9, "source-safety" section 11. */
#ifndef RV_CLI_RENDER_CHECK_H
#define RV_CLI_RENDER_CHECK_H

#include "engine/engine.h"

rv_status rv_render_check(const rv_check_report *r, bool type_report, rv_arena *arena, rv_buf *out,
                          rv_error *err) RV_MUST_USE;
/* One object, no line feed. */
rv_status rv_render_check_json(const rv_check_report *r, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
