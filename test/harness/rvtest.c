#include "rvtest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool current_failed;
static const char *current_skip;

bool rvtest_check(bool ok, const char *file, int line, const char *what)
{
    if (!ok) {
        current_failed = true;
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return ok;
}

bool rvtest_eq_i64(int64_t got, int64_t want, const char *file, int line, const char *what)
{
    if (got == want)
        return true;
    printf("%s:%d: %s = %" PRId64 ", want %" PRId64 "\n", file, line, what, got, want);
    return rvtest_check(false, file, line, what);
}

bool rvtest_eq_str(const char *got, const char *want, const char *file, int line, const char *what)
{
    if (got && want && strcmp(got, want) == 0)
        return true;
    printf("%s:%d: %s = \"%s\"\n  want \"%s\"\n", file, line, what, got ? got : "(null)",
           want ? want : "(null)");
    return rvtest_check(false, file, line, what);
}

bool rvtest_eq_mem(const void *got, size_t got_len, const void *want, size_t want_len,
                   const char *file, int line, const char *what)
{
    if (got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0))
        return true;
    printf("%s:%d: %s: %zu bytes, want %zu\n  got ", file, line, what, got_len, want_len);
    for (size_t i = 0; i < got_len && i < 64; i++)
        printf("%02x", ((const unsigned char *)got)[i]);
    printf("\n  want ");
    for (size_t i = 0; i < want_len && i < 64; i++)
        printf("%02x", ((const unsigned char *)want)[i]);
    printf("\n");
    return rvtest_check(false, file, line, what);
}

void rvtest_skip(const char *reason)
{
    current_skip = reason;
}

int rvtest_main(const rvtest_case *cases, size_t count, int argc, char **argv)
{
    unsigned passed = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (argc > 1 && strstr(cases[i].name, argv[1]) == NULL)
            continue;
        current_failed = false;
        current_skip = NULL;
        cases[i].run();
        if (current_failed) {
            printf("FAIL %s\n", cases[i].name);
            failed++;
        } else if (current_skip) {
            printf("SKIP %s: %s\n", cases[i].name, current_skip);
            skipped++;
        } else {
            passed++;
        }
        fflush(stdout);
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
