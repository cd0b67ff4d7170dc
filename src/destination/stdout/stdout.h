/* destination/stdout/stdout.h: what the engine asks about stdout beyond the driver.
 * Source: spec "destinations" section 3 (Parquet is refused on a terminal). */
#ifndef RV_DESTINATION_STDOUT_STDOUT_H
#define RV_DESTINATION_STDOUT_STDOUT_H

#include <stdbool.h>

bool rv_dest_stdout_is_tty(void);

#endif
