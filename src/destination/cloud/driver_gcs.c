#include "destination/cloud/cloud_internal.h"

RV_CLOUD_DRIVER(rv_dest_gcs, rv_store_gcs, RV_DEST_GCS, "gcs", "GCS");
