# blocks.so, QEMU's plug-in that notes which blocks of the kernel ran; what it noted of an older kernel is void.
function(rescind_blocks kernel)
    add_library(blocks MODULE "${PROJECT_SOURCE_DIR}/emu/blocks/blocks.c")
    set_target_properties(blocks PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu" C_VISIBILITY_PRESET hidden)
    target_compile_definitions(blocks PRIVATE _GNU_SOURCE)
    add_custom_command(TARGET ${kernel} POST_BUILD COMMAND "${CMAKE_COMMAND}" -E rm -f "$<TARGET_FILE:${kernel}>.blocks")
endfunction()

# roottask.elf: the root task, with seq, oracle and harness compiled for it. With gcc only; not in sanitizer builds.
function(rescind_roottask)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/emu/roottask/*.c" "${PROJECT_SOURCE_DIR}/emu/roottask/*.S"
        "${PROJECT_SOURCE_DIR}/src/seq/*.c" "${PROJECT_SOURCE_DIR}/src/oracle/*.c" "${PROJECT_SOURCE_DIR}/src/harness/*.c")
    list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/src/harness/host.c")
    set(script "${PROJECT_SOURCE_DIR}/emu/roottask/roottask.ld")
    add_executable(roottask ${sources})
    set_target_properties(roottask PROPERTIES OUTPUT_NAME roottask.elf RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/emu"
        LINK_DEPENDS "${script}" POSITION_INDEPENDENT_CODE OFF)
    target_include_directories(roottask PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/src/kernel"
        "${PROJECT_SOURCE_DIR}/emu/roottask")
    # Position-independent, for no other model reaches so high an address; nothing is relocated at run time.
    target_compile_options(roottask PRIVATE ${machine_options} -fpie -fvisibility=hidden -fno-jump-tables -ffunction-sections)
    target_link_options(roottask PRIVATE ${machine_link_options} "-Wl,-T,${script}" -Wl,--gc-sections -Wl,--no-relax)
endfunction()
