/* Uploads whose id nobody knows, against a scripted peer. */
#include "s3_stand.h"

#define NAME "dir/part 1.csv"

static rv_status abort_all(stand *t)
{
    t->outcome = RV_STORE_UNMET;
    return rv_store_s3.upload_abort(t->store, t->http, NAME, "", &t->outcome, &t->err);
}

RV_TEST(only_uploads_of_this_very_name)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, NULL,
              "<ListMultipartUploadsResult>"
              "<Upload><Key>" NAME "</Key><UploadId>one</UploadId></Upload>"
              "<Upload><Key>" NAME "</Key><UploadId>a+b/c</UploadId></Upload>"
              "<Upload><Key>" NAME ".more</Key><UploadId>theirs</UploadId></Upload>"
              "<Upload><Key>" NAME "</Key></Upload>"
              "</ListMultipartUploadsResult>");
    stand_say(&t, 204, NULL, NULL);
    stand_say(&t, 404, NULL, "<Error><Code>NoSuchUpload</Code></Error>"); /* gone meanwhile */
    CHECK_EQ(abort_all(&t), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_DONE);
    CHECK_EQ(http_peer_count(t.peer), 3);
    CHECK_STR(stand_target(&t, 0), "/bucket?prefix=dir%2Fpart%201.csv&uploads=");
    CHECK_STR(stand_target(&t, 1), "/bucket/dir/part%201.csv?uploadId=one");
    CHECK_STR(stand_target(&t, 2), "/bucket/dir/part%201.csv?uploadId=a%2Bb%2Fc");
    stand_close(&t);
}

RV_TEST(none_or_unknown)
{
    stand t;
    stand_init(&t);
    REQUIRE(stand_open(&t));
    stand_say(&t, 200, NULL, "<ListMultipartUploadsResult/>");
    CHECK_EQ(abort_all(&t), RV_OK);
    CHECK_EQ(t.outcome, RV_STORE_MISSING);
    stand_say(&t, 403, NULL, "<Error><Code>AccessDenied</Code></Error>");
    CHECK_EQ(abort_all(&t), RV_E_DEST_PERMISSION);
    CHECK(strstr(t.err.hint, "s3:ListBucketMultipartUploads") != NULL);
    stand_say(&t, 200, NULL, "no XML");
    CHECK_EQ(abort_all(&t), RV_E_DEST_IO);
    stand_close(&t);
}

RV_TEST_MAIN(RV_CASE(only_uploads_of_this_very_name), RV_CASE(none_or_unknown))
