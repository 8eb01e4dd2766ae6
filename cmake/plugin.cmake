# rescind_plugin(<name> <geometry> <directory> [<source>...]): the kernel sources of a directory, and those named (which need
# not exist yet), as a shared library <name>.so that exports rescind_target() only, for `rescind diff --with` and `rescind run --target`. Not
# part of `all`.
function(rescind_plugin name geometry directory)
    set(sources ${ARGN})
    if(NOT sources)
        file(GLOB sources CONFIGURE_DEPENDS "${directory}/*.c" "${directory}/arch/host/*.c")
    endif()
    add_library(${name} MODULE EXCLUDE_FROM_ALL ${sources} "${PROJECT_SOURCE_DIR}/src/plugin/plugin.c")
    set_target_properties(${name} PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden)
    target_compile_options(${name} PRIVATE -ffreestanding ${kernel_options})
    target_include_directories(${name} PRIVATE "${directory}" "${directory}/abi/${geometry}" "${directory}/arch/host")
    # plugin.c alone is looked at by tools before a patched directory is there.
    target_include_directories(${name} PRIVATE "${RESCIND_KERNEL_DIR}" "${RESCIND_KERNEL_DIR}/abi/${geometry}")
    target_link_options(${name} PRIVATE ${kernel_link_options})
endfunction()

# rescind_plugin_of_fault(<name> <geometry> <patch>): the same of the kernel sources with a patch.
function(rescind_plugin_of_fault name geometry patch)
    rescind_patched_tree(sources "${name}" "${patch}" "^(arch/host/)?[^/]*\\.c$")
    rescind_plugin(${name} ${geometry} "${CMAKE_CURRENT_BINARY_DIR}/${name}.dir/tree/src/kernel" ${sources})
endfunction()
