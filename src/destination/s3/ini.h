/* destination/s3/ini.h: the shared files of AWS: ~/.aws/credentials and ~/.aws/config.
 * Nothing is copied: sections, keys and values are ranges of the text, which may hold secrets and
 * is the caller's to wipe. Safe on hostile input. Pure, any thread.
 * Source: "Configuration and credential file settings" of the AWS CLI user guide. */
#ifndef RV_DESTINATION_S3_INI_H
#define RV_DESTINATION_S3_INI_H

#include "base/arena.h"

typedef struct rv_ini_line {
    rv_str section;    /* as written between the brackets, trimmed, quotes kept */
    rv_str key, value; /* key.len == 0: the section's own line */
} rv_ini_line;

typedef struct rv_ini {
    rv_ini_line *lines;
    size_t n;
} rv_ini;

/* Lines that are neither section, comment nor "key = value" are passed over, and so are the
 * indented ones below a key without a value (settings of a service). RV_E_MEMORY only. */
rv_status rv_ini_parse(rv_str text, rv_arena *arena, rv_ini *out, rv_error *err) RV_MUST_USE;
/* The profile's section: "[name]" or, in the config file, "[profile name]" and "[default]". */
bool rv_ini_has(const rv_ini *ini, rv_str profile, bool config_file);
/* Any case of the key; a later line wins; ptr NULL when absent. */
rv_str rv_ini_get(const rv_ini *ini, rv_str profile, bool config_file, const char *key);
/* Of a section with a kind of its own, "[sso-session name]". */
rv_str rv_ini_get_of(const rv_ini *ini, const char *kind, rv_str name, const char *key);

#endif
