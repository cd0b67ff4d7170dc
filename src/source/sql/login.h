/* source/sql/login.h: what a configuration says of logging in to a server, for every driver that
 * connects to one. Paths and texts in the arena. Source: spec "config" section 3. */
#ifndef RV_SOURCE_SQL_LOGIN_H
#define RV_SOURCE_SQL_LOGIN_H

#include "config/config.h"

/* The password of the structured form: written, of the environment, or a command's first line;
 * added to env->secrets. NULL: none is given.
 *   fails  RV_E_CONFIG_NO_CONNECTION: unset variable; RV_E_SOURCE_AUTH: the command gives none */
rv_status rv_sql_password(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                          const char **out, rv_error *err) RV_MUST_USE;
/* A path as the file writes it, relative ones below the config's directory; NULL stays NULL. */
rv_status rv_sql_config_path(const rv_cfg_source *cfg, const char *path, rv_arena *arena,
                             const char **out, rv_error *err) RV_MUST_USE;
/* The system's bundle of certificate authorities. RV_E_SOURCE_TLS when there is none. */
rv_status rv_sql_ca_bundle(const char **out, rv_error *err) RV_MUST_USE;
/* The mode a written tls block comes to, with what its two flags take away. Never UNSET. */
rv_tls_mode rv_sql_tls_mode(const rv_cfg_tls *tls);

#endif
