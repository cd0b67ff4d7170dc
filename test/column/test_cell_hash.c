/* The register hash against the library, every length and many seeds. */
#include "column/cell_hash_internal.h"

#include "base/hash.h"
#include "rvtest.h"

RV_TEST(equals_the_library_at_every_length)
{
    uint8_t tagged[128];
    uint64_t r = 88172645463325252U;
    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < sizeof tagged; i++) {
            r ^= r << 13;
            r ^= r >> 7;
            r ^= r << 17;
            tagged[i] = (uint8_t)(r >> 32);
        }
        uint64_t value = round == 0 ? 0 : r;
        rv_cell_seed seed = rv_cell_seed_of(value);
        for (size_t len = 0; len < 128; len++)
            CHECK(rv_hash_tagged(&seed, tagged[0], tagged + 1, len) ==
                  rv_xxh3_seed(tagged, len + 1, value));
        uint64_t word;
        memcpy(&word, tagged + 1, sizeof word);
        CHECK(rv_hash_word(&seed, tagged[0], word) == rv_xxh3_seed(tagged, 9, value));
    }
}

RV_TEST_MAIN(RV_CASE(equals_the_library_at_every_length))
