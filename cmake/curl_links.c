/* Whether the static libcurl links with what stands for the libraries behind it: cmake/deps.cmake. */
#include <curl/curl.h>

int main(void)
{
    CURL *easy = curl_easy_init();
    curl_easy_cleanup(easy);
    return easy ? 0 : 1;
}
