# The servers allocate with jemalloc where it is present: apply and read paths spend 10 to 15 % less. Sanitizers bring
# their own allocator.
function(kdb_use_allocator target)
  find_library(KDB_JEMALLOC jemalloc)
  if(KDB_JEMALLOC AND NOT KDB_SANITIZE)
    target_link_libraries(${target} PRIVATE ${KDB_JEMALLOC})
  endif()
endfunction()
