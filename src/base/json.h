/* base/json.h: writes JSON text in the order of the calls. Reading is jansson's.
 * Errors stick: the first failure is kept and reported by rv_json_end.
 * Numbers are exact; invalid UTF-8 becomes U+FFFD. No blanks unless `pretty`. */
#ifndef RV_BASE_JSON_H
#define RV_BASE_JSON_H

#include "base/buf.h"

#define RV_JSON_DEPTH 32
typedef struct rv_json {
    rv_buf *out; /* borrowed, appended to */
    rv_status status;
    uint8_t depth;
    bool pretty; /* two blanks per level */
    bool after_key;
    bool used[RV_JSON_DEPTH]; /* something was written at this level */
} rv_json;

void rv_json_begin(rv_json *j, rv_buf *out, bool pretty);
void rv_json_object(rv_json *j);
void rv_json_object_end(rv_json *j);
void rv_json_array(rv_json *j);
void rv_json_array_end(rv_json *j);
void rv_json_key(rv_json *j, const char *key);
void rv_json_key_str(rv_json *j, rv_str key);
void rv_json_str(rv_json *j, rv_str s);
void rv_json_cstr(rv_json *j, const char *s); /* NULL writes null */
void rv_json_i64(rv_json *j, int64_t v);
void rv_json_u64(rv_json *j, uint64_t v);
void rv_json_f64(rv_json *j, double v); /* shortest that reads back; not finite: null */
void rv_json_bool(rv_json *j, bool v);
void rv_json_null(rv_json *j);
void rv_json_raw(rv_json *j, rv_str json); /* already JSON */
rv_status rv_json_end(rv_json *j, rv_error *err) RV_MUST_USE;

/* key + value in one */
void rv_json_kstr(rv_json *j, const char *key, const char *s);
void rv_json_ki64(rv_json *j, const char *key, int64_t v);
void rv_json_kbool(rv_json *j, const char *key, bool v);

#endif
