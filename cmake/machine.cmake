# rescind_machine_kernel(<name> <directory>): the kernel sources of a directory, with what boots them (emu/boot), as an
# executable for a machine without operating system, emu/<name>.elf. The sources need not exist yet: those named after the directory, or what is there.
enable_language(ASM)

set(machine_options -ffreestanding -mcmodel=kernel -mgeneral-regs-only -mno-red-zone -fno-pic -fno-pie -fno-stack-protector
    -fno-asynchronous-unwind-tables -fcf-protection=none -fdata-sections -fno-omit-frame-pointer -fno-builtin)

function(rescind_machine_kernel name directory)
    set(sources ${ARGN})
    if(NOT sources)
        file(GLOB sources CONFIGURE_DEPENDS "${directory}/*.c" "${directory}/arch/x86_64/*.[cS]")
    endif()
    file(GLOB boot CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/emu/boot/*.[cS]")
    set(script "${PROJECT_SOURCE_DIR}/emu/boot/kernel.ld")
    add_executable(${name}.elf ${sources} ${boot})
    set_target_properties(${name}.elf PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu" LINK_DEPENDS "${script}")
    target_compile_options(${name}.elf PRIVATE ${machine_options})
    target_include_directories(${name}.elf PRIVATE "${directory}" "${directory}/abi/machine" "${directory}/arch/x86_64"
        "${PROJECT_SOURCE_DIR}/emu/boot")
    target_link_options(${name}.elf PRIVATE -nostdlib -static -no-pie -Wl,-T,${script} -Wl,--build-id=none
        -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments)
endfunction()

# The programs of a root task, for the user mode of that machine.
set(task_options -ffreestanding -mgeneral-regs-only -fpie -fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables
    -fcf-protection=none -fno-jump-tables -fno-builtin)
