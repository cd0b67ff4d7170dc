/* cli/render_validate.h: what `validate` prints. Pure but for the buffer.
 * Source: spec "cli" section 7, "lifecycle" section 16. */
#ifndef RV_CLI_RENDER_VALIDATE_H
#define RV_CLI_RENDER_VALIDATE_H

#include "engine/engine.h"

rv_status rv_render_validate(const rv_validate_report *r, rv_buf *out, rv_error *err) RV_MUST_USE;
/* All of them as one object, no line feed. */
rv_status rv_render_validate_json(const rv_validate_report *reports, size_t n, rv_buf *out,
                                  rv_error *err) RV_MUST_USE;
/* Nothing fatal was found and the destination could be read. */
bool rv_validate_passed(const rv_validate_report *r);

#endif
