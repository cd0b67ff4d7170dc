/* fuzz/fuzz.h: what every fuzz target defines; called by libFuzzer or by replay.c. */
#ifndef RV_FUZZ_H
#define RV_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return 0 and may never crash, leak or hang, whatever the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
