# A room is one folder of src/ and one static library. Its dependencies are named here once; tests/room_floors_test
# checks the same floors on the #include lines.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
find_package(Boost 1.81 REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)

add_library(inthub_options INTERFACE)
target_include_directories(inthub_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(inthub_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough -Wunused -Werror
  -fno-omit-frame-pointer)
target_compile_definitions(inthub_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB
  INTHUB_VERSION="${PROJECT_VERSION}")
target_link_libraries(inthub_options INTERFACE Threads::Threads)
target_link_options(inthub_options INTERFACE -fuse-ld=mold)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(inthub_options INTERFACE -fstack-protector-strong -D_FORTIFY_SOURCE=2)
  target_link_options(inthub_options INTERFACE -Wl,-z,relro,-z,now -Wl,--gc-sections)
  target_compile_options(inthub_options INTERFACE -ffunction-sections -fdata-sections)
endif()
if(INTHUB_SANITIZE)
  target_compile_options(inthub_options INTERFACE -fsanitize=${INTHUB_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(inthub_options INTERFACE -fsanitize=${INTHUB_SANITIZE})
endif()

# inthub_room(NAME [ROOMS lower_room...] [LIBS library...]): a static library of all .cc files below src/NAME.
function(inthub_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")  # the program's, linked below
  if(NOT sources)
    add_library(inthub_${name} INTERFACE)
    set(scope INTERFACE)
  else()
    add_library(inthub_${name} STATIC ${sources})
    set(scope PUBLIC)
  endif()
  target_link_libraries(inthub_${name} ${scope} inthub_options ${ROOM_LIBS})
  foreach(lower ${ROOM_ROOMS})
    target_link_libraries(inthub_${name} ${scope} inthub_${lower})
  endforeach()
endfunction()
