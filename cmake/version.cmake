# rescind_version_header(<source>): gives that source the macro RESCIND_VERSION, the project's version and, in a git work
# tree, the commit. Looked up at each build; run as a script (-P) this file writes the header if it changed.
if(CMAKE_SCRIPT_MODE_FILE)
    execute_process(COMMAND git -C "${SOURCE_DIR}" describe --always --dirty --abbrev=12
        OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
        string(APPEND VERSION " (${commit})")
    endif()
    file(CONFIGURE OUTPUT "${HEADER}" CONTENT "#define RESCIND_VERSION \"${VERSION}\"\n")
    return()
endif()

function(rescind_version_header source)
    set(header "${PROJECT_BINARY_DIR}/version.h")
    add_custom_target(version BYPRODUCTS "${header}"
        COMMAND "${CMAKE_COMMAND}" "-DSOURCE_DIR=${PROJECT_SOURCE_DIR}" "-DVERSION=${PROJECT_VERSION}" "-DHEADER=${header}"
            -P "${PROJECT_SOURCE_DIR}/cmake/version.cmake"
        VERBATIM)
    set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "-include;${header}" OBJECT_DEPENDS "${header}")
    add_dependencies(rescind version)
endfunction()
