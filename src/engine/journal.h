/* engine/journal.h: what happened in a run, appended live and kept whole at the end.
 * Write failures are WARNs (D10). Threads: any. Source: spec "lifecycle" section 5. */
#ifndef RV_ENGINE_JOURNAL_H
#define RV_ENGINE_JOURNAL_H

#include "base/env.h"
#include "base/json.h"
#include "base/str.h"

typedef struct rv_journal rv_journal;

/* Appends to `path` (0600; directories made) unless NULL. Opening an existing file of a resumed
 * run reads it back, so the whole document stays whole. */
rv_status rv_journal_open(const rv_env *env, const char *path, rv_journal **out,
                          rv_error *err) RV_MUST_USE;
/* One entry; `fmt` describes key/value pairs, one letter each: s = C string (NULL writes null),
 * i = int64_t, b = int (bool). Arguments alternate: const char *key, value.
 *   rv_journal_add(j, "chunk_completed", "iis", "chunk_index", i, "rows", n, "file_name", f) */
void rv_journal_add(rv_journal *j, const char *event, const char *fmt, ...);
/* Like add, with the members already as JSON text ("" for none), e.g. "\"snapshot\":{}". */
void rv_journal_add_raw(rv_journal *j, const char *event, rv_str members);
/* The array of all entries. */
rv_status rv_journal_document(rv_journal *j, rv_buf *out, rv_error *err) RV_MUST_USE;
void rv_journal_close(rv_journal *j);

#endif
