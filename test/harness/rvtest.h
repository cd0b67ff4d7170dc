/* harness/rvtest.h: the smallest unit-test frame that counts what it checks.
 * A test file defines functions with RV_TEST(name) and ends with RV_TEST_MAIN(name, ...).
 * A failed CHECK prints file:line and the values and marks the test failed; REQUIRE also
 * leaves the function. SKIP(reason) prints the reason; the process then closes with
 * "N passed, N failed, N skipped" and exits 1 when anything failed. */
#ifndef RVTEST_H
#define RVTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rvtest_case {
    const char *name;
    void (*run)(void);
} rvtest_case;

bool rvtest_check(bool ok, const char *file, int line, const char *what);
bool rvtest_eq_i64(int64_t got, int64_t want, const char *file, int line, const char *what);
bool rvtest_eq_str(const char *got, const char *want, const char *file, int line, const char *what);
bool rvtest_eq_mem(const void *got, size_t got_len, const void *want, size_t want_len,
                   const char *file, int line, const char *what);
void rvtest_skip(const char *reason);
int rvtest_main(const rvtest_case *cases, size_t count, int argc, char **argv);

#define RV_TEST(name) static void name(void)
#define CHECK(c) (void)rvtest_check((c), __FILE__, __LINE__, #c)
#define CHECK_EQ(got, want)                                                                        \
    (void)rvtest_eq_i64((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, #got)
#define CHECK_STR(got, want) (void)rvtest_eq_str((got), (want), __FILE__, __LINE__, #got)
#define CHECK_MEM(got, gl, want, wl)                                                               \
    (void)rvtest_eq_mem((got), (gl), (want), (wl), __FILE__, __LINE__, #got)
#define REQUIRE(c)                                                                                 \
    do {                                                                                           \
        if (!rvtest_check((c), __FILE__, __LINE__, #c))                                            \
            return;                                                                                \
    } while (0)
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        rvtest_skip(reason);                                                                       \
        return;                                                                                    \
    } while (0)
/* The formatter takes the initialiser for a block. */
/* clang-format off */
#define RV_CASE(name) {#name, name}
/* clang-format on */
#define RV_TEST_MAIN(...)                                                                          \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const rvtest_case cases[] = {__VA_ARGS__};                                          \
        return rvtest_main(cases, sizeof cases / sizeof cases[0], argc, argv);                     \
    }

#endif
