# Third-party libraries, one interface target each: rivet_dep_<name>.
# The static archive is preferred, so that the installed binary runs alone.
function(rivet_dep name header)
  add_library(rivet_dep_${name} INTERFACE)
  find_path(RIVET_INC_${name} ${header} REQUIRED)
  target_include_directories(rivet_dep_${name} SYSTEM INTERFACE ${RIVET_INC_${name}})
  foreach(lib IN LISTS ARGN)
    find_library(RIVET_LIB_${lib} NAMES lib${lib}.a ${lib} REQUIRED)
    target_link_libraries(rivet_dep_${name} INTERFACE ${RIVET_LIB_${lib}})
  endforeach()
endfunction()

rivet_dep(xxhash xxhash.h)
rivet_dep(jansson jansson.h jansson)
rivet_dep(yaml yaml.h yaml)
rivet_dep(zstd zstd.h zstd)
rivet_dep(snappy snappy-c.h snappy)
rivet_dep(lz4 lz4.h lz4)
rivet_dep(deflate libdeflate.h deflate)
rivet_dep(z zlib.h z)
rivet_dep(brotli brotli/decode.h brotlidec brotlicommon)
rivet_dep(expat expat.h expat)
rivet_dep(sqlite sqlite3.h sqlite3)
target_link_libraries(rivet_dep_sqlite INTERFACE Threads::Threads ${CMAKE_DL_LIBS} m)
# snappy is C++ inside: its runtime is linked in, so the binary needs only the C library
target_link_libraries(rivet_dep_snappy INTERFACE -l:libstdc++.a -static-libgcc)

# libpq: its archive leans on two of the server's, which `./dev` fetches into build/deps. Without
# all of them the shared library serves. Kerberos and LDAP are not offered: src/pg/libpq_shims.c
# stands for them, taken out of its archive before libpq asks.
find_path(RIVET_INC_pq libpq-fe.h PATH_SUFFIXES postgresql REQUIRED)
add_library(rivet_dep_pq INTERFACE)
target_include_directories(rivet_dep_pq SYSTEM INTERFACE ${RIVET_INC_pq})
file(GLOB RIVET_PG_LIBDIRS /usr/lib/postgresql/*/lib
  ${PROJECT_SOURCE_DIR}/build/deps/usr/lib/postgresql/*/lib)
set(RIVET_PQ_STATIC ON)
foreach(lib pq pgcommon_shlib pgport_shlib ssl crypto)
  find_library(RIVET_STATIC_${lib} NAMES lib${lib}.a HINTS ${RIVET_PG_LIBDIRS})
  if(NOT RIVET_STATIC_${lib})
    set(RIVET_PQ_STATIC OFF)
  endif()
endforeach()
if(RIVET_PQ_STATIC)
  set_source_files_properties(src/pg/libpq_shims.c PROPERTIES COMPILE_DEFINITIONS RV_PQ_STATIC=1)
  target_link_options(rivet_dep_pq INTERFACE LINKER:-u,gss_acquire_cred)
  target_link_libraries(rivet_dep_pq INTERFACE ${RIVET_STATIC_pq} ${RIVET_STATIC_pgcommon_shlib}
    ${RIVET_STATIC_pgport_shlib} ${RIVET_STATIC_ssl} ${RIVET_STATIC_crypto} Threads::Threads
    ${CMAKE_DL_LIBS} m)
else()
  find_library(RIVET_SHARED_pq NAMES pq REQUIRED)
  target_link_libraries(rivet_dep_pq INTERFACE ${RIVET_SHARED_pq})
endif()

# libcurl: its archive leans on eight libraries for protocols that are not asked of it;
# src/net/libcurl_shims.c stands for them. Tried by linking, because another version may name more;
# without it, or beside the shared libpq (one OpenSSL, not two), the shared library serves.
find_path(RIVET_INC_curl curl/curl.h REQUIRED)
add_library(rivet_dep_curl INTERFACE)
target_include_directories(rivet_dep_curl SYSTEM INTERFACE ${RIVET_INC_curl})
find_library(RIVET_STATIC_curl NAMES libcurl.a)
set(RIVET_CURL_LIBS ${RIVET_STATIC_curl} ${RIVET_STATIC_ssl} ${RIVET_STATIC_crypto} ${RIVET_LIB_z}
  ${RIVET_LIB_zstd} ${RIVET_LIB_brotlidec} ${RIVET_LIB_brotlicommon} Threads::Threads
  ${CMAKE_DL_LIBS} m)
if(RIVET_STATIC_curl AND RIVET_PQ_STATIC)
  try_compile(RIVET_CURL_STATIC
    SOURCES ${PROJECT_SOURCE_DIR}/cmake/curl_links.c ${PROJECT_SOURCE_DIR}/src/net/libcurl_shims.c
    CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${PROJECT_SOURCE_DIR}/src
    COMPILE_DEFINITIONS -DRV_CURL_STATIC=1
    LINK_LIBRARIES ${RIVET_CURL_LIBS})
endif()
if(RIVET_CURL_STATIC)
  set_source_files_properties(src/net/libcurl_shims.c PROPERTIES
    COMPILE_DEFINITIONS RV_CURL_STATIC=1)
  target_link_options(rivet_dep_curl INTERFACE LINKER:-u,rv_net_refuse)
  target_link_libraries(rivet_dep_curl INTERFACE ${RIVET_CURL_LIBS})
else()
  find_library(RIVET_SHARED_curl NAMES curl REQUIRED)
  target_link_libraries(rivet_dep_curl INTERFACE ${RIVET_SHARED_curl})
endif()

# libmariadb: its archive holds everything but OpenSSL and zlib. Beside the shared libpq the shared
# one serves (one OpenSSL, not two).
find_path(RIVET_INC_mariadb mysql.h PATH_SUFFIXES mariadb REQUIRED)
add_library(rivet_dep_mariadb INTERFACE)
target_include_directories(rivet_dep_mariadb SYSTEM INTERFACE ${RIVET_INC_mariadb})
find_library(RIVET_STATIC_mariadb NAMES libmariadb.a)
if(RIVET_STATIC_mariadb AND RIVET_PQ_STATIC)
  target_link_libraries(rivet_dep_mariadb INTERFACE ${RIVET_STATIC_mariadb} ${RIVET_STATIC_ssl}
    ${RIVET_STATIC_crypto} ${RIVET_LIB_z} ${RIVET_LIB_zstd} Threads::Threads ${CMAKE_DL_LIBS} m)
else()
  foreach(lib mariadb ssl crypto)
    find_library(RIVET_SHARED_${lib} NAMES ${lib} REQUIRED)
    target_link_libraries(rivet_dep_mariadb INTERFACE ${RIVET_SHARED_${lib}})
  endforeach()
endif()

# OpenSSL's own functions, for signatures: the same copy that the clients use.
find_path(RIVET_INC_crypto openssl/evp.h REQUIRED)
add_library(rivet_dep_crypto INTERFACE)
target_include_directories(rivet_dep_crypto SYSTEM INTERFACE ${RIVET_INC_crypto})
if(RIVET_PQ_STATIC)
  target_link_libraries(rivet_dep_crypto INTERFACE ${RIVET_STATIC_crypto} Threads::Threads
    ${CMAKE_DL_LIBS})
else()
  find_library(RIVET_SHARED_crypto NAMES crypto REQUIRED)
  target_link_libraries(rivet_dep_crypto INTERFACE ${RIVET_SHARED_crypto})
endif()
