/* Runs a fuzz target over the files of its corpus folder, so that every input that once mattered
 * is a test in every build. usage: replay_<target> FOLDER */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int replay_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    uint8_t *data = NULL;
    long size = -1;
    if (fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    rewind(f);
    /* no terminator behind the data: a read past the end must trip the sanitizer */
    if (size >= 0)
        data = malloc(size > 0 ? (size_t)size : 1);
    int r = -1;
    if (data && fread(data, 1, (size_t)size, f) == (size_t)size)
        r = LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    fclose(f);
    return r;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s FOLDER (must exist)\n", argv[0]);
        return 2;
    }
    unsigned count = 0, failed = 0;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] == '.')
            continue;
        count++;
        if (replay_file(argv[1], e->d_name) != 0) {
            printf("failed: %s/%s\n", argv[1], e->d_name);
            failed++;
        }
    }
    closedir(dir);
    printf("%u passed, %u failed, 0 skipped\n", count - failed, failed);
    return failed || count == 0;
}
