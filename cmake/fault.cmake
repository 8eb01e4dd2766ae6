# rescind_patched_tree(<variable> <name> <patch> <pattern>): a copy of the kernel sources with a patch, made when it is built, in
# <name>.dir/tree of the current binary directory; the variable gets those files of it whose path in src/kernel matches.
function(rescind_patched_tree variable name patch pattern)
    file(GLOB_RECURSE originals CONFIGURE_DEPENDS "${RESCIND_KERNEL_DIR}/*.[chS]")
    set(tree "${CMAKE_CURRENT_BINARY_DIR}/${name}.dir/tree")
    set(sources "")
    foreach(original IN LISTS originals)
        file(RELATIVE_PATH relative "${RESCIND_KERNEL_DIR}" "${original}")
        if(relative MATCHES "${pattern}")
            list(APPEND sources "${tree}/src/kernel/${relative}")
        endif()
    endforeach()
    add_custom_command(OUTPUT ${sources}
        COMMAND "${CMAKE_COMMAND}" -E rm -rf "${tree}"
        COMMAND "${CMAKE_COMMAND}" -E copy_directory "${RESCIND_KERNEL_DIR}" "${tree}/src/kernel"
        COMMAND patch -s -p1 -d "${tree}" -i "${patch}"
        DEPENDS ${originals} "${patch}"
        VERBATIM)
    set(${variable} ${sources} PARENT_SCOPE)
endfunction()
