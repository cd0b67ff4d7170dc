#include "destination/cloud/cloud_internal.h"

RV_CLOUD_DRIVER(rv_dest_s3, rv_store_s3, RV_DEST_S3, "s3", "S3");
