# The kernel for a machine without operating system, with what boots it (emu/boot): emu/<name>.elf in the build directory.
enable_language(ASM)

# Code that neither expects a libc, nor uses floating point.
set(machine_options -ffreestanding -fno-builtin -mgeneral-regs-only -mno-red-zone -fno-stack-protector
    -fno-asynchronous-unwind-tables -fcf-protection=none)
set(machine_link_options -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack)

function(rescind_machine_options target directory)
    target_compile_options(${target} PRIVATE ${machine_options} -mcmodel=kernel -fno-pic -fno-pie -fdata-sections
        -fno-omit-frame-pointer)
    target_include_directories(${target} PRIVATE "${directory}" "${directory}/abi/machine" "${directory}/arch/x86_64"
        "${PROJECT_SOURCE_DIR}/emu/boot")
endfunction()

function(rescind_machine_link name)
    set(script "${PROJECT_SOURCE_DIR}/emu/boot/kernel.ld")
    set_target_properties(${name}.elf PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu" LINK_DEPENDS "${script}")
    # Not what programs that run here are linked with.
    set_target_properties(${name}.elf PROPERTIES LINK_OPTIONS "")
    target_link_options(${name}.elf PRIVATE ${machine_link_options} -Wl,-T,${script})
endfunction()

# rescind_machine_kernel(<name> <directory>): the kernel sources of a directory.
function(rescind_machine_kernel name directory)
    file(GLOB common CONFIGURE_DEPENDS "${directory}/*.c" "${PROJECT_SOURCE_DIR}/emu/boot/*.[cS]")
    add_library(${name}_common OBJECT ${common})
    rescind_machine_options(${name}_common "${directory}")
    file(GLOB sources CONFIGURE_DEPENDS "${directory}/arch/x86_64/*.[cS]" "${directory}/arch/smp/*.c")
    add_executable(${name}.elf ${sources} $<TARGET_OBJECTS:${name}_common>)
    rescind_machine_options(${name}.elf "${directory}")
    rescind_machine_link(${name})
endfunction()

# rescind_machine_fault(<name> <patch>): the kernel `kernel` with a patch. If that is to sources of src/kernel/arch alone, the
# others are taken as they are compiled already.
function(rescind_machine_fault name patch)
    file(STRINGS "${patch}" others REGEX "^\\+\\+\\+ (.*\\.h|b/src/kernel/[^/]*)$")
    if(others)
        set(pattern "^(arch/(x86_64|smp)/)?[^/]*\\.[cS]$")
        file(GLOB others CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/emu/boot/*.[cS]")
    else()
        set(pattern "^arch/(x86_64|smp)/[^/]*\\.[cS]$")
        set(others $<TARGET_OBJECTS:kernel_common>)
    endif()
    rescind_patched_tree(sources "${name}" "${patch}" "${pattern}")
    add_executable(${name}.elf ${sources} ${others})
    rescind_machine_options(${name}.elf "${CMAKE_CURRENT_BINARY_DIR}/${name}.dir/tree/src/kernel")
    rescind_machine_link(${name})
endfunction()
