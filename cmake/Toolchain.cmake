# Warnings are errors; frame pointers stay so that perf can walk stacks; ccache and mold are used where present.
add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options(-Wthread-safety)
else()
  # GCC 12 reports inlined vectors and optionals that were checked a line before.
  add_compile_options(-Wno-maybe-uninitialized)
endif()

find_program(KDB_CCACHE ccache)
if(KDB_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KDB_CCACHE})
endif()
find_program(KDB_MOLD mold)
if(KDB_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(KDB_SANITIZE "" CACHE STRING "Comma-separated -fsanitize= list, for the asan and tsan presets")
if(KDB_SANITIZE)
  add_compile_options(-fsanitize=${KDB_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KDB_SANITIZE})
endif()
if(KDB_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC says that TSan does not see fences. Asio's headers have some, beside their mutexes.
  add_compile_options(-Wno-tsan)
endif()

option(KDB_FUZZ "Build the fuzz targets (preset fuzz; clang)" OFF)
if(KDB_FUZZ)
  # In code without coverage counters libFuzzer is blind, so the libraries have them, too.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# How long one unit or simulation test may take. The sweeps over every byte of a log are about a hundred
# times slower when instrumented.
set(KDB_TEST_SECONDS 300)
# By how much process tests may take longer; e2e/faults/instrumented.py reads it.
set(KDB_SLOWDOWN 1)
if(KDB_SANITIZE)
  set(KDB_TEST_SECONDS 1500)
  set(KDB_SLOWDOWN 5)
endif()
