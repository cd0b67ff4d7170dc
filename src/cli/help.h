/* cli/help.h: the command table as text. Pure but for the buffer.
 * Source: spec "cli" sections 1 and 10, "packaging" section 1. */
#ifndef RV_CLI_HELP_H
#define RV_CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

rv_status rv_help_text(const rv_command *c, rv_buf *out, rv_error *err) RV_MUST_USE;
/* "Usage: rivet state set-cursor [FLAGS] VALUE" */
rv_status rv_help_usage(const rv_command *c, rv_buf *out, rv_error *err) RV_MUST_USE;
/* `rivet schema cli` */
rv_status rv_help_markdown(rv_buf *out, rv_error *err) RV_MUST_USE;
/* One manual page in roff; the root's page lists the commands. */
rv_status rv_help_man(const rv_command *c, rv_buf *out, rv_error *err) RV_MUST_USE;
/* "rivet-state-set-cursor.1" */
void rv_help_man_name(const rv_command *c, char out[64]);

/* `rivet completions SHELL` */
rv_status rv_complete_bash(rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_complete_zsh(rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_complete_fish(rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_complete_powershell(rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_complete_elvish(rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
