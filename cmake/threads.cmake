# The kernel on threads that are CPUs (arch/threads), in programs of tests/threads; without the rescind command's ways to put
# several kernels into one program.
function(rescind_threads_options target directory)
    target_compile_options(${target} PRIVATE -ffreestanding)
    target_include_directories(${target} PRIVATE "${directory}" "${directory}/abi/small" "${directory}/arch/threads")
endfunction()

# rescind_threads_kernel(<name> <directory>): as an object library.
function(rescind_threads_kernel name directory)
    file(GLOB sources CONFIGURE_DEPENDS "${directory}/*.c" "${directory}/arch/threads/*.c" "${directory}/arch/smp/*.c"
        "${directory}/arch/host/views.c")
    add_library(${name} OBJECT ${sources})
    rescind_threads_options(${name} "${directory}")
endfunction()

# rescind_threads_fault(<variable> <name> <kernel> <patch>): the objects of that kernel with a patch, which is to no header: only
# what it changes is compiled again.
function(rescind_threads_fault variable name kernel patch)
    file(STRINGS "${patch}" changed REGEX "^\\+\\+\\+ b/src/kernel/")
    list(TRANSFORM changed REPLACE "^\\+\\+\\+ b/src/kernel/" "")
    list(JOIN changed "|" pattern)
    rescind_patched_tree(sources "${name}" "${patch}" "^(${pattern})$")
    add_library(${name}_changed OBJECT ${sources})
    rescind_threads_options(${name}_changed "${CMAKE_CURRENT_BINARY_DIR}/${name}.dir/tree/src/kernel")
    set(${variable} $<TARGET_OBJECTS:${name}_changed>
        $<FILTER:$<TARGET_OBJECTS:${kernel}>,EXCLUDE,/src/kernel/\(${pattern}\)\.o$> PARENT_SCOPE)
endfunction()
