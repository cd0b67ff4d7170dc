#include "format/csv/csv_internal.h"

const rv_format_driver rv_format_csv = {.abi = RV_FORMAT_ABI,
                                        .name = "csv",
                                        .extension = ".csv",
                                        .mime = "text/csv",
                                        .check = rv_csv_check,
                                        .begin = rv_csv_begin,
                                        .write = rv_csv_write,
                                        .encoded_bytes = rv_csv_encoded_bytes,
                                        .spill = NULL, /* nothing is held back */
                                        .finish = rv_csv_finish,
                                        .discard = rv_csv_discard};
