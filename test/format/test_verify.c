#include "parquet_sample.h"
#include "rvtest.h"

static const rv_encoding_policy policies[] = {RV_ENCODING_AUTO, RV_ENCODING_COMPATIBLE,
                                              RV_ENCODING_SMALL};

RV_TEST(own_files_pass_every_level)
{
    for (size_t p = 0; p < 3; p++) {
        for (int level = 1; level <= 5; level++) {
            rv_buf file = RV_BUF_INIT;
            rv_arena arena = RV_ARENA_INIT;
            rv_verify_result r;
            rv_error err = {0};
            CHECK_EQ(ps_make(policies[p], p == 1 ? RV_CODEC_SNAPPY : RV_CODEC_ZSTD, 2500, 1100,
                             &file, &err),
                     RV_OK);
            CHECK_STR(err.text, "");
            CHECK_EQ(pq_verify(&file, (rv_verify_level)level, &r, &arena, &err), RV_OK);
            CHECK_STR(err.text, "");
            CHECK_EQ(r.rows, 2500);
            CHECK(r.has_checksum);
            CHECK_EQ(r.checksum_matches, level == 5);
            CHECK_STR(r.mismatch, "");
            rv_arena_free(&arena);
            rv_buf_free(&file);
        }
    }
}

RV_TEST_MAIN(RV_CASE(own_files_pass_every_level))
