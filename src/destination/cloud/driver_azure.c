#include "destination/cloud/cloud_internal.h"

RV_CLOUD_DRIVER(rv_dest_azure, rv_store_azure, RV_DEST_AZURE, "azure", "Azure");
