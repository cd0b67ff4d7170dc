/* config/url.h: where the source is, as one URL. Pure but for the environment and url_file.
 * Source: spec "config" section 3. */
#ifndef RV_CONFIG_URL_H
#define RV_CONFIG_URL_H

#include "config/config.h"

/* "mysql" of "mysql://...", "sqlite" of "sqlite:x.db"; empty when there is none. */
rv_str rv_url_scheme(rv_str url);
/* The scheme belongs to the engine (postgres: or the keyword form host=.. dbname=..). */
bool rv_url_matches(rv_engine engine, rv_str url);
/* Raw userinfo password, split at the last '@' of the authority; empty when there is none. */
rv_str rv_url_password(rv_str url);
rv_status rv_url_decode(rv_str text, rv_arena *arena, rv_str *out, rv_error *err) RV_MUST_USE;
/* The next query parameter name from *io_at on (start with 0); false at the end. */
bool rv_url_next_param(rv_str url, size_t *io_at, rv_str *out_name);
/* The engine's client takes this parameter. */
bool rv_url_param_known(rv_engine engine, rv_str name);
/* Absolute file of a sqlite: URL; relative ones count from dir. */
rv_status rv_url_sqlite_path(rv_str url, const char *dir, rv_arena *arena, const char **out,
                             rv_error *err) RV_MUST_USE;

/* Remembers the URL's password, raw and decoded. */
rv_status rv_url_hide(const rv_env *env, rv_str url, rv_arena *arena, rv_error *err) RV_MUST_USE;

/* The URL of a source from url, url_env or url_file; NULL for the structured form. Its password
 * is added to env->secrets.
 *   fails  RV_E_CONFIG_NO_CONNECTION: unset variable, unreadable or empty file
 *          RV_E_CONFIG_SCHEME: of another engine */
rv_status rv_source_url(const rv_env *env, const rv_cfg_source *src, rv_arena *arena,
                        const char **out, rv_error *err) RV_MUST_USE;
/* The database file of a sqlite source, absolute, whatever form the file uses. */
rv_status rv_source_sqlite_path(const rv_env *env, const rv_cfg_source *src, rv_arena *arena,
                                const char **out, rv_error *err) RV_MUST_USE;

#endif
