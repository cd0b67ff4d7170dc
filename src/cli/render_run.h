/* cli/render_run.h: what `run` prints: the block of one export and the closing summary.
 * Pure but for the buffer. Source: spec "cli" section 2. */
#ifndef RV_CLI_RENDER_RUN_H
#define RV_CLI_RENDER_RUN_H

#include "engine/engine.h"

/* `resume`: the words of the resume command up to the export, "rivet run -c rivet.yaml". */
rv_status rv_render_export(const rv_export_report *r, const char *resume, rv_buf *out,
                           rv_error *err) RV_MUST_USE;
/* With two or more exports; else nothing. */
rv_status rv_render_summary(const rv_run_report *r, rv_buf *out, rv_error *err) RV_MUST_USE;
/* A word the shell reads back as it is, quoted where needed. */
rv_status rv_render_shell_word(const char *word, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
