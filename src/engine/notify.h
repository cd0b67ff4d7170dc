/* engine/notify.h: tells a Slack webhook how an export ended. Never fails louder than a WARN, never
 * changes an exit code. The address is a secret: every text shows its host alone.
 * Threads: any; each call has a client of its own.
 * Source: spec "config" section 11, "cli" section 1 (--no-notify). */
#ifndef RV_ENGINE_NOTIFY_H
#define RV_ENGINE_NOTIFY_H

#include "engine/engine.h"

#define RV_NOTIFY_TIMEOUT_US ((int64_t)10000000) /* of one try; there are two */

/* Posts when the report matches notifications.slack.on and --no-notify is not given:
 *   failure        the export failed, also left unpublished; an interruption is none
 *   schema_change  its columns differ from those of the run before
 *   degraded       its status is degraded
 * One POST at most. Called once for each export, after its report is written. */
void rv_notify_export(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                      const rv_export_report *r);

/* Its steps, for tests. */
bool rv_notify_matches(const rv_cfg_slack *slack, const rv_export_report *r);
/* Appends {"text": "..."}: redacted, and escaped for Slack. */
rv_status rv_notify_message(const rv_env *env, const rv_export_report *r, rv_buf *out,
                            rv_error *err) RV_MUST_USE;
/* The address, out of the file or the environment, known to env->secrets from then on; refused
 * unless https or on this machine. RV_E_CONFIG_UNRESOLVED names the variable without a value. */
rv_status rv_notify_address(const rv_env *env, const rv_cfg_slack *slack, rv_arena *arena,
                            const char **out, rv_error *err) RV_MUST_USE;
rv_status rv_notify_post(const rv_env *env, const char *url, rv_str message, int64_t timeout_us,
                         rv_error *err) RV_MUST_USE;

#endif
