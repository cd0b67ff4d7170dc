# rivet_room(name "rooms it may use" DEPS third-party...): every .c below src/<name>
# becomes the static library rv_<name>. Linking enforces the layers; tools/check_layers
# enforces them for includes.
function(rivet_flags target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
    -Wcast-qual -Wformat=2 -Wswitch-enum -Wvla -Wstrict-prototypes -Wmissing-prototypes -Werror>
    -fno-omit-frame-pointer -ffunction-sections -fdata-sections)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE RIVET_VERSION="${RIVET_VERSION}")
  if(RIVET_FAULTS)
    target_compile_definitions(${target} PRIVATE RV_FAULTS=1)
  endif()
  if(RIVET_SANITIZE)
    string(REPLACE ";" "," san "${RIVET_SANITIZE}")
    target_compile_options(${target} PRIVATE -fsanitize=${san} -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${san})
  endif()
  if(RIVET_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

function(rivet_room name rooms)
  cmake_parse_arguments(ROOM "" "" "DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
  if(NOT sources) # a room whose first file is yet to come
    file(WRITE ${PROJECT_BINARY_DIR}/empty_${name}.c "typedef int rv_${name}_is_empty;\n")
    set(sources ${PROJECT_BINARY_DIR}/empty_${name}.c)
  endif()
  add_library(rv_${name} STATIC ${sources})
  target_include_directories(rv_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(room IN LISTS rooms)
    target_link_libraries(rv_${name} PUBLIC rv_${room})
  endforeach()
  foreach(dep IN LISTS ROOM_DEPS)
    target_link_libraries(rv_${name} PUBLIC rivet_dep_${dep})
  endforeach()
  target_link_libraries(rv_${name} PUBLIC Threads::Threads m)
  rivet_flags(rv_${name})
endfunction()
