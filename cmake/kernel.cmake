# The GNU tools, whatever the compiler: others lack --force-group-allocation.
find_program(RELOCATABLE_LD ld REQUIRED)
find_program(RELOCATABLE_OBJCOPY objcopy REQUIRED)

# rescind_kernel(<geometry>): the kernel for the host as one relocatable object that exports rescind_target_<geometry> only,
# so that several kernels live in one process. Link it by the interface library kernel_<geometry>. Without the rescind command
# no program has two kernels, and it is linked as it is compiled: AFL++ instruments it only then, at link time.
function(rescind_kernel geometry)
    file(GLOB sources CONFIGURE_DEPENDS "${RESCIND_KERNEL_DIR}/*.c" "${RESCIND_KERNEL_DIR}/arch/host/*.c")
    set(parts kernel_${geometry}_parts)
    add_library(${parts} OBJECT ${sources})
    target_compile_options(${parts} PRIVATE -ffreestanding ${kernel_options})
    target_include_directories(${parts} PRIVATE "${RESCIND_KERNEL_DIR}" "${RESCIND_KERNEL_DIR}/abi/${geometry}"
        "${RESCIND_KERNEL_DIR}/arch/host")

    add_library(kernel_${geometry} INTERFACE)
    target_link_options(kernel_${geometry} INTERFACE ${kernel_link_options})
    if(NOT RESCIND_CLI)
        target_sources(kernel_${geometry} INTERFACE $<TARGET_OBJECTS:${parts}>)
        return()
    endif()

    # Groups are dissolved: a group whose signature is a local symbol would otherwise be merged with another kernel's.
    set(object "${PROJECT_BINARY_DIR}/kernel_${geometry}.o")
    add_custom_command(OUTPUT "${object}"
        COMMAND "${RELOCATABLE_LD}" -r --force-group-allocation -o "${object}" $<TARGET_OBJECTS:${parts}>
        COMMAND "${RELOCATABLE_OBJCOPY}" --keep-global-symbol=rescind_target_${geometry}
            --keep-global-symbol=__llvm_profile_counter_bias "${object}"
        DEPENDS ${parts} $<TARGET_OBJECTS:${parts}>
        COMMAND_EXPAND_LISTS VERBATIM)
    add_custom_target(kernel_${geometry}_object DEPENDS "${object}")

    add_dependencies(kernel_${geometry} kernel_${geometry}_object)
    target_link_libraries(kernel_${geometry} INTERFACE "${object}")
endfunction()
