/* cli/error_text.h: an error as people and as programs read it. Pure but for the buffer; the
 * caller redacts. Source: spec "cli" section 1 (Errors), "config" section 12. */
#ifndef RV_CLI_ERROR_TEXT_H
#define RV_CLI_ERROR_TEXT_H

#include "base/json.h"
#include "config/config.h"

typedef struct rv_error_facts {
    rv_status code;
    int exit_code;
    const char *text;        /* "what failed\ncause\ncause" */
    const char *hint;        /* "" = none */
    const char *export_name; /* NULL: none */
    const char *file;        /* configuration mistakes; pos.line 0: no position */
    rv_pos pos;
} rv_error_facts;

/* "Error: ...", "  cause: ...", "  hint: ..."; configuration mistakes "Error: FILE:L:C: text" with
 * further lines as they are. */
rv_status rv_error_human(const rv_error_facts *e, bool colour, rv_buf *out,
                         rv_error *err) RV_MUST_USE;
/* Opens an object and writes the members every error has; the caller may add and closes it. */
void rv_error_members(rv_json *j, const rv_error_facts *e, const char *text);
/* One line with its line feed. */
rv_status rv_error_json(const rv_error_facts *e, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
