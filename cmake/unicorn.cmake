# Whether there is a Unicorn that translates the addresses of x86-64, which 2.1 was the first to do: UNICORN_LIBRARY,
# UNICORN_INCLUDE. Without, what needs it is left out.
set(UNICORN_LEAST 2.1)
find_path(UNICORN_INCLUDE unicorn/unicorn.h)
find_library(UNICORN_LIBRARY unicorn)
set(unicorn_version "")
if(UNICORN_INCLUDE AND UNICORN_LIBRARY)
    file(STRINGS "${UNICORN_INCLUDE}/unicorn/unicorn.h" unicorn_lines REGEX "^#define UC_(API|VERSION)_(MAJOR|MINOR) ")
    foreach(line IN LISTS unicorn_lines)
        if(line MATCHES "UC_API_(MAJOR|MINOR) ([0-9]+)")
            string(APPEND unicorn_version "${CMAKE_MATCH_2}.")
        endif()
    endforeach()
    string(REGEX REPLACE "\\.$" "" unicorn_version "${unicorn_version}")
endif()
if(unicorn_version VERSION_GREATER_EQUAL UNICORN_LEAST)
    set(UNICORN_FOUND TRUE)
    message(STATUS "Unicorn ${unicorn_version}: ${UNICORN_LIBRARY}")
else()
    set(UNICORN_FOUND FALSE)
    message(STATUS "left out: the kernel under Unicorn, which needs Unicorn ${UNICORN_LEAST} (libunicorn-dev; found: ${unicorn_version}); scripts/install-packages installs it")
endif()

# The parts of emu/unicorn as a library.
function(rescind_unicorn)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/emu/unicorn/*.c")
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/emu/unicorn/plugin.c")
    add_library(unicorn_parts STATIC ${sources})
    set_target_properties(unicorn_parts PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_compile_definitions(unicorn_parts PRIVATE _GNU_SOURCE)
    target_compile_options(unicorn_parts PRIVATE ${unexplored_options})
    target_include_directories(unicorn_parts PUBLIC "${PROJECT_SOURCE_DIR}/emu" "${PROJECT_SOURCE_DIR}/src"
        "${RESCIND_KERNEL_DIR}")
    target_include_directories(unicorn_parts SYSTEM PUBLIC "${UNICORN_INCLUDE}")
    target_link_libraries(unicorn_parts PUBLIC "${UNICORN_LIBRARY}")
endfunction()

# emu/unicorn.so, which the rescind command loads when it is asked to, so that it does not depend on Unicorn itself.
function(rescind_unicorn_plugin)
    add_library(unicorn_plugin MODULE "${PROJECT_SOURCE_DIR}/emu/unicorn/plugin.c")
    set_target_properties(unicorn_plugin PROPERTIES PREFIX "" OUTPUT_NAME unicorn LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu"
        C_VISIBILITY_PRESET hidden)
    target_link_libraries(unicorn_plugin PRIVATE unicorn_parts)
endfunction()
