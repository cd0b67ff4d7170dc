/* base/file_internal.h: the fallbacks of rv_file_link_new, apart so that tests reach them on
 * a file system that does support hard links. Source: spec "destinations" section 3. */
#ifndef RV_BASE_FILE_INTERNAL_H
#define RV_BASE_FILE_INTERNAL_H

#include "base/file.h"

/* Renames without replacing; *out_supported false when the file system cannot. */
rv_status rv_file_rename_new(const char *from, const char *to, bool *out_exists,
                             bool *out_supported, rv_error *err) RV_MUST_USE;
/* Looks, then renames: the last resort, not atomic. */
rv_status rv_file_check_rename(const char *from, const char *to, bool *out_exists,
                               rv_error *err) RV_MUST_USE;

#endif
