/* source/mysql/session_internal.h: how the driver connects and what it sets, shared by conn.c,
 * connect.c, session.c, proxy.c and snapshot.c. Private to the folder.
 * Source: spec "config" section 3, "source-safety" sections 4 and 7. */
#ifndef RV_SOURCE_MYSQL_SESSION_INTERNAL_H
#define RV_SOURCE_MYSQL_SESSION_INTERNAL_H

#include "source/mysql/mysql_internal.h"

/* ---- connect.c ---- */

/* host, user, TLS and the rest out of the configuration, in the arena; what, program_name and
 * limits are left to the caller. Unknown URL parameters: one WARN each, per process.
 *   fails  RV_E_CONFIG_SCHEME: not to be read; RV_E_CONFIG_ENUM: an unknown ssl-mode;
 *          RV_E_SOURCE_TLS: nothing to verify with */
rv_status rv_mys_params(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                        rv_my_opts *out, rv_error *err) RV_MUST_USE;

/* ---- session.c ---- */

/* comment + sql as it is, wherever the connection stands; out NULL: no answer is wanted. */
rv_status rv_mys_say(rv_source *s, const char *sql, const char *what, MYSQL_RES **out,
                     rv_error *err) RV_MUST_USE;
/* Sets the limits and pins of the session, or of every transaction behind a multiplexing proxy,
 * and reads the zone back. */
rv_status rv_mys_session_begin(rv_source *s, const rv_cfg_tuning *tuning,
                               rv_error *err) RV_MUST_USE;
/* Inside an open transaction behind a multiplexing proxy: settings and the zone's proof. */
rv_status rv_mys_pin(rv_source *s, const char *what, rv_error *err) RV_MUST_USE;
/* Puts the settings of a backend back that others will use. */
rv_status rv_mys_unpin(rv_source *s, const char *what, rv_error *err) RV_MUST_USE;

/* ---- proxy.c ---- */

/* Tells what stands between; RV_OK unless the connection broke or was interrupted. */
rv_status rv_mys_detect_proxy(rv_source *s, rv_error *err) RV_MUST_USE;
const char *rv_mys_proxy_name(rv_mys_proxy p); /* "direct", "proxysql" ... */

#endif
